"""Tables of events as cases, and of queues of those who are told; as `schema` has the rest."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, octets, small, text

event_case = Table(
    "event_case",
    metadata,
    big("change_seq", key=True),
    integer("position", key=True),
    small("is_router"),
    integer("device_id"),
    integer("code"),
    big("occurred_us"),
    big("sequence"),
    text("path"),
    octets("argument"),
    big("received_us"),
    text("state"),
    text("reason"),
    big("due_us", nullable=True),
)

early_event = Table(
    "early_event",
    metadata,
    integer("endpoint_id", key=True),
    big("received_us", key=True),
    octets("entry", key=True),
    big("off_us"),
)

event_memory = Table("event_memory", metadata, integer("endpoint_id", key=True), text("packed"))

silencing = Table(
    "silencing",
    metadata,
    integer("silencing_no", key=True),
    text("scope"),
    text("name"),
    text("codes"),
    big("starts_us"),
    big("ends_us", nullable=True),
    small("is_maintenance"),
    text("reason"),
    text("said_by"),
)

outbox_queue = Table(
    "outbox_queue",
    metadata,
    text("queue", key=True),
    text("partner"),
    text("subscription"),
    small("lane"),
    text("owner", nullable=True),
    big("until_us"),
    big("not_before_us"),
    integer("failures"),
    text("reason"),
)

event_feed = Table(
    "event_feed", metadata, text("feed", key=True), integer("number"), big("change_seq"), integer("position"), big("made_us")
)

event_file = Table(
    "event_file",
    metadata,
    text("feed", key=True),
    integer("number", key=True),
    big("after_seq"),
    integer("after_position"),
    big("last_seq"),
    integer("last_position"),
    integer("events"),
    big("made_us"),
    small("queued"),
)
