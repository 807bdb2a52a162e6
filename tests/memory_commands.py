"""A CommandStore in memory, for simulations on a hand-turned clock: it keeps the promises that the contract suite holds it to."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.store.command_packing import pack_outcome
from headend.c1222.exchange import next_invocation_id
from headend.commands.arranging import Place, arrange, hindrance, is_held_back
from headend.commands.machine import Answer, Cancelled, step
from headend.commands.policy import CommandPolicy
from headend.commands.staggering import CATCH_UP_SECONDS, NO_ROUTER, Booked, Waiting, admitted, latest_turn, minute_of, stagger, start_of
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
from headend.model.deferred import UNSPOKEN, DeferredRequest, DeferredTarget, Priority, TargetState
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.instants import to_us
from headend.model.interval_runs import IntervalRuns
from headend.model.meters import Meter
from headend.model.protection import Protection
from headend.model.readings import RegisterRow
from headend.model.refusal import Refusal
from headend.model.utility import Utility, UtilityId
from headend.reading_queries import Values
from headend.switches import KnownBy, SwitchState
from tests.memory_store import MemoryEndpoint, MemoryStore

UTILITY = Utility(UtilityId("demo"), "Demo Electric", ZoneInfo("America/Chicago"), ".1.4")
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

    @property
    def is_held_back(self) -> bool:
        """Whether the protected list and quiet times are about it."""
        return is_held_back(self.target.action, override=bool(self.command.override))


class MemoryCommands:
    """`outbox` are payloads of what is told; `failures` are errors to raise from recording; `begun` is when commands of batches were handed
    out, by router. `protections` and `cancelled` are by endpoint and request.
    """

    def __init__(self, endpoints: Sequence[MemoryEndpoint], store: MemoryStore | None = None, utility: Utility = UTILITY) -> None:
        self.utility = utility
        self.protections: dict[int, tuple[Protection, ...]] = {}
        self.cancelled: dict[int, str] = {}
        self.begun: list[tuple[datetime, int]] = []
        self._free: dict[int, datetime] = {}
        names = sorted({e.router for e in endpoints if e.router is not None})
        self._routers = {e.endpoint_id: NO_ROUTER if e.router is None else names.index(e.router) + 1 for e in endpoints}
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
        places = {t.endpoint_id: self._place(t.endpoint_id) for t in request.targets}
        arrangement = arrange(request, places, self._booked(request.begins or request.accepted), self.utility)
        self._requests += 1
        for one in arrangement.targets:
            target = one.target
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
            self.rows[command_id] = self.open[command_id] = Row(request, target, command, one.due)
        return (*request.refusals, *arrangement.refusals)

    def _place(self, endpoint_id: int) -> Place:
        sleeps = CONFIGURATIONS[self.endpoints[EndpointId(endpoint_id)].configuration].battery
        return Place(self._routers[EndpointId(endpoint_id)], sleeps, self.protections.get(endpoint_id, ()))

    def _booked(self, begins: datetime) -> Booked:
        first = start_of(minute_of(begins))
        rows = [row for row in self.open.values() if self._is_planned(row) and row.due is not None and row.due >= first]
        return Counter((minute_of(row.due), self._routers[row.command.command_id.endpoint_id]) for row in rows if row.due is not None)

    def _is_planned(self, row: Row) -> bool:
        """Whether it is one of many, and waits for its turn."""
        asleep = CONFIGURATIONS[self.endpoints[row.command.command_id.endpoint_id].configuration].battery
        return row.command.priority is Priority.BATCH and row.owner is None and self._is_paced(row) and not asleep

    @staticmethod
    def _is_paced(row: Row) -> bool:
        return row.command.told is None and row.command.kind not in UNSPOKEN

    def _admitted(self, row: Row, now: datetime) -> bool:
        router = self._routers[row.command.command_id.endpoint_id]
        over = row.command.command_id.request_id in self.cancelled or row.command.expires <= now
        if over or not self._is_planned(row):
            return True
        (may,) = admitted([router], self._free, now, self.utility.commands)
        if may:
            self.begun.append((now, router))
        return may

    def _put_off(self, now: datetime) -> None:
        late = [
            row
            for row in self.open.values()
            if self._is_planned(row) and row.due is not None and row.due <= now < row.command.expires
            and row.command.command_id.request_id not in self.cancelled
        ]
        late.sort(key=lambda row: (row.due, row.command.command_id))
        begins = now + timedelta(seconds=CATCH_UP_SECONDS)
        until = [latest_turn(now, row.command.expires) for row in late]
        routers = [self._routers[row.command.command_id.endpoint_id] for row in late]
        waiting = [Waiting(router, last, row.is_held_back) for router, last, row in zip(routers, until, late, strict=True)]
        for row, due in zip(late, stagger(waiting, self._booked(begins), begins, self.utility.commands), strict=True):
            row.due = due or row.command.expires

    async def cancel_deferred(self, request_ids: Sequence[int], now: datetime, reason: str = "cancelled") -> None:
        self.cancelled |= dict.fromkeys(request_ids, reason)
        for row in [row for row in self.open.values() if row.command.command_id.request_id in request_ids]:
            command, decision = step(row.command, Cancelled(reason), now, CommandPolicy())
            if isinstance(decision, Answer):
                self._record(CommandUpdate(command, row.lease_no, None, outcome=decision.outcome), now)

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
            excess = False
            for row in sorted(due, key=lambda r: (r.due, r.command.command_id)):
                endpoint_id = row.command.command_id.endpoint_id
                if room <= 0 or endpoint_id in busy:
                    continue
                room -= 1
                if not self._admitted(row, now):
                    excess = True
                    continue
                busy.add(endpoint_id)
                row.owner, row.due, row.lease_no = owner, until, row.lease_no + 1
                if not self.endpoints[endpoint_id].key:
                    outcome = Outcome(TargetState.FAILED, code=FailureCode.UNREACHABLE, reason="it has no key")
                    self._record(CommandUpdate(replace(row.command, state=outcome.state), row.lease_no, None, outcome=outcome), now)
                else:
                    taken.append(self._assignment(row, now, until))
            if excess:
                self._put_off(now)
        return taken

    def _assignment(self, row: Row, now: datetime, until: datetime) -> CommandAssignment:
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
            hindrance=hindrance(
                row.target.action,
                now,
                self.utility,
                self.protections.get(e.endpoint_id, ()),
                override=bool(row.command.override),
                cancelled=self.cancelled.get(row.command.command_id.request_id, ""),
            ),
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
        return [self._assignment(row, now, until) for row in waiting]

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
