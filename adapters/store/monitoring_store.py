"""What partners have watched at meters."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, delete, or_, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put, remove
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from adapters.store.master_lock import lock_master_data
from headend.meter_groups import Answering
from headend.model.refusal import Refusal
from headend.monitoring import Monitoring, MonitoringKind, UnknownMonitoringError, beginning, ending

_M, _E = schema.meter_monitoring.c, schema.endpoint.c


def begin(connection: Connection, wanted: Sequence[Monitoring]) -> list[Refusal]:
    """Watch."""
    lock_master_data(connection)
    known = _endpoint_ids(connection, [one.meter_no for one in wanted])
    taken, refusals = beginning(wanted, known)
    put(connection, schema.meter_monitoring, [_row(one, known[one.meter_no]) for one in taken], OnConflict.REPLACE)
    return refusals


def end(connection: Connection, kind: MonitoringKind, partner: str, meter_nos: Sequence[str]) -> list[Refusal]:
    """Watch the kind no more at these meters."""
    lock_master_data(connection)
    known = _endpoint_ids(connection, meter_nos)
    keys = [(kind.value, endpoint_id, partner) for endpoint_id in known.values()]
    rows = fetch(connection, schema.meter_monitoring, ("kind", "endpoint_id", "partner"), keys)
    watched_ids = {row[1] for row in rows}
    watched = {meter_no: endpoint_id for meter_no, endpoint_id in known.items() if endpoint_id in watched_ids}
    taken, refusals = ending(kind, meter_nos, known, watched)
    gone = {watched[meter_no] for meter_no in taken}
    remove(connection, schema.meter_monitoring, [row[:4] for row in rows if row[1] in gone])
    return refusals


def end_item(connection: Connection, kind: MonitoringKind, partner: str, item_id: str) -> int:
    """Watch an item no more."""
    item = (_M.kind == kind.value, _M.partner == partner, _M.item_id == item_id)
    count = connection.execute(delete(schema.meter_monitoring).where(*item)).rowcount
    if not count:
        raise UnknownMonitoringError(kind, item_id)
    return count


def watched(connection: Connection, kind: MonitoringKind, at: datetime, meter_no: str | None) -> list[Monitoring]:
    """What of a kind is watched at an instant."""
    wanted = monitorings().where(_M.kind == kind.value, lasting(at))
    if meter_no is not None:
        wanted = wanted.where(_E.meter_no == meter_no)
    return [monitoring_of(row) for row in connection.execute(wanted.order_by(_E.meter_no, _M.partner, _M.item_id))]


def items(connection: Connection, kind: MonitoringKind, partner: str, item_ids: Sequence[str]) -> list[Monitoring]:
    """What a partner has under these names."""
    keys = [(kind.value, partner, item_id) for item_id in sorted(set(item_ids))]
    rows = fetch(connection, schema.meter_monitoring, ("kind", "partner", "item_id"), keys)
    found = fetch(connection, schema.endpoint, ("endpoint_id",), [(one,) for one in sorted({row[1] for row in rows})])
    meter_nos = {row[0]: row[1] for row in found}
    return [monitoring_of_row(row, meter_nos[row[1]]) for row in rows]


def lasting(at: datetime) -> ColumnElement[bool]:
    """What has begun at an instant and has not ended."""
    at_us = to_us(at)
    return and_(_M.starts_us <= at_us, or_(_M.ends_us.is_(None), _M.ends_us > at_us))


def monitorings() -> Select[Any]:
    """Rows for `monitoring_of`."""
    return select(schema.meter_monitoring, _E.meter_no).join(schema.endpoint, _E.endpoint_id == _M.endpoint_id)


def _endpoint_ids(connection: Connection, meter_nos: Sequence[str]) -> dict[str, int]:
    rows = fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in sorted(set(meter_nos))])
    return {row[1]: row[0] for row in rows}


def _row(one: Monitoring, endpoint_id: int) -> tuple[Any, ...]:
    ends_us = None if one.ends is None else to_us(one.ends)
    told = (one.answering.response_url, one.answering.transaction_id, json.dumps(one.details))
    return (one.kind.value, endpoint_id, one.partner, one.item_id, to_us(one.starts), ends_us, *told)


def monitoring_of(row: Row[Any]) -> Monitoring:
    """A row of `meter_monitoring` with the meter's number behind it."""
    *values, meter_no = tuple(row)
    return monitoring_of_row(tuple(values), meter_no)


def monitoring_of_row(row: tuple[Any, ...], meter_no: str) -> Monitoring:
    """A row of `meter_monitoring`, of a meter."""
    kind, _, partner, item_id, starts_us, ends_us, response_url, transaction_id, details = row
    ends = None if ends_us is None else from_us(ends_us)
    answering = Answering(response_url, transaction_id)
    return Monitoring(MonitoringKind(kind), meter_no, partner, from_us(starts_us), ends, item_id, answering, json.loads(details))


class MonitoringPart:
    """MeterMonitoring of a store."""

    _database: Database

    def begin_monitoring(self, wanted: Sequence[Monitoring]) -> Deferred[list[Refusal]]:
        return self._database.run(lambda c: begin(c, wanted))

    def end_monitoring(self, kind: MonitoringKind, partner: str, meter_nos: Sequence[str]) -> Deferred[list[Refusal]]:
        return self._database.run(lambda c: end(c, kind, partner, meter_nos))

    def end_monitored_item(self, kind: MonitoringKind, partner: str, item_id: str) -> Deferred[int]:
        return self._database.run(lambda c: end_item(c, kind, partner, item_id))

    def monitoring(self, kind: MonitoringKind, at: datetime, meter_no: str | None = None) -> Deferred[list[Monitoring]]:
        return self._database.read(lambda c: watched(c, kind, at, meter_no))

    def monitored_items(self, kind: MonitoringKind, partner: str, item_ids: Sequence[str]) -> Deferred[list[Monitoring]]:
        return self._database.read(lambda c: items(c, kind, partner, item_ids))
