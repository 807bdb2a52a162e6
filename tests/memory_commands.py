"""A CommandStore in memory, for simulations on a hand-turned clock: it keeps the promises that the contract suite holds it to."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.store.command_packing import pack_outcome
from headend.c1222.exchange import next_invocation_id
from headend.limits import COMMAND_INVOCATION_IDS
from headend.model.command import (
    NOTHING_FOUND,
    Command,
    CommandAssignment,
    CommandId,
    CommandUpdate,
    CommandView,
    FailureCode,
    Outcome,
)
from headend.model.deferred import DeferredRequest, DeferredTarget, Priority, TargetState
from headend.model.instants import to_us
from headend.model.interval_runs import IntervalRuns
from headend.model.meters import Meter
from headend.model.readings import RegisterRow
from headend.model.refusal import Refusal
from headend.reading_queries import Values
from headend.switches import KnownBy, SwitchState
from tests.memory_store import MemoryEndpoint, MemoryStore

ACTUATING = {TargetState.SENT, TargetState.AWAITING}


@dataclass(slots=True)
class Row:
    """One command with its lease."""

    request: DeferredRequest
    target: DeferredTarget
    command: Command
    due: datetime | None
    owner: str | None = None
    lease_no: int = 0
    outcome: Outcome | None = None
    changed: datetime | None = None


class MemoryCommands:
    """`outbox` are payloads of what is told; `answers` count outcomes by command; `failures` are errors to raise from recording."""

    def __init__(self, endpoints: Sequence[MemoryEndpoint], store: MemoryStore | None = None) -> None:
        self.endpoints = {e.endpoint_id: e for e in endpoints}
        self.store = store
        self.rows: dict[CommandId, Row] = {}
        self.open: dict[CommandId, Row] = {}
        self.outbox: list[bytes] = []
        self.switches: dict[str, tuple[SwitchState, KnownBy | None]] = {}
        self.enabled: dict[str, bool] = {}
        self.failures: list[Exception] = []
        self.transactions = 0
        self._requests = 0

    async def accept_deferred(self, request: DeferredRequest) -> tuple[Refusal, ...]:
        self._requests += 1
        for target in request.targets:
            command_id = CommandId(self._requests, target.endpoint_id)
            command = Command(
                command_id=command_id,
                kind=request.kind,
                action=target.action,
                priority=request.priority,
                state=TargetState.ACCEPTED,
                attempts=0,
                accepted=request.accepted,
                expires=request.expires,
                override=request.parameters.get("override", ""),
                every_seconds=60 * float(request.parameters.get("periodicity", 0)),
            )
            row = Row(request, target, command, request.begins or request.accepted)
            self.rows[command_id] = self.open[command_id] = row
        return request.refusals

    async def command_due(self, now: datetime) -> bool:
        return any(row.due is not None and row.due <= now for row in self.open.values())

    async def take_commands(
        self, owner: str, persons_max: int, batch_max: int, now: datetime, until: datetime
    ) -> list[CommandAssignment]:
        busy = {key.endpoint_id for key, row in self.open.items() if row.owner is not None and row.due is not None and row.due > now}
        taken: list[CommandAssignment] = []
        for priority in Priority:
            room = persons_max if priority is Priority.PERSON else min(batch_max, persons_max - len(taken))
            due = [r for r in self.open.values() if r.command.priority is priority and r.due is not None and r.due <= now]
            for row in sorted(due, key=lambda r: (r.due, r.command.command_id)):
                endpoint_id = row.command.command_id.endpoint_id
                if room <= 0 or endpoint_id in busy:
                    continue
                busy.add(endpoint_id)
                room -= 1
                row.owner, row.due, row.lease_no = owner, until, row.lease_no + 1
                if not self.endpoints[endpoint_id].key:
                    outcome = Outcome(TargetState.FAILED, code=FailureCode.UNREACHABLE, reason="it has no key")
                    self._record(CommandUpdate(replace(row.command, state=outcome.state), row.lease_no, None, outcome=outcome), now)
                else:
                    taken.append(self._assignment(row, until))
        return taken

    def _assignment(self, row: Row, until: datetime) -> CommandAssignment:
        e = self.endpoints[row.command.command_id.endpoint_id]
        first, e.next_id = e.next_id, next_invocation_id(e.next_id, COMMAND_INVOCATION_IDS)
        return CommandAssignment(
            lease_no=row.lease_no,
            until=until,
            command=row.command,
            meter_no=e.meter_no,
            ap_title=e.ap_title,
            address=e.address,
            router=e.router,
            configuration=e.configuration,
            key_id=e.key_id,
            key=e.key,
            program=e.program,
            progress=e.progress,
            collect_from=e.collect_from or row.command.accepted,
            first_invocation_id=first,
            invocation_ids=COMMAND_INVOCATION_IDS,
            switch_enabled=self.enabled.get(e.meter_no, True),
        )

    async def take_waiting(self, owner: str, endpoint_id: int, now: datetime, until: datetime) -> list[CommandAssignment]:
        waiting = [
            row
            for key, row in sorted(self.open.items())
            if key.endpoint_id == endpoint_id
            and row.due is not None
            and (row.owner is None or row.due <= now)
            and not (row.command.state is TargetState.ACCEPTED and row.due > now)
        ]
        for row in waiting:
            row.owner, row.due, row.lease_no = owner, until, row.lease_no + 1
        return [self._assignment(row, until) for row in waiting]

    async def latest_of(self, meters: Sequence[Meter], wanted: object, period: None, now: datetime) -> Values:
        assert self.store is not None, "a simulation has a store of readings"
        reads = [read for meter in meters for read in self.endpoints[meter.endpoint_id].registers.values()]
        newest = max((read.instant for read in reads), default=None)
        rows = [
            RegisterRow(r.endpoint_id, to_us(r.instant), r.channel_id, r.source.value, r.exponent, r.flags, r.value)
            for r in reads
            if r.instant == newest
        ]
        return Values(rows, [])

    async def record_commands(
        self, updates: Sequence[CommandUpdate], now: datetime, runs: Sequence[IntervalRuns] = ()
    ) -> list[bool]:
        self.transactions += 1
        if self.failures:
            raise self.failures.pop(0)
        collected = [update.collected for update in updates if update.collected is not None]
        if self.store is not None and (collected or runs):
            await self.store.record(collected, now, runs)
        return [self._record(update, now) for update in updates]

    def _record(self, update: CommandUpdate, now: datetime) -> bool:
        command = update.command
        row = self.rows[command.command_id]
        if row.lease_no != update.lease_no or row.command.state.terminal:
            return False
        if command.actuates and command.state in ACTUATING and row.command.state not in ACTUATING and self._is_actuated(row):
            return False
        row.command, row.due, row.changed = command, update.due, now
        row.owner = row.owner if update.keeps_lease else None
        if command.state.terminal:
            del self.open[command.command_id]
        if update.outcome is not None and command.state.terminal:
            row.outcome = update.outcome
        if update.outcome is not None:
            self._ended(row, update.outcome, now)
        return True

    def _is_actuated(self, row: Row) -> bool:
        mine = row.command.command_id
        others = (r.command for key, r in self.open.items() if key.endpoint_id == mine.endpoint_id and key != mine)
        return any(command.actuates and command.state in ACTUATING for command in others)

    def _ended(self, row: Row, outcome: Outcome, now: datetime) -> None:
        meter_no, command = self.endpoints[row.command.command_id.endpoint_id].meter_no, row.command
        if outcome.found.enabled is not None:
            self.enabled[meter_no] = outcome.found.enabled
        state = outcome.found.switch or (SwitchState.UNKNOWN if command.told is not None and command.actuates else None)
        if state is not None:
            self.switches[meter_no] = (state, KnownBy.COMMAND if command.actuates else KnownBy.READ)
        if row.request.response_url:
            payload = {
                "request": command.command_id.request_id,
                "endpoint": command.command_id.endpoint_id,
                "meter_no": meter_no,
                "action": None if command.action is None else command.action.value,
                "details": dict(row.target.details),
                "outcome": json.loads(pack_outcome(outcome)),
                "at_us": to_us(now),
            }
            self.outbox.append(json.dumps(payload).encode())

    async def release_commands(self, owner: str, now: datetime) -> None:
        for row in self.rows.values():
            if row.owner == owner:
                row.owner = None
                row.due = None if row.command.state.terminal else now

    async def command_views(self, requester: str, transaction_id: str) -> list[CommandView]:
        return [
            CommandView(
                row.target.meter_no,
                row.command.kind,
                row.command.action,
                row.command.state,
                row.outcome.reason if row.outcome else "",
                row.outcome.code if row.outcome else None,
                row.outcome.found if row.outcome else NOTHING_FOUND,
                row.changed or row.command.accepted,
            )
            for row in self.rows.values()
            if row.request.partner == requester and row.request.transaction_id == transaction_id
        ]
