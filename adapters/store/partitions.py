"""PostgreSQL's day partitions of the large tables: made ahead when the first value of a day arrives.

A partition is made as a table of its own and then attached: that waits for no insert into its siblings, and none waits for it.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, text

from adapters.store.instants import DAY_US, from_day

DayKey = tuple[str, int]
"""A partitioned table's name and a day since the epoch."""

_LOCK = 0x50415254
_BOUND_UNITS = {"register_read": DAY_US, "interval_day": 1, "device_event": DAY_US}
"""What a day counts in the column that each table is partitioned by."""

_STORAGE = "toast_tuple_target = 8160"
"""A commercial day of 2 to 3 KiB stays in its row, uncompressed: it is packed already."""


class PartitionsWantedError(Exception):
    """Our own signal: these partitions must be made before the transaction can be; never leaves the store."""

    def __init__(self, days: set[DayKey]) -> None:
        self.days = days
        super().__init__(f"{len(days)} day partitions are wanted")


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
