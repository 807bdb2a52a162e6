"""Whether what a partner waits for has been recorded: a meter exchanged for another, a meter installed at a service location."""

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, text

from adapters.store import partner_tables
from adapters.store.bulk import key_source, rows_of
from adapters.store.instants import to_us
from headend.model.deferred import AWAITED, IN_METER, IN_METER_CALLED_BY, DeferredKind
from headend.model.partner import MeterIdentifier

Key = tuple[int, int]
"""Request and endpoint."""

_T = partner_tables.deferred_target.c
_ASKED = (
    "SELECT t.request_id, t.endpoint_id, q.kind, t.details FROM {keys} JOIN deferred_request AS q ON q.request_id = k.request_id"
    " JOIN deferred_target AS t ON t.request_id = k.request_id AND t.endpoint_id = k.endpoint_id"
)
_INSTALLED = (
    "SELECT 1 FROM installation AS i JOIN service_point AS p ON p.service_point_no = i.service_point_no"
    " WHERE i.endpoint_id = :endpoint AND i.ended_us IS NULL"
    " AND (:place = '' OR i.service_point_no = :place OR p.location_no = :place) LIMIT 1"
)
_EXCHANGED = (
    "SELECT 1 FROM endpoint AS n JOIN installation AS i ON i.endpoint_id = n.endpoint_id"
    " JOIN service_point AS p ON p.service_point_no = i.service_point_no"
    " JOIN installation AS o ON o.service_point_no = i.service_point_no AND o.endpoint_id = :endpoint"
    " WHERE :meter IN ({names}) AND n.endpoint_id <> :endpoint AND i.ended_us IS NULL"
    " AND (:place = '' OR i.service_point_no = :place OR p.location_no = :place)"
    " AND o.ended_us IS NOT NULL AND o.ended_us <= i.started_us LIMIT 1"
)
"""The one that comes in stands where the one that goes out stood before; `names` are the columns that may hold its name."""

_LOOK = text(
    "UPDATE deferred_target SET due_us = :now WHERE priority IN (0, 1) AND due_us > :now AND state = 'queued' AND lease_owner IS NULL"
    " AND request_id IN (SELECT request_id FROM deferred_request WHERE kind IN :kinds)"
).bindparams(bindparam("kinds", expanding=True))


def look_again(connection: Connection, now: datetime) -> None:
    """Have whatever waits for a record looked at now rather than at its next turn: something was recorded."""
    connection.execute(_LOOK, {"now": to_us(now), "kinds": sorted(AWAITED)})


def recorded(connection: Connection, keys: Sequence[Key]) -> set[Key]:
    """Which of these targets, of exchanges and installations, have come to be."""
    if not keys:
        return set()
    source, parameters = key_source(connection, (_T.request_id, _T.endpoint_id), keys)
    asked = rows_of(connection, _ASKED.format(keys=source), parameters)
    return {(request_id, endpoint_id) for request_id, endpoint_id, *what in asked if _is_recorded(connection, endpoint_id, *what)}


def _is_recorded(connection: Connection, endpoint_id: int, kind: str, told: str) -> bool:
    details: dict[str, str] = json.loads(told)
    values = {"endpoint": endpoint_id, "place": details.get("serviceLocationID") or details.get("serviceLocation") or ""}
    if DeferredKind(kind) is DeferredKind.METER_INSTALLATION:
        return connection.execute(text(_INSTALLED), values).first() is not None
    # What was accepted before it was kept which identifier it is may be any.
    called_by = [MeterIdentifier(details[IN_METER_CALLED_BY])] if IN_METER_CALLED_BY in details else list(MeterIdentifier)
    exchanged = text(_EXCHANGED.format(names=", ".join(f"n.{name.value}" for name in called_by)))
    return connection.execute(exchanged, {**values, "meter": details.get(IN_METER, "")}).first() is not None
