"""What talks with a meter are made of: asking, reading tables, telling it to do something. Pure.

A talk is a generator, so that its steps stand in the order in which they happen: it yields actions, is sent events, and returns what it
came to.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from headend.c1219.clock import ClockKind, TimeBase, time_base
from headend.c1219.clock_tables import MeterClock
from headend.c1219.general_tables import GeneralConfiguration
from headend.c1219.manufacturer_tables import decode_counter
from headend.c1219.procedures import Parameters, ProcedureRequest, ProcedureResult, ResultCode
from headend.c1219.program import MeterProgram, program_tables
from headend.c1219.register_layout import RegisterLayout
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    ST_CLOCK,
    ST_CURRENT_REGISTERS,
    ST_GENERAL_CONFIGURATION,
    ST_PROCEDURE_INITIATE,
    ST_PROCEDURE_RESPONSE,
    table_name,
)
from headend.c1222.epsem import join_services, split_services
from headend.c1222.responses import ResponseCode
from headend.c1222.services import FullWrite
from headend.collection.images import Piece, TableImages
from headend.collection.list_state import COUNTER_SPAN
from headend.collection.reading import drift_seconds
from headend.collection.register_reads import register_reads
from headend.collection.requests import Asked, answered_octets, full_reads, is_read_by_offset, partial_read
from headend.collection.transcript import doubt_flag
from headend.commands.policy import CommandPolicy
from headend.dialogue import Ask, Pause, Silent
from headend.errors import EndpointRefusedError, WireError
from headend.model.command import Command, FailureCode, Found, Outcome, Told
from headend.model.deferred import TargetState
from headend.model.endpoint import Commodity, EndpointId
from headend.model.readings import ReadSource, RegisterRead

T = TypeVar("T")
Talk = Generator[object, Any, T]

PROGRAM_READS_MAX = 2
"""Times a program is read in one talk: a meter that is reprogrammed twice within it is left alone."""


class UnansweredError(Exception):
    """Silence; ends a talk, and is no end of the command."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class FailedError(Exception):
    """The command has failed, and this is its outcome."""

    def __init__(self, code: FailureCode, reason: str, found: Found | None = None) -> None:
        self.outcome = Outcome(TargetState.FAILED, found or Found(), code, reason)
        super().__init__(reason)


class WithdrawnError(Exception):
    """The command is not ours any more, or nobody wants it: nothing is to be told."""


@dataclass(frozen=True, slots=True)
class Note:
    """Record that the meter is about to be told this; the talk goes on with Noted once that is durable."""

    told: Told


@dataclass(frozen=True, slots=True)
class Noted:
    """It is recorded; `allowed` says whether the meter is to be told indeed."""

    allowed: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """Record that the meter has taken what it was told and is about it; the talk goes on at once."""


@dataclass(slots=True)
class Meter:
    """The far side of one talk: what is known of it, and what was found out so far."""

    endpoint_id: EndpointId
    command: Command
    program: MeterProgram | None
    decode_program: Callable[[Mapping[int, bytes]], MeterProgram]
    zone: ZoneInfo
    commodity: Commodity
    policy: CommandPolicy
    now: datetime
    heard: datetime | None = None
    program_is_new: bool = False
    program_reads: int = 0

    @property
    def known(self) -> MeterProgram:
        """The program, once `learn` has it."""
        assert self.program is not None, "a talk begins with its program"
        return self.program


def ask(meter: Meter, bodies: Sequence[bytes]) -> Talk[tuple[bytes, ...]]:
    """The responses to services. Asks again where the meter is busy with any of them, so they must be such as may be asked twice."""
    for again in range(meter.policy.busy_replies_max + 1):
        responses = yield from _ask_once(meter, bodies)
        if not any(map(_is_busy, responses)):
            return responses
        yield Pause(meter.policy.busy_seconds * 2**again)
    raise _busy(meter)


def _ask_once(meter: Meter, bodies: Sequence[bytes]) -> Talk[tuple[bytes, ...]]:
    """The responses to services; a single one that refuses the whole message stands for all."""
    event = yield Ask(join_services(list(bodies)))
    if isinstance(event, Silent):
        raise UnansweredError(event.reason)
    meter.heard = meter.now
    try:
        responses = split_services(event.reply)
    except WireError as error:
        raise FailedError(FailureCode.NOT_UNDERSTOOD, f"a reply that is no list of services: {error}") from None
    if len(responses) == 1 < len(bodies) and responses[0][:1] != b"\x00":
        return responses * len(bodies)
    if len(responses) < len(bodies):
        raise FailedError(FailureCode.NOT_UNDERSTOOD, f"{len(responses)} responses to {len(bodies)} requests")
    return responses


def _is_busy(response: bytes) -> bool:
    return response[:1] in {bytes((ResponseCode.BSY,)), bytes((ResponseCode.DNR,))}


def _busy(meter: Meter) -> FailedError:
    return FailedError(FailureCode.REFUSED, f"busy or not ready {meter.policy.busy_replies_max + 1} times")


def read_whole(meter: Meter, tables: Sequence[int]) -> Talk[TableImages]:
    """Whole tables, with the configuration counter before them, so that a meter that was reprogrammed is understood anew.

    A table that the meter refuses is left out.
    """
    program = meter.program
    if program is None:
        program = yield from _learned(meter)
    while True:
        asked = [*_counter(program), *full_reads(tables)]
        images, _ = yield from _read(meter, asked)
        if _still_holds(program, images):
            return images
        program = yield from _learned(meter)


def _counter(program: MeterProgram) -> list[Asked]:
    if MT_PROFILE_MEANING not in program.tables:
        return []
    return [partial_read(COUNTER_SPAN)] if is_read_by_offset(program) else [*full_reads((MT_PROFILE_MEANING,))]


