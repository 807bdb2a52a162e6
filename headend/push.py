"""What endpoints send on their own: pushes of battery endpoints and single events; the format is in PUSH.md. Pure.

A push becomes what is to be recorded and one response for each of its writes; both are used only together: first recorded, then answered.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from headend.c1219.clock import TimeBase
from headend.c1219.clock_tables import MeterClock
from headend.c1219.general_tables import GeneralConfiguration
from headend.c1219.manufacturer_tables import WakeUps, decode_counter
from headend.c1219.procedures import Procedure, ProcedureResult
from headend.c1219.program import MeterProgram, program_tables
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    MT_WAKE_UPS,
    ST_CLOCK,
    ST_EVENT_LOG,
    ST_GENERAL_CONFIGURATION,
    ST_IDENTIFICATION,
    ST_PROCEDURE_RESPONSE,
    ST_PROFILE_STATUS,
    table_name,
)
from headend.c1222.responses import ResponseCode
from headend.c1222.services import FullWrite, PartialWriteOffset, decode_request
from headend.collection.clock_setting import clock_correction, drift_text, is_set_right, may_set_clock
from headend.collection.device_checks import Notice, exchange_notice, program_notices, serial_no_of
from headend.collection.images import Piece, TableImages
from headend.collection.list_state import told_states
from headend.collection.policy import CollectionPolicy
from headend.collection.pushed_lists import PushedLists, nearest_base, single_event
from headend.collection.transcript import Remarks
from headend.errors import WireError
from headend.model.collection import Collected, EndpointSecurity, MeterProgramRecord
from headend.model.endpoint import EndpointId
from headend.model.events import EarlyEvent, EarlySender, ExceptionKind, ExceptionRecord
from headend.waking import PlanOf, wake_up_request, wanted_wake_ups

REASON_CHARACTERS_MAX = 500
"""Longest reason kept."""

EVENT_OCTETS_MAX = 64
"""Longest entry of ST76 kept before its layout is known: header of 16 octets at most, and an argument."""

_OK, _ERR, _IAR, _DNR, _SME = (
    bytes((code,)) for code in (ResponseCode.OK, ResponseCode.ERR, ResponseCode.IAR, ResponseCode.DNR, ResponseCode.SME)
)

Write = FullWrite | PartialWriteOffset


@dataclass(frozen=True, slots=True)
class Outcome:
    """What to record, then what to answer: a response for each service, and the requests that go with them.

    `results` are procedure results (ST8) that came along; `may_command` says whether further requests may go with the answer.
    """

    collected: Collected
    responses: tuple[bytes, ...]
    commands: tuple[bytes, ...] = ()
    results: tuple[bytes, ...] = ()
    may_command: bool = False


@dataclass(frozen=True, slots=True)
class SenderClock:
    """What is known of a sender's clock beside what it says, in seconds ahead (behind, where negative).

    `off_seconds` is by how much it is off if that is too much for its messages to be fresh, `was_off_seconds` by how much it was until
    it was told the time a moment ago: what it has kept is dated so; `if_set`: only if it says now that its clock was set.
    """

    off_seconds: float | None = None
    was_off_seconds: float = 0.0
    if_set: bool = False


RIGHT = SenderClock()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else is needed to understand a push."""

    decode_program: Callable[[Mapping[int, bytes]], MeterProgram]
    zone: ZoneInfo
    policy: CollectionPolicy
    wake_up_plan: PlanOf = lambda _endpoint_id: None


def take_push(
    bodies: Sequence[bytes],
    sender: EndpointSecurity,
    program: MeterProgram | None,
    around: Surroundings,
    now: datetime,
    sender_clock: SenderClock = RIGHT,
) -> Outcome:
    """A push taken apart. `program` is the one last seen of this endpoint. Never raises for what the push holds."""
    writes = [_write(body) for body in bodies]
    collected = Collected(sender.endpoint_id, now)
    problems: list[str] = []
    announced = _announced(writes, around, problems)
    if announced is not None:
        program = announced
    program_tables_in = {w.table for w in writes if isinstance(w, FullWrite) and announced is not None and w.table in announced.tables}
    if program is None or _reprogrammed(program, writes, announced is not None):
        responses = tuple(_IAR if write is None else _ERR if problems else _DNR for write in writes)
        return Outcome(replace(collected, exception=_problem(sender.endpoint_id, problems, now)), responses)
    if announced is not None and announced.fingerprint != sender.program:
        collected = replace(collected, program=MeterProgramRecord(announced.fingerprint, tuple(announced.tables.items())))
    return _take_data(writes, program_tables_in, collected, sender, program, around, now, problems, sender_clock)


