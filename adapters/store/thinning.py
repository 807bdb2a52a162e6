"""Takes values whose class is kept for a shorter time out of days that are kept for the others: voltage, mostly.

Each day is thinned once, when its time has come; what arrives for a thinned day later is found by the index of changes the next time.
Positions: (phase, change sequence when it began, day or change, endpoint).
"""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select, text

from adapters.store import house_tables, schema
from adapters.store.bulk import OnConflict, fetch, put, rows_of
from adapters.store.change_packing import unpack_changes
from adapters.store.day_thinning import thinned_day
from adapters.store.limits import COMPACTION_LOCK_SECONDS, LOCK_SECONDS
from adapters.store.partitions import partition_days, partition_name
from headend.housekeeping import Position, PurgeStep

Row = tuple[Any, ...]

LATE_CHANGES_MAX = 20
"""Changes looked at in one step: each may be of some hundred endpoints, and span three years of days."""

DAYS, COMPACTION, HISTORY, CHANGES = range(4)

_H, _C = schema.interval_day_history.c, schema.endpoint_change.c


def thin_some(connection: Connection, channels: Collection[int], before: int, position: Position, work: int) -> PurgeStep:
    """Take `channels` out of some `work` rows of days before `before`."""
    thinned_before, thinned_seq = thinned(connection)
    if not position:
        seq = connection.execute(select(schema.tally.c.change_seq)).scalar_one()
        return PurgeStep(0, _next_day(connection, seq, thinned_before, before) or (HISTORY, seq, thinned_before, 0))
    phase, seq, place, _ = position
    if phase == DAYS:
        return _thin_day(connection, channels, before, position, work)
    if phase == COMPACTION:
        return PurgeStep(0, _next_day(connection, seq, place + 1, before) or (HISTORY, seq, thinned_before, 0))
    if phase == HISTORY:
        return _thin_history(connection, channels, before, position, work)
    # Days from `thinned_before` on have just been thinned whole.
    step = _thin_late(connection, channels, min(before, thinned_before), place or thinned_seq, min(work, LATE_CHANGES_MAX))
    if step.position is not None:
        return PurgeStep(step.rows, (CHANGES, seq, *step.position, 0))
    put(connection, house_tables.thinned, [(1, before, seq)], OnConflict.REPLACE)
    return step


def is_compaction(position: Position) -> bool:
    """Whether the next step gives the room in a day's partition back, which needs a connection outside any transaction."""
    return bool(position) and position[0] == COMPACTION


def compact(connection: Connection, position: Position) -> None:
    """Give back the room that thinning a day made. Waits a moment for readers of this old day, and they for it; for no one else."""
    connection.execute(text(f"SET lock_timeout = '{COMPACTION_LOCK_SECONDS}s'"))
    try:
        connection.execute(text(f"VACUUM (FULL) {partition_name('interval_day', position[2])}"))
    finally:
        connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS}s'"))


def thinned(connection: Connection) -> tuple[int, int]:
    """(the day before which all days are thinned, the change up to which that holds); zeros at first."""
    row = connection.execute(select(house_tables.thinned.c.before_day, house_tables.thinned.c.change_seq)).first()
    return (0, 0) if row is None else (row[0], row[1])


def _next_day(connection: Connection, seq: int, first: int, before: int) -> Position | None:
    """Where the next day that has values begins."""
    if connection.dialect.name == "sqlite":
        day = connection.execute(text("SELECT min(day) FROM interval_day WHERE day >= :first"), {"first": first}).scalar()
    else:
        day = next((day for day in partition_days(connection, "interval_day", before) if day >= first), None)
    return None if day is None or day >= before else (DAYS, seq, day, 0)


def _thin_day(connection: Connection, channels: Collection[int], before: int, position: Position, work: int) -> PurgeStep:
    _, seq, day, endpoint_id = position
    locking = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
    wanted = "SELECT endpoint_id, day, change_seq, packed FROM interval_day WHERE day = ? AND endpoint_id > ? ORDER BY endpoint_id LIMIT ?"
    rows = rows_of(connection, wanted + locking, (day, endpoint_id, work))
    count = _write_thinned(connection, schema.interval_day, rows, channels)
    if len(rows) == work:
        return PurgeStep(count, (DAYS, seq, day, rows[-1][0]))
    if connection.dialect.name == "postgresql":
        return PurgeStep(count, (COMPACTION, seq, day, 0))
    return PurgeStep(count, _next_day(connection, seq, day + 1, before) or (HISTORY, seq, thinned(connection)[0], 0))


def _thin_history(connection: Connection, channels: Collection[int], before: int, position: Position, work: int) -> PurgeStep:
    """Predecessors of values, a day's whole at a time: they are few."""
    _, seq, first, _ = position
    day = connection.execute(text("SELECT min(day) FROM interval_day_history WHERE day >= :first"), {"first": first}).scalar()
    if day is None or day >= before:
        return PurgeStep(0, (CHANGES, seq, 0, 0))
    rows = [tuple(row) for row in connection.execute(select(schema.interval_day_history).where(_H.day == day))]
    count = _write_thinned(connection, schema.interval_day_history, rows, channels)
    return PurgeStep(count, (HISTORY, seq, day + 1, 0))


def _thin_late(connection: Connection, channels: Collection[int], before: int, after: int, work: int) -> PurgeStep:
    """Days that had been thinned and have changed since."""
    if not before:
        return PurgeStep(0, None)
    wanted = select(schema.endpoint_change).where(_C.change_seq > after).order_by(_C.change_seq).limit(work)
    changes = connection.execute(wanted).all()
    # What changed on a day may stand in the row of the day before. A change from an old day to today says nothing of what lies between:
    # only days that have a row are looked at.
    keys = {
        (endpoint_id, day)
        for change in changes
        for endpoint_id, (first, last) in unpack_changes(change.packed).items()
        for day in range(first - 1, min(last + 1, before))
    }
    count = 0
    if keys:
        days = [day for _, day in keys]
        rows = fetch(connection, schema.interval_day, ("endpoint_id", "day"), sorted(keys), ("day", min(days), max(days)))
        count = _write_thinned(connection, schema.interval_day, rows, channels)
    return PurgeStep(count, (changes[-1].change_seq,) if len(changes) == work else None)


def _write_thinned(connection: Connection, table: Table, rows: Sequence[Row], channels: Collection[int]) -> int:
    changed, emptied = [], []
    for row in rows:
        packed = thinned_day(row[-1], channels)
        if packed:
            changed.append((*row[:-1], packed))
        elif packed is not None:
            emptied.append(row)
    put(connection, table, changed, OnConflict.REPLACE)
    for row in emptied:
        statement = table.delete().where(*[column == value for column, value in zip(table.columns, row, strict=True) if column.primary_key])
        connection.execute(statement)
    return len(changed) + len(emptied)
