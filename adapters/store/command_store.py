"""What became of commands: stored with what was read and with what is told of it in one transaction, so that each is answered once.

The rows of the commands are locked first, then the endpoints' as in every recording transaction.
"""

import json
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select
from twisted.internet.defer import Deferred

from adapters.store import command_taking, device_store, partner_tables, schema
from adapters.store.bulk import fetch, key_source
from adapters.store.command_packing import pack_outcome, pack_told, unpack_outcome
from adapters.store.command_taking import Hands
from adapters.store.database import Database
from adapters.store.device_store import SwitchNote
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.limits import REASON_CHARACTERS_MAX
from adapters.store.partitions import DayKey
from adapters.store.recording import record
from adapters.store.switch_findings import switch_events
from headend.commands.supply import ASKED, ROUTER_DOWN, supply_of
from headend.model.collection import Collected, OutgoingMessage
from headend.model.command import NOTHING_FOUND, CommandAssignment, CommandId, CommandUpdate, CommandView, Outcome
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.model.events import DeviceEvent
from headend.model.interval_runs import IntervalRuns
from headend.model.telling import OUTCOME, Supply
from headend.model.utility import Utility
from headend.outage_devices import OutageState
from headend.retries import NO_RETRIES
from headend.router_health import RouterState
from headend.switches import KnownBy, SwitchState

_T, _Q, _E = partner_tables.deferred_target.c, partner_tables.deferred_request.c, schema.endpoint.c

_LOCKED = (
    "SELECT t.request_id, t.endpoint_id, t.state, t.lease_no, t.actuates, t.action, t.details, q.partner, q.response_url, e.meter_no"
    " FROM {keys} JOIN deferred_target AS t ON t.request_id = k.request_id AND t.endpoint_id = k.endpoint_id"
    " JOIN deferred_request AS q ON q.request_id = t.request_id JOIN endpoint AS e ON e.endpoint_id = t.endpoint_id"
    " ORDER BY t.request_id, t.endpoint_id"
)
_ACTUATED = (
    "SELECT t.endpoint_id, t.request_id FROM {keys} JOIN deferred_target AS t ON t.endpoint_id = k.endpoint_id"
    " AND t.actuates = 1 AND t.state IN ('sent', 'awaiting')"
)
_WRITTEN = ("request_id", "endpoint_id", "state", "attempts", "due_us", "changed_us", "reason", "began_us", "told", "outcome")
_GO_ON = (
    f"UPDATE deferred_target SET {', '.join(f'{name} = k.{name}' for name in _WRITTEN[2:])} FROM {{keys}}"  # noqa: S608
    " WHERE deferred_target.request_id = k.request_id AND deferred_target.endpoint_id = k.endpoint_id"
)
_LET_GO = _GO_ON.replace(" FROM", ", lease_owner = NULL FROM", 1)
_TERMINAL = {state.value for state in TargetState if state.terminal}
_ACTUATING = {TargetState.SENT.value, TargetState.AWAITING.value}

Row = tuple[Any, ...]
Told = tuple[Supply, str]


def record_commands(
    connection: Connection,
    updates: Sequence[CommandUpdate],
    runs: Sequence[IntervalRuns],
    now: datetime,
    partitions: set[DayKey] | None,
    suspicious: Collection[int],
) -> list[bool]:
    """Store what became of commands; which of them counted. `suspicious` are codes of events that hint at theft.

    Raises PartitionsWantedError before anything is written.
    """
    rows = _locked(connection, [each.command.command_id for each in updates])
    counted = _counting(connection, updates, rows)
    counting = [each for each, counts in zip(updates, counted, strict=True) if counts]
    supplies, moved = _supplies(connection, counting, now), switch_events(connection, counting, now)
    collected = [
        _with_event(
            _collected(each, rows[each.command.command_id], counts, now, supplies.get(each.command.command_id)),
            moved.get(each.command.command_id) if counts else None,
        )
        for each, counts in zip(updates, counted, strict=True)
        if each.command.command_id in rows
    ]
    worth_recording = [item for item in collected if item is not None]
    if worth_recording or runs:
        record(connection, worth_recording, runs, now, NO_RETRIES, partitions, suspicious)
    _write(connection, counting, now)
    notes = [note for note in map(_switch_note, counting) if note is not None]
    if notes:
        device_store.note_switches(connection, notes, now)
    return counted


