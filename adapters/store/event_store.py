"""Events of meters as logs: of one meter, and of all that had any in a period."""

from collections.abc import Collection
from itertools import groupby
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from adapters.store.bulk import rows_of
from adapters.store.database import Database
from adapters.store.instants import to_us
from adapters.store.meter_store import Conditions, also, meters_by_id
from headend.event_queries import EventRow, MeterLog
from headend.limits import EVENTS_PER_FETCH
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.selections import Period
from headend.model.subscription import WATCHED
from headend.reading_queries import MeterPage

Codes = Collection[int] | None

_EVENTS = (
    "SELECT {id}, occurred_us, code, sequence, argument FROM {source} AND {id} <= ? AND occurred_us BETWEEN ? AND ?{also}"
    " ORDER BY {id}, occurred_us, code, sequence LIMIT ?"
)
_HAVING = "SELECT DISTINCT {id} FROM {source} AND occurred_us BETWEEN ? AND ?{also}"
_JOINED = "endpoint CROSS JOIN device_event AS v WHERE v.endpoint_id = endpoint.endpoint_id AND endpoint.endpoint_id > ?"
_ALONE = "device_event AS v WHERE v.endpoint_id > ?"


def log_page(
    connection: Connection, period: Period, codes: Codes, after: EndpointId, limit: int, only: Conditions = ()
) -> MeterPage:
    """Where a page of the meters that had events in a period ends."""
    having = _statement(_HAVING, connection, codes, only)
    parameters = (after, to_us(period.start), to_us(period.end))
    ((total,),) = rows_of(connection, f"SELECT count(*) FROM ({having}) AS k", parameters)  # noqa: S608
    order = "ORDER BY 1 DESC LIMIT 1" if total <= limit else f"ORDER BY 1 LIMIT 1 OFFSET {limit - 1}"
    last = rows_of(connection, f"{having} {order}", parameters) if limit else []
    meters = meters_by_id(connection, [EndpointId(row[0]) for row in last])
    return MeterPage(meters[0] if meters else None, max(0, total - limit))


def logs(
    connection: Connection, period: Period, codes: Codes, after: EndpointId, last: EndpointId, limit: int, only: Conditions = ()
) -> list[MeterLog]:
    """Logs of meters after an endpoint, as many as have about `EVENTS_PER_FETCH` events."""
    statement = _statement(_EVENTS, connection, codes, only)
    rows = rows_of(connection, statement, (after, last, to_us(period.start), to_us(period.end), EVENTS_PER_FETCH))
    by_meter = [(EndpointId(endpoint_id), list(events)) for endpoint_id, events in groupby(rows, key=lambda row: row[0])]
    if len(rows) == EVENTS_PER_FETCH and len(by_meter) > 1:
        by_meter.pop()  # may go on behind the last row
    meters = {meter.endpoint_id: meter for meter in meters_by_id(connection, [endpoint_id for endpoint_id, _ in by_meter])}
    return [_log(meters[endpoint_id], events, limit) for endpoint_id, events in by_meter]


def log_of(connection: Connection, meter: Meter, period: Period, codes: Codes, limit: int) -> MeterLog:
    """The log of one meter."""
    statement = _statement(_EVENTS, connection, codes, ())
    bounds = (meter.endpoint_id - 1, meter.endpoint_id, to_us(period.start), to_us(period.end))
    return _log(meter, rows_of(connection, statement, (*bounds, limit + 1)), limit)


def _log(meter: Meter, rows: list[tuple[Any, ...]], limit: int) -> MeterLog:
    return MeterLog(meter, [EventRow._make(row) for row in rows[:limit]], len(rows) > limit)


def _statement(form: str, connection: Connection, codes: Codes, only: Conditions) -> str:
    # SQLite does not keep events by day: it goes from endpoint to endpoint.
    joined = bool(only) or connection.dialect.name == "sqlite"
    return form.format(
        id="endpoint.endpoint_id" if joined else "v.endpoint_id",
        source=_JOINED if joined else _ALONE,
        also=_codes(codes) + also(connection.dialect, only),
    )


def _codes(codes: Codes) -> str:
    """A condition on codes; none of them is none at all. What one partner has had watched is in nobody's log."""
    if codes is None:
        return f" AND code NOT IN ({', '.join(map(str, sorted(WATCHED)))})"
    return f" AND code IN ({', '.join(str(int(one)) for one in sorted(set(codes) - WATCHED.keys())) or 'NULL'})"


class EventPart:
    """EventQueries of a store; `_only` as in its `ReadingPart`."""

    _database: Database
    _only: Conditions

    def log_page(self, period: Period, codes: Codes, after: EndpointId, limit: int) -> Deferred[MeterPage]:
        return self._database.read(lambda c: log_page(c, period, codes, after, limit, self._only))

    def logs(self, period: Period, codes: Codes, after: EndpointId, last: EndpointId, limit: int) -> Deferred[list[MeterLog]]:
        return self._database.read(lambda c: logs(c, period, codes, after, last, limit, self._only))

    def log_of(self, meter: Meter, period: Period, codes: Codes, limit: int) -> Deferred[MeterLog]:
        return self._database.read(lambda c: log_of(c, meter, period, codes, limit))
