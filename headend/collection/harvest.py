"""What the tables of a meter, as far as they are known, mean: register reads, interval blocks, events, and how far that reaches."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from headend.c1219.clock import TimeBase
from headend.c1219.clock_tables import MeterClock
from headend.c1219.event_log_tables import LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.tables import ST_CLOCK, ST_CURRENT_REGISTERS, table_name
from headend.collection.channel_map import channel_of
from headend.collection.due import Due, DueBlock, Entry, Since
from headend.collection.images import TableImages
from headend.collection.interval_days import UNMEASURED, Column, Run, interval_blocks
from headend.collection.list_state import ListStates
from headend.collection.programs import PROGRAMS_MAX
from headend.collection.register_reads import register_reads
from headend.errors import WireError
from headend.model.collection import Progress, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, EventPath
from headend.model.readings import DAY_SECONDS, IntervalBlock, IntervalFlag, ReadSource, RegisterRead


@dataclass(slots=True)
class Harvest:
    """What was understood. `problems` say in words what was not; `complete` whether all that is due was there."""

    progress: Progress
    register_reads: list[RegisterRead] = field(default_factory=list)
    interval_blocks: list[IntervalBlock] = field(default_factory=list)
    events: list[DeviceEvent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    complete: bool = True


class Source(NamedTuple):
    """Whose tables they are and how to read them. `drift_seconds` is how far the device's clock is ahead, where that is doubtful."""

    endpoint_id: EndpointId
    program: MeterProgram
    images: TableImages
    base: TimeBase
    since: Since
    drift_seconds: float = 0.0

    @property
    def doubt(self) -> int:
        """The flag of readings on a doubtful clock."""
        return doubt_flag(self.drift_seconds)


def doubt_flag(drift_seconds: float) -> int:
    """What is flagged on readings of a clock that is ahead (or behind, where negative); 0 where it is right."""
    if not drift_seconds:
        return 0
    return int(IntervalFlag.CLOCK_FORWARD if drift_seconds > 0 else IntervalFlag.CLOCK_BACK)


def harvest(source: Source, told: ListStates, due: Due, now: datetime, registers_too: bool = False) -> Harvest:
    """All that is due and known. Raises nothing: what contradicts itself is named among the problems, the rest is kept."""
    before = source.since.progress
    found = Harvest(before)
    sets = []
    for profile_set, status, blocks in zip(source.program.sets, told.sets, due.sets, strict=True):
        reached = _take_set(source, profile_set, status, blocks, found) if status is not None and blocks else None
        sets.append(reached or _before(before.sets, profile_set, source))
    self_read_seq = before.self_read_seq if due.self_reads is None else _take_self_reads(source, due.self_reads, found)
    event_seq = before.event_seq
    if due.events is not None and told.events is not None:
        event_seq = _take_events(source, told.events, due.events, found)
    if registers_too:
        _take_current(source, found, now)
    found.progress = Progress(tuple(sets), self_read_seq, event_seq, before.reply_octets_max)
    return found


def _before(sets: tuple[SetProgress, ...], profile_set: ProfileSet, source: Source) -> SetProgress:
    """How far a set was collected before; a block number below all others where it was not."""
    if profile_set.index < len(sets):
        return sets[profile_set.index]
    return SetProgress(-1, 0, 0, source.since.collect_from)


def device_clock(program: MeterProgram, images: TableImages) -> MeterClock | None:
    """ST52, where it is known. Raises WireError."""
    octets = images.whole(ST_CLOCK)
    return None if octets is None else MeterClock.decode(octets, program.general.formats)


# Load profile


def _take_set(
    source: Source, profile_set: ProfileSet, status: SetStatus, blocks: list[DueBlock], found: Harvest
) -> SetProgress | None:
    """Blocks up to the first that is not there; how far that reaches, None where it is no further than before."""
    runs: list[Run] = []
    reached = None
    for due in blocks:
        octets = _block_octets(source.images, due)
        if octets is None:
            found.complete = False
            break
        try:
            run, end = block_run(source.base, profile_set, status, due, octets)
        except WireError as error:
            found.problems.append(f"block {due.seq} of {table_name(profile_set.table_id)}: {error}")
            continue
        if run is not None:
            runs.append(run)
        reached = SetProgress(due.seq, due.element, due.valid, end)
    columns = set_columns(source.program, profile_set.index)
    found.interval_blocks += interval_blocks(source.endpoint_id, columns, runs, source.doubt)
    return reached


def _block_octets(images: TableImages, due: DueBlock) -> bytes | None:
    if len(due.spans) == 1:
        return images.get(due.spans[0])
    parts = [part for part in map(images.get, due.spans) if part is not None]
    return b"".join(parts) if len(parts) == len(due.spans) else None


