"""Sessions of modified meters: what each tells, by the numbers of changes, in order of meter number."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, case, delete, exists, func, or_, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.device_store import HAS_SWITCH
from adapters.store.directory import entries_by_id
from adapters.store.instants import to_us
from adapters.store.master_lock import lock_master_data
from headend.limits import METER_SESSIONS_MAX
from headend.meter_sessions import MeterList, MeterSession, ModifiedMeter, Verb
from headend.ports import Page

_E, _D, _C, _S, _M = schema.endpoint.c, schema.switch_device.c, schema.meter_change.c, schema.meter_session.c, schema.master_change.c


def begin(connection: Connection, partner: str, meter_list: MeterList, previous: str, now: datetime) -> MeterSession:
    """A session that begins where `previous` ended."""
    # Changes are numbered under this lock, so none with a lower number can appear later.
    lock_master_data(connection)
    until = connection.execute(select(func.max(_M.change_no))).scalar() or 0
    number = (connection.execute(select(func.max(_S.session_no))).scalar() or 0) + 1
    before = _by_id(connection, partner, meter_list, previous)
    after = None if before is None else before.until_no
    put(connection, schema.meter_session, [(number, meter_list.value, partner, previous, after, until, to_us(now))], OnConflict.FAIL)
    _forget_old(connection, partner, meter_list)
    return MeterSession(_session_id(meter_list, number), meter_list, after, until)


def find(connection: Connection, partner: str, meter_list: MeterList, previous: str, session_id: str) -> MeterSession | None:
    """A session under way."""
    row = _by_id(connection, partner, meter_list, session_id)
    if row is None:
        same = _of(partner, meter_list).where(_S.previous == previous).order_by(_S.session_no.desc()).limit(1)
        row = connection.execute(same).first()
    return None if row is None else MeterSession(_session_id(meter_list, row.session_no), meter_list, row.after_no, row.until_no)


def modified(connection: Connection, session: MeterSession, after: str, limit: int) -> Page[ModifiedMeter]:
    """Meters that a session tells of."""
    told = _all(session) if session.after is None else _changed(session, session.after)
    wanted = told.where(_E.meter_no > after)
    rows = connection.execute(wanted.order_by(_E.meter_no).limit(limit)).all()
    remaining = 0
    if len(rows) == limit:
        remaining = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one() - len(rows)
    entries = entries_by_id(connection, (row.endpoint_id for row in rows))
    return Page([ModifiedMeter(entries[row.endpoint_id], _verb(session, row)) for row in rows], remaining)


def _is_told(session: MeterSession) -> Any:
    return _E.active == 1 if session.meter_list is MeterList.AMR else and_(_E.active == 1, HAS_SWITCH)


def _verb(session: MeterSession, row: Row[Any]) -> Verb | None:
    if not row.told:
        return Verb.GONE
    if session.after is None:
        return None
    return Verb.NEW if row.is_new else Verb.CHANGED


def _changed(session: MeterSession, after: int) -> Select[Any]:
    told, new = func.max(_told_number(session)).label("told"), func.max(_C.is_new).label("is_new")
    statement = (
        select(_E.endpoint_id, _E.meter_no, told, new)
        .select_from(schema.meter_change)
        .join(schema.endpoint, _E.endpoint_id == _C.endpoint_id)
        .outerjoin(schema.switch_device, _D.endpoint_id == _E.endpoint_id)
        .where(_C.change_no > after, _C.change_no <= session.until)
        .group_by(_E.endpoint_id, _E.meter_no)
    )
    # A meter that never had a switch is nothing to a list of those that have one.
    return statement if session.meter_list is MeterList.AMR else statement.where(or_(HAS_SWITCH, _D.endpoint_id.is_not(None)))


def _all(session: MeterSession) -> Select[Any]:
    """All that were there when the session began: not those added since, and those that have gone since."""
    later = and_(_C.endpoint_id == _E.endpoint_id, _C.change_no > session.until)
    was_there = or_(_is_told(session), exists().where(later) if session.meter_list is MeterList.AMR else _lost_switch(later))
    return (
        select(_E.endpoint_id, _E.meter_no, _told_number(session).label("told"))
        .select_from(schema.endpoint)
        .outerjoin(schema.switch_device, _D.endpoint_id == _E.endpoint_id)
        .where(was_there, ~exists().where(later, _C.is_new == 1))
    )


def _lost_switch(later: Any) -> Any:
    return and_(exists().where(later), or_(HAS_SWITCH, _D.endpoint_id.is_not(None)))


def _told_number(session: MeterSession) -> Any:
    return case((_is_told(session), 1), else_=0)


def _of(partner: str, meter_list: MeterList) -> Select[Any]:
    return select(schema.meter_session).where(_S.partner == partner, _S.meter_list == meter_list.value)


def _session_id(meter_list: MeterList, number: int) -> str:
    return f"{meter_list.value}-{number}"


def _by_id(connection: Connection, partner: str, meter_list: MeterList, session_id: str) -> Row[Any] | None:
    prefix, _, number = session_id.strip().partition("-")
    if prefix != meter_list.value or not (number.isascii() and number.isdigit() and len(number) <= _DIGITS_MAX):
        return None
    return connection.execute(_of(partner, meter_list).where(_S.session_no == int(number))).first()


_DIGITS_MAX = 18
"""Digits of a number that a database holds."""


def _forget_old(connection: Connection, partner: str, meter_list: MeterList) -> None:
    newest = _of(partner, meter_list).with_only_columns(_S.session_no).order_by(_S.session_no.desc())
    oldest = connection.execute(newest.offset(METER_SESSIONS_MAX).limit(1)).scalar()
    if oldest is not None:
        old = (_S.partner == partner, _S.meter_list == meter_list.value, _S.session_no <= oldest)
        connection.execute(delete(schema.meter_session).where(*old))


class SessionPart:
    """MeterSessions of a store."""

    _database: Database

    def begin_meter_session(self, partner: str, meter_list: MeterList, previous: str, now: datetime) -> Deferred[MeterSession]:
        return self._database.run(lambda c: begin(c, partner, meter_list, previous, now))

    def meter_session(self, partner: str, meter_list: MeterList, previous: str, session_id: str) -> Deferred[MeterSession | None]:
        return self._database.read(lambda c: find(c, partner, meter_list, previous, session_id))

    def modified_meters(self, session: MeterSession, after: str, limit: int) -> Deferred[Page[ModifiedMeter]]:
        return self._database.read(lambda c: modified(c, session, after, limit))
