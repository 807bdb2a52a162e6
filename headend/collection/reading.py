"""What a meter with a known program has given so far in one conversation, what is still wanted, and what it comes to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from headend.c1219.clock import ClockKind, TimeBase
from headend.c1219.clock_tables import MeterClock
from headend.c1219.program import MeterProgram
from headend.c1219.tables import ST_CLOCK, ST_PROFILE_STATUS
from headend.collection.due import Since
from headend.collection.harvest import Source, device_clock, harvest
from headend.collection.images import Piece, Span, TableImages
from headend.collection.list_state import ListStates, told_states
from headend.collection.policy import CollectionPolicy
from headend.collection.wanted import Aim, reads_current_registers, wanted_spans
from headend.errors import WireError
from headend.model.collection import Assignment, Collected, MeterProgramRecord, Progress


@dataclass(frozen=True, slots=True)
class Reading:
    """Tables of one meter as read so far. `clock_read` is when ST52 came."""

    program: MeterProgram
    images: TableImages
    aim: Aim
    policy: CollectionPolicy
    known_program: bytes | None
    told: ListStates
    clock: MeterClock | None = None
    clock_read: datetime | None = None

    @classmethod
    def of(cls, program: MeterProgram, assignment: Assignment, zone: ZoneInfo, policy: CollectionPolicy) -> "Reading":
        """Nothing read yet."""
        progress = assignment.progress
        if len(progress.sets) != len(program.sets):
            progress = replace(progress, sets=())
        aim = Aim(Since(progress, assignment.collect_from), zone, policy.scheduled_registers)
        return cls(program, TableImages(), aim, policy, assignment.program, ListStates((None,) * len(program.sets)))

    @property
    def base(self) -> TimeBase:
        """How the device's stamps relate to UTC; a meter without a readable clock is taken to keep UTC."""
        if self.clock is None:
            return TimeBase(ClockKind.UTC, self.aim.zone)
        return TimeBase.of(self.clock.qualifier, self.aim.zone)

    def with_pieces(self, pieces: Sequence[Piece], now: datetime) -> "Reading":
        """What came in one message added. Raises WireError for a clock or list states that contradict themselves."""
        images = self.images
        if any(piece.table == ST_PROFILE_STATUS for piece in pieces):
            images = self._without_grown(images, pieces)
        images = images.with_pieces(pieces)
        clock, clock_read = self.clock, self.clock_read
        if any(piece.table == ST_CLOCK for piece in pieces):
            clock, clock_read = device_clock(self.program, images), now
        return replace(self, images=images, clock=clock, clock_read=clock_read, told=told_states(self.program, images))

    def _without_grown(self, images: TableImages, pieces: Sequence[Piece]) -> TableImages:
        """Without the newest blocks that have grown since they were read: their end is another now."""
        newer = told_states(self.program, TableImages().with_pieces(p for p in pieces if p.table == ST_PROFILE_STATUS)).sets
        for profile_set, before, after in zip(self.program.sets, self.told.sets, newer, strict=True):
            if before is None or after is None:
                continue
            if (before.last_seq, before.valid_intervals) != (after.last_seq, after.valid_intervals):
                grown = profile_set.block_range(before.last_element)
                images = images.without(Span(profile_set.table_id, grown.start, len(grown)))
        return images

    def wanted(self, now: datetime) -> list[Span]:
        """What is still to be read."""
        base = None if self.clock is None else self.base
        return wanted_spans(self.program, self.images, self.told, base, self.aim, now)

    @property
    def drift_seconds(self) -> float | None:
        """How far the device's clock is ahead of ours; None where it does not say."""
        if self.clock is None or self.clock.device_seconds is None or self.clock_read is None:
            return None
        device, _ = self.base.resolve(self.clock.device_seconds, self.clock.qualifier.dst if self.clock.qualifier.dst_applied else None)
        return (device - self.clock_read).total_seconds()

    @property
    def clock_problem(self) -> str | None:
        """What is wrong with the device's clock, in words."""
        drift = self.drift_seconds
        if drift is None:
            return "the device's clock is not set" if self.clock is not None else None
        if abs(drift) <= self.policy.clock_drift_seconds_max:
            return None
        return f"the device's clock is {abs(drift):.0f} s {'ahead' if drift > 0 else 'behind'}"

    def collected(self, collected: Collected, reply_octets_max: int, now: datetime) -> tuple[Collected, list[str]]:
        """What it comes to, and what of it was not understood."""
        doubt = self.drift_seconds if self.clock_problem else None
        try:
            source = Source(collected.endpoint_id, self.program, self.images, self.base, self.aim.since, doubt or 0.0)
        except WireError as error:
            return collected, [str(error)]
        found = harvest(source, self.told, now, reads_current_registers(self.program, self.aim))
        progress: Progress = found.progress
        if reply_octets_max < self.policy.reply_octets_max:
            progress = replace(progress, reply_octets_max=reply_octets_max)
        record = None
        if self.program.fingerprint != self.known_program:
            record = MeterProgramRecord(self.program.fingerprint, tuple(self.program.tables.items()))
        whole = replace(
            collected,
            register_reads=tuple(found.register_reads),
            interval_blocks=tuple(found.interval_blocks),
            events=tuple(found.events),
            program=record,
            progress=progress,
        )
        return whole, found.problems
