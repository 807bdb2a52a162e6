"""What is due of each list: the blocks, self-reads and events that came since the last time, or since `collect_from`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from headend.c1219.clock import TimeBase
from headend.c1219.event_log_tables import LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.tables import ST_EVENT_LOG, ST_SELF_READS
from headend.c1219.times import TimeFieldError
from headend.collection.images import Span, TableImages
from headend.collection.list_state import SELF_READ_SEQ_MASK
from headend.model.collection import Progress, SetProgress

FIRST_EVENTS_MAX = 48
"""Events of a first contact: what fits in one reply."""


@dataclass(frozen=True, slots=True)
class Since:
    """From where on: what was collected before, and how far back to go where nothing was."""

    progress: Progress
    collect_from: datetime


class DueBlock(NamedTuple):
    """Slots `first` … `valid` - 1 (in time order) of block `seq`, which stands at `element`."""

    seq: int
    element: int
    first: int
    valid: int


def due_blocks(
    profile_set: ProfileSet, status: SetStatus, since: Since, now: datetime, images: TableImages, base: TimeBase | None
) -> Iterator[DueBlock]:
    """Blocks with news, oldest first. Where it is a first contact, `images` tell whether the oldest reaches far enough back."""
    if not status.valid_blocks:
        return
    done = since.progress.sets[profile_set.index] if profile_set.index < len(since.progress.sets) else None
    first_seq, first_slot = _begin(profile_set, status, done, since.collect_from, now, images, base)
    for seq in range(first_seq, status.last_seq + 1):
        valid = status.valid_intervals if seq == status.last_seq else profile_set.intervals_per_block
        if first_slot < valid:
            yield DueBlock(seq, status.element_of(seq, profile_set.blocks), first_slot, valid)
        first_slot = 0


def _begin(
    profile_set: ProfileSet,
    status: SetStatus,
    done: SetProgress | None,
    collect_from: datetime,
    now: datetime,
    images: TableImages,
    base: TimeBase | None,
) -> tuple[int, int]:
    """Sequence number and slot of the first interval that is news."""
    if done is not None and 0 <= done.block_seq <= status.last_seq:
        grown = done.block_seq < status.last_seq or done.valid_intervals <= status.valid_intervals
        if grown and done.valid_intervals < profile_set.intervals_per_block and status.holds(done.block_seq):
            return done.block_seq, done.valid_intervals
        if grown:
            return max(done.block_seq + 1, status.first_seq), 0
    since = collect_from if done is None else min(done.end, now)
    seq = _back_to(profile_set, status, (now - since).total_seconds())
    while seq > status.first_seq and _began_after(profile_set, status, seq, since, images, base):
        seq -= 1
    return seq, 0


def _back_to(profile_set: ProfileSet, status: SetStatus, seconds: float) -> int:
    """The block that holds what happened so long ago, if no block was cut short."""
    seq = status.last_seq
    left = seconds - status.valid_intervals * 60 * profile_set.interval_minutes_at(seq)
    while left > 0 and seq > status.first_seq:
        seq -= 1
        left -= profile_set.intervals_per_block * 60 * profile_set.interval_minutes_at(seq)
    return seq


def _began_after(
    profile_set: ProfileSet, status: SetStatus, seq: int, since: datetime, images: TableImages, base: TimeBase | None
) -> bool:
    """Whether a block that has been read turned out to begin later than was wanted; blocks are cut short when a clock is set."""
    form = profile_set.layout.formats.time
    start = status.element_of(seq, profile_set.blocks) * profile_set.block_size
    octets = images.get(Span(profile_set.table_id, start, form.stime_size))
    if octets is None or base is None:
        return False
    try:
        end = form.read_stime(octets)
    except TimeFieldError:
        return False
    valid = status.valid_intervals if seq == status.last_seq else profile_set.intervals_per_block
    length = timedelta(minutes=valid * profile_set.interval_minutes_at(seq))
    return end is not None and base.resolve(end)[0] - length > since


def block_spans(profile_set: ProfileSet, status: SetStatus, block: DueBlock) -> tuple[Span, ...]:
    """Where the octets of a due block stand; joined they decode (see ProfileSet.row_ranges)."""
    ranges = profile_set.row_ranges(block.element, block.first, block.valid, status.intervals_descending)
    return tuple([Span(profile_set.table_id, r.start, len(r)) for r in ranges])


def due_self_reads(program: MeterProgram, state: LogStatus, since: Since, now: datetime) -> list[tuple[int, Span]]:
    """(sequence number, place) of the entries of ST26 that are news, oldest first."""
    count = state.valid
    if since.progress.self_read_seq >= 0:
        newer = (state.last_seq - since.progress.self_read_seq) & SELF_READ_SEQ_MASK
        if newer <= SELF_READ_SEQ_MASK // 2:
            count = min(count, newer)
    else:
        count = min(count, (now - since.collect_from).days + 2)
    size, entries = program.registers.entry_size, program.registers.self_reads
    return [
        ((state.last_seq - back) & SELF_READ_SEQ_MASK, Span(ST_SELF_READS, SELF_READ_HEADER_OCTETS + place * size, size))
        for back in range(count - 1, -1, -1)
        for place in (state.element_of(state.last_seq - back, entries),)
    ]


def due_events(program: MeterProgram, state: LogStatus, since: Since) -> list[tuple[int, Span]]:
    """(sequence number, place) of the entries of ST76 that are news, oldest first."""
    done = since.progress.event_seq
    fresh = not 0 <= done <= state.last_seq
    first = state.last_seq + 1 - min(state.valid, FIRST_EVENTS_MAX) if fresh else max(done + 1, state.first_seq)
    log = program.event_log
    places = [(seq, log.entry_range(state.element_of(seq, log.entries()))) for seq in range(first, state.last_seq + 1)]
    return [(seq, Span(ST_EVENT_LOG, place.start, len(place))) for seq, place in places]
