"""What a meter with a known program has given so far in one conversation, what is still wanted, and what there is of what is due."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from headend.c1219.clock import ClockKind, TimeBase, time_base
from headend.c1219.clock_tables import MeterClock
from headend.c1219.event_log_tables import LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.tables import ST_CLOCK, ST_CURRENT_REGISTERS, ST_PROFILE_STATUS
from headend.collection.due import Due, DueBlocks, DueEntries, Evidence, Since, due_of
from headend.collection.images import Piece, Span, TableImages
from headend.collection.list_state import ListStates, expected_states, told_states
from headend.collection.policy import CollectionPolicy
from headend.collection.transcript import EntryOctets, Gathered, SetOctets, Source
from headend.collection.wanted import Aim, reads_current_registers, wanted_spans
from headend.model.collection import Assignment, MeterProgramRecord, Progress
from headend.model.endpoint import EndpointId


class Reading(NamedTuple):
    """Tables of one meter as read so far.

    `clock_base` is how the device's stamps relate to UTC, by its clock; `drift_seconds` how far that clock was ahead of ours when it was
    read; None where it does not say.
    """

    program: MeterProgram
    images: TableImages
    aim: Aim
    policy: CollectionPolicy
    known_program: bytes | None
    told: ListStates
    due: Due
    clock: MeterClock | None = None
    clock_base: TimeBase | None = None
    drift_seconds: float | None = None

    @classmethod
    def of(cls, program: MeterProgram, assignment: Assignment, zone: ZoneInfo, policy: CollectionPolicy) -> "Reading":
        """Nothing read yet."""
        aim = aim_of(program, assignment, zone, policy)
        nothing = (None,) * len(program.sets)
        return cls(program, TableImages(), aim, policy, assignment.program, ListStates(nothing), Due(nothing))

    @property
    def begins_anew(self) -> bool:
        """Whether a list has fewer entries than were collected of it: another device, or one that lost its memory."""
        progress = self.aim.since.progress
        states = zip(self.told.sets, progress.sets, strict=False)
        return (
            any(status is not None and status.last_seq < done.block_seq for status, done in states)
            or (self.told.events is not None and self.told.events.last_seq < progress.event_seq)
        )

    def identified(self, serial_no: str, now: datetime) -> "Reading":
        """Of the device with this serial number; of what was collected of another only counts until when that one was there."""
        progress = self.aim.since.progress
        if not serial_no or serial_no == progress.device:
            return self
        since = self.aim.since._replace(progress=progress._replace(device=serial_no))
        if progress.device:
            collect_from = max([self.aim.since.collect_from, *(min(done.end, now) for done in progress.sets if done.block_seq >= 0)])
            since = Since(Progress(reply_octets_max=progress.reply_octets_max, device=serial_no), collect_from)
        reading = self._replace(aim=self.aim._replace(since=since))
        return reading.with_pieces((), now)

    @property
    def base(self) -> TimeBase:
        """How the device's stamps relate to UTC; a meter without a readable clock is taken to keep UTC."""
        return self.clock_base or time_base(ClockKind.UTC, self.aim.zone)

    def with_pieces(self, pieces: Sequence[Piece], now: datetime) -> "Reading":
        """What came in one message added. Raises WireError for a clock or list states that contradict themselves."""
        images = self.images
        tables = {piece[0] for piece in pieces}
        if ST_PROFILE_STATUS in tables and any(self.told.sets):
            images = self._without_grown(images, pieces)
        images = images.with_pieces(pieces)
        clock, base, drift = self.clock, self.clock_base, self.drift_seconds
        if ST_CLOCK in tables:
            clock = _clock(self.program, images)
            base = None if clock is None else TimeBase.of(clock.qualifier, self.aim.zone)
            drift = None if clock is None or base is None else drift_seconds(clock, base, now)
        told = told_states(self.program, images)
        due = due_of(self.program, told, self.aim.since, now, Evidence(images, base))
        return Reading(self.program, images, self.aim, self.policy, self.known_program, told, due, clock, base, drift)

    def _without_grown(self, images: TableImages, pieces: Sequence[Piece]) -> TableImages:
        """Without what growing since it was read has made untrue."""
        newer = told_states(self.program, TableImages().with_pieces(p for p in pieces if p.table == ST_PROFILE_STATUS)).sets
        for profile_set, before, after in zip(self.program.sets, self.told.sets, newer, strict=True):
            if before is None or after is None:
                continue
            if (before.last_seq, before.valid_intervals) != (after.last_seq, after.valid_intervals):
                for span in outgrown(profile_set, before, after):
                    images = images.without(span)
        return images

    def wanted(self, now: datetime) -> list[Span]:
        """What is still to be read; of a list the meter has said nothing of yet, what is likely to be due."""
        due = self.due
        if None in due.sets or due.self_reads is None or due.events is None:
            expected = expected_states(self.program, self.aim.since.progress, now, self.aim.zone)
            likely = due_of(self.program, expected, self.aim.since, now, Evidence(self.images, None))
            due = Due(
                tuple([told if told is not None else guess for told, guess in zip(due.sets, likely.sets, strict=True)]),
                likely.self_reads if due.self_reads is None else due.self_reads,
                likely.events if due.events is None else due.events,
            )
        return wanted_spans(self.program, self.images, due, self.aim)

    @property
    def clock_problem(self) -> str | None:
        """What is wrong with the device's clock, in words."""
        drift = self.drift_seconds
        if drift is None:
            return "the device's clock is not set" if self.clock is not None else None
        if abs(drift) <= self.policy.clock_drift_seconds_max:
            return None
        return f"the device's clock is {abs(drift):.0f} s {'ahead' if drift > 0 else 'behind'}"

    def gathered(self, endpoint_id: EndpointId) -> Gathered:
        """All that is due, as far as it is here."""
        images, told, due = self.images, self.told, self.due
        doubt = self.drift_seconds if self.clock_problem else None
        sets = tuple([_set_octets(images, status, blocks) for status, blocks in zip(told.sets, due.sets, strict=True)])
        self_reads, events = _entry_octets(images, told.self_reads, due.self_reads), _entry_octets(images, told.events, due.events)
        wants_registers = reads_current_registers(self.program, self.aim.registers_too)
        registers = images.whole(ST_CURRENT_REGISTERS) if wants_registers else None
        lists = (*sets, self_reads, events)
        complete = all(one is None or one.complete for one in lists) and (registers is not None or not wants_registers)
        source = Source(endpoint_id, self.program, self.base, self.aim.since, doubt or 0.0)
        stamp = None if self.clock is None else self.clock.device_seconds
        return Gathered(source, sets, self_reads, events, registers, stamp, complete)

    @property
    def record(self) -> MeterProgramRecord | None:
        """The program to keep, where it is another than the one kept."""
        if self.program.fingerprint == self.known_program:
            return None
        return MeterProgramRecord(self.program.fingerprint, tuple(self.program.tables.items()))


