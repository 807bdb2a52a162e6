"""Tables of files on their way."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, numbered, octets, small, text

delivery = Table(
    "delivery",
    metadata,
    numbered("delivery_id"),
    text("target"),
    text("batch"),
    integer("position"),
    text("path"),
    text("name"),
    big("size"),
    octets("sha256"),
    text("state"),
    integer("tries"),
    big("created_us"),
    big("deadline_us", nullable=True),
    big("next_try_us"),
    big("settled_us", nullable=True),
    text("reason"),
    small("alerted"),
    small("kept"),
)
