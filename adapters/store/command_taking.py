"""Hands commands out: each to one owner at a time, one at a time of each endpoint, those that somebody waits for first.

As with endpoints, a lease is the due time moved to the lease's end: an expired one is simply due again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text, update

from adapters.store import pacing, partner_tables
from adapters.store.awaited_records import recorded
from adapters.store.bulk import key_source
from adapters.store.command_packing import unpack_told
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.progress_packing import unpack_progress
from adapters.store.protection_store import protections_of
from adapters.store.recording import lock_states
from headend.c1222.exchange import next_invocation_id
from headend.commands.arranging import hindrance
from headend.commands.machine import Answer, Wait, looked_for
from headend.commands.staggering import NO_ROUTER
from headend.errors import StoreError
from headend.limits import COMMAND_INVOCATION_IDS, INVOCATION_ID_MAX
from headend.model.command import OVERRIDE, Command, CommandAssignment, CommandId, CommandUpdate, FailureCode, Hindrance, Outcome
from headend.model.deferred import AWAITED, UNSPOKEN, DeferredKind, Priority, SwitchAction, TargetState
from headend.model.endpoint import CONFIGURATIONS, EndpointId, NativeAddress, Transport
from headend.model.utility import Utility

_T = partner_tables.deferred_target.c

_DUE = "SELECT 1 FROM deferred_target WHERE priority IN (0, 1) AND due_us <= :now LIMIT 1"
_PICK = (
    "SELECT t.request_id, t.endpoint_id FROM deferred_target AS t WHERE t.priority = :priority AND t.due_us <= :now"
    " AND NOT EXISTS (SELECT 1 FROM deferred_target AS o WHERE o.endpoint_id = t.endpoint_id AND o.lease_owner IS NOT NULL"
    " AND o.due_us > :now) ORDER BY t.due_us, t.request_id, t.endpoint_id LIMIT :count"
)
# Materialized, so that no plan can run the picking twice and hand out more than was asked for.
_WAITING = (
    "SELECT request_id, endpoint_id FROM deferred_target WHERE endpoint_id = :endpoint AND due_us IS NOT NULL"
    " AND (lease_owner IS NULL OR due_us <= :now) AND NOT (state = 'accepted' AND due_us > :now)"
)
_TAKE = (
    "WITH picked AS MATERIALIZED ({pick})"
    " UPDATE deferred_target SET lease_owner = :owner, lease_no = lease_no + 1, due_us = :until"
    " WHERE (request_id, endpoint_id) IN (SELECT request_id, endpoint_id FROM picked)"
    " RETURNING request_id, endpoint_id, position, action, state, attempts, lease_no, began_us, told, priority, outcome"
)
_RESERVE = (
    "UPDATE endpoint_state SET next_invocation_id = (next_invocation_id - 1 + :ids) % :id_max + 1 WHERE endpoint_id IN ({ids_of})"
    " RETURNING endpoint_id, next_invocation_id, program, progress, collect_from_us, transport, host, port"
)
_DETAILS = (
    "SELECT k.request_id, k.endpoint_id, e.meter_no, e.ap_title_octets, e.configuration, e.key_id, y.sealed, r.name, e.transport, e.host,"
    " e.port, w.enabled, e.active, q.kind, q.parameters, q.accepted_us, q.expires_us, q.cancelled, e.router_id FROM {keys}"
    " JOIN endpoint AS e ON e.endpoint_id = k.endpoint_id"
    " JOIN deferred_request AS q ON q.request_id = k.request_id"
    " LEFT JOIN endpoint_key AS y ON y.endpoint_id = e.endpoint_id AND y.key_id = e.key_id"
    " LEFT JOIN router AS r ON r.router_id = e.router_id LEFT JOIN switch_state AS w ON w.endpoint_id = e.endpoint_id"
)
_GIVE_BACK = "UPDATE deferred_target SET lease_owner = NULL, due_us = :now WHERE lease_owner = :owner AND due_us IS NOT NULL"

Row = tuple[Any, ...]
Key = tuple[int, int]
"""Request and endpoint."""

_KIND, _CANCELLED, _ROUTER = 13, 17, 18
"""Where a row of details has the kind, why it is cancelled, and the router."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who hands out: for which utility, with which keys."""

    utility: Utility
    sealer: KeySealer


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether any command's time has come."""
    return connection.execute(text(_DUE), {"now": to_us(now)}).first() is not None