def _locked(connection: Connection, command_ids: Sequence[CommandId]) -> dict[CommandId, Row]:
    source, keys = key_source(connection, (_T.request_id, _T.endpoint_id), [tuple(one) for one in dict.fromkeys(command_ids)])
    lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE OF t"
    rows = connection.exec_driver_sql(_LOCKED.format(keys=source) + lock, keys).all()
    return {CommandId(row[0], row[1]): tuple(row) for row in rows}


def _counting(connection: Connection, updates: Sequence[CommandUpdate], rows: dict[CommandId, Row]) -> list[bool]:
    """Which updates count: of commands that are still whose who sends them, and not done."""
    states = {command_id: row[2] for command_id, row in rows.items()}
    begin = [each.command.command_id for each in updates if _begins_to_actuate(each, states.get(each.command.command_id))]
    actuated = _actuated(connection, sorted({command_id.endpoint_id for command_id in begin}))
    counted = []
    for each in updates:
        command_id = each.command.command_id
        row = rows.get(command_id)
        counts = row is not None and row[3] == each.lease_no and states[command_id] not in _TERMINAL
        if counts and _begins_to_actuate(each, states[command_id]):
            counts = actuated.setdefault(command_id.endpoint_id, command_id.request_id) == command_id.request_id
        if counts:
            states[command_id] = each.command.state.value
        counted.append(counts)
    return counted


def _begins_to_actuate(each: CommandUpdate, state: str | None) -> bool:
    return each.command.actuates and each.command.state.value in _ACTUATING and state not in _ACTUATING


def _actuated(connection: Connection, endpoint_ids: Sequence[int]) -> dict[int, int]:
    """Of these endpoints the ones whose switches are being moved, and by which request."""
    if not endpoint_ids:
        return {}
    source, keys = key_source(connection, (_T.endpoint_id,), [(one,) for one in endpoint_ids])
    return {row[0]: row[1] for row in connection.exec_driver_sql(_ACTUATED.format(keys=source), keys)}


def _write(connection: Connection, updates: Sequence[CommandUpdate], now: datetime) -> None:
    # Of several updates of a command the last counts, and one that ends it comes after those that do not.
    for keeps_lease in (True, False):
        chosen = {each.command.command_id: _values(each, now) for each in updates if each.keeps_lease is keeps_lease}
        if chosen:
            source, values = key_source(connection, [_T[name] for name in _WRITTEN], list(chosen.values()))
            connection.exec_driver_sql((_GO_ON if keeps_lease else _LET_GO).format(keys=source), values)


def _values(each: CommandUpdate, now: datetime) -> Row:
    """What is written of a command, as _WRITTEN has it."""
    command, outcome = each.command, each.outcome
    return (
        command.command_id.request_id,
        command.command_id.endpoint_id,
        command.state.value,
        command.attempts,
        None if each.due is None else to_us(each.due),
        to_us(now),
        "" if outcome is None else _printable(outcome.reason),
        None if command.began is None else to_us(command.began),
        pack_told(command.told),
        _kept_outcome(each),
    )


def _kept_outcome(each: CommandUpdate) -> str | None:
    """The outcome of one that has ended; of a monitoring that goes on, what it has reported and lasts."""
    if each.outcome is not None:
        return pack_outcome(each.outcome)
    return pack_outcome(Outcome(TargetState.TIMED_OUT)) if each.command.reported else None


