"""Outcomes of commands in the outbox: written with the command's end, handed out by partner, marked by what became of them."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select, update
from twisted.internet.defer import Deferred

from adapters.store import partner_tables, schema
from adapters.store.bulk import fetch
from adapters.store.command_packing import unpack_outcome
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from headend.model.deferred import DeferredKind, SwitchAction
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.telling import OUTCOME, Marked, MessageId, Supply, Telling, ToldObject

_O, _Q, _E = schema.outbox.c, partner_tables.deferred_request.c, schema.endpoint.c
_QUEUED = "queued"


def partners(connection: Connection, now: datetime) -> list[str]:
    """Partners for whom something is due."""
    due = select(_O.subscriber).distinct().where(_O.state == _QUEUED, _O.kind == OUTCOME, _O.next_try_us <= to_us(now))
    return list(connection.execute(due.order_by(_O.subscriber)).scalars())


def claim(connection: Connection, partner: str, limit: int, now: datetime, until: datetime) -> list[Telling]:
    """Messages for a partner that are due; each is due again at `until` unless it is marked."""
    mine = select(schema.outbox).where(_O.subscriber == partner, _O.kind == OUTCOME, _O.state == _QUEUED, _O.next_try_us <= to_us(now))
    rows = connection.execute(mine.order_by(_O.change_seq, _O.position).limit(limit).with_for_update(skip_locked=True)).all()
    if not rows:
        return []
    claimed = update(schema.outbox).where(_O.message_id == bindparam("claimed")).values(attempts=_O.attempts + 1, next_try_us=to_us(until))
    connection.execute(claimed, [{"claimed": row.message_id} for row in rows])
    payloads = [json.loads(row.payload) for row in rows]
    meters = _meters(connection, sorted({payload["endpoint"] for payload in payloads}))
    objects: dict[int, list[ToldObject]] = {}
    for row, payload in zip(rows, payloads, strict=True):
        objects.setdefault(payload["request"], []).append(_object(row, payload, meters))
    requests = connection.execute(select(partner_tables.deferred_request).where(_Q.request_id.in_(objects))).all()
    found = {request.request_id: request for request in requests}
    return [_telling(found[request_id], told) for request_id, told in objects.items()]


def hold(connection: Connection, message_ids: Sequence[MessageId], until: datetime) -> None:
    """What is claimed stays so until then."""
    if message_ids:
        held = update(schema.outbox).where(_O.message_id == bindparam("of"), _O.state == _QUEUED).values(next_try_us=to_us(until))
        connection.execute(held, [{"of": message_id} for message_id in message_ids])


def mark(connection: Connection, marked: Sequence[Marked]) -> None:
    """What became of messages."""
    if not marked:
        return
    # Counted as an attempt when it was handed out, in case whoever had it died over it.
    new = {"state": bindparam("new"), "next_try_us": bindparam("at"), "attempts": _O.attempts - bindparam("untried")}
    rows = [
        {"of": m.message_id, "new": m.delivery.value, "at": 0 if m.again is None else to_us(m.again), "untried": int(not m.tried)}
        for m in marked
    ]
    connection.execute(update(schema.outbox).where(_O.message_id == bindparam("of")).values(new), rows)


def _meters(connection: Connection, endpoint_ids: list[int]) -> dict[int, Meter]:
    rows = fetch(connection, schema.endpoint, ("endpoint_id",), [(one,) for one in endpoint_ids])
    names = [column.name for column in schema.endpoint.columns]
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return {
        row["endpoint_id"]: Meter(
            EndpointId(row["endpoint_id"]),
            row["meter_no"],
            row["serial_no"],
            row["ap_title"] or "",
            row["configuration"],
            bool(row["active"]),
            None,
        )
        for row in found
    }


def _object(row: Any, payload: dict[str, Any], meters: dict[int, Meter]) -> ToldObject:
    supply = payload.get("supply")
    return ToldObject(
        message_id=MessageId(row.message_id),
        meter=meters[payload["endpoint"]],
        action=None if payload["action"] is None else SwitchAction(payload["action"]),
        details=payload["details"],
        outcome=unpack_outcome(json.dumps(payload["outcome"])),
        at=from_us(payload["at_us"]),
        attempts=row.attempts + 1,
        supply=None if supply is None else Supply(supply),
        remark=payload.get("remark", ""),
    )


def _telling(request: Any, objects: list[ToldObject]) -> Telling:
    return Telling(
        request_id=request.request_id,
        partner=request.partner,
        server=request.server,
        version=request.version,
        operation=request.operation,
        kind=DeferredKind(request.kind),
        transaction_id=request.transaction_id,
        response_url=request.response_url,
        answers=tuple(json.loads(request.answers)),
        parameters=json.loads(request.parameters),
        accepted=from_us(request.accepted_us),
        objects=tuple(objects),
    )


class TellingPart:
    """TellingStore of a store."""

    _database: Database

    def told_partners(self, now: datetime) -> Deferred[list[str]]:
        return self._database.read(lambda c: partners(c, now))

    def claim_tellings(self, partner: str, limit: int, now: datetime, until: datetime) -> Deferred[list[Telling]]:
        return self._database.run(lambda c: claim(c, partner, limit, now, until))

    def hold_tellings(self, message_ids: Sequence[MessageId], until: datetime) -> Deferred[None]:
        return self._database.run(lambda c: hold(c, list(message_ids), until))

    def mark_tellings(self, marked: Sequence[Marked]) -> Deferred[None]:
        return self._database.run(lambda c: mark(c, list(marked)))