def aim_of(program: MeterProgram, assignment: Assignment, zone: ZoneInfo, policy: CollectionPolicy) -> Aim:
    """What the conversation of an assignment is after; progress in other sets than the program has says nothing."""
    progress = assignment.progress
    if len(progress.sets) != len(program.sets):
        progress = progress._replace(sets=())
    return Aim(Since(progress, assignment.collect_from, assignment.gaps), zone, policy.scheduled_registers)


def _clock(program: MeterProgram, images: TableImages) -> MeterClock | None:
    """ST52, where it is known. Raises WireError."""
    octets = images.whole(ST_CLOCK)
    return None if octets is None else MeterClock.decode(octets, program.general.formats)


def _set_octets(images: TableImages, status: SetStatus | None, due: DueBlocks | None) -> SetOctets | None:
    if status is None or due is None or not due.blocks:
        return None
    octets = []
    for block in due.blocks:
        parts = images.known(block.spans)
        if len(parts) < len(block.spans):
            break
        octets.append(parts[0] if len(parts) == 1 else b"".join(parts))
    return SetOctets(status, due.blocks, tuple(octets))


def _entry_octets(images: TableImages, status: LogStatus | None, due: DueEntries | None) -> EntryOctets | None:
    if status is None or due is None:
        return None
    return EntryOctets(status, len(due.spans), images.known(due.spans))


def drift_seconds(clock: MeterClock, base: TimeBase, now: datetime) -> float | None:
    """How far a clock is ahead of ours; None while it is not set."""
    shown = shown_instant(clock, base)
    return None if shown is None else (shown - now).total_seconds()


def shown_instant(clock: MeterClock, base: TimeBase) -> datetime | None:
    """What a clock shows, as an instant; None while it is not set."""
    if clock.device_seconds is None:
        return None
    instant, _ = base.resolve(clock.device_seconds, clock.qualifier.dst if clock.qualifier.dst_applied else None)
    return instant


def outgrown(profile_set: ProfileSet, before: SetStatus, after: SetStatus) -> list[Span]:
    """What was read of a set when it stood at `before` and is not so at `after`.

    Of the block then newest, the head (its end is another now) and the rows not filled then; all of it, where the rows move or have
    their status in the head. Of the blocks after it, whatever was read there before they began.
    """
    layout, table = profile_set.layout, profile_set.table_id
    start = before.last_element * layout.size
    filled = layout.header_size + before.valid_intervals * layout.row_size
    if layout.simple or before.intervals_descending:
        spans = [Span(table, start, layout.size)]
    else:
        spans = [Span(table, start, layout.header_size)]
        if filled < layout.size:
            spans.append(Span(table, start + filled, layout.size - filled))
    newer = range(before.last_seq + 1, min(after.last_seq, before.last_seq + profile_set.blocks) + 1)
    return spans + [Span(table, after.element_of(seq, profile_set.blocks) * layout.size, layout.size) for seq in newer]