def _collected(each: CommandUpdate, row: Row, counts: bool, now: datetime, supply: Told | None) -> Collected | None:
    """What is recorded with an update: what was read, in any case; what is told, where it counts and somebody is to be told."""
    messages: tuple[OutgoingMessage, ...] = ()
    # A monitoring reports while it lasts; that it is over is nothing to tell.
    silent = each.command.kind is DeferredKind.MONITORING and each.command.state.terminal
    if counts and each.outcome is not None and row[8] and not silent and not _needless(each.command.kind, supply):
        messages = (_message(each, each.outcome, row, now, supply),)
    if each.collected is None:
        return Collected(each.command.command_id.endpoint_id, None, messages=messages) if messages else None
    return replace(each.collected, messages=messages)


def _with_event(collected: Collected | None, event: DeviceEvent | None) -> Collected | None:
    if event is None:
        return collected
    collected = collected or Collected(event.endpoint_id, None)
    return replace(collected, events=(*collected.events, event))


def _needless(kind: DeferredKind, supply: Told | None) -> bool:
    """Whether a monitoring would report what it cannot know: that a meter is silent whose router is down."""
    return kind is DeferredKind.MONITORING and supply is not None and supply == (Supply.NO_RESPONSE, ROUTER_DOWN)


def _supplies(connection: Connection, updates: Sequence[CommandUpdate], now: datetime) -> dict[CommandId, Told]:
    """What the outcomes of those that asked about the supply say of it; a meter that answers has power from now on."""
    asked = {each.command.command_id: each.outcome for each in updates if each.outcome is not None and each.command.kind in ASKED}
    if not asked:
        return {}
    endpoints = sorted({one.endpoint_id for one in asked})
    out = {row[0]: OutageState(row[1]) for row in fetch(connection, schema.outage_state, ("endpoint_id",), [(one,) for one in endpoints])}
    behind = select(_E.endpoint_id, schema.router_state.c.state).join(
        schema.router_state, schema.router_state.c.router_id == _E.router_id
    )
    routers = dict(tuple(row) for row in connection.execute(behind.where(_E.endpoint_id.in_(endpoints))).all())
    told = {}
    for command_id, outcome in asked.items():
        known = out.get(command_id.endpoint_id, OutageState.UNKNOWN)
        router_down = routers.get(command_id.endpoint_id) == RouterState.DOWN.value
        told[command_id] = supply_of(outcome, known, router_down=router_down)
        if told[command_id][0] is Supply.RESTORED and known is OutageState.OUTAGED:
            device_store.note_outage_state(connection, [command_id.endpoint_id], OutageState.RESTORED, now)
    return told


def _message(each: CommandUpdate, outcome: Outcome, row: Row, now: datetime, supply: Told | None) -> OutgoingMessage:
    request_id, endpoint_id, _, _, _, action, details, partner, _, meter_no = row
    payload = json.dumps(
        {
            "request": request_id,
            "endpoint": endpoint_id,
            "meter_no": meter_no,
            "action": action,
            "details": json.loads(details),
            "outcome": json.loads(pack_outcome(outcome)),
            "at_us": to_us(now),
            "lease": each.lease_no,
            **({} if supply is None else {"supply": supply[0].value, "remark": supply[1]}),
        }
    )
    return OutgoingMessage(partner, OUTCOME, payload.encode(), each.command.command_id.endpoint_id)


def _switch_note(each: CommandUpdate) -> SwitchNote | None:
    """What a switch was found to be, or that nobody knows; None where nothing was learned of one."""
    outcome, command = each.outcome, each.command
    if outcome is None:
        return None
    found = outcome.found
    state = found.switch
    if state is None and command.told is not None and command.actuates:
        state = SwitchState.UNKNOWN
    if state is None and found.enabled is None:
        return None
    known_by = KnownBy.COMMAND if command.actuates else KnownBy.READ
    return SwitchNote(command.command_id.endpoint_id, state, known_by, found.enabled)


