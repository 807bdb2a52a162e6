"""The table of endpoints' silences; as `schema` has the rest."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, octets, text

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
