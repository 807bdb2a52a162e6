"""Tables beside those of requests: the protected list, and when each router is free for the next command of a batch."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, numbered, text

protection = Table(
    "protection",
    metadata,
    numbered("protection_id"),
    text("meter_no"),
    text("account_no"),
    text("kind"),
    integer("first_day"),
    integer("last_day", nullable=True),
    text("note"),
    big("entered_us"),
    text("entered_by"),
    big("removed_us", nullable=True),
    text("removed_by"),
)

command_pace = Table("command_pace", metadata, integer("router_id", key=True), big("free_us"))
