"""Deferred requests and their targets: accepted in one transaction, kept until a machine carries them out.

A target is due from when its request begins; one that is done is due no more. What is under way at an endpoint is one actuation at most,
which an index sees to.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text, update
from twisted.internet.defer import Deferred

from adapters.store import partner_tables, schema
from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.instants import to_us
from adapters.store.meter_store import Conditions
from headend.deferred_requests import Known, TransactionReusedError
from headend.limits import MONITORINGS_MAX, TRANSACTION_DAYS
from headend.model.deferred import DeferredKind, DeferredRequest, KnownMeter, Monitoring, TargetKey, TargetState
from headend.model.endpoint import EndpointId
from headend.model.refusal import Refusal

_Q, _T, _E = partner_tables.deferred_request.c, partner_tables.deferred_target.c, schema.endpoint.c
_I, _P = schema.installation.c, schema.service_point.c

_LOCK = 0x44454645
"""PostgreSQL's advisory lock under which one request at a time is accepted: ids are handed out from the largest."""

_NAMES_PER_QUERY = 1_000
_OPEN = [state.value for state in TargetState if not state.terminal]
_NAMED_BY = {
    TargetKey.METER_NO: _E.meter_no,
    TargetKey.SERIAL_NO: _E.serial_no,
    TargetKey.AP_TITLE: _E.ap_title,
    TargetKey.SERVICE_POINT: _P.service_point_no,
    TargetKey.ACCOUNT: _P.account_no,
}


def known_meters(connection: Connection, wanted: Iterable[tuple[TargetKey, str]], only: Conditions = ()) -> Known:
    """The endpoints behind names."""
    by_key: dict[TargetKey, set[str]] = {}
    for key, name in wanted:
        by_key.setdefault(key, set()).add(name)
    found: dict[tuple[TargetKey, str], list[KnownMeter]] = {}
    for key, names in by_key.items():
        for name, meter in _meters(connection, key, sorted(names), only):
            found.setdefault((key, name), []).append(meter)
    return found


def _meters(connection: Connection, key: TargetKey, names: Sequence[str], only: Conditions) -> Iterable[tuple[str, KnownMeter]]:
    column = _NAMED_BY[key]
    source: Any = schema.endpoint
    if column.table is schema.service_point:
        installed = schema.endpoint.join(schema.installation, (_I.endpoint_id == _E.endpoint_id) & _I.ended_us.is_(None))
        source = installed.join(schema.service_point, _P.service_point_no == _I.service_point_no)
    statement = select(column, _E.endpoint_id, _E.meter_no, _E.configuration, _E.active).select_from(source).where(*only)
    for start in range(0, len(names), _NAMES_PER_QUERY):
        named = statement.where(column.in_(names[start : start + _NAMES_PER_QUERY])).order_by(column, _E.meter_no)
        for row in connection.execute(named):
            yield row[0], KnownMeter(EndpointId(row.endpoint_id), row.meter_no, row.configuration, bool(row.active))