def _take_data(
    writes: Sequence[Write | None],
    program_tables_in: set[int],
    collected: Collected,
    sender: EndpointSecurity,
    program: MeterProgram,
    around: Surroundings,
    now: datetime,
    problems: list[str],
    sender_clock: SenderClock,
) -> Outcome:
    responses = []
    pieces = [Piece(w.table, w.offset if isinstance(w, PartialWriteOffset) else 0, w.data, isinstance(w, FullWrite)) for w in writes if w]
    images = TableImages().with_pieces(p for p in pieces if p.table in {ST_CLOCK, ST_PROFILE_STATUS})
    clock = _clock(program, images, problems)
    base = nearest_base(around.zone, clock, now)
    drift = _drift_seconds(clock, base, now)
    if drift is None:
        drift = sender_clock.off_seconds
    was_off = sender_clock.was_off_seconds if not sender_clock.if_set or _was_set(writes, program) else 0.0
    doubtful = drift is not None and abs(drift) > around.policy.clock_drift_seconds_max
    try:
        states = told_states(program, images).sets
    except WireError as error:
        problems.append(str(error))
        states = (None,) * len(program.sets)
    lists = PushedLists(sender.endpoint_id, program, base, states, drift if doubtful and drift is not None else was_off)
    known = {ST_CLOCK, ST_PROFILE_STATUS, ST_PROCEDURE_RESPONSE, MT_PROFILE_MEANING, MT_WAKE_UPS, *program_tables_in}
    for write, piece in _paired(writes, pieces):
        if write is None:
            responses.append(_IAR)
        elif piece is not None and lists.takes(piece):
            responses.append(_response(lists, piece, problems))
        else:
            responses.append(_OK if write.table in known else _IAR)
    if doubtful and drift is not None:
        problems.append(f"the device's clock is {abs(drift):.0f} s {'ahead' if drift > 0 else 'behind'}")
    commands: tuple[bytes, ...] = ()
    notices = _notices(writes, program, sender)
    wrong = sender_clock.off_seconds is not None or is_set_right(drift, around.policy)
    if drift is not None and wrong and may_set_clock(program):
        commands = (clock_correction(program, base, now),)
        notices.append(Notice(ExceptionKind.CLOCK_SET, f"the clock was {drift_text(drift)}; the acknowledgement sets it right"))
    progress = lists.progress(sender.progress, collect_from=now)
    before = sender.progress
    told = _device(writes, program) or before.device, _wake_ups(writes, program, problems) or before.wake_ups
    if told != (before.device, before.wake_ups):
        progress = (progress or before)._replace(device=told[0], wake_ups=told[1])
    plan = around.wake_up_plan(sender.endpoint_id)
    if plan is not None and MT_WAKE_UPS in program.general.tables:
        wanted = wanted_wake_ups(plan, sender.endpoint_id, base, now)
        if wanted != told[1]:
            commands += (wake_up_request(program, wanted),)
    kind = ExceptionKind.CLOCK if doubtful and len(problems) == 1 else ExceptionKind.MALFORMED
    collected = replace(
        collected,
        register_reads=tuple(lists.register_reads),
        interval_blocks=tuple(lists.interval_blocks()),
        events=tuple(lists.events),
        progress=progress,
        notices=Remarks(notices=tuple(notices)).notice_records(sender.endpoint_id, now),
        exception=_problem(sender.endpoint_id, problems, now, kind),
    )
    results = tuple(w.data for w in writes if isinstance(w, FullWrite) and w.table == ST_PROCEDURE_RESPONSE)
    return Outcome(collected, tuple(responses), commands, results, may_command=True)


