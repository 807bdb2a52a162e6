"""Commands for endpoints that sleep: told in the acknowledgement of a push, answered by a push that follows.

A push that was not acknowledged comes again and gets the same acknowledgement, so a command is handed out once however often that is lost.
Where its result never comes, the valve is asked how it stands at the next wake-up, and not told again.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH, SwitchCommand, SwitchPosition
from headend.c1219.manufacturer_tables import SwitchState as SwitchTable
from headend.c1219.procedures import ProcedureRequest, ProcedureResult, ResultCode, SwitchService
from headend.c1219.program import MeterProgram
from headend.c1219.tables import ST_PROCEDURE_INITIATE
from headend.c1222.services import FullWrite
from headend.commands.machine import Answer, Decision, Ended, GoOn, Telling, Wait, step, taken_up
from headend.commands.policy import CommandPolicy
from headend.commands.ports import CommandStore
from headend.commands.switch_talk import POSITIONS, REFUSALS, STATES
from headend.errors import WireError
from headend.model.collection import EndpointSecurity
from headend.model.command import Command, CommandAssignment, CommandUpdate, FailureCode, Found, Outcome, Told
from headend.model.deferred import DeferredKind, TargetState
from headend.model.endpoint import EndpointId
from headend.model.instants import from_us
from headend.model.meters import Meter
from headend.model.readings import ReadSource, RegisterRead, RegisterRow
from headend.model.selections import REGISTERS, Period, Quantities
from headend.reading_queries import Values
from headend.switches import SwitchState

ASKS_AGAIN = 0x80
"""Added to the sequence of a command whose result did not come, that is the sequence of the question how the valve stands."""

_READS = {DeferredKind.READ, DeferredKind.HISTORICAL_READ, DeferredKind.LOAD_PROFILE_READ}


class SleepingStore(CommandStore, Protocol):
    """A store of commands that also knows what waits for one endpoint, and what was read of it."""

    def take_waiting(self, owner: str, endpoint_id: int, now: datetime, until: datetime) -> Awaitable[list[CommandAssignment]]:
        """All commands that wait for an endpoint, now `owner`'s until `until`; cheap where there are none."""

    def latest_of(self, meters: Sequence[Meter], wanted: Quantities, period: Period | None, now: datetime) -> Awaitable[Values]:
        """See ReadingQueries."""


class SleepingCommands:
    """WaitingRequests of commands. `program_of` gives the program of an endpoint, where it is known here."""

    def __init__(
        self,
        store: SleepingStore,
        program_of: Callable[[bytes | None], MeterProgram | None],
        now: Callable[[], datetime],
        owner: str,
        policy: CommandPolicy | None = None,
    ) -> None:
        self._store = store
        self._program_of = program_of
        self._now = now
        self._owner = owner
        self._policy = policy or CommandPolicy()

    async def for_acknowledgement(self, sender: EndpointSecurity, results: Sequence[bytes], octets_max: int) -> Sequence[bytes]:
        """See WaitingRequests."""
        now = self._now()
        until = now + timedelta(seconds=self._policy.lease_seconds)
        waiting = await self._store.take_waiting(self._owner, sender.endpoint_id, now, until)
        if not waiting:
            return ()
        program = self._program_of(sender.program)
        found = [] if program is None else _results(results, program)
        updates: list[CommandUpdate] = []
        bodies: list[bytes] = []
        registers = await self._registers(sender) if any(_wants_registers(each.command) for each in waiting) else ()
        for assignment in waiting:
            command, decision, body = self._one(assignment, program, found, registers, busy=bool(bodies))
            if body is not None and len(body) + 2 > octets_max - sum(len(other) + 2 for other in bodies):
                command, decision, body = assignment.command, Wait(assignment.command.expires), None
            updates.append(_update(assignment, command, decision))
            if body is not None:
                bodies.append(body)
        counted = await self._store.record_commands(updates, now)
        told = [body for body, counts in zip(_in_order(updates, bodies), counted, strict=True) if counts and body is not None]
        return tuple(told)

    async def _registers(self, sender: EndpointSecurity) -> tuple[RegisterRead, ...]:
        """What the endpoint has told of its registers last: the push that is acknowledged is among it."""
        meter = Meter(sender.endpoint_id, sender.meter_no, "", "", sender.configuration, True, None)
        values = await self._store.latest_of([meter], REGISTERS, None, self._now())
        return tuple(_read(row) for row in values.registers)

    def _one(
        self,
        assignment: CommandAssignment,
        program: MeterProgram | None,
        results: Sequence[ProcedureResult],
        registers: tuple[RegisterRead, ...],
        *,
        busy: bool,
    ) -> tuple[Command, Decision, bytes | None]:
        """(the command now, what is decided, what goes with the acknowledgement for it)."""
        now, policy, command = self._now(), self._policy, assignment.command
        command, decision = step(command, taken_up(assignment, sleeps=False), now, policy)
        if isinstance(decision, Answer | Wait):
            return command, decision, None
        if command.kind in _READS:
            return *step(command, Ended(_read_outcome(command, registers, now)), now, policy), None
        wait = Wait(command.expires)
        if program is None or command.kind not in {DeferredKind.SWITCH, DeferredKind.SWITCH_STATE}:
            return command, wait, None
        if command.told is not None:
            outcome = _outcome(command, command.told, results, program, registers)
            if outcome is not None:
                return *step(command, Ended(outcome), now, policy), None
            asks = (command.told.sequence + ASKS_AGAIN) & 0xFF
            return command, wait, None if busy else _request(program, SwitchCommand(None), asks)
        if busy:
            return command, wait, None
        position = None if command.action is None else POSITIONS[command.action]
        told = Told(PROCEDURE_SWITCH, _sequence(assignment), now)
        command, decision = step(command, Telling(told), now, policy)
        if not isinstance(decision, GoOn):
            return command, wait, None
        return command, wait, _request(program, SwitchCommand(position), told.sequence)


