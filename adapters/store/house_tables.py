"""Tables of what keeps a database in order: who does regular work, how far days are thinned, what is used."""

from sqlalchemy import Table

from adapters.store.columns import big, integer, metadata, octets, small, text

regular_work = Table(
    "regular_work", metadata, text("work", key=True), text("owner", nullable=True), big("until_us"), big("done_us", nullable=True)
)

thinned = Table("thinned", metadata, small("one", key=True), integer("before_day"), big("change_seq"))

change_day = Table("change_day", metadata, integer("day", key=True), big("change_seq"))

usage_day = Table(
    "usage_day",
    metadata,
    integer("day", key=True),
    integer("interval_seconds", key=True),
    integer("endpoints"),
    big("intervals"),
    big("octets"),
)

traffic_day = Table("traffic_day", metadata, integer("day", key=True), octets("program", key=True), big("sent"), big("received"))

endpoint_traffic = Table("endpoint_traffic", metadata, integer("endpoint_id", key=True), big("sent"), big("received"))
