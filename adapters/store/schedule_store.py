"""Schedules that partners establish, and the meters of those that are due."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update
from twisted.internet.defer import Deferred

from adapters.store import group_store, schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from adapters.store.master_lock import lock_master_data
from adapters.store.plan_store import make_due
from adapters.store.schedule_packing import pack_targets, pack_times, unpack_targets, unpack_times
from headend.errors import RequestError, shown
from headend.limits import SCHEDULES_MAX
from headend.meter_groups import GroupKey, GroupKind, UnknownGroupError
from headend.ports import Page
from headend.schedules import FollowedSchedule, Schedule, ScheduleKind, ScheduleTargets, UnknownScheduleError

_S = schema.schedule.c


def establish(connection: Connection, wanted: Schedule, partner: str, now: datetime) -> None:
    """Keep a schedule."""
    lock_master_data(connection)
    _check_targets(connection, wanted.targets)
    stored = _row(connection, wanted.kind, wanted.schedule_id)
    if stored is None:
        count = connection.execute(select(func.count()).select_from(schema.schedule).where(_S.kind == wanted.kind.value)).scalar_one()
        if count >= SCHEDULES_MAX:
            raise RequestError(f"there are {SCHEDULES_MAX} schedules of this kind, which is the most; delete one first")
    said = (int(wanted.enabled), wanted.purpose, pack_times(wanted.times), pack_targets(wanted.targets), wanted.version)
    row = (wanted.kind.value, wanted.schedule_id, *said, json.dumps(wanted.told))
    if stored is not None and tuple(stored)[:8] == row:
        return
    put(connection, schema.schedule, [(*row, partner, to_us(now))], OnConflict.REPLACE)


def delete_schedule(connection: Connection, kind: ScheduleKind, schedule_id: str) -> None:
    """Forget a schedule."""
    gone = delete(schema.schedule).where(_S.kind == kind.value, _S.schedule_id == schedule_id)
    if not connection.execute(gone).rowcount:
        raise UnknownScheduleError(kind, schedule_id)


def enable(connection: Connection, kind: ScheduleKind, schedule_id: str, now: datetime, *, enabled: bool) -> None:
    """Follow a schedule from now on, or no more; one that is followed already has missed nothing."""
    lock_master_data(connection)
    stored = _row(connection, kind, schedule_id)
    if stored is None:
        raise UnknownScheduleError(kind, schedule_id)
    if bool(stored.enabled) is not enabled:
        changed = update(schema.schedule).where(_S.kind == kind.value, _S.schedule_id == schedule_id)
        connection.execute(changed.values(enabled=int(enabled), followed_us=to_us(now)))


def named(connection: Connection, kind: ScheduleKind, schedule_id: str) -> Schedule | None:
    """One schedule."""
    row = _row(connection, kind, schedule_id)
    return None if row is None else _schedule(row)


def page(connection: Connection, kind: ScheduleKind, after: str, limit: int) -> Page[Schedule]:
    """Schedules in order of their ids."""
    wanted = select(schema.schedule).where(_S.kind == kind.value, _S.schedule_id > after)
    found = [_schedule(row) for row in connection.execute(wanted.order_by(_S.schedule_id).limit(limit))]
    if len(found) < limit:
        return Page(found, 0)
    return Page(found, connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one() - len(found))


def followed(connection: Connection) -> list[FollowedSchedule]:
    """The enabled reading schedules."""
    wanted = select(_S.schedule_id, _S.times, _S.followed_us).where(_S.kind == ScheduleKind.READING.value, _S.enabled == 1)
    rows = connection.execute(wanted.order_by(_S.schedule_id))
    return [FollowedSchedule(row.schedule_id, unpack_times(row.times), from_us(row.followed_us)) for row in rows]


def follow(connection: Connection, schedule: FollowedSchedule, until: datetime, collect_from: datetime) -> int:
    """Make the meters of a schedule due, unless another process has done so."""
    unseen = (_S.kind == ScheduleKind.READING.value, _S.schedule_id == schedule.schedule_id, _S.enabled == 1)
    noted = update(schema.schedule).where(*unseen, _S.followed_us == to_us(schedule.followed)).values(followed_us=to_us(until))
    targets = connection.execute(noted.returning(_S.targets)).scalar()
    if targets is None:
        return 0
    return make_due(connection, _meters(connection, unpack_targets(targets)), until, collect_from)


def _meters(connection: Connection, targets: ScheduleTargets) -> list[str]:
    """Meters that are read now: those named, and those in the groups that are still there."""
    meter_nos = dict.fromkeys(targets.meter_nos)
    for kind, names in ((GroupKind.METERS, targets.group_ids), (GroupKind.CONFIGURATION, targets.configuration_group_ids)):
        for name in names:
            found = group_store.group(connection, GroupKey(kind, name))
            meter_nos.update(dict.fromkeys(found.meter_nos if found else ()))
    return list(meter_nos)


def _check_targets(connection: Connection, targets: ScheduleTargets) -> None:
    known = {row[1] for row in fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in sorted(set(targets.meter_nos))])}
    unknown = [meter_no for meter_no in targets.meter_nos if meter_no not in known]
    if unknown:
        more = f", nor are {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise RequestError(f"meter {shown(unknown[0])} is not known{more}")
    for kind, names in ((GroupKind.METERS, targets.group_ids), (GroupKind.CONFIGURATION, targets.configuration_group_ids)):
        for name in names:
            if group_store.group(connection, GroupKey(kind, name)) is None:
                raise UnknownGroupError(GroupKey(kind, name))


def _row(connection: Connection, kind: ScheduleKind, schedule_id: str) -> Row[Any] | None:
    return connection.execute(select(schema.schedule).where(_S.kind == kind.value, _S.schedule_id == schedule_id)).first()


def _schedule(row: Row[Any]) -> Schedule:
    told = json.loads(row.told)
    said = (unpack_times(row.times), unpack_targets(row.targets), row.version, told)
    return Schedule(ScheduleKind(row.kind), row.schedule_id, bool(row.enabled), row.purpose, *said)


class SchedulePart:
    """Schedules and FollowedSchedules of a store."""

    _database: Database

    def establish_schedule(self, schedule: Schedule, partner: str, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: establish(c, schedule, partner, now))

    def delete_schedule(self, kind: ScheduleKind, schedule_id: str) -> Deferred[None]:
        return self._database.run(lambda c: delete_schedule(c, kind, schedule_id))

    def enable_schedule(self, kind: ScheduleKind, schedule_id: str, now: datetime, *, enabled: bool) -> Deferred[None]:
        return self._database.run(lambda c: enable(c, kind, schedule_id, now, enabled=enabled))

    def schedule_named(self, kind: ScheduleKind, schedule_id: str) -> Deferred[Schedule | None]:
        return self._database.read(lambda c: named(c, kind, schedule_id))

    def schedules(self, kind: ScheduleKind, after: str, limit: int) -> Deferred[Page[Schedule]]:
        return self._database.read(lambda c: page(c, kind, after, limit))

    def followed_schedules(self) -> Deferred[Sequence[FollowedSchedule]]:
        return self._database.read(followed)

    def follow_schedule(self, schedule: FollowedSchedule, until: datetime, collect_from: datetime) -> Deferred[int]:
        return self._database.run(lambda c: follow(c, schedule, until, collect_from))