def _in_order(updates: Sequence[CommandUpdate], bodies: Sequence[bytes]) -> list[bytes | None]:
    """At most one request goes out at a time; it stands with the command that it is for, which is the last that was told."""
    if not bodies:
        return [None] * len(updates)
    (body,) = bodies
    place = max(n for n, update in enumerate(updates) if update.command.told is not None and update.outcome is None)
    return [body if n == place else None for n in range(len(updates))]


def _update(assignment: CommandAssignment, command: Command, decision: Decision) -> CommandUpdate:
    due = decision.until if isinstance(decision, Wait) else None
    outcome = decision.outcome if isinstance(decision, Answer) else None
    return CommandUpdate(command, assignment.lease_no, due, outcome=outcome)


def _sequence(assignment: CommandAssignment) -> int:
    """A sequence number below ASKS_AGAIN, another one for each command of an endpoint that follows another."""
    return assignment.command.command_id.request_id % (ASKS_AGAIN - 1) + 1


def _request(program: MeterProgram, command: SwitchCommand, sequence: int) -> bytes:
    request = ProcedureRequest(PROCEDURE_SWITCH, sequence, SwitchService(command))
    return FullWrite(ST_PROCEDURE_INITIATE, request.encode(program.general.formats)).encode()


def _results(octets: Sequence[bytes], program: MeterProgram) -> list[ProcedureResult]:
    """Results of MP 1 among those that a push brought; what cannot be read is nobody's."""
    found = []
    for each in octets:
        try:
            result = ProcedureResult.decode(each, program.general.formats)
        except WireError:
            continue
        if result.procedure == PROCEDURE_SWITCH:
            found.append(result)
    return found


def _outcome(
    command: Command, told: Told, results: Sequence[ProcedureResult], program: MeterProgram, registers: tuple[RegisterRead, ...]
) -> Outcome | None:
    """What a result says of a command; None where none of them is about it."""
    mine = {told.sequence, (told.sequence + ASKS_AGAIN) & 0xFF}
    result = next((each for each in reversed(results) if each.sequence in mine), None)
    if result is None:
        return None
    stands = _stands(result.data, program)
    found = Found(switch=STATES.get(stands, SwitchState.UNKNOWN) if stands is not None else None, registers=registers)
    code = ResultCode(result.result) if result.result in set(ResultCode) else ResultCode.UNKNOWN
    if code in REFUSALS:
        failure, reason = REFUSALS[code]
        return Outcome(TargetState.FAILED, found, failure, reason)
    if stands is None:
        return Outcome(TargetState.FAILED, found, FailureCode.NOT_UNDERSTOOD, "the result does not say how the valve stands")
    wanted = None if command.action is None else POSITIONS[command.action]
    if wanted is None or stands is wanted:
        return Outcome(TargetState.SUCCEEDED, found)
    failure = FailureCode.SWITCH_ERROR if result.sequence == told.sequence else FailureCode.NOT_CARRIED_OUT
    return Outcome(TargetState.FAILED, found, failure, f"the valve was told and is {stands.name.lower()}")


def _stands(data: bytes, program: MeterProgram) -> SwitchPosition | None:
    try:
        return SwitchTable.decode(data, program.general.formats).position
    except WireError:
        return None


def _wants_registers(command: Command) -> bool:
    return command.kind in _READS or command.told is not None


def _read_outcome(command: Command, registers: tuple[RegisterRead, ...], now: datetime) -> Outcome:
    if not registers:
        return Outcome(TargetState.FAILED, code=FailureCode.UNSUPPORTED, reason="the endpoint has woken and told no register")
    period = command.period or (now - timedelta(days=1), now)
    return Outcome(TargetState.SUCCEEDED, Found(registers=registers, period=period))


def _read(row: RegisterRow) -> RegisterRead:
    source = ReadSource(row.source)
    endpoint_id, instant = EndpointId(row.endpoint_id), from_us(row.instant_us)
    return RegisterRead(endpoint_id, row.channel_id, instant, source, row.value, row.exponent, row.flags)