def take(
    connection: Connection, hands: Hands, owner: str, persons_max: int, batch_max: int, *, now: datetime, until: datetime
) -> tuple[list[CommandAssignment], list[CommandUpdate]]:
    """(commands that are `owner`'s until `until`, what has come of those that nobody need carry out)."""
    rows = _taken(connection, owner, Priority.PERSON, persons_max, now, until)
    rows += _taken(connection, owner, Priority.BATCH, min(batch_max, persons_max - len(rows)), now, until)
    rows = _one_of_each_endpoint(connection, rows, now)
    if not rows:
        return [], []
    details = details_of(connection, rows)
    awaited = [row for row in rows if DeferredKind(details[row[:2]][_KIND]) in AWAITED]
    rows = [row for row in _at_their_pace(connection, rows, details, hands.utility, now) if row not in awaited]
    states = _reserved(connection, sorted({row[1] for row in rows}))
    hindrances = _hindrances(connection, rows, details, hands.utility, now)
    assignments, ended = [], _looked_at(connection, awaited, details, now)
    for row in rows:
        command = command_of(row, details[row[:2]])
        try:
            assignment = _assignment(row, command, details[row[:2]], states[row[1]], hands.sealer, until)
            assignments.append(replace(assignment, hindrance=hindrances[row[:2]]))
        except StoreError as error:
            outcome = Outcome(TargetState.FAILED, code=FailureCode.UNREACHABLE, reason=str(error))
            ended.append(CommandUpdate(replace(command, state=outcome.state), row[6], None, outcome=outcome))
    return assignments, ended


def _looked_at(connection: Connection, rows: Sequence[Row], details: Mapping[Key, Row], now: datetime) -> list[CommandUpdate]:
    """What commands come to that wait for a record: their answer, or another look."""
    there = recorded(connection, [row[:2] for row in rows])
    updates = []
    for row in rows:
        detail = details[row[:2]]
        command, decision = looked_for(command_of(row, detail), recorded=row[:2] in there, cancelled=detail[_CANCELLED], now=now)
        outcome = decision.outcome if isinstance(decision, Answer) else None
        updates.append(CommandUpdate(command, row[6], decision.until if isinstance(decision, Wait) else None, outcome=outcome))
    return updates


def any_waiting(connection: Connection, endpoint_id: int, now: datetime) -> bool:
    """Whether anything waits for an endpoint that sleeps."""
    return connection.execute(text(f"{_WAITING} LIMIT 1"), {"endpoint": endpoint_id, "now": to_us(now)}).first() is not None


def take_waiting(
    connection: Connection, hands: Hands, owner: str, endpoint_id: int, now: datetime, until: datetime
) -> list[CommandAssignment]:
    """All commands that wait for an endpoint, in the order in which they were asked for."""
    pick = _WAITING if connection.dialect.name == "sqlite" else f"{_WAITING} FOR UPDATE SKIP LOCKED"
    values = {"endpoint": endpoint_id, "now": to_us(now), "until": to_us(until), "owner": owner}
    rows = sorted(tuple(row) for row in connection.execute(text(_TAKE.format(pick=pick)), values).all())
    if not rows:
        return []
    details = details_of(connection, rows)
    state = _reserved(connection, [endpoint_id])[endpoint_id]
    hindrances = _hindrances(connection, rows, details, hands.utility, now)
    found = []
    for row in rows:
        detail = details[row[:2]]
        assignment = _assignment(row, command_of(row, detail), detail, state, hands.sealer, until)
        found.append(replace(assignment, hindrance=hindrances[row[:2]]))
    return found


def release(connection: Connection, owner: str, now: datetime) -> None:
    """What `owner` has is due again."""
    connection.execute(text(_GIVE_BACK), {"owner": owner, "now": to_us(now)})


def _taken(connection: Connection, owner: str, priority: Priority, count: int, now: datetime, until: datetime) -> list[Row]:
    if count <= 0:
        return []
    # SKIP LOCKED: whoever comes second gets the next ones instead of waiting for the first.
    pick = _PICK if connection.dialect.name == "sqlite" else f"{_PICK} FOR UPDATE OF t SKIP LOCKED"
    values = {"priority": priority.value, "now": to_us(now), "until": to_us(until), "count": count, "owner": owner}
    return sorted(tuple(row) for row in connection.execute(text(_TAKE.format(pick=pick)), values).all())


def _one_of_each_endpoint(connection: Connection, rows: list[Row], now: datetime) -> list[Row]:
    """Of several commands of an endpoint the first; the others are due again when it is done."""
    first: dict[int, Row] = {}
    for row in rows:
        first.setdefault(row[1], row)
    for row in [row for row in rows if first[row[1]] is not row]:
        _give_back(connection, row, now)
    return list(first.values())


def details_of(connection: Connection, rows: Sequence[Row]) -> dict[Key, Row]:
    """What else is known of commands and their endpoints, by request and endpoint, the first two of each row."""
    source, keys = key_source(connection, (_T.request_id, _T.endpoint_id), [row[:2] for row in rows])
    found = connection.exec_driver_sql(_DETAILS.format(keys=source), keys).all()
    return {(row[0], row[1]): tuple(row) for row in found}