def accept(connection: Connection, request: DeferredRequest) -> tuple[Refusal, ...]:
    """Store a request with its targets; the refusals to answer with, those of before where it is the same again."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    before = _before(connection, request)
    if before is not None:
        return before
    if not request.targets:
        return request.refusals
    request_id = (connection.execute(select(func.max(_Q.request_id))).scalar() or 0) + 1
    put(connection, partner_tables.deferred_request, [_request_row(request_id, request)], OnConflict.FAIL)
    due_us = to_us(request.begins or request.accepted)
    accepted, now_us = TargetState.ACCEPTED.value, to_us(request.accepted)
    rows = [
        (
            request_id,
            target.endpoint_id,
            position,
            target.action.value if target.action else None,
            int(target.action is not None),
            _json(target.details),
            accepted,
            0,
            due_us,
            now_us,
            "",
            request.priority.value,
            None,
            0,
            None,
            None,
            None,
        )
        for position, target in enumerate(request.targets)
    ]
    put(connection, partner_tables.deferred_target, rows, OnConflict.FAIL)
    return request.refusals


def _before(connection: Connection, request: DeferredRequest) -> tuple[Refusal, ...] | None:
    """What the same request was answered; None for a new one.

    Raises TransactionReusedError where the transaction id stands for another that is young, or not done
    """
    if request.transaction_id is None:
        return None
    mine = (_Q.partner == request.partner) & (_Q.transaction_id == request.transaction_id)
    row = connection.execute(select(partner_tables.deferred_request).where(mine).order_by(_Q.request_id.desc()).limit(1)).first()
    if row is None:
        return None
    if row.fingerprint == request.fingerprint:
        return tuple(Refusal(object_id, reason) for object_id, reason in json.loads(row.refusals))
    young = row.accepted_us > to_us(request.accepted - timedelta(days=TRANSACTION_DAYS))
    still_open = select(_T.request_id).where(_T.request_id == row.request_id, _T.state.in_(_OPEN)).limit(1)
    if young or connection.execute(still_open).first() is not None:
        raise TransactionReusedError(request.transaction_id)
    return None


def _request_row(request_id: int, request: DeferredRequest) -> tuple[Any, ...]:
    return (
        request_id,
        request.partner,
        request.transaction_id,
        request.kind.value,
        request.operation,
        request.server,
        request.version,
        request.response_url,
        json.dumps(request.answers),
        _json(request.parameters),
        to_us(request.accepted),
        None if request.begins is None else to_us(request.begins),
        to_us(request.expires),
        request.fingerprint,
        json.dumps([(refusal.object_id, refusal.reason) for refusal in request.refusals]),
    )


def _json(values: Mapping[str, str]) -> str:
    return json.dumps(dict(values), ensure_ascii=False)


def monitorings(connection: Connection, partner: str, now: datetime) -> list[Monitoring]:
    """A partner's requests for outage monitoring that are open."""
    has_open = select(_T.request_id).where(_T.request_id == _Q.request_id, _T.state.in_(_OPEN)).exists()
    mine = (_Q.partner == partner) & (_Q.kind == DeferredKind.MONITORING.value) & (_Q.expires_us > to_us(now))
    statement = select(_Q.request_id, _Q.parameters, _Q.transaction_id).where(mine, has_open).order_by(_Q.request_id).limit(MONITORINGS_MAX)
    found = []
    for row in connection.execute(statement):
        asked = json.loads(row.parameters)
        found.append(Monitoring(row.request_id, asked.get("objectName", ""), asked.get("nounType", ""), row.transaction_id or ""))
    return found


def cancel(connection: Connection, request_ids: Sequence[int], now: datetime) -> None:
    """Cancel every target of these requests that is not done, nor may have been."""
    # What an endpoint may have been told already comes to its end, whoever does not want it any more.
    open_ones = update(partner_tables.deferred_target).where(_T.request_id.in_(request_ids), _T.state.in_(_OPEN), _T.told.is_(None))
    connection.execute(open_ones.values(state=TargetState.CANCELLED.value, due_us=None, lease_owner=None, changed_us=to_us(now)))


class DeferredPart:
    """DeferredRequests of a store; a restricted one finds meters within its conditions only."""

    _database: Database
    _only: Conditions = ()

    def known_meters(self, wanted: Iterable[tuple[TargetKey, str]]) -> Deferred[Known]:
        names = list(wanted)
        return self._database.read(lambda c: known_meters(c, names, self._only))

    def accept_deferred(self, request: DeferredRequest) -> Deferred[tuple[Refusal, ...]]:
        return self._database.run(lambda c: accept(c, request))

    def monitorings(self, partner: str, now: datetime) -> Deferred[list[Monitoring]]:
        return self._database.read(lambda c: monitorings(c, partner, now))

    def cancel_deferred(self, request_ids: Sequence[int], now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: cancel(c, request_ids, now))
