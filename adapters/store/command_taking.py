"""Hands commands out: each to one owner at a time, one at a time of each endpoint, those that somebody waits for first.

As with endpoints, a lease is the due time moved to the lease's end: an expired one is simply due again.
"""

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text, update

from adapters.store import partner_tables
from adapters.store.bulk import key_source
from adapters.store.command_packing import unpack_told
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.progress_packing import unpack_progress
from adapters.store.recording import lock_states
from headend.c1222.exchange import next_invocation_id
from headend.commands.ordering import OVERRIDE
from headend.errors import StoreError
from headend.limits import COMMAND_INVOCATION_IDS, INVOCATION_ID_MAX
from headend.model.command import Command, CommandAssignment, CommandId, CommandUpdate, FailureCode, Outcome
from headend.model.deferred import DeferredKind, Priority, SwitchAction, TargetState
from headend.model.endpoint import EndpointId, NativeAddress, Transport

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
    "SELECT k.endpoint_id, e.meter_no, e.ap_title_octets, e.configuration, e.key_id, y.sealed, r.name, e.transport, e.host, e.port,"
    " w.enabled, e.active, q.kind, q.parameters, q.accepted_us, q.expires_us FROM {keys}"
    " JOIN endpoint AS e ON e.endpoint_id = k.endpoint_id"
    " JOIN deferred_request AS q ON q.request_id = k.request_id"
    " LEFT JOIN endpoint_key AS y ON y.endpoint_id = e.endpoint_id AND y.key_id = e.key_id"
    " LEFT JOIN router AS r ON r.router_id = e.router_id LEFT JOIN switch_state AS w ON w.endpoint_id = e.endpoint_id"
)
_DETAILS_BY_REQUEST = _DETAILS.replace(" FROM {keys}", ", k.request_id FROM {keys}")
_GIVE_BACK = "UPDATE deferred_target SET lease_owner = NULL, due_us = :now WHERE lease_owner = :owner AND due_us IS NOT NULL"

Row = tuple[Any, ...]


def is_due(connection: Connection, now: datetime) -> bool:
    """Whether any command's time has come."""
    return connection.execute(text(_DUE), {"now": to_us(now)}).first() is not None


def take(
    connection: Connection, sealer: KeySealer, owner: str, persons_max: int, batch_max: int, *, now: datetime, until: datetime
) -> tuple[list[CommandAssignment], list[CommandUpdate]]:
    """(commands that are `owner`'s until `until`, how those of them ended already that cannot be carried out)."""
    rows = _taken(connection, owner, Priority.PERSON, persons_max, now, until)
    rows += _taken(connection, owner, Priority.BATCH, min(batch_max, persons_max - len(rows)), now, until)
    rows = _one_of_each_endpoint(connection, rows, now)
    if not rows:
        return [], []
    key = (_T.request_id, _T.endpoint_id)
    source, keys = key_source(connection, key, [row[:2] for row in rows])
    details = {row[0]: tuple(row) for row in connection.exec_driver_sql(_DETAILS.format(keys=source), keys).all()}
    states = _reserved(connection, sorted({row[1] for row in rows}))
    assignments, ended = [], []
    for row in rows:
        command = _command(row, details[row[1]])
        try:
            assignments.append(_assignment(row, command, details[row[1]], states[row[1]], sealer, until))
        except StoreError as error:
            outcome = Outcome(TargetState.FAILED, code=FailureCode.UNREACHABLE, reason=str(error))
            ended.append(CommandUpdate(replace(command, state=outcome.state), row[6], None, outcome=outcome))
    return assignments, ended


def any_waiting(connection: Connection, endpoint_id: int, now: datetime) -> bool:
    """Whether anything waits for an endpoint that sleeps."""
    return connection.execute(text(f"{_WAITING} LIMIT 1"), {"endpoint": endpoint_id, "now": to_us(now)}).first() is not None


def take_waiting(
    connection: Connection, sealer: KeySealer, owner: str, endpoint_id: int, now: datetime, until: datetime
) -> list[CommandAssignment]:
    """All commands that wait for an endpoint, in the order in which they were asked for."""
    pick = _WAITING if connection.dialect.name == "sqlite" else f"{_WAITING} FOR UPDATE SKIP LOCKED"
    values = {"endpoint": endpoint_id, "now": to_us(now), "until": to_us(until), "owner": owner}
    rows = sorted(tuple(row) for row in connection.execute(text(_TAKE.format(pick=pick)), values).all())
    if not rows:
        return []
    source, keys = key_source(connection, (_T.request_id, _T.endpoint_id), [row[:2] for row in rows])
    # Of one endpoint, so that its commands are told apart by their requests.
    details = {row[-1]: tuple(row[:-1]) for row in connection.exec_driver_sql(_DETAILS_BY_REQUEST.format(keys=source), keys).all()}
    state = _reserved(connection, [endpoint_id])[endpoint_id]
    return [_assignment(row, _command(row, details[row[0]]), details[row[0]], state, sealer, until) for row in rows]


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
        this_one = update(partner_tables.deferred_target).where(_T.request_id == row[0], _T.endpoint_id == row[1])
        connection.execute(this_one.values(lease_owner=None, due_us=to_us(now)))
    return list(first.values())


def _reserved(connection: Connection, endpoint_ids: list[int]) -> dict[int, Row]:
    """States of endpoints, with invocation ids reserved."""
    lock_states(connection, endpoint_ids)
    ids_of = ", ".join(str(int(one)) for one in endpoint_ids)
    values = {"ids": COMMAND_INVOCATION_IDS, "id_max": INVOCATION_ID_MAX}
    return {row[0]: tuple(row) for row in connection.execute(text(_RESERVE.format(ids_of=ids_of)), values).all()}


def _command(row: Row, detail: Row) -> Command:
    request_id, endpoint_id, _, action, state, attempts, _, began_us, told, priority, outcome = row
    kind, parameters, accepted_us, expires_us = detail[12:16]
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
    _, meter_no, ap_title, configuration, key_id, sealed, router, *shipped, enabled, active = detail[:12]
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