def block_run(
    base: TimeBase, profile_set: ProfileSet, status: SetStatus, due: DueBlock, octets: bytes
) -> tuple[Run | None, datetime]:
    """The new intervals of a block, and the end of its last slot; no run where no time belongs to any of them. Raises WireError."""
    first = 0 if profile_set.layout.simple else due.first
    block = profile_set.decode_block(octets, due.valid - first, status.intervals_descending)
    seconds = 60 * profile_set.interval_minutes_at(due.seq)
    end, _ = base.resolve(block.end, block.dst)
    if seconds <= 0 or DAY_SECONDS % seconds:
        raise WireError(f"intervals of {seconds} s do not divide a day")
    intervals, skipped = len(block.values[0]), due.first - first
    cut = block.cut_short if block.flags[0][-1] & UNMEASURED else 0
    count = intervals - cut - skipped
    if count <= 0:
        return None, end
    last = int(end.timestamp()) - cut * seconds
    # A clock that was set may leave intervals off the grid of the day; they belong to the slot that holds most of them.
    start = (last - count * seconds + seconds // 2) // seconds * seconds
    if count == intervals:
        return Run(start, seconds, block.values, block.flags), end
    keep = slice(skipped, intervals - cut)
    return Run(start, seconds, [column[keep] for column in block.values], [column[keep] for column in block.flags]), end


@lru_cache(maxsize=PROGRAMS_MAX)
def set_columns(program: MeterProgram, index: int) -> list[Column | None]:
    """The catalogue's channel and the scaling of each channel of a set; None where the catalogue has none."""
    channels = [(channel_of(c.unit, c.statistic, c.phase), c.scaling) for c in program.sets[index].channels]
    return [None if channel is None else (channel.channel_id, scaling) for channel, scaling in channels]


# Registers


def _take_self_reads(source: Source, entries: list[Entry], found: Harvest) -> int:
    reached = source.since.progress.self_read_seq
    for seq, span in entries:
        octets = source.images.get(span)
        if octets is None:
            found.complete = False
            return reached
        try:
            entry = source.program.registers.decode_self_read(octets)
            if entry.sequence is not None and entry.sequence != seq:
                raise WireError(f"has number {entry.sequence}")
            if entry.end is None:
                raise WireError("has no time")
            instant, _ = source.base.resolve(entry.end)
        except WireError as error:
            found.problems.append(f"self-read {seq}: {error}")
        else:
            total = entry.values.total
            found.register_reads += register_reads(source.endpoint_id, source.program, total, instant, ReadSource.SELF_READ, source.doubt)
        reached = seq
    return reached


def _take_current(source: Source, found: Harvest, now: datetime) -> None:
    octets = source.images.whole(ST_CURRENT_REGISTERS)
    if octets is None:
        found.complete = False
        return
    try:
        clock = device_clock(source.program, source.images)
        values = source.program.registers.decode_current(octets)
    except WireError as error:
        found.problems.append(f"{table_name(ST_CURRENT_REGISTERS)}: {error}")
        return
    stamp = None if clock is None else clock.device_seconds
    instant = now.replace(microsecond=0) if stamp is None else source.base.resolve(stamp)[0]
    found.register_reads += register_reads(source.endpoint_id, source.program, values.total, instant, ReadSource.SCHEDULED, source.doubt)


# Events


def _take_events(source: Source, state: LogStatus, entries: list[Entry], found: Harvest) -> int:
    reached = source.since.progress.event_seq
    for seq, span in entries:
        octets = source.images.get(span)
        if octets is None:
            found.complete = False
            return reached
        try:
            event = device_event(source.endpoint_id, source.program, source.base, octets, seq)
        except WireError as error:
            found.problems.append(f"event {seq}: {error}")
        else:
            if event.occurred >= source.since.collect_from or source.since.progress.event_seq >= 0:
                found.events.append(event)
        reached = seq
    return max(reached, state.last_seq) if not state.valid else reached


def device_event(
    endpoint_id: EndpointId, program: MeterProgram, base: TimeBase, octets: bytes, seq: int | None, path: EventPath = EventPath.LOG
) -> DeviceEvent:
    """One entry of ST76; `seq` is the number it must have, None for whatever it has. Raises WireError."""
    entries = program.event_log.decode_entries(octets)
    if len(entries) != 1:
        raise WireError(f"{len(entries)} entries where there is one")
    (entry,) = entries
    if seq is not None and entry.sequence != seq & 0xFFFF:
        raise WireError(f"has number {entry.sequence}")
    if entry.occurred is None:
        raise WireError("has no time")
    occurred, _ = base.resolve(entry.occurred)
    return DeviceEvent(endpoint_id, entry.code, occurred, entry.sequence or 0, entry.argument, path)

