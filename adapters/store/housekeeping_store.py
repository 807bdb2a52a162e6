"""HousekeepingStore over a database: claims, partitions ahead and behind, purging and thinning."""

from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import Connection, func, select
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from adapters.store import claims, schema
from adapters.store.change_sequence import next_change
from adapters.store.database import Database
from adapters.store.errors import StoreBusyError
from adapters.store.instants import from_day
from adapters.store.partitions import DayKey, days_ahead, drop_detached, drop_oldest, make_partitions
from adapters.store.purging import STAGES, first_day, note_change, overdue_rows, purge_some, thinning
from adapters.store.thinning import compact, is_compaction, thin_some, thinned
from headend.housekeeping import Position, PurgeStep
from headend.model.retention import DataClass, Overdue, Retention

_log = Logger()


class HousekeepingPart:
    """HousekeepingStore of a store."""

    _database: Database
    _partitions: set[DayKey] | None

    def claim_work(self, work: str, owner: str, now: datetime, until: datetime, done_before: datetime) -> Deferred[bool]:
        return self._database.run(lambda c: claims.claim(c, work, owner, now, until=until, done_before=done_before))

    def finish_work(self, work: str, owner: str, done: datetime, *, keep: bool = False) -> Deferred[None]:
        return self._database.run(lambda c: claims.finish(c, work, owner, done, keep=keep))

    def release_work(self, owner: str) -> Deferred[None]:
        return self._database.run(lambda c: claims.release(c, owner))

    def make_room(self, now: datetime) -> Deferred[None]:
        return Deferred.fromCoroutine(self._make_room(now))

    def purge_step(self, retention: Retention, data_class: DataClass, now: datetime, position: Position, work: int) -> Deferred[PurgeStep]:
        return Deferred.fromCoroutine(self._purge_step(retention, data_class, now, position, work))

    def overdue(self, retention: Retention, now: datetime) -> Deferred[list[Overdue]]:
        return self._database.read(lambda c: overdue(c, retention, now))

    async def _make_room(self, now: datetime) -> None:
        days = set() if self._partitions is None else days_ahead(now) - self._partitions
        await self._database.run(lambda c: _room(c, days, now))
        if self._partitions is not None:
            self._partitions |= days

    async def _purge_step(self, retention: Retention, data_class: DataClass, now: datetime, position: Position, work: int) -> PurgeStep:
        if data_class is DataClass.VOLTAGE:
            channels, before = thinning(retention, now)
            if is_compaction(position):
                await self._compact(position)
            return await self._database.run(lambda c: thin_some(c, channels, before, position, work))
        before = first_day(retention, data_class, now)
        number = position[0] if position else 0
        stage = STAGES[data_class][number]
        if stage.partitioned and not self._database.is_sqlite:
            rows, any_dropped = await self._database.maintain(lambda c: _drop(c, stage.table.name, before))
            if any_dropped:
                return PurgeStep(rows, (number, 0))
        return await self._database.run(lambda c: purge_some(c, data_class, before, position, work))


    async def _compact(self, position: Position) -> None:
        try:
            await self._database.maintain(lambda c: compact(c, position))
        except StoreBusyError as error:
            # A backup holds every table: room that is not given back is no reason to keep what is past its time.
            _log.warn("a thinned day is not compacted: {error}", error=error)


def overdue(connection: Connection, retention: Retention, now: datetime) -> list[Overdue]:
    """What purging would forget now, by class."""
    found = []
    for data_class in DataClass:
        if data_class is DataClass.VOLTAGE:
            before, rows = thinning(retention, now)[1], _unthinned(connection, retention, now)
        else:
            before = first_day(retention, data_class, now)
            rows = overdue_rows(connection, data_class, before)
        found.append(Overdue(data_class, datetime.combine(from_day(before), time(), UTC), rows))
    return found


def _unthinned(connection: Connection, retention: Retention, now: datetime) -> int:
    """Days that stay and have not been thinned."""
    day: Any = schema.interval_day.c.day
    start = max(thinned(connection)[0], first_day(retention, DataClass.INTERVALS, now))
    rows = select(func.count()).select_from(schema.interval_day).where(day >= start, day < thinning(retention, now)[1])
    return int(connection.execute(rows).scalar_one())


def _room(connection: Connection, days: set[DayKey], now: datetime) -> None:
    if days:
        make_partitions(connection, days)
    note_change(connection, now)


def _drop(connection: Connection, table: str, before: int) -> tuple[int, bool]:
    rows, any_dropped = drop_oldest(connection, table, before)
    if not any_dropped:
        drop_detached(connection)
    elif rows and table == schema.register_read.name:
        next_change(connection)  # what was counted of lists of reads holds no longer
    return rows, any_dropped
