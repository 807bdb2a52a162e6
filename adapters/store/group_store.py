"""Groups of meters: members in order, changed under the lock of master data."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.database import Database
from adapters.store.instants import to_us
from adapters.store.master_lock import lock_master_data
from headend.errors import RequestError, UnknownMeterError
from headend.limits import GROUP_METERS_MAX, GROUPS_MAX
from headend.meter_groups import Answering, GroupKey, GroupKind, MeterGroup, UnknownGroupError, entering, leaving
from headend.model.endpoint import CONFIGURATIONS, Commodity
from headend.model.refusal import Refusal

_G, _M, _E = schema.meter_group.c, schema.meter_group_member.c, schema.endpoint.c


def group(connection: Connection, key: GroupKey) -> MeterGroup | None:
    """A group whole."""
    row = _found(connection, key)
    if row is None:
        return None
    members = (
        select(_E.meter_no)
        .join(schema.meter_group_member, _M.endpoint_id == _E.endpoint_id)
        .where(_M.group_kind == key.kind.value, _M.group_id == row.group_id)
        .order_by(_M.position)
    )
    return MeterGroup(key.kind, row.group_id, row.name, tuple(connection.execute(members).scalars()))


def members(connection: Connection, group_id: str) -> Sequence[str] | None:
    """Meter numbers of a meter group."""
    found = group(connection, GroupKey(GroupKind.METERS, group_id))
    return None if found is None else found.meter_nos


def names(connection: Connection, kind: GroupKind, meter_no: str | None) -> list[str]:
    """Names of the groups of a kind, or of those that a meter is in."""
    statement = select(_G.name).where(_G.group_kind == kind.value).order_by(_G.name)
    if meter_no is not None:
        endpoint_id = connection.execute(select(_E.endpoint_id).where(_E.meter_no == meter_no)).scalar()
        if endpoint_id is None:
            raise UnknownMeterError(meter_no)
        inside = select(_M.group_id).where(_M.group_kind == kind.value, _M.endpoint_id == endpoint_id)
        statement = statement.where(_G.group_id.in_(inside))
    return list(connection.execute(statement).scalars())


def establish(connection: Connection, wanted: MeterGroup, commodity: Commodity | None, now: datetime) -> list[Refusal]:
    """Make a group, or give one that is there these members."""
    lock_master_data(connection)
    known = _meters(connection, wanted.meter_nos)
    taken, refusals = entering(wanted.meter_nos, {no: kind for no, (_, kind) in known.items()}, (), GROUP_METERS_MAX, commodity)
    _clear(connection, wanted.kind, wanted.group_id)
    _make(connection, wanted.kind, wanted.group_id, wanted.name, now)
    rows = [(wanted.kind.value, wanted.group_id, known[no][0], position, None, None) for position, no in enumerate(taken)]
    put(connection, schema.meter_group_member, rows, OnConflict.FAIL)
    return refusals


def delete_group(connection: Connection, key: GroupKey) -> None:
    """Forget a group."""
    lock_master_data(connection)
    row = _found(connection, key)
    if row is None:
        raise UnknownGroupError(key)
    _clear(connection, key.kind, row.group_id)


def insert(
    connection: Connection, key: GroupKey, meter_nos: Sequence[str], commodity: Commodity | None, answering: Answering, now: datetime
) -> list[Refusal]:
    """Put meters behind those that are in a group; whoever is inside stays where it is."""
    lock_master_data(connection)
    row = _found(connection, key)
    if row is None and key.kind is GroupKind.METERS:
        raise UnknownGroupError(key)
    group_id = key.name if row is None else row.group_id
    known, inside = _meters(connection, meter_nos), _positions(connection, key.kind, group_id)
    present = {no for no, (endpoint_id, _) in known.items() if endpoint_id in inside}
    room = GROUP_METERS_MAX - len(inside)
    taken, refusals = entering(meter_nos, {no: kind for no, (_, kind) in known.items()}, present, room, commodity)
    if row is None and taken:
        _make(connection, key.kind, group_id, group_id, now)
    first = max(inside.values(), default=-1) + 1
    told = (answering.transaction_id or None, answering.response_url or None)
    rows = [(key.kind.value, group_id, known[no][0], first + i, *told) for i, no in enumerate(taken)]
    put(connection, schema.meter_group_member, rows, OnConflict.FAIL)
    return refusals


def remove(connection: Connection, key: GroupKey, meter_nos: Sequence[str]) -> list[Refusal]:
    """Take meters out of a group."""
    lock_master_data(connection)
    row = _found(connection, key)
    if row is None:
        raise UnknownGroupError(key)
    known, inside = _meters(connection, meter_nos), _positions(connection, key.kind, row.group_id)
    present = {no for no, (endpoint_id, _) in known.items() if endpoint_id in inside}
    taken, refusals = leaving(meter_nos, known, present)
    gone = [known[no][0] for no in taken]
    if gone:
        member = schema.meter_group_member
        one = delete(member).where(_M.group_kind == key.kind.value, _M.group_id == row.group_id)
        for start in range(0, len(gone), _IDS_PER_STATEMENT):
            connection.execute(one.where(_M.endpoint_id.in_(gone[start : start + _IDS_PER_STATEMENT])))
    return refusals


_IDS_PER_STATEMENT = 1_000


def _found(connection: Connection, key: GroupKey) -> Any:
    """The row of a group: by its number, else by its name, the first of those that share it."""
    named = select(schema.meter_group).where(_G.group_kind == key.kind.value, or_(_G.group_id == key.name, _G.name == key.name))
    rows = connection.execute(named.order_by(_G.group_id)).all()
    return next((row for row in rows if row.group_id == key.name), rows[0] if rows else None)


def _meters(connection: Connection, meter_nos: Sequence[str]) -> dict[str, tuple[int, Commodity]]:
    rows = fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in sorted(set(meter_nos))])
    return {row[1]: (row[0], CONFIGURATIONS[row[4]].commodity) for row in rows}


def _positions(connection: Connection, kind: GroupKind, group_id: str) -> dict[int, int]:
    statement = select(_M.endpoint_id, _M.position).where(_M.group_kind == kind.value, _M.group_id == group_id)
    return {row.endpoint_id: row.position for row in connection.execute(statement)}


def _make(connection: Connection, kind: GroupKind, group_id: str, name: str, now: datetime) -> None:
    if connection.execute(select(func.count()).select_from(schema.meter_group)).scalar_one() >= GROUPS_MAX:
        raise RequestError(f"there are {GROUPS_MAX} groups, which is the most; delete one first")
    put(connection, schema.meter_group, [(kind.value, group_id, name, to_us(now))], OnConflict.FAIL)


def _clear(connection: Connection, kind: GroupKind, group_id: str) -> None:
    connection.execute(delete(schema.meter_group_member).where(_M.group_kind == kind.value, _M.group_id == group_id))
    connection.execute(delete(schema.meter_group).where(_G.group_kind == kind.value, _G.group_id == group_id))


class GroupPart:
    """MeterGroups of a store."""

    _database: Database

    def group_members(self, group_id: str) -> Deferred[Sequence[str] | None]:
        return self._database.read(lambda c: members(c, group_id))

    def group(self, key: GroupKey) -> Deferred[MeterGroup | None]:
        return self._database.read(lambda c: group(c, key))

    def group_names(self, kind: GroupKind, meter_no: str | None = None) -> Deferred[list[str]]:
        return self._database.read(lambda c: names(c, kind, meter_no))

    def establish_group(self, group: MeterGroup, commodity: Commodity | None, now: datetime) -> Deferred[list[Refusal]]:
        return self._database.run(lambda c: establish(c, group, commodity, now))

    def delete_group(self, key: GroupKey) -> Deferred[None]:
        return self._database.run(lambda c: delete_group(c, key))

    def insert_in_group(
        self, key: GroupKey, meter_nos: Sequence[str], commodity: Commodity | None, answering: Answering, now: datetime
    ) -> Deferred[list[Refusal]]:
        return self._database.run(lambda c: insert(c, key, meter_nos, commodity, answering, now))

    def remove_from_group(self, key: GroupKey, meter_nos: Sequence[str]) -> Deferred[list[Refusal]]:
        return self._database.run(lambda c: remove(c, key, meter_nos))
