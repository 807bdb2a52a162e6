"""Tables of exports: their runs."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, numbered, small, text

export_gap = Table(
    "export_gap",
    metadata,
    text("schedule", key=True),
    text("kind", key=True),
    integer("day", key=True),
    integer("endpoint_id", key=True),
    integer("missing"),
)

export_run = Table(
    "export_run",
    metadata,
    numbered("run_id"),
    text("schedule"),
    integer("day"),
    integer("number"),
    small("scheduled"),
    big("as_of_us"),
    big("from_seq"),
    big("to_seq"),
    text("state"),
    integer("files"),
    big("meters"),
    big("octets"),
    big("ended_us", nullable=True),
    text("reason"),
)
