"""Silencings: who is not told of, from when to when, and who said so."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, update
from twisted.internet.defer import Deferred

from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.event_tables import silencing
from adapters.store.instants import from_us, to_us
from adapters.store.master_lock import lock_master_data
from headend.errors import RequestError
from headend.limits import SILENCINGS_MAX
from headend.model.silencing import Scope, Silencing

_S = silencing.c


def current_silencings(connection: Connection, now: datetime) -> list[Silencing]:
    """Those that have not ended."""
    rows = connection.execute(select(silencing).where(_lasts(now)).order_by(_S.silencing_no)).all()
    return [_silencing(row) for row in rows]


def _lasts(now: datetime) -> Any:
    return or_(_S.ends_us.is_(None), _S.ends_us > to_us(now))


def begin(connection: Connection, one: Silencing, now: datetime) -> int:
    """Keep one; its number."""
    lock_master_data(connection)
    count = connection.execute(select(func.count()).select_from(silencing).where(_lasts(now))).scalar_one()
    if count >= SILENCINGS_MAX:
        raise RequestError(f"{count} silencings hold already, which is the most; end one first")
    number = (connection.execute(select(func.max(_S.silencing_no))).scalar() or 0) + 1
    ends_us = None if one.ends is None else to_us(one.ends)
    codes = json.dumps(sorted(one.codes))
    row = (number, one.scope.value, one.name, codes, to_us(one.starts), ends_us, int(one.is_maintenance), one.reason, one.by)
    put(connection, silencing, [row], OnConflict.FAIL)
    return number


def end(connection: Connection, number: int, now: datetime) -> bool:
    """End one now."""
    return bool(connection.execute(update(silencing).where(_S.silencing_no == number, _lasts(now)).values(ends_us=to_us(now))).rowcount)


def _silencing(row: Any) -> Silencing:
    return Silencing(
        number=row.silencing_no,
        scope=Scope(row.scope),
        name=row.name,
        codes=frozenset(json.loads(row.codes)),
        starts=from_us(row.starts_us),
        ends=None if row.ends_us is None else from_us(row.ends_us),
        is_maintenance=bool(row.is_maintenance),
        reason=row.reason,
        by=row.said_by,
    )


class SilencingPart:
    """Silencings of a store."""

    _database: Database

    def silencings(self, now: datetime) -> Deferred[list[Silencing]]:
        return self._database.read(lambda c: current_silencings(c, now))

    def silence(self, silencing: Silencing, now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: begin(c, silencing, now))

    def end_silencing(self, number: int, now: datetime) -> Deferred[bool]:
        return self._database.run(lambda c: end(c, number, now))