def _at_their_pace(connection: Connection, rows: list[Row], details: Mapping[Key, Row], utility: Utility, now: datetime) -> list[Row]:
    """Without the commands of batches that may not be begun yet: these, and all that are late beside them, get new turns."""
    routers = {row[:2]: details[row[:2]][_ROUTER] or NO_ROUTER for row in rows if _is_paced(row, details[row[:2]], now)}
    admitted = pacing.admit(connection, routers, now, utility.commands)
    excess = [row for row in rows if row[:2] in routers and row[:2] not in admitted]
    if not excess:
        return rows
    for row in excess:
        _give_back(connection, row, now)
    pacing.put_off(connection, now, utility.commands)
    return [row for row in rows if row[:2] not in routers or row[:2] in admitted]


def _is_paced(row: Row, detail: Row, now: datetime) -> bool:
    """Whether a command is one of many that are begun one after the other, and begins."""
    kind, _, _, expires_us, cancelled = detail[13:18]
    asleep = CONFIGURATIONS[detail[4]].battery
    over = bool(cancelled) or expires_us <= to_us(now)
    return row[9] == Priority.BATCH.value and row[8] is None and kind not in UNSPOKEN and not asleep and not over


def _hindrances(
    connection: Connection, rows: Sequence[Row], details: Mapping[Key, Row], utility: Utility, now: datetime
) -> dict[Key, Hindrance]:
    """What stands in the way of commands."""
    disconnected = sorted({row[1] for row in rows if row[3] == SwitchAction.DISCONNECT.value})
    protections = protections_of(connection, disconnected) if disconnected else {}
    found = {}
    for row in rows:
        detail = details[row[:2]]
        action = None if row[3] is None else SwitchAction(row[3])
        override = action is not None and bool(json.loads(detail[14]).get(OVERRIDE))
        found[row[:2]] = hindrance(action, now, utility, protections.get(row[1], ()), override=override, cancelled=detail[17])
    return found


def _give_back(connection: Connection, row: Row, now: datetime) -> None:
    this_one = update(partner_tables.deferred_target).where(_T.request_id == row[0], _T.endpoint_id == row[1])
    connection.execute(this_one.values(lease_owner=None, due_us=to_us(now)))


def _reserved(connection: Connection, endpoint_ids: list[int]) -> dict[int, Row]:
    """States of endpoints, with invocation ids reserved."""
    if not endpoint_ids:
        return {}
    lock_states(connection, endpoint_ids)
    ids_of = ", ".join(str(int(one)) for one in endpoint_ids)
    values = {"ids": COMMAND_INVOCATION_IDS, "id_max": INVOCATION_ID_MAX}
    return {row[0]: tuple(row) for row in connection.execute(text(_RESERVE.format(ids_of=ids_of)), values).all()}


def command_of(row: Row, detail: Row) -> Command:
    """A command as it was taken, or would be."""
    request_id, endpoint_id, _, action, state, attempts, _, began_us, told, priority, outcome = row
    kind, parameters, accepted_us, expires_us = detail[13:17]
    asked: dict[str, str] = json.loads(parameters)
    return Command(
        command_id=CommandId(request_id, EndpointId(endpoint_id)),
        kind=DeferredKind(kind),
        action=None if action is None else SwitchAction(action),
        priority=Priority(priority),
        state=TargetState(state),
        attempts=attempts,
        accepted=from_us(accepted_us),
        expires=from_us(expires_us),
        began=None if began_us is None else from_us(began_us),
        told=unpack_told(told),
        override=asked.get(OVERRIDE, ""),
        every_seconds=60 * float(asked.get("periodicity", 0)),
        reported=outcome is not None,
    )


def _assignment(row: Row, command: Command, detail: Row, state: Row, sealer: KeySealer, until: datetime) -> CommandAssignment:
    _, _, meter_no, ap_title, configuration, key_id, sealed, router, *shipped, enabled, active = detail[:13]
    _, next_id, program, progress, collect_from_us, transport, host, port = state
    if not active:
        raise StoreError(f"meter {meter_no!r} is not active any more")
    if ap_title is None or sealed is None:
        raise StoreError(f"meter {meter_no!r} has no {'title' if ap_title is None else f'key {key_id}'}: it has not been shipped")
    if transport is None:
        transport, host, port = shipped
    if transport is None:
        raise StoreError(f"meter {meter_no!r} has no address: it has not registered")
    return CommandAssignment(
        lease_no=row[6],
        until=until,
        command=command,
        meter_no=meter_no,
        ap_title=ap_title,
        address=NativeAddress(Transport(transport), host, port),
        router=router,
        configuration=configuration,
        key_id=key_id,
        key=sealer.open(sealed, meter_no, key_id),
        program=program,
        progress=unpack_progress(progress),
        collect_from=from_us(collect_from_us),
        first_invocation_id=next_invocation_id(next_id, -COMMAND_INVOCATION_IDS),
        invocation_ids=COMMAND_INVOCATION_IDS,
        switch_enabled=enabled != 0,
    )
