"""Deferred requests and their targets: accepted in one transaction, kept until a machine carries them out.

A target is due from when its request begins; one that is done is due no more. What is under way at an endpoint is one actuation at most,
which an index sees to.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import pacing, partner_tables, schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.database import Database
from adapters.store.instants import to_us
from adapters.store.meter_store import Conditions
from adapters.store.protection_store import protections_of
from headend.commands.arranging import Arrangement, Place, arrange, is_held_back
from headend.commands.staggering import NO_ROUTER, Booked
from headend.deferred_requests import Known, TransactionReusedError
from headend.limits import MONITORINGS_MAX, TRANSACTION_DAYS
from headend.model.deferred import DeferredKind, DeferredRequest, KnownMeter, Monitoring, TargetKey, TargetState
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.refusal import Refusal
from headend.model.utility import Utility

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


@dataclass(frozen=True, slots=True)
class Accepted:
    """A request that was stored, now or, where it comes `again`, before: its number (None where nothing was worth it), what was refused."""

    request_id: int | None
    refusals: tuple[Refusal, ...]
    again: bool = False


def accept(connection: Connection, request: DeferredRequest, utility: Utility, batch_id: int | None = None) -> Accepted:
    """Store a request with its targets, each with its turn; the one of before where it is the same again.

    `batch_id` is the batch that it is part of, where it is not one of its own.
    """
    lock(connection)
    before = _before(connection, request)
    if before is not None:
        return before
    arrangement = arranged(connection, request, utility)
    refusals = (*request.refusals, *arrangement.refusals)
    if not arrangement.targets:
        return Accepted(None, refusals)
    request_id = (connection.execute(select(func.max(_Q.request_id))).scalar() or 0) + 1
    batch_id = (batch_id or request_id) if request.is_batch else None
    put(connection, partner_tables.deferred_request, [_request_row(request_id, request, refusals, batch_id)], OnConflict.FAIL)
    accepted, now_us = TargetState.ACCEPTED.value, to_us(request.accepted)
    rows = [
        (
            request_id,
            one.target.endpoint_id,
            position,
            one.target.action.value if one.target.action else None,
            int(one.target.action is not None),
            _json(one.target.details),
            accepted,
            0,
            to_us(one.due),
            now_us,
            "",
            request.priority.value,
            None,
            0,
            None,
            None,
            None,
        )
        for position, one in enumerate(arrangement.targets)
    ]
    put(connection, partner_tables.deferred_target, rows, OnConflict.FAIL)
    return Accepted(request_id, refusals)


def lock(connection: Connection) -> None:
    """Nobody else accepts anything until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def arranged(connection: Connection, request: DeferredRequest, utility: Utility, taken: Booked | None = None) -> Arrangement:
    """What of a request would be carried out when; `taken` are turns that others of the same batch would have."""
    endpoint_ids = [target.endpoint_id for target in request.targets]
    held_back = [target.endpoint_id for target in request.targets if is_held_back(target.action, override=False)]
    protections = protections_of(connection, held_back) if held_back else {}
    rows = fetch(connection, schema.endpoint, ("endpoint_id",), [(one,) for one in endpoint_ids])
    places = {
        row[0]: Place(row[_ROUTER] or NO_ROUTER, CONFIGURATIONS[row[_CONFIGURATION]].battery, protections.get(row[0], ())) for row in rows
    }
    turns = dict(pacing.booked(connection, request.begins or request.accepted)) if request.is_batch else {}
    for key, count in (taken or {}).items():
        turns[key] = turns.get(key, 0) + count
    return arrange(request, places, turns, utility)


_COLUMNS = [column.name for column in schema.endpoint.columns]
_ROUTER, _CONFIGURATION = _COLUMNS.index("router_id"), _COLUMNS.index("configuration")


def _before(connection: Connection, request: DeferredRequest) -> Accepted | None:
    """What became of the same request; None for a new one.

    Raises TransactionReusedError where the transaction id stands for another that is young, or not done
    """
    if request.transaction_id is None:
        return None
    mine = (_Q.partner == request.partner) & (_Q.transaction_id == request.transaction_id)
    row = connection.execute(select(partner_tables.deferred_request).where(mine).order_by(_Q.request_id.desc()).limit(1)).first()
    if row is None:
        return None
    if row.fingerprint == request.fingerprint:
        return Accepted(row.request_id, tuple(Refusal(object_id, reason) for object_id, reason in json.loads(row.refusals)), again=True)
    young = row.accepted_us > to_us(request.accepted - timedelta(days=TRANSACTION_DAYS))
    still_open = select(_T.request_id).where(_T.request_id == row.request_id, _T.state.in_(_OPEN)).limit(1)
    if young or connection.execute(still_open).first() is not None:
        raise TransactionReusedError(request.transaction_id)
    return None


def _request_row(request_id: int, request: DeferredRequest, refusals: Sequence[Refusal], batch_id: int | None) -> tuple[Any, ...]:
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
        json.dumps([(refusal.object_id, refusal.reason) for refusal in refusals]),
        batch_id,
        request.title,
        "",
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


class DeferredPart:
    """DeferredRequests of a store; a restricted one finds meters within its conditions only."""

    utility: Utility
    _database: Database
    _only: Conditions = ()

    def known_meters(self, wanted: Iterable[tuple[TargetKey, str]]) -> Deferred[Known]:
        names = list(wanted)
        return self._database.read(lambda c: known_meters(c, names, self._only))

    def accept_deferred(self, request: DeferredRequest) -> Deferred[tuple[Refusal, ...]]:
        return self._database.run(lambda c: accept(c, request, self.utility).refusals)

    def monitorings(self, partner: str, now: datetime) -> Deferred[list[Monitoring]]:
        return self._database.read(lambda c: monitorings(c, partner, now))
