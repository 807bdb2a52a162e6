"""Accounts of what is stored and of what goes over cellular networks; a cellular endpoint is one behind no router."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from sqlalchemy import Connection, delete, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import house_tables
from adapters.store.bulk import OnConflict, put, rows_of
from adapters.store.database import Database
from adapters.store.day_packing import segments_in
from adapters.store.instants import from_day, to_day
from adapters.store.limits import DAYS_PER_ACCOUNT, ENDPOINTS_PER_ACCOUNT
from headend.model.readings import DAY_SECONDS
from headend.usage import StorageUse, TrafficUse

LATE_DAYS = 4
"""A day is counted again so many days later: what is retried for three days has come by then."""

_U, _T = house_tables.usage_day.c, house_tables.traffic_day.c

# Endpoints behind no router whose totals have grown since they were last counted.
_GROWN = (
    "SELECT e.endpoint_id, coalesce(s.program, :none), s.octets_sent, s.octets_received, coalesce(t.sent, 0), coalesce(t.received, 0)"
    " FROM endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id"
    " LEFT JOIN endpoint_traffic AS t ON t.endpoint_id = e.endpoint_id"
    " WHERE e.router_id IS NULL AND e.endpoint_id > :after"
    " AND (s.octets_sent <> coalesce(t.sent, 0) OR s.octets_received <> coalesce(t.received, 0))"
    " ORDER BY e.endpoint_id LIMIT :most"
)
_ADD = text(
    "INSERT INTO traffic_day (day, program, sent, received) VALUES (:day, :program, :sent, :received) ON CONFLICT (day, program)"
    " DO UPDATE SET sent = traffic_day.sent + excluded.sent, received = traffic_day.received + excluded.received"
)


def account_traffic(connection: Connection, day: int, after: int) -> int | None:
    """Count some endpoints; the last of them, None where that was all."""
    grown = connection.execute(text(_GROWN), {"none": b"", "after": after, "most": ENDPOINTS_PER_ACCOUNT}).all()
    sums: dict[bytes, list[int]] = {}
    for _, program, sent, received, counted_sent, counted_received in grown:
        total = sums.setdefault(program, [0, 0])
        total[0] += sent - counted_sent
        total[1] += received - counted_received
    rows = [{"day": day, "program": program, "sent": sent, "received": received} for program, (sent, received) in sorted(sums.items())]
    if rows:
        connection.execute(_ADD, rows)
    put(connection, house_tables.endpoint_traffic, [(row[0], row[2], row[3]) for row in grown], OnConflict.REPLACE)
    return grown[-1][0] if len(grown) == ENDPOINTS_PER_ACCOUNT else None


def days_to_account(connection: Connection, today: int) -> list[int]:
    """Days since the last that was counted, and the one of which all that is late has come."""
    last = connection.execute(select(func.max(_U.day)).where(_U.day < today)).scalar()
    first = max(today - DAYS_PER_ACCOUNT, today - 1 if last is None else last + 1)
    return sorted({today - LATE_DAYS, *range(first, today)})


def counted_part(connection: Connection, day: int, after: int, sums: dict[int, list[int]]) -> int | None:
    """Add what is stored of some endpoints on a day to `sums`: endpoints, intervals and octets by interval length."""
    statement = "SELECT endpoint_id, packed FROM interval_day WHERE day = ? AND endpoint_id > ? ORDER BY endpoint_id LIMIT ?"
    rows = rows_of(connection, statement, (day, after, ENDPOINTS_PER_ACCOUNT))
    for _, packed in rows:
        lengths = set()
        for head, octets in segments_in(packed):
            seconds = DAY_SECONDS // head.per_day
            total = sums.setdefault(seconds, [0, 0, 0])
            lengths.add(seconds)
            total[1] += (head.end - head.first) * len(head.channels)
            total[2] += len(octets)
        for seconds in lengths:
            sums[seconds][0] += 1
    return rows[-1][0] if len(rows) == ENDPOINTS_PER_ACCOUNT else None


def put_storage(connection: Connection, day: int, sums: dict[int, list[int]]) -> None:
    """The account of a day, in place of the one there was."""
    connection.execute(delete(house_tables.usage_day).where(_U.day == day))
    put(connection, house_tables.usage_day, [(day, seconds, *total) for seconds, total in sums.items()], OnConflict.FAIL)


def usage(connection: Connection, first: int, last: int) -> tuple[list[StorageUse], list[TrafficUse]]:
    """The accounts of days."""
    stored: Sequence[Any] = connection.execute(select(house_tables.usage_day).where(_U.day.between(first, last)).order_by(_U.day)).all()
    moved: Sequence[Any] = connection.execute(select(house_tables.traffic_day).where(_T.day.between(first, last)).order_by(_T.day)).all()
    return (
        [StorageUse(from_day(row[0]), *row[1:]) for row in stored],
        [TrafficUse(from_day(row[0]), *row[1:]) for row in moved],
    )


class UsagePart:
    """UsageStore of a store."""

    _database: Database

    def account_traffic(self, day: date, after: int) -> Deferred[int | None]:
        return self._database.run(lambda c: account_traffic(c, to_day(day), after))

    def days_to_account(self, today: date) -> Deferred[list[date]]:
        return self._database.read(lambda c: [from_day(day) for day in days_to_account(c, to_day(today))])

    def account_storage(self, day: date) -> Deferred[None]:
        return Deferred.fromCoroutine(self._account_storage(to_day(day)))

    def usage(self, first: date, last: date) -> Deferred[tuple[list[StorageUse], list[TrafficUse]]]:
        return self._database.read(lambda c: usage(c, to_day(first), to_day(last)))

    async def _account_storage(self, day: int) -> None:
        sums: dict[int, list[int]] = {}
        after: int | None = 0
        while after is not None:
            after = await self._database.read(partial(counted_part, day=day, after=after, sums=sums))
        await self._database.run(lambda c: put_storage(c, day, sums))
