"""One conversation with a meter as a value: (event, now) → (next, action).

Of a meter of which nothing is known, ST0 is read first, then every table that makes its program. With the program, one message asks
for all that is likely to be due (the configuration counter, the clock, the states of the lists, the newest blocks, self-reads and
events) and a further one only for what that missed. What the meter then says of its lists decides what is stored.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from headend.c1219.general_tables import GeneralConfiguration
from headend.c1219.manufacturer_tables import decode_counter
from headend.c1219.program import MeterProgram, program_tables
from headend.c1219.tables import ST_CLOCK, ST_GENERAL_CONFIGURATION, ST_IDENTIFICATION, ST_PROFILE_STATUS, table_name
from headend.c1222.epsem import join_services, split_services
from headend.c1222.responses import ResponseCode
from headend.collection.clock_setting import correction_outcome, correction_requests, drift_text, is_set_right, may_set_clock
from headend.collection.device_checks import Notice, exchange_notice, program_notices, serial_no_of
from headend.collection.foreseen import Foreseen, foresee
from headend.collection.images import Piece
from headend.collection.list_state import COUNTER_SPAN, STATUS_SPAN
from headend.collection.policy import CollectionPolicy
from headend.collection.reading import Reading, aim_of
from headend.collection.requests import Asked, answered_octets, full_reads, joined_requests, one_message
from headend.collection.transcript import NO_REMARKS, Gathered, Remarks, Transcript
from headend.dialogue import Answered, Ask, Pause, Resumed, Silent
from headend.errors import EndpointRefusedError, WireError
from headend.model.collection import Assignment, MeterProgramRecord
from headend.model.events import ExceptionKind

PROGRAM_READS_MAX = 2
"""Times a program is read in one conversation: a meter that is reprogrammed twice within it is left alone until later."""

REPLY_OCTETS_MIN = 160
"""Smallest reply a meter may insist on: less does not hold the state of its lists."""


class Finish(NamedTuple):
    """It is over; what this comes to is to be recorded."""

    transcript: Transcript


_NOTHING: Mapping[int, Any] = MappingProxyType({})

Event = Answered | Silent | Resumed
Action = Ask | Pause | Finish
Decode = Callable[[Mapping[int, bytes]], MeterProgram]


class Task(NamedTuple):
    """What does not change while it lasts."""

    assignment: Assignment
    decode_program: Decode
    zone: ZoneInfo
    policy: CollectionPolicy


class Interrogation(NamedTuple):
    """Where a conversation stands.

    `reading` is what the program's tables brought, None while there is no program, whose tables gather in `tables` meanwhile.
    `refused` are tables the meter would not give, with the response code. `all_asked` says that the message under way asks for all that
    seems to be due. `foreseen` is what the first message asked and what it is to be answered, where that can be foreseen; there is no
    `reading` then, until it turns out otherwise. `setting_clock` says that all is read, and the message under way sets the clock right.
    """

    task: Task
    reading: Reading | None
    reply_octets_max: int
    asked: tuple[Asked, ...] = ()
    tables: Mapping[int, bytes] = _NOTHING
    refused: Mapping[int, int] = _NOTHING
    problems: tuple[str, ...] = ()
    heard: datetime | None = None
    busy_replies: int = 0
    exchanges: int = 0
    program_reads: int = 0
    all_asked: bool = False
    foreseen: Foreseen | None = None
    notices: tuple[Notice, ...] = ()
    setting_clock: bool = False

    @classmethod
    def begin(
        cls, assignment: Assignment, program: MeterProgram | None, decode: Decode, zone: ZoneInfo, policy: CollectionPolicy, now: datetime
    ) -> tuple["Interrogation", Action]:
        """A new conversation and its first message. `program` is the one last seen, where it is known."""
        reply_octets_max = min(assignment.progress.reply_octets_max or policy.reply_octets_max, policy.reply_octets_max)
        task = Task(assignment, decode, zone, policy)
        if program is None:
            return cls(task, None, reply_octets_max)._next(now)
        foreseen = foresee(program, aim_of(program, assignment, zone, policy), now, reply_octets_max)
        if foreseen is None:
            return cls(task, Reading.of(program, assignment, zone, policy), reply_octets_max)._next(now)
        state = cls(task, None, reply_octets_max, exchanges=1, foreseen=foreseen)
        return state, Ask(foreseen.message)

    def step(self, event: Event, now: datetime) -> tuple["Interrogation", Action]:
        """What follows. Events after Finish are not expected."""
        if self.foreseen is not None:
            return self._with_foreseen(self.foreseen, event, now)
        if self.setting_clock:
            return self._clock_set(event, now)
        match event:
            case Answered(reply):
                return self._answered(reply, now)
            case Resumed():
                return self._next(now)
            case Silent():
                return self._silent(event, now)

    def _with_foreseen(self, foreseen: Foreseen, event: Event, now: datetime) -> tuple["Interrogation", Action]:
        """The end, where all came as foreseen; else what follows without such foresight."""
        assignment, zone, policy = self.task.assignment, self.task.zone, self.task.policy
        answers = foreseen.answers(event.reply) if isinstance(event, Answered) else None
        if answers is not None:
            drift_max = min(policy.clock_drift_seconds_max, policy.clock_set_seconds)
            gathered = foreseen.gathered(assignment.endpoint_id, answers, now, drift_max)
            if gathered is not None:
                return self, Finish(self._transcript(now, now, gathered))
        reading = Reading.of(foreseen.program, assignment, zone, policy)
        return self._replace(reading=reading, asked=foreseen.asked, all_asked=True, foreseen=None).step(event, now)

    # What is asked

    def _next(self, now: datetime) -> tuple["Interrogation", Action]:
        if self.exchanges >= self.task.policy.exchanges_max:
            return self._finish(now, ExceptionKind.MALFORMED, f"not all read after {self.exchanges} exchanges")
        all_asked = False
        try:
            if self.reading is None:
                asked = self._program_reads()
            else:
                asked, all_asked = self._data_reads(self.reading, now)
        except WireError as error:
            return self._finish(now, ExceptionKind.MALFORMED, str(error))
        if not asked:
            return self._ended(now)
        following = self._replace(asked=asked, exchanges=self.exchanges + 1, all_asked=all_asked)
        return following, Ask(joined_requests(asked))

    def _program_reads(self) -> tuple[Asked, ...]:
        """The tables of the program that are missing; the clock and the profile's state come along, no sizes being needed for them."""
        octets = self.tables.get(ST_GENERAL_CONFIGURATION)
        if octets is None:
            return full_reads((ST_GENERAL_CONFIGURATION,))
        general = GeneralConfiguration.decode(octets)
        missing = [t for t in program_tables(general) if t not in self.tables]
        return full_reads([*missing, *(t for t in (ST_CLOCK, ST_PROFILE_STATUS) if t in general.tables and t not in self.refused)])

    def _data_reads(self, reading: Reading, now: datetime) -> tuple[tuple[Asked, ...], bool]:
        """What to ask for now, and whether that is all."""
        spans = reading.wanted(now)
        if self.refused:
            spans = [span for span in spans if span.table not in self.refused]
        if not spans or (len(spans) == 1 and spans[0] is STATUS_SPAN and reading.images.has(STATUS_SPAN)):
            return (), True
        asked = one_message(reading.program, spans, self.reply_octets_max)
        return asked, len(asked) == len(spans) and asked[-1].length in {spans[-1].length, None}

    # What comes back

    def _answered(self, reply: bytes, now: datetime) -> tuple["Interrogation", Action]:
        try:
            responses = split_services(reply)
        except WireError as error:
            return self._replace(heard=now)._finish(now, ExceptionKind.MALFORMED, f"a reply that is no list of services: {error}")
        if len(responses) == 1 < len(self.asked) and responses[0][:1] != b"\x00":
            responses = (responses[0],) * len(self.asked)
        pieces: list[Piece] = []
        refusals: dict[int, bytes] = {}
        problems: list[str] = []
        for asked, response in zip(self.asked, responses, strict=False):
            if response[:1] != b"\x00":
                refusals[asked.table] = response
                continue
            try:
                pieces.append(Piece(asked.table, asked.offset, answered_octets(asked, response), asked.length is None))
            except WireError as error:
                problems.append(f"{table_name(asked.table)}: {error}")
                refusals[asked.table] = b"\x00"
        if len(responses) < len(self.asked):
            problems.append(f"{len(responses)} responses to {len(self.asked)} requests")
            refusals.update((asked.table, b"\x00") for asked in self.asked[len(responses) :])
        tables, reading = self.tables, self.reading
        if reading is None:
            tables = {**tables, **{piece.table: piece.octets for piece in pieces}}
        else:
            try:
                reading = reading.with_pieces(pieces, now)
            except WireError as error:
                return self._replace(heard=now)._finish(now, ExceptionKind.MALFORMED, str(error))
        heard = self._replace(heard=now, asked=(), tables=tables, reading=reading, problems=self.problems + tuple(problems))
        return heard._with_refusals(refusals, bool(pieces), now) if refusals else heard._onward(now)

    def _with_refusals(self, refusals: Mapping[int, bytes], any_good: bool, now: datetime) -> tuple["Interrogation", Action]:
        """What the meter did not give: asked again in smaller parts or later where it says so, else left out."""
        refused, limits, later = dict(self.refused), [], False
        for table, response in refusals.items():
            code = response[0] if response else int(ResponseCode.ERR)
            if code in {ResponseCode.BSY, ResponseCode.DNR}:
                later = True
            elif code in {ResponseCode.RSTL, ResponseCode.RQTL} and (any_good or self.reply_octets_max > REPLY_OCTETS_MIN):
                limits.append(int.from_bytes(response[1:5]) if len(response) == 5 else self.reply_octets_max // 2)
            else:
                refused[table] = code
        following = self._replace(refused=refused, all_asked=False)
        if limits and not any_good:
            smaller = min(*limits, self.reply_octets_max * 3 // 4)
            following = following._replace(reply_octets_max=max(smaller, REPLY_OCTETS_MIN))
        elif limits:
            following = following._replace(reply_octets_max=max(min(*limits, self.reply_octets_max), REPLY_OCTETS_MIN))
        return following._busy(now) if later else following._onward(now)

    def _onward(self, now: datetime) -> tuple["Interrogation", Action]:
        return self._program_read(now) if self.reading is None else self._counter_checked(self.reading, now)

    def _busy(self, now: datetime) -> tuple["Interrogation", Action]:
        if self.busy_replies >= self.task.policy.busy_replies_max:
            return self._finish(now, ExceptionKind.REFUSED, f"busy or not ready {self.busy_replies + 1} times")
        seconds = self.task.policy.busy_seconds * 2**self.busy_replies
        return self._replace(busy_replies=self.busy_replies + 1), Pause(seconds)

    def _program_read(self, now: datetime) -> tuple["Interrogation", Action]:
        """The program, once all its tables are there."""
        essential = [table for table in self.refused if table not in {ST_CLOCK, ST_PROFILE_STATUS}]
        if essential:
            return self._finish(now)
        try:
            octets = self.tables.get(ST_GENERAL_CONFIGURATION)
            if octets is None or any(t not in self.tables for t in program_tables(GeneralConfiguration.decode(octets))):
                return self._next(now)
            program = self.task.decode_program(self.tables)
        except WireError as error:
            return self._finish(now, ExceptionKind.MALFORMED, str(error))
        along = [Piece(t, 0, self.tables[t], True) for t in (ST_CLOCK, ST_PROFILE_STATUS) if t in self.tables]
        assignment = self.task.assignment
        notices = self.notices
        if program.fingerprint != assignment.program:
            known = assignment.program is not None
            notices += tuple(program_notices(program, assignment.configuration, assignment.progress, known=known))
        serial_no = serial_no_of(program, self.tables.get(ST_IDENTIFICATION))
        reading = Reading.of(program, assignment, self.task.zone, self.task.policy).with_pieces(along, now)
        following = self._replace(reading=reading, tables={}, program_reads=self.program_reads + 1, notices=notices)
        return following._identified(reading, serial_no, now)._next(now)

    def _identified(self, reading: Reading, serial_no: str, now: datetime) -> "Interrogation":
        """With the device known; another one than before is noticed, and its lists are collected anew."""
        before = reading.aim.since.progress.device
        notices = self.notices
        if before and serial_no and serial_no != before:
            notices += (exchange_notice(before, serial_no),)
        return self._replace(reading=reading.identified(serial_no, now), notices=notices)

    def _identity(self, reading: Reading, now: datetime) -> tuple["Interrogation", Action] | None:
        """Where lists begin anew, whose they are is asked for; None where that is known or cannot be known."""
        program = reading.program
        if not reading.begins_anew or ST_IDENTIFICATION not in program.general.tables or ST_IDENTIFICATION in self.refused:
            return None
        octets = reading.images.whole(ST_IDENTIFICATION)
        if octets is None:
            asked = full_reads((ST_IDENTIFICATION,))
            return self._replace(asked=asked, exchanges=self.exchanges + 1, all_asked=False), Ask(joined_requests(asked))
        serial_no = serial_no_of(program, octets)
        if serial_no == reading.aim.since.progress.device:
            return None
        return self._identified(reading, serial_no, now)._next(now)

    def _counter_checked(self, reading: Reading, now: datetime) -> tuple["Interrogation", Action]:
        """Go on, unless the configuration counter says that the meter has been reprogrammed: then its program is read anew."""
        octets = reading.images.get(COUNTER_SPAN)
        if octets is None or decode_counter(octets, reading.program.general.formats) == reading.program.configuration_counter:
            return self._identity(reading, now) or self._completed(reading, now) or self._next(now)
        if self.program_reads >= PROGRAM_READS_MAX:
            return self._finish(now, ExceptionKind.MALFORMED, "reprogrammed again while its program was read")
        return self._replace(reading=None, tables={}, refused={})._next(now)

    def _completed(self, reading: Reading, now: datetime) -> tuple["Interrogation", Action] | None:
        """The end, where the message just answered brought all there is: the usual case, which needs no look for what is wanted."""
        if not self.all_asked:
            return None
        gathered = reading.gathered(self.task.assignment.endpoint_id)
        return self._ended(now, gathered) if gathered.complete else None

    # How it ends

    def _ended(self, now: datetime, gathered: Gathered | None = None) -> tuple["Interrogation", Action]:
        """Everything is read: the clock is set right where it is off within limits, then it is over."""
        reading, policy = self.reading, self.task.policy
        if (
            reading is None
            or not is_set_right(reading.drift_seconds, policy)
            or not may_set_clock(reading.program)
            or self.exchanges >= policy.exchanges_max
        ):
            return self._finish(now, gathered=gathered)
        # Once: a late repetition would set the clock to a time gone by. What came of a silence the next interrogation sees.
        message = join_services(correction_requests(reading.program, reading.base, now))
        return self._replace(setting_clock=True, exchanges=self.exchanges + 1), Ask(message, once=True)

    def _clock_set(self, event: Event, now: datetime) -> tuple["Interrogation", Action]:
        assert self.reading is not None
        drift = drift_text(self.reading.drift_seconds or 0.0)
        if isinstance(event, Answered):
            trouble = correction_outcome(self.reading.program, event.reply)
            reason = f"the clock was {drift} and is not set right: {trouble}" if trouble else f"the clock was {drift} and is set right"
        else:
            reason = f"the clock was {drift}; no answer came when it was set right"
        return self._replace(notices=(*self.notices, Notice(ExceptionKind.CLOCK_SET, reason)))._finish(now)

    def _silent(self, event: Silent, now: datetime) -> tuple["Interrogation", Action]:
        return self._finish(now, ExceptionKind.SECURITY if event.forged else ExceptionKind.NO_ANSWER, event.reason)

    def _finish(
        self, now: datetime, kind: ExceptionKind | None = None, reason: str = "", gathered: Gathered | None = None
    ) -> tuple["Interrogation", Action]:
        """Whatever was good is kept; what was not will be one exception."""
        assignment, reading = self.task.assignment, self.reading
        if gathered is None and reading is not None and self.heard is not None:
            gathered = reading.gathered(assignment.endpoint_id)
        remarks = self._remarks(kind, reason)
        program = None if reading is None or gathered is None else reading.record
        return self, Finish(self._transcript(now, self.heard, gathered, remarks, program))

    def _transcript(
        self,
        now: datetime,
        heard: datetime | None,
        gathered: Gathered | None,
        remarks: Remarks = NO_REMARKS,
        program: MeterProgramRecord | None = None,
    ) -> Transcript:
        assignment = self.task.assignment
        reply_octets_max = self.reply_octets_max if self.reply_octets_max < self.task.policy.reply_octets_max else 0
        return Transcript(assignment.endpoint_id, assignment.lease_id, heard, now, remarks, gathered, program, reply_octets_max)

    def _remarks(self, kind: ExceptionKind | None, reason: str) -> Remarks:
        clock = None if self.reading is None else self.reading.clock_problem
        if kind is None and clock is None and not self.problems and not self.refused and not self.notices:
            return NO_REMARKS
        refusals = [str(EndpointRefusedError(code, f"read of {table_name(t)}")) for t, code in self.refused.items() if code]
        return Remarks(kind, reason, tuple(refusals), self.problems, clock, self.notices)