def take_untimely(
    bodies: Sequence[bytes],
    sender: EndpointSecurity,
    program: MeterProgram | None,
    around: Surroundings,
    now: datetime,
    *,
    off_seconds: float,
    noted: bool,
) -> Outcome:
    """A message that may be an old one played again: nothing of it is taken, but a push is answered with the time.

    A sender whose clock was set back sets it right, and is heard when it pushes again; to whoever plays messages again it says nothing.
    What there is to record is an exception, unless it is `noted` already.
    """
    writes = [_write(body) for body in bodies]
    program = _announced(writes, around, []) or program
    commands: tuple[bytes, ...] = ()
    if program is not None and all(writes) and may_set_clock(program):
        images = TableImages().with_pieces(Piece(w.table, 0, w.data, True) for w in writes if w is not None and w.table == ST_CLOCK)
        commands = (clock_correction(program, nearest_base(around.zone, _clock(program, images, []), now), now),)
    reason = (
        f"dated {drift_text(off_seconds)}, and no newer than what was accepted: its clock was set wrong, or an old message is played again"
    )
    exception = None if noted else _problem(sender.endpoint_id, [reason], now, ExceptionKind.CLOCK)
    return Outcome(Collected(sender.endpoint_id, None, exception=exception), tuple(_SME for _ in bodies), commands)


def _was_set(writes: Sequence[Write | None], program: MeterProgram) -> bool:
    """Whether a push brings the result of setting the clock."""
    results = [w.data for w in writes if isinstance(w, FullWrite) and w.table == ST_PROCEDURE_RESPONSE]
    with suppress(WireError, ValueError):
        return any(ProcedureResult.decode(data, program.general.formats).procedure == Procedure.SET_DATE_TIME for data in results)
    return False


def _device(writes: Sequence[Write | None], program: MeterProgram) -> str:
    """The serial number that a push tells, empty where it tells none."""
    told = next((w.data for w in writes if isinstance(w, FullWrite) and w.table == ST_IDENTIFICATION), None)
    return serial_no_of(program, told)


def _wake_ups(writes: Sequence[Write | None], program: MeterProgram, problems: list[str]) -> tuple[int, ...]:
    """When an endpoint says that it wakes; nothing where it does not say."""
    told = next((w.data for w in writes if isinstance(w, FullWrite) and w.table == MT_WAKE_UPS), None)
    try:
        return () if told is None else WakeUps.decode(told, program.general.formats).minutes
    except WireError as error:
        problems.append(str(error))
        return ()


def _notices(writes: Sequence[Write | None], program: MeterProgram, sender: EndpointSecurity) -> list[Notice]:
    """What is to be said of the device and its program, where the push tells them."""
    notices: list[Notice] = []
    if program.fingerprint != sender.program:
        notices += program_notices(program, sender.configuration, sender.progress, known=sender.program is not None)
    device = _device(writes, program)
    if device and sender.progress.device and device != sender.progress.device:
        notices.append(exchange_notice(sender.progress.device, device))
    return notices


def _paired(writes: Sequence[Write | None], pieces: Sequence[Piece]) -> list[tuple[Write | None, Piece | None]]:
    each = iter(pieces)
    return [(write, None if write is None else next(each)) for write in writes]


def _write(body: bytes) -> Write | None:
    """None for anything that is no write of a table, or none that can be read."""
    try:
        service = decode_request(body)
    except WireError:
        return None
    return service if isinstance(service, FullWrite | PartialWriteOffset) else None


def _response(lists: PushedLists, piece: Piece, problems: list[str]) -> bytes:
    try:
        lists.take(piece)
    except WireError as error:
        problems.append(f"{table_name(piece.table)} at {piece.offset}: {error}")
        return _ERR
    return _OK


def _announced(writes: Sequence[Write | None], around: Surroundings, problems: list[str]) -> MeterProgram | None:
    """The program that a push brings, where it brings all tables of one."""
    tables = {write.table: write.data for write in writes if isinstance(write, FullWrite)}
    if ST_GENERAL_CONFIGURATION not in tables:
        return None
    try:
        general = GeneralConfiguration.decode(tables[ST_GENERAL_CONFIGURATION])
        wanted = {ST_GENERAL_CONFIGURATION, *program_tables(general)}
        return around.decode_program({table: octets for table, octets in tables.items() if table in wanted})
    except WireError as error:
        problems.append(f"the program it announces: {error}")
        return None


