"""What a conversation brought, decoded: register reads, interval blocks, events, and how far that reaches; one conversation at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from headend.c1219.clock import TimeBase
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.tables import ST_CURRENT_REGISTERS, table_name
from headend.collection.channel_map import channel_of
from headend.collection.interval_days import UNMEASURED, Column, Run, interval_blocks
from headend.collection.list_state import SELF_READ_SEQ_MASK
from headend.collection.programs import PROGRAMS_MAX
from headend.collection.register_reads import register_reads
from headend.collection.transcript import EntryOctets, Gathered, SetOctets, Source, Transcript
from headend.errors import WireError
from headend.model.collection import Collected, Progress, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, EventPath
from headend.model.readings import DAY_SECONDS, IntervalBlock, ReadSource, RegisterRead


@dataclass(slots=True)
class Harvest:
    """What was understood so far; `problems` say in words what was not."""

    register_reads: list[RegisterRead] = field(default_factory=list)
    interval_blocks: list[IntervalBlock] = field(default_factory=list)
    events: list[DeviceEvent] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def harvest(transcript: Transcript) -> Collected:
    """What a conversation comes to. Raises nothing: what contradicts itself is named in its exception, the rest is kept."""
    gathered = transcript.gathered
    if gathered is None:
        return uncollected(transcript)
    found = Harvest()
    sets = [
        None if given is None else take_set(gathered.source, profile_set, given, found)
        for profile_set, given in zip(gathered.source.program.sets, gathered.sets, strict=True)
    ]
    return harvest_rest(transcript, gathered, sets, found)


def harvest_rest(transcript: Transcript, gathered: Gathered, sets: Sequence[SetProgress | None], found: Harvest) -> Collected:
    """What else a conversation comes to once its intervals are `found`; `sets` say how far they reach, None where that is no news."""
    source = gathered.source
    before = source.since.progress
    self_read_seq, event_seq = before.self_read_seq, before.event_seq
    if gathered.self_reads is not None:
        self_read_seq = _take_self_reads(source, gathered.self_reads, found)
    if gathered.events is not None:
        event_seq = _take_events(source, gathered.events, found)
    if gathered.registers is not None:
        _take_current(source, gathered.registers, gathered.stamp, found, transcript.ended)
    reached = tuple([r or _before(before.sets, s, source) for r, s in zip(sets, source.program.sets, strict=True)])
    reply_octets_max = transcript.reply_octets_max or before.reply_octets_max
    return collected(transcript, found, Progress(reached, self_read_seq, event_seq, reply_octets_max, before.device, before.wake_ups))


def uncollected(transcript: Transcript) -> Collected:
    """A conversation that gathered nothing."""
    return collected(transcript, Harvest(), None)


def collected(transcript: Transcript, found: Harvest, progress: Progress | None) -> Collected:
    """A conversation's harvest as the store takes it."""
    return Collected(
        endpoint_id=transcript.endpoint_id,
        heard=transcript.heard,
        lease_id=transcript.lease_id,
        register_reads=tuple(found.register_reads),
        interval_blocks=tuple(found.interval_blocks),
        events=tuple(found.events),
        program=transcript.program,
        progress=progress,
        exception=transcript.remarks.exception(transcript.endpoint_id, transcript.ended, found.problems),
        notices=transcript.remarks.notice_records(transcript.endpoint_id, transcript.ended),
        octets_sent=transcript.octets_sent,
        octets_received=transcript.octets_received,
    )


def _before(sets: tuple[SetProgress, ...], profile_set: ProfileSet, source: Source) -> SetProgress:
    """How far a set was collected before; a block number below all others where it was not."""
    if profile_set.index < len(sets):
        return sets[profile_set.index]
    return SetProgress(-1, 0, 0, source.since.collect_from)


# Load profile


def take_set(source: Source, profile_set: ProfileSet, given: SetOctets, found: Harvest) -> SetProgress | None:
    """The intervals of one set; how far they reach, None where that is no further than before."""
    runs: list[Run] = []
    reached = None
    for due, octets in zip(given.known, given.octets, strict=True):
        seq = given.status.last_seq - due.back
        try:
            run, end = block_run(source.base, profile_set, seq, octets, due.first, due.valid, descending=given.status.intervals_descending)
        except WireError as error:
            found.problems.append(f"block {seq} of {table_name(profile_set.table_id)}: {error}")
            continue
        if run is not None:
            runs.append(run)
        reached = SetProgress(seq, due.element, due.valid, end)
    columns = set_columns(source.program, profile_set.index)
    found.interval_blocks += interval_blocks(source.endpoint_id, columns, runs, source.doubt)
    return reached


