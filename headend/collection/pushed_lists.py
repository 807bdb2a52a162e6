"""Parts of lists that an endpoint wrote to us: blocks of ST64-67, entries of ST26 and ST76, each telling by its offset where it belongs."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from headend.c1219.clock import ClockKind, TimeBase, time_base
from headend.c1219.clock_tables import MeterClock
from headend.c1219.event_log_tables import LOG_HEADER_OCTETS
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.tables import ST_CURRENT_REGISTERS, ST_EVENT_LOG, ST_SELF_READS
from headend.collection.harvest import block_run, set_columns
from headend.collection.images import Piece
from headend.collection.interval_days import Run, interval_blocks
from headend.collection.register_reads import register_reads
from headend.collection.transcript import doubt_flag
from headend.errors import WireError
from headend.model.collection import Progress, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, EventPath
from headend.model.readings import IntervalBlock, ReadSource, RegisterRead


def nearest_base(zone: ZoneInfo, clock: MeterClock | None, now: datetime, stamp: int | None = None) -> TimeBase:
    """How a device's stamps relate to UTC: as its clock says, else the way that puts `stamp`, a time just past, nearest to now."""
    if clock is not None:
        try:
            return TimeBase.of(clock.qualifier, zone)
        except WireError:
            stamp = clock.device_seconds
    if stamp is None:
        return time_base(ClockKind.UTC, zone)
    bases = [time_base(kind, zone) for kind in ClockKind]
    return min(bases, key=lambda base: abs(base.resolve(stamp)[0] - now))


def single_event(endpoint_id: EndpointId, program: MeterProgram, zone: ZoneInfo, octets: bytes, now: datetime) -> DeviceEvent:
    """The event of an entry of ST76 that comes by itself; one without a time occurred now. Raises WireError."""
    entries = program.event_log.decode_entries(octets)
    if len(entries) != 1:
        raise WireError(f"{len(entries)} entries where there is one")
    (entry,) = entries
    stamp = entry.occurred
    occurred = now.replace(microsecond=0) if stamp is None else min(_readings(zone, stamp), key=lambda instant: abs(instant - now))
    return DeviceEvent(endpoint_id, entry.code, occurred, entry.sequence or 0, entry.argument, EventPath.UNSOLICITED)


def _readings(zone: ZoneInfo, stamp: int) -> list[datetime]:
    """When a stamp may be meant to be."""
    return [time_base(kind, zone).resolve(stamp)[0] for kind in ClockKind]


class PushedLists:
    """Takes pieces one after another, then says what they come to."""

    def __init__(
        self,
        endpoint_id: EndpointId,
        program: MeterProgram,
        base: TimeBase,
        states: Sequence[SetStatus | None],
        drift_seconds: float,
    ) -> None:
        self.register_reads: list[RegisterRead] = []
        self.events: list[DeviceEvent] = []
        self._endpoint_id = endpoint_id
        self._program = program
        self._base = base
        self._states = states
        self._doubt = doubt_flag(drift_seconds)
        self._runs: dict[int, list[tuple[int, Run]]] = {}
        self._newest: dict[int, SetProgress] = {}

    def takes(self, piece: Piece) -> bool:
        """Whether a piece is one of a list."""
        return piece.table in {ST_SELF_READS, ST_EVENT_LOG, ST_CURRENT_REGISTERS} or self._program.profile_set(piece.table) is not None

    def take(self, piece: Piece) -> None:
        """One piece; wholly taken or not at all. Raises WireError."""
        profile_set = self._program.profile_set(piece.table)
        if profile_set is not None:
            self._take_blocks(profile_set, piece)
        elif piece.table == ST_EVENT_LOG:
            self._take_events(piece)
        elif piece.table == ST_SELF_READS:
            self._take_self_reads(piece)
        else:
            raise WireError("is no part of a push")

    def _take_blocks(self, profile_set: ProfileSet, piece: Piece) -> None:
        status = self._states[profile_set.index] if profile_set.index < len(self._states) else None
        if status is None:
            raise WireError("no state of its set came before")
        size = profile_set.block_size
        first, count = _elements(piece.offset, len(piece.octets), size, profile_set.blocks)
        runs = []
        for place in range(count):
            element = first + place
            seq = status.seq_at(element, profile_set.blocks)
            if not status.holds(seq):
                raise WireError(f"element {element} holds no block")
            valid = status.valid_intervals if seq == status.last_seq else profile_set.intervals_per_block
            octets = piece.octets[place * size : (place + 1) * size]
            run, end = block_run(self._base, profile_set, seq, octets, 0, valid, descending=status.intervals_descending)
            runs.append((seq, run, SetProgress(seq, element, valid, end)))
        for seq, run, progress in runs:
            if run is not None:
                self._runs.setdefault(profile_set.index, []).append((seq, run))
            before = self._newest.get(profile_set.index)
            if before is None or before.block_seq < seq:
                self._newest[profile_set.index] = progress

    def _take_self_reads(self, piece: Piece) -> None:
        registers = self._program.registers
        size = registers.entry_size
        _, count = _elements(piece.offset - SELF_READ_HEADER_OCTETS, len(piece.octets), size, registers.self_reads)
        reads: list[RegisterRead] = []
        for place in range(count):
            entry = registers.decode_self_read(piece.octets, place * size)
            if entry.end is None:
                raise WireError("a self-read has no time")
            instant, _ = self._base.resolve(entry.end)
            reads += register_reads(self._endpoint_id, self._program, entry.values, instant, ReadSource.SELF_READ, self._doubt)
        self.register_reads += reads

    def _take_events(self, piece: Piece) -> None:
        log = self._program.event_log
        _elements(piece.offset - LOG_HEADER_OCTETS, len(piece.octets), log.entry_size, log.entries())
        taken = []
        for entry in log.decode_entries(piece.octets):
            if entry.occurred is None:
                raise WireError(f"event {entry.sequence} has no time")
            occurred, _ = self._base.resolve(entry.occurred)
            taken.append(DeviceEvent(self._endpoint_id, entry.code, occurred, entry.sequence or 0, entry.argument, EventPath.LOG))
        self.events += taken

    def interval_blocks(self) -> list[IntervalBlock]:
        """Intervals of all blocks taken."""
        blocks: list[IntervalBlock] = []
        for profile_set in self._program.sets:
            runs = [run for _, run in sorted(self._runs.get(profile_set.index, ()), key=lambda one: one[0])]
            blocks += interval_blocks(self._endpoint_id, set_columns(self._program, profile_set.index), runs, self._doubt)
        return blocks

    def progress(self, before: Progress, collect_from: datetime) -> Progress | None:
        """How far the profile has come; None where that is no further than before."""
        if not self._newest:
            return None
        known = before.sets if len(before.sets) == len(self._program.sets) else ()
        sets = tuple(
            self._newest.get(s.index) or (known[s.index] if known else SetProgress(-1, 0, 0, collect_from)) for s in self._program.sets
        )
        return Progress(sets, before.self_read_seq, before.event_seq, before.reply_octets_max, before.device, before.wake_ups)


def _elements(offset: int, octets: int, size: int, held: int) -> tuple[int, int]:
    """First element and number of elements. Raises WireError where the octets are not whole elements of the list."""
    if not size or offset < 0 or offset % size or octets % size or not octets or (offset + octets) // size > held:
        raise WireError(f"{octets} octets are no whole elements of {size}")
    return offset // size, octets // size