def _still_holds(program: MeterProgram, images: TableImages) -> bool:
    octets = images.get(COUNTER_SPAN)
    return octets is None or decode_counter(octets, program.general.formats) == program.configuration_counter


def _read(meter: Meter, asked: Sequence[Asked]) -> Talk[tuple[TableImages, dict[int, int]]]:
    """(what was read, response codes of the tables that were refused)."""
    responses = yield from ask(meter, [one.body for one in asked])
    return images_of(asked, responses)


def images_of(asked: Sequence[Asked], responses: Sequence[bytes]) -> tuple[TableImages, dict[int, int]]:
    """Responses to reads → (tables, response codes of those that were refused)."""
    pieces, refused = [], {}
    for one, response in zip(asked, responses, strict=False):
        if response[:1] != b"\x00":
            refused[one.table] = response[0] if response else int(ResponseCode.ERR)
            continue
        try:
            pieces.append(Piece(one.table, one.offset, answered_octets(one, response), one.length is None))
        except WireError as error:
            raise FailedError(FailureCode.NOT_UNDERSTOOD, f"{table_name(one.table)}: {error}") from None
    return TableImages().with_pieces(pieces), refused


def _learned(meter: Meter) -> Talk[MeterProgram]:
    """The program, read from the meter."""
    if meter.program_reads >= PROGRAM_READS_MAX:
        raise FailedError(FailureCode.NOT_UNDERSTOOD, "reprogrammed again while its program was read")
    meter.program_reads += 1
    images, _ = yield from _read(meter, full_reads((ST_GENERAL_CONFIGURATION,)))
    first = images.whole(ST_GENERAL_CONFIGURATION)
    if first is None:
        raise FailedError(FailureCode.REFUSED, "ST0 is refused")
    tables = {ST_GENERAL_CONFIGURATION: first}
    wanted = list(program_tables(GeneralConfiguration.decode(first)))
    while wanted:
        images, refused = yield from _read(meter, full_reads(wanted[:4]))
        for table in wanted[:4]:
            octets = images.whole(table)
            if octets is None:
                raise FailedError(FailureCode.REFUSED, str(EndpointRefusedError(refused.get(table, 1), f"read of {table_name(table)}")))
            tables[table] = octets
        wanted = wanted[4:]
    meter.program = meter.decode_program(tables)
    meter.program_is_new = True
    return meter.program


def clock_of(meter: Meter, images: TableImages, now: datetime) -> tuple[TimeBase, float | None]:
    """(how the device's stamps relate to UTC, how far its clock is ahead; None where it does not say)."""
    octets = images.whole(ST_CLOCK)
    if octets is None:
        return time_base(ClockKind.UTC, meter.zone), None
    clock = MeterClock.decode(octets, meter.known.general.formats)
    base = TimeBase.of(clock.qualifier, meter.zone)
    return base, drift_seconds(clock, base, now)


def registers_of(meter: Meter, images: TableImages, now: datetime) -> tuple[RegisterRead, ...]:
    """ST23 as reads on demand, dated by us; flagged where the device's clock is doubtful."""
    octets = images.whole(ST_CURRENT_REGISTERS)
    if octets is None:
        return ()
    _, drift = clock_of(meter, images, now)
    doubtful = drift is not None and abs(drift) > CLOCK_DOUBT_SECONDS
    layout: RegisterLayout = meter.known.registers
    values = layout.decode_current(octets)
    flags = doubt_flag(drift or 0.0) if doubtful else 0
    return tuple(register_reads(meter.endpoint_id, meter.known, values, now, ReadSource.ON_DEMAND, flags))


CLOCK_DOUBT_SECONDS = 300
"""Past it the device's clock makes its readings doubtful, as in collection."""


def next_sequence(meter: Meter, images: TableImages) -> int:
    """A sequence number for ST7 that ST8 does not show now."""
    octets = images.whole(ST_PROCEDURE_RESPONSE) or b""
    return (octets[2] + 1) & 0xFF if len(octets) > 2 else 1


def tell(meter: Meter, procedure: int, sequence: int, parameters: Parameters, then: Sequence[int] = ()) -> Talk[TableImages]:
    """Have a procedure executed, once it is recorded that it is told; ST8 and the tables `then`, read in the same message.

    Raises FailedError where the meter did not take it, UnansweredError where it may have.
    """
    event = yield Note(Told(procedure, sequence, meter.now))
    if not event.allowed:
        raise WithdrawnError
    asked = full_reads((ST_PROCEDURE_RESPONSE, *then))
    octets = ProcedureRequest(procedure, sequence, parameters).encode(meter.known.general.formats)
    bodies = [FullWrite(ST_PROCEDURE_INITIATE, octets).encode(), *(one.body for one in asked)]
    for again in range(meter.policy.busy_replies_max + 1):
        responses = yield from _ask_once(meter, bodies)
        if not _is_busy(responses[0]):
            break
        yield Pause(meter.policy.busy_seconds * 2**again)
    else:
        raise _busy(meter)
    if responses[0][:1] != b"\x00":
        code = responses[0][0] if responses[0] else int(ResponseCode.ERR)
        raise FailedError(FailureCode.REFUSED, str(EndpointRefusedError(code, "write of ST7")))
    return images_of(asked, responses[1:])[0]


def result_of(meter: Meter, images: TableImages, told: Told) -> ResultCode | None:
    """What ST8 says of a procedure; None where it speaks of another."""
    octets = images.whole(ST_PROCEDURE_RESPONSE)
    if not octets:
        return None
    result = ProcedureResult.decode(octets, meter.known.general.formats)
    if (result.procedure, result.sequence) != (told.procedure, told.sequence):
        return None
    return ResultCode(result.result) if result.result in set(ResultCode) else ResultCode.UNKNOWN

