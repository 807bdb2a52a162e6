"""The usual conversation with a known meter: one message, whose reply brings all that is due where the meter says what was expected.

Asked is what `Reading` would ask first, gathered is what it would gather from the reply, in a fraction of the time. Whatever is not as
foreseen is left to it: meters that are not read by offset or have nothing new, those that say something else than expected or whose clock
is off, and replies that are damaged.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import NamedTuple
from zoneinfo import ZoneInfo

from headend.c1219.clock import ClockKind, TimeBase, time_base
from headend.c1219.clock_tables import MeterClock
from headend.c1219.event_log_tables import LogStatus
from headend.c1219.manufacturer_tables import decode_counter
from headend.c1219.program import MeterProgram
from headend.c1222.read_reply import reply_form
from headend.collection.foreseen_lists import SetForeseen, Share, foreseen_events, foreseen_self_reads, foreseen_set
from headend.collection.list_state import (
    CLOCK_SPAN,
    COUNTER_SPAN,
    EVENT_HEAD,
    SELF_READ_HEAD,
    SELF_READ_SEQ_MASK,
    STATUS_SPAN,
    checked_set,
    expected_events,
    expected_self_reads,
    intervals_gone_by,
    self_read_state,
)
from headend.collection.programs import PROGRAMS_MAX
from headend.collection.reading import shown_instant
from headend.collection.requests import (
    APDU_OVERHEAD,
    SERVICES_PER_MESSAGE_MAX,
    Asked,
    answer_length,
    is_read_by_offset,
    joined_requests,
    one_message,
    reply_octets,
)
from headend.collection.transcript import EntryOctets, Gathered, SetOctets, Source
from headend.collection.wanted import CURRENT_REGISTERS, Aim, head_spans
from headend.errors import WireError
from headend.model.endpoint import EndpointId

CLOCKS_MAX = 1_024
"""Readings of clocks kept: hundreds of meters are read within the same second, and most of their clocks show the same."""


class Heads(NamedTuple):
    """What every message to meters of one program begins with: as in a Share, and which answer is which, None for none."""

    asked: tuple[Asked, ...]
    joined: bytes
    lengths: tuple[int, ...]
    reply_octets: int
    counter: int | None
    clock: int | None
    status: int | None
    self_reads: int | None
    events: int | None
    registers: int | None


@lru_cache(maxsize=2 * PROGRAMS_MAX)
def heads_of(program: MeterProgram, registers_too: bool) -> Heads | None:
    """None where meters of this program cannot be read in the usual way."""
    spans = head_spans(program, registers_too)
    asked = one_message(program, spans, 0xFFFF)
    kept = ((STATUS_SPAN, program.sets), (SELF_READ_HEAD, program.registers.self_reads), (EVENT_HEAD, program.event_log.entries()))
    if not is_read_by_offset(program) or len(asked) != len(spans) or any(keeps and span not in spans for span, keeps in kept):
        return None
    lengths = [length for one in asked if (length := answer_length(program, one)) is not None]
    if len(lengths) != len(asked):
        return None
    octets = sum(map(reply_octets, asked, lengths))
    places = {span: at for at, span in enumerate(spans)}
    which = (COUNTER_SPAN, CLOCK_SPAN, STATUS_SPAN, SELF_READ_HEAD, EVENT_HEAD, CURRENT_REGISTERS)
    return Heads(asked, joined_requests(asked), tuple(lengths), octets, *map(places.get, which))


class Foreseen(NamedTuple):
    """One message, and what its reply is expected to say.

    `self_reads` and `events` are the states expected, with the shares of the entries asked for; None for a list that is not kept.
    `lengths` are those of the answers.
    """

    program: MeterProgram
    aim: Aim
    heads: Heads
    sets: tuple[SetForeseen, ...]
    self_reads: tuple[LogStatus, Share] | None
    events: tuple[LogStatus, Share] | None
    message: bytes
    lengths: tuple[int, ...]

    @property
    def asked(self) -> tuple[Asked, ...]:
        """The requests, in order."""
        shares = [one.share for one in self.sets] + [one[1] for one in (self.self_reads, self.events) if one is not None]
        return tuple(chain(self.heads.asked, *[share.asked for share in shares]))

    def answers(self, reply: bytes) -> tuple[bytes, ...] | None:
        """The octets answered to each request; None for a reply in which one is missing, refused, damaged or of another length."""
        form = reply_form(self.lengths)
        return None if form is None else form.answers(reply)

    def gathered(self, endpoint_id: EndpointId, answers: Sequence[bytes], now: datetime, drift_seconds_max: float) -> Gathered | None:
        """All that is due, from `answers`; None where they do not say what was expected."""
        try:
            base, stamp = self._clock(answers, now, drift_seconds_max)
            sets, start = self._sets(answers)
            self_reads, start = self._self_reads(answers, start)
            events = self._events(answers, start)
        except (_UnforeseenError, WireError):
            return None
        registers = None if self.heads.registers is None else answers[self.heads.registers]
        source = Source(endpoint_id, self.program, base, self.aim.since)
        return Gathered(source, sets, self_reads, events, registers, stamp, True)

    def _clock(self, answers: Sequence[bytes], now: datetime, drift_seconds_max: float) -> tuple[TimeBase, int | None]:
        """How the device's stamps relate to UTC, and its time; first of all, that it has not been reprogrammed."""
        heads = self.heads
        if heads.counter is not None:
            _expect(decode_counter(answers[heads.counter], self.program.general.formats) == self.program.configuration_counter)
        if heads.clock is None:
            return time_base(ClockKind.UTC, self.aim.zone), None
        base, stamp, instant = _told_clock(self.program, answers[heads.clock], self.aim.zone)
        _expect(instant is not None and abs((instant - now).total_seconds()) <= drift_seconds_max)
        return base, stamp

    def _sets(self, answers: Sequence[bytes]) -> tuple[tuple[SetOctets, ...], int]:
        """The blocks due, and the place of the answer after those that hold them."""
        start = len(self.heads.asked)
        if self.heads.status is None:
            return (), start
        told = self.program.decode_profile_status(answers[self.heads.status]).sets
        sets = []
        for profile_set, done, foreseen in zip(self.program.sets, self.aim.since.progress.sets, self.sets, strict=True):
            status = checked_set(told[profile_set.index], profile_set)
            _expect(foreseen.is_told(status, done.block_seq))
            share = foreseen.share
            sets.append(SetOctets(status, foreseen.blocks, share.octets(answers, start)))
            start += len(share.lengths)
        return tuple(sets), start

    def _self_reads(self, answers: Sequence[bytes], start: int) -> tuple[EntryOctets | None, int]:
        """The self-reads due, and the place of the answer after those that hold them."""
        if self.heads.self_reads is None or self.self_reads is None:
            return None, start
        expected, share = self.self_reads
        told = self_read_state(self.program, answers[self.heads.self_reads])
        count = len(share.cuts)
        _expect(told.last_seq == expected.last_seq and told.last_element == expected.last_element)
        _expect(told.valid >= count and not told.descending)
        return EntryOctets(told, count, share.octets(answers, start)), start + len(share.asked)

    def _events(self, answers: Sequence[bytes], start: int) -> EntryOctets | None:
        """Those of the events asked for that there are: none, on a quiet day."""
        if self.heads.events is None or self.events is None:
            return None
        expected, share = self.events
        told = self.program.event_log.decode_status(answers[self.heads.events])
        count = len(share.cuts) - (expected.last_seq - told.last_seq)
        _expect(0 <= count <= len(share.cuts))
        if count:
            _expect(told.last_element == told.last_seq % self.program.event_log.entries())
            _expect(told.valid >= count and not told.descending)
        return EntryOctets(told, count, share.octets(answers, start)[:count])