def block_run(
    base: TimeBase, profile_set: ProfileSet, seq: int, octets: bytes, first: int, valid: int, *, descending: bool
) -> tuple[Run | None, datetime]:
    """Slots `first` … `valid` - 1 of block `seq`, whose `octets` are its head and these slots' rows, and the end of its last slot.

    No run where no time belongs to any of them. Raises WireError.
    """
    skipped = first if profile_set.layout.simple else 0
    block = profile_set.decode_block(octets, valid - first + skipped, descending)
    seconds = 60 * profile_set.interval_minutes_at(seq)
    end, _ = base.resolve(block.end, block.dst)
    if seconds <= 0 or DAY_SECONDS % seconds:
        raise WireError(f"intervals of {seconds} s do not divide a day")
    intervals = len(block.values[0])
    cut = block.cut_short if block.flags[0][-1] & UNMEASURED else 0
    count = intervals - cut - skipped
    if count <= 0:
        return None, end
    last = int(end.timestamp()) - cut * seconds
    start = run_start(last, count, seconds)
    if count == intervals:
        return Run(start, seconds, block.values, block.flags), end
    keep = slice(skipped, intervals - cut)
    return Run(start, seconds, [column[keep] for column in block.values], [column[keep] for column in block.flags]), end


def run_start(last: int, count: int, seconds: int) -> int:
    """The UNIX second at which the first of `count` intervals begins, the last of which ends at `last`.

    A clock that was set may leave intervals off the grid of the day; they belong to the slot that holds most of them.
    """
    return (last - count * seconds + seconds // 2) // seconds * seconds


@lru_cache(maxsize=PROGRAMS_MAX)
def set_columns(program: MeterProgram, index: int) -> list[Column | None]:
    """The catalogue's channel and the scaling of each channel of a set; None where the catalogue has none."""
    channels = [(channel_of(c.unit, c.statistic, c.phase), c.scaling) for c in program.sets[index].channels]
    return [None if channel is None else (channel.channel_id, scaling) for channel, scaling in channels]


# Registers


def _take_self_reads(source: Source, given: EntryOctets, found: Harvest) -> int:
    """How far the self-reads reach."""
    reached = source.since.progress.self_read_seq
    for seq, octets in enumerate(given.octets, given.status.last_seq - given.entries + 1):
        reached = seq & SELF_READ_SEQ_MASK
        try:
            entry = source.program.registers.decode_self_read(octets)
            if entry.sequence is not None and entry.sequence != reached:
                raise WireError(f"has number {entry.sequence}")
            if entry.end is None:
                raise WireError("has no time")
            instant, _ = source.base.resolve(entry.end)
        except WireError as error:
            found.problems.append(f"self-read {reached}: {error}")
        else:
            values = entry.values
            found.register_reads += register_reads(source.endpoint_id, source.program, values, instant, ReadSource.SELF_READ, source.doubt)
    return reached


def _take_current(source: Source, octets: bytes, stamp: int | None, found: Harvest, now: datetime) -> None:
    try:
        values = source.program.registers.decode_current(octets)
    except WireError as error:
        found.problems.append(f"{table_name(ST_CURRENT_REGISTERS)}: {error}")
        return
    instant = now.replace(microsecond=0) if stamp is None else source.base.resolve(stamp)[0]
    found.register_reads += register_reads(source.endpoint_id, source.program, values, instant, ReadSource.SCHEDULED, source.doubt)


# Events


def _take_events(source: Source, given: EntryOctets, found: Harvest) -> int:
    """How far the events reach."""
    status = given.status
    reached = source.since.progress.event_seq
    for seq, octets in enumerate(given.octets, status.last_seq - given.entries + 1):
        try:
            event = device_event(source.endpoint_id, source.program, source.base, octets, seq)
        except WireError as error:
            found.problems.append(f"event {seq}: {error}")
        else:
            if event.occurred >= source.since.collect_from or source.since.progress.event_seq >= 0:
                found.events.append(event)
        reached = seq
    return reached if status.valid else max(reached, status.last_seq)


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
