"""Requests for commands as people look at them: the newest first, each with how its commands stand and what was told of them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select
from twisted.internet.defer import Deferred

from adapters.store import partner_tables, schema
from adapters.store.command_store import view_of
from adapters.store.database import Database
from adapters.store.instants import from_us
from headend.model.asked import Asked, AskedCommand, AskedFor, ToldState
from headend.model.deferred import DeferredKind, TargetState
from headend.model.telling import OUTCOME, Delivery

_Q, _T, _E, _O = partner_tables.deferred_request.c, partner_tables.deferred_target.c, schema.endpoint.c, schema.outbox.c
_OPEN = [state.value for state in TargetState if not state.terminal]


def asked(connection: Connection, wanted: AskedFor, limit: int) -> list[Asked]:
    """The newest requests."""
    newest = select(partner_tables.deferred_request).where(*_conditions(wanted)).order_by(_Q.request_id.desc()).limit(limit)
    rows = connection.execute(newest).all()
    counted = select(_T.request_id, _T.state, func.count()).where(_T.request_id.in_([row.request_id for row in rows]))
    counts: dict[int, dict[TargetState, int]] = {}
    for request_id, state, count in connection.execute(counted.group_by(_T.request_id, _T.state)):
        counts.setdefault(request_id, {})[TargetState(state)] = count
    return [_asked(row, counts.get(row.request_id, {})) for row in rows]


def _conditions(wanted: AskedFor) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.requester:
        found.append(_Q.partner == wanted.requester)
    if wanted.transaction_id:
        found.append(_Q.transaction_id == wanted.transaction_id)
    if wanted.request_id is not None:
        found.append(_Q.request_id == wanted.request_id)
    of_it = select(_T.request_id).where(_T.request_id == _Q.request_id)
    if wanted.meter_no:
        found.append(of_it.join(schema.endpoint, _E.endpoint_id == _T.endpoint_id).where(_E.meter_no == wanted.meter_no).exists())
    if wanted.open_only:
        found.append(of_it.where(_T.state.in_(_OPEN)).exists())
    return found


def _asked(row: Any, counts: dict[TargetState, int]) -> Asked:
    return Asked(
        request_id=row.request_id,
        requester=row.partner,
        operation=row.operation,
        version=row.version,
        kind=DeferredKind(row.kind),
        transaction_id=row.transaction_id or "",
        response_url=row.response_url,
        accepted=from_us(row.accepted_us),
        expires=from_us(row.expires_us),
        counts=counts,
    )


def asked_commands(connection: Connection, request_id: int, limit: int) -> list[AskedCommand]:
    """The commands of a request in the order in which they were named."""
    joined = partner_tables.deferred_target.join(schema.endpoint, _E.endpoint_id == _T.endpoint_id).join(
        partner_tables.deferred_request, _Q.request_id == _T.request_id
    )
    columns = (_E.meter_no, _Q.kind, _T.action, _T.state, _T.reason, _T.outcome, _T.changed_us, _T.attempts, _T.due_us, _T.endpoint_id)
    statement = select(*columns).select_from(joined).where(_T.request_id == request_id).order_by(_T.position).limit(limit)
    rows = [tuple(row) for row in connection.execute(statement)]
    told = _told(connection, request_id, [row[-1] for row in rows])
    return [
        AskedCommand(view_of(row[:7]), row[7], None if row[8] is None else from_us(row[8]), tuple(told.get(row[9], ()))) for row in rows
    ]


def _told(connection: Connection, request_id: int, endpoint_ids: Sequence[int]) -> dict[int, list[ToldState]]:
    """Messages about commands of a request, by endpoint."""
    mine = select(_O.endpoint_id, _O.payload, _O.state, _O.attempts, _O.next_try_us, _O.answer).where(
        _O.endpoint_id.in_(endpoint_ids), _O.kind == OUTCOME
    )
    found: dict[int, list[ToldState]] = {}
    for row in connection.execute(mine.order_by(_O.change_seq, _O.position)):
        if json.loads(row.payload)["request"] == request_id:
            again: datetime | None = from_us(row.next_try_us) if row.state == Delivery.QUEUED.value else None
            found.setdefault(row.endpoint_id, []).append(ToldState(row.state, row.attempts, again, row.answer))
    return found


class AskedPart:
    """What was asked, of a store."""

    _database: Database

    def asked(self, wanted: AskedFor, limit: int) -> Deferred[list[Asked]]:
        return self._database.read(lambda c: asked(c, wanted, limit))

    def asked_commands(self, request_id: int, limit: int) -> Deferred[list[AskedCommand]]:
        return self._database.read(lambda c: asked_commands(c, request_id, limit))
