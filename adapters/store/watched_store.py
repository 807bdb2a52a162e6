"""Meters that partners have watched, and events that were found at them."""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import fetch
from adapters.store.change_sequence import next_change
from adapters.store.database import Database
from adapters.store.event_recording import put_events
from adapters.store.instants import DAY_US, to_us
from adapters.store.monitoring_store import lasting, monitoring_of, monitorings
from adapters.store.partitions import DayKey, require_partitions
from adapters.store.recording import lock_states
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent
from headend.monitoring import Monitoring, MonitoringKind

_M = schema.meter_monitoring.c


def watched(
    connection: Connection, kinds: Sequence[MonitoringKind], at: datetime, after: int, limit: int
) -> dict[EndpointId, list[Monitoring]]:
    """What is watched at some meters, by endpoint."""
    lasts = _M.kind.in_([kind.value for kind in kinds]), lasting(at)
    page = select(_M.endpoint_id).where(*lasts, _M.endpoint_id > after).distinct().order_by(_M.endpoint_id).limit(limit)
    ids = list(connection.execute(page).scalars())
    rows = monitorings().where(*lasts, _M.endpoint_id.in_(ids))
    found: dict[EndpointId, list[Monitoring]] = {EndpointId(one): [] for one in ids}
    for row in connection.execute(rows.order_by(_M.endpoint_id, _M.partner, _M.item_id)):
        found[EndpointId(row.endpoint_id)].append(monitoring_of(row))
    return found


def keep_found(
    connection: Connection, events: Sequence[DeviceEvent], now: datetime, partitions: set[DayKey] | None, suspicious: frozenset[int]
) -> int:
    """Store those that are new. Raises PartitionsWantedError before anything is written."""
    require_partitions({("device_event", to_us(one.occurred) // DAY_US) for one in events}, partitions)
    by_key = {(one.endpoint_id, to_us(one.occurred), one.code, one.sequence): one for one in events}
    lock_states(connection, sorted({one.endpoint_id for one in events}))
    instants = [key[1] for key in by_key]
    columns = ("endpoint_id", "occurred_us", "code", "sequence")
    rows = fetch(connection, schema.device_event, columns, list(by_key), ("occurred_us", min(instants), max(instants)))
    known = {row[:4] for row in rows}
    new = {key: one for key, one in by_key.items() if key not in known}
    if new:
        change_seq = next_change(connection)
        found = [(*key, one.path.value, one.argument, to_us(now), change_seq) for key, one in new.items()]
        put_events(connection, found, suspicious)
    return len(new)


class WatchedPart:
    """WatchedStore of a store, beside its readings."""

    _database: Database
    _partitions: set[DayKey] | None
    _suspicious: frozenset[int]
    with_partitions: Callable[[Callable[[Connection], Any]], Coroutine[Any, Any, Any]]

    def watched_meters(
        self, kinds: Sequence[MonitoringKind], at: datetime, after: EndpointId, limit: int
    ) -> Deferred[dict[EndpointId, list[Monitoring]]]:
        return self._database.read(lambda c: watched(c, kinds, at, after, limit))

    def keep_found(self, events: Sequence[DeviceEvent], now: datetime) -> Deferred[int]:
        return Deferred.fromCoroutine(self.with_partitions(lambda c: keep_found(c, events, now, self._partitions, self._suspicious)))