def _printable(reason: str) -> str:
    return reason[:REASON_CHARACTERS_MAX].encode("utf-8", "replace").decode().replace("\0", "\ufffd")


def views(connection: Connection, requester: str, transaction_id: str) -> list[CommandView]:
    """The commands of a request as they stand."""
    newest = select(_Q.request_id).where(_Q.partner == requester, _Q.transaction_id == transaction_id).order_by(_Q.request_id.desc())
    request_id = connection.execute(newest.limit(1)).scalar()
    if request_id is None:
        return []
    joined = partner_tables.deferred_target.join(schema.endpoint, _E.endpoint_id == _T.endpoint_id).join(
        partner_tables.deferred_request, _Q.request_id == _T.request_id
    )
    columns = (_E.meter_no, _Q.kind, _T.action, _T.state, _T.reason, _T.outcome, _T.changed_us)
    statement = select(*columns).select_from(joined).where(_T.request_id == request_id).order_by(_T.position)
    return [view_of(tuple(row)) for row in connection.execute(statement)]


def view_of(row: Row) -> CommandView:
    """A command from (meter number, kind, action, state, reason, outcome, changed)."""
    meter_no, kind, action, state, reason, packed, changed_us = row
    outcome = None if packed is None else unpack_outcome(packed)
    return CommandView(
        meter_no=meter_no,
        kind=DeferredKind(kind),
        action=None if action is None else SwitchAction(action),
        state=TargetState(state),
        reason=reason,
        code=None if outcome is None else outcome.code,
        found=NOTHING_FOUND if outcome is None else outcome.found,
        changed=from_us(changed_us),
    )


class CommandPart:
    """CommandStore of a store."""

    utility: Utility
    _database: Database
    _sealer: KeySealer
    _partitions: set[DayKey] | None
    _suspicious: frozenset[int]
    with_partitions: Callable[[Callable[[Connection], Any]], Coroutine[Any, Any, Any]]

    def command_due(self, now: datetime) -> Deferred[bool]:
        return self._database.read(lambda c: command_taking.is_due(c, now))

    def take_commands(
        self, owner: str, persons_max: int, batch_max: int, now: datetime, until: datetime
    ) -> Deferred[list[CommandAssignment]]:
        return self._database.run(lambda c: self._take(c, owner, persons_max, batch_max, now, until))

    async def take_waiting(self, owner: str, endpoint_id: int, now: datetime, until: datetime) -> list[CommandAssignment]:
        if not await self._database.read(lambda c: command_taking.any_waiting(c, endpoint_id, now)):
            return []
        hands = Hands(self.utility, self._sealer)
        work = partial(command_taking.take_waiting, hands=hands, owner=owner, endpoint_id=endpoint_id, now=now, until=until)
        return await self._database.run(work)

    def _take(
        self, connection: Connection, owner: str, persons_max: int, batch_max: int, now: datetime, until: datetime
    ) -> list[CommandAssignment]:
        hands = Hands(self.utility, self._sealer)
        assignments, ended = command_taking.take(connection, hands, owner, persons_max, batch_max, now=now, until=until)
        if ended:
            record_commands(connection, ended, (), now, self._partitions, self._suspicious)
        return assignments

    def record_commands(
        self, updates: Sequence[CommandUpdate], now: datetime, runs: Sequence[IntervalRuns] = ()
    ) -> Deferred[list[bool]]:
        work = partial(self._record_commands, list(updates), list(runs), now)
        return Deferred.fromCoroutine(self.with_partitions(work))

    def _record_commands(
        self, updates: list[CommandUpdate], runs: list[IntervalRuns], now: datetime, connection: Connection
    ) -> list[bool]:
        return record_commands(connection, updates, runs, now, self._partitions, self._suspicious)

    def release_commands(self, owner: str, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: command_taking.release(c, owner, now))

    def command_views(self, requester: str, transaction_id: str) -> Deferred[list[CommandView]]:
        return self._database.read(lambda c: views(c, requester, transaction_id))
