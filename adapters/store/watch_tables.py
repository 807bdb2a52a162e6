"""Tables of what is watched for: endpoints' silences, suspicions of theft; as `schema` has the rest."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, octets, small, text

endpoint_silence = Table(
    "endpoint_silence",
    metadata,
    integer("endpoint_id", key=True),
    text("state"),
    big("changed_us"),
    big("since_us", nullable=True),
    text("owner", nullable=True),
    octets("packed"),
)

suspect_event = Table(
    "suspect_event",
    metadata,
    integer("endpoint_id", key=True),
    big("occurred_us", key=True),
    integer("code", key=True),
    big("sequence", key=True),
    octets("argument"),
)

suspicion = Table(
    "suspicion", metadata, integer("endpoint_id", key=True), text("kind", key=True), big("since_us"), big("seen_us")
)

suspicion_mark = Table("suspicion_mark", metadata, small("one", key=True), integer("day"))
