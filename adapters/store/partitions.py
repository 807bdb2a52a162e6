"""PostgreSQL's day partitions of the large tables: made ahead by housekeeping, else when the first value of a day arrives; dropped behind.

A partition is made as a table of its own and then attached: that waits for no insert into its siblings, and none waits for it. It is
dropped after it was detached concurrently: that waits for who uses it, and nobody waits for that.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, text

from adapters.store.instants import DAY_US, from_day, to_day

DayKey = tuple[str, int]
"""A partitioned table's name and a day since the epoch."""

_LOCK = 0x50415254
_BOUND_UNITS = {"register_read": DAY_US, "interval_day": 1, "device_event": DAY_US}
"""What a day counts in the column that each table is partitioned by."""

DAYS_AHEAD = 3
"""Days whose partitions are made before they begin: a process that is not there over a weekend has them still."""

_CHILDREN = text(
    "SELECT c.relname, i.inhdetachpending FROM pg_inherits AS i JOIN pg_class AS c ON c.oid = i.inhrelid"
    " WHERE i.inhparent = CAST(:name AS regclass) ORDER BY c.relname"
)

_STORAGE = "toast_tuple_target = 8160"
"""A commercial day of 2 to 3 KiB stays in its row, uncompressed: it is packed already."""


class PartitionsWantedError(Exception):
    """Our own signal: these partitions must be made before the transaction can be; never leaves the store."""

    def __init__(self, days: set[DayKey]) -> None:
        self.days = days
        super().__init__(f"{len(days)} day partitions are wanted")


def require_partitions(days: set[DayKey], known: set[DayKey] | None) -> None:
    """Raises PartitionsWantedError where days lack theirs; `known` is None where the database has none."""
    if known is not None and not days <= known:
        raise PartitionsWantedError(days - known)


def make_partitions(connection: Connection, days: Iterable[DayKey]) -> None:
    """Make those that are not there yet. Runs in a transaction of its own."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    for table, day in sorted(days):
        name, unit = partition_name(table, day), _BOUND_UNITS[table]
        if connection.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar() is not None:
            continue
        connection.execute(text(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL) WITH ({_STORAGE})"))
        connection.execute(
            text(f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ({day * unit}) TO ({(day + 1) * unit})")
        )


def partition_name(table: str, day: int) -> str:
    """`register_read_20261124` and the like."""
    return f"{table}_{from_day(day):%Y%m%d}"


def days_ahead(now: datetime) -> set[DayKey]:
    """The partitions of today and of the days to come."""
    today = to_day(now.date())
    return {(table, day) for table in _BOUND_UNITS for day in range(today, today + DAYS_AHEAD + 1)}


def partition_days(connection: Connection, table: str, before: int) -> list[int]:
    """The days before `before` that have a partition, ascending."""
    days = [_day_of(row.relname) for row in connection.execute(_CHILDREN, {"name": table})]
    return [day for day in days if day < before]


def drop_oldest(connection: Connection, table: str, before: int) -> tuple[int, bool]:
    """Drop the oldest partition before a day: (rows that were in it, whether there was one). Outside any transaction."""
    for row in connection.execute(_CHILDREN, {"name": table}).all():
        if row.inhdetachpending:  # whoever began to drop it was killed
            connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {row.relname} FINALIZE"))
        elif _day_of(row.relname) < before:
            connection.execute(text(f"ALTER TABLE {table} DETACH PARTITION {row.relname} CONCURRENTLY"))
        else:
            continue
        rows = connection.execute(text(f"SELECT count(*) FROM {row.relname}")).scalar_one()  # noqa: S608
        connection.execute(text(f"DROP TABLE {row.relname}"))
        return int(rows), True
    return 0, False


def drop_detached(connection: Connection) -> None:
    """Drop partitions that were detached by somebody who was killed before he dropped them."""
    for table in _BOUND_UNITS:
        orphans = text(
            "SELECT relname FROM pg_class AS c WHERE relkind = 'r' AND relname ~ :pattern AND relnamespace = 'public'::regnamespace"
            " AND NOT relispartition AND NOT EXISTS (SELECT 1 FROM pg_inherits AS i WHERE i.inhrelid = c.oid)"
        )
        for (name,) in connection.execute(orphans, {"pattern": f"^{table}_[0-9]{{8}}$"}).all():
            connection.execute(text(f"DROP TABLE {name}"))


def _day_of(name: str) -> int:
    return to_day(datetime.strptime(name[-8:], "%Y%m%d").date())  # noqa: DTZ007 - a day has no zone