def _reprogrammed(program: MeterProgram, writes: Sequence[Write | None], announced: bool) -> bool:
    """Whether the configuration counter that is pushed is not that of the program known."""
    if announced:
        return False
    for write in writes:
        if isinstance(write, PartialWriteOffset) and write.table == MT_PROFILE_MEANING and write.offset == 0 and len(write.data) >= 2:
            return decode_counter(write.data, program.general.formats) != program.configuration_counter
    return False


def _clock(program: MeterProgram, images: TableImages, problems: list[str]) -> MeterClock | None:
    octets = images.whole(ST_CLOCK)
    if octets is None:
        return None
    try:
        return MeterClock.decode(octets, program.general.formats)
    except WireError as error:
        problems.append(str(error))
        return None


def _drift_seconds(clock: MeterClock | None, base: TimeBase, now: datetime) -> float | None:
    if clock is None or clock.device_seconds is None:
        return None
    dst = clock.qualifier.dst if clock.qualifier.dst_applied else None
    return (base.resolve(clock.device_seconds, dst)[0] - now).total_seconds()


def _problem(
    endpoint_id: EndpointId, problems: Sequence[str], now: datetime, kind: ExceptionKind = ExceptionKind.MALFORMED
) -> ExceptionRecord | None:
    if not problems:
        return None
    return ExceptionRecord(endpoint_id, kind, now, "; ".join(problems)[:REASON_CHARACTERS_MAX])


def clock_exception(sender: EndpointSecurity, off_seconds: float, now: datetime) -> ExceptionRecord:
    """What is to be said of a good message that is dated wrongly."""
    return ExceptionRecord(sender.endpoint_id, ExceptionKind.CLOCK, now, f"the device's clock is {drift_text(off_seconds)}")


def is_event(bodies: Sequence[bytes]) -> bool:
    """Whether a message is a single event at once: one full write of ST76."""
    return len(bodies) == 1 and bodies[0][:3] == bytes((FullWrite.CODE, 0, ST_EVENT_LOG))


def take_event(
    body: bytes,
    sender: EndpointSecurity,
    program: MeterProgram | None,
    zone: ZoneInfo,
    now: datetime,
    sender_clock: SenderClock = RIGHT,
) -> Outcome:
    """A single event, dated as the sender's log dates it; kept as it is where the endpoint's program is not known yet."""
    write = _write(body)
    if not isinstance(write, FullWrite):
        return _no_event(sender, "an event that cannot be read", now)
    off_seconds = sender_clock.off_seconds or 0.0
    if program is None:
        if len(write.data) > EVENT_OCTETS_MAX:
            return _no_event(sender, f"an event of {len(write.data)} octets before its program is known", now)
        early = EarlyEvent(now, write.data, off_seconds)
        return Outcome(Collected(sender.endpoint_id, now, early_events=(early,)), (_OK,))
    try:
        event = single_event(sender.endpoint_id, program, zone, write.data, now + timedelta(seconds=off_seconds))
    except WireError as error:
        return _no_event(sender, f"an event: {error}", now)
    return Outcome(Collected(sender.endpoint_id, now, events=(event,)), (_OK,))


def _no_event(sender: EndpointSecurity, problem: str, now: datetime) -> Outcome:
    return Outcome(Collected(sender.endpoint_id, now, exception=_problem(sender.endpoint_id, [problem], now)), (_ERR,))


def understood(sender: EarlySender, program: MeterProgram, zone: ZoneInfo, now: datetime) -> Collected:
    """What early events of an endpoint say, now that its program is known; each counts as understood, if only as a problem."""
    events, problems = [], []
    for early in sender.events:
        try:
            came = early.received + timedelta(seconds=early.off_seconds)
            events.append(single_event(sender.endpoint_id, program, zone, early.entry, came))
        except WireError as error:
            problems.append(f"an event of {early.received:%Y-%m-%d %H:%M:%SZ}, {early.entry.hex()}: {error}")
    exception = _problem(sender.endpoint_id, problems, now)
    return Collected(sender.endpoint_id, None, events=tuple(events), exception=exception, early_understood=sender.events)