@lru_cache(maxsize=CLOCKS_MAX)
def _told_clock(program: MeterProgram, octets: bytes, zone: ZoneInfo) -> tuple[TimeBase, int | None, datetime | None]:
    """How a clock relates to UTC, its stamp, and the instant that it shows, None while it is not set. Raises WireError."""
    clock = MeterClock.decode(octets, program.general.formats)
    base = TimeBase.of(clock.qualifier, zone)
    return base, clock.device_seconds, shown_instant(clock, base)


class _UnforeseenError(Exception):
    """Our own signal: the meter says something else than was expected; never leaves this file."""


def _expect(fulfilled: bool) -> None:
    if not fulfilled:
        raise _UnforeseenError


def foresee(program: MeterProgram, aim: Aim, now: datetime, reply_octets_max: int) -> Foreseen | None:
    """What is to be expected of a meter after what was collected before; None where nothing can be told, or one reply does not hold it."""
    heads, progress = heads_of(program, aim.registers_too), aim.since.progress
    if heads is None or aim.since.gaps or len(progress.sets) != len(program.sets):
        return None
    sets = []
    for profile_set, done in zip(program.sets, progress.sets, strict=True):
        gone_by = intervals_gone_by(profile_set, done, now)
        if gone_by < 1 or done.block_seq < 0:
            return None
        sets.append(foreseen_set(profile_set, done.element, done.valid_intervals, gone_by))
    shares = [one.share for one in sets]
    self_reads = events = None
    if heads.self_reads is not None:
        state = expected_self_reads(program, progress, now, aim.zone)
        if state is None:
            return None
        count = (state.last_seq - progress.self_read_seq) & SELF_READ_SEQ_MASK
        self_reads = state, foreseen_self_reads(program.registers, state.last_element, count)
        shares.append(self_reads[1])
    if heads.events is not None:
        state = expected_events(program, progress)
        if state is None:
            return None
        events = state, foreseen_events(program.event_log, state.last_element)
        shares.append(events[1])
    message, lengths, octets = heads.joined, heads.lengths, heads.reply_octets
    for share in shares:
        message += share.joined
        lengths += share.lengths
        octets += share.reply_octets
    if octets > reply_octets_max - APDU_OVERHEAD or len(lengths) > SERVICES_PER_MESSAGE_MAX:
        return None
    return Foreseen(program, aim, heads, tuple(sets), self_reads, events, message, lengths)
