"""What is due of each list: the blocks, self-reads and events that came since the last time, or since `collect_from`."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from headend.c1219.clock import TimeBase
from headend.c1219.event_log_tables import LOG_HEADER_OCTETS, LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_blocks import BlockLayout
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.tables import ST_EVENT_LOG, ST_SELF_READS
from headend.c1219.times import TimeFieldError
from headend.collection.images import Span, TableImages
from headend.collection.list_state import SELF_READ_SEQ_MASK, ListStates
from headend.model.collection import Gap, Progress, SetProgress

FIRST_EVENTS_MAX = 48
"""Events of a first contact: what fits in one reply."""


GAP_BLOCKS_MAX = 32
"""Blocks of one set that are read again in one conversation, the newest of those missing: the rest has its turn later."""

PLACES_MAX, REMEMBERED_MAX = 4_096, 16
"""Answers to "where does that stand" that are remembered, for blocks and for entries, if it is fewer than so many of them: like meters
have the same due at the same time, but for the places in their rings."""


class Since(NamedTuple):
    """From where on: what was collected before, how far back to go where nothing was, and what is missing of what is older."""

    progress: Progress
    collect_from: datetime
    gaps: tuple[Gap, ...] = ()


class Ring(NamedTuple):
    """Where the newest element of a list stands, of how many, and whether the list goes backwards."""

    newest: int
    size: int
    descending: bool

    def before(self, back: int) -> int:
        """The place of the one `back` before the newest."""
        return (self.newest + back if self.descending else self.newest - back) % self.size


class DueBlock(NamedTuple):
    """Slots `first` … `valid` - 1 (in time order) of the block `back` before the newest one, which stands at `element`.

    Joined, `spans` decode.
    """

    back: int
    element: int
    first: int
    valid: int
    spans: tuple[Span, ...] = ()


class DueBlocks(NamedTuple):
    """Blocks of one set that have news, oldest first, and the spans of all of them, neighbours as one."""

    blocks: tuple[DueBlock, ...] = ()
    joined: tuple[Span, ...] = ()


class DueEntries(NamedTuple):
    """Entries of ST26 or ST76 that are news, oldest first, up to the newest there is: a span each, and all, neighbours as one."""

    spans: tuple[Span, ...] = ()
    joined: tuple[Span, ...] = ()


class Due(NamedTuple):
    """What is due; None for a list whose state is not known."""

    sets: tuple[DueBlocks | None, ...]
    self_reads: DueEntries | None = None
    events: DueEntries | None = None


NO_BLOCKS = DueBlocks()


class Evidence(NamedTuple):
    """What helps a first contact to tell whether a block reaches far enough back: those that have been read, and their clock."""

    images: TableImages
    base: TimeBase | None


def due_of(program: MeterProgram, states: ListStates, since: Since, now: datetime, evidence: Evidence) -> Due:
    """All that is due, by the states given."""
    return Due(
        tuple(
            [
                None if status is None else due_blocks(profile_set, status, since, now, evidence)
                for profile_set, status in zip(program.sets, states.sets, strict=True)
            ]
        ),
        None if states.self_reads is None else due_self_reads(program, states.self_reads, since, now),
        None if states.events is None else due_events(program, states.events, since),
    )


def due_blocks(profile_set: ProfileSet, status: SetStatus, since: Since, now: datetime, evidence: Evidence) -> DueBlocks:
    """Blocks with news."""
    if not status.valid_blocks:
        return NO_BLOCKS
    sets = since.progress.sets
    done = sets[profile_set.index] if profile_set.index < len(sets) else None
    first_slot = 0
    first_seq = _after(profile_set, status, done)
    if first_seq is None:
        first_seq = _first_contact(profile_set, status, since.collect_from if done is None else min(done.end, now), now, evidence)
    elif done is not None and first_seq == done.block_seq:
        first_slot = done.valid_intervals
    ring = Ring(status.last_element, profile_set.blocks, status.blocks_descending)
    back = status.last_seq - first_seq
    places = _block_places if back < REMEMBERED_MAX else _block_places.__wrapped__
    if not since.gaps:
        return places(profile_set.layout, ring, back, first_slot, status.valid_intervals, status.intervals_descending)
    # The newest block comes along whole, so that what was reached stays reached whatever else is read.
    news = places(profile_set.layout, ring, max(back, 0), 0, status.valid_intervals, status.intervals_descending)
    older = _gap_blocks(profile_set, status, since.gaps, min(first_seq, status.last_seq), now)
    blocks = (*[_whole_block(profile_set, ring, status.last_seq - seq, status.intervals_descending) for seq in older], *news.blocks)
    return DueBlocks(blocks, joined([span for block in blocks for span in block.spans]))


def _whole_block(profile_set: ProfileSet, ring: Ring, back: int, descending: bool) -> DueBlock:
    """One block that is full, the `back`th before the newest."""
    layout, element = profile_set.layout, ring.before(back)
    spans = [Span(layout.table, r.start, len(r)) for r in layout.row_ranges(element, 0, layout.intervals, descending)]
    return DueBlock(back, element, 0, layout.intervals, tuple(spans))


def _gap_blocks(profile_set: ProfileSet, status: SetStatus, gaps: Sequence[Gap], before_seq: int, now: datetime) -> list[int]:
    """Blocks older than `before_seq` that hold what is missing, if no block was cut short; one more at either end, in case one was."""
    wanted: set[int] = set()
    for start, end in gaps:
        first = _back_to(profile_set, status, (now - start).total_seconds()) - 1
        last = _back_to(profile_set, status, (now - end).total_seconds()) + 1
        wanted.update(range(max(first, status.first_seq), min(last + 1, before_seq)))
    return sorted(wanted)[-GAP_BLOCKS_MAX:]


@lru_cache(maxsize=PLACES_MAX)
def _block_places(layout: BlockLayout, ring: Ring, back: int, first_slot: int, newest_valid: int, descending: bool) -> DueBlocks:
    """The blocks from the one `back` before the newest on; of that one, the slots from `first_slot` on."""
    blocks = []
    while back >= 0:
        valid = layout.intervals if back else newest_valid
        if first_slot < valid:
            element = ring.before(back)
            ranges = layout.row_ranges(element, first_slot, valid, descending)
            blocks.append(DueBlock(back, element, first_slot, valid, tuple([Span(layout.table, r.start, len(r)) for r in ranges])))
        first_slot = 0
        back -= 1
    return DueBlocks(tuple(blocks), joined([span for block in blocks for span in block.spans]))


def _after(profile_set: ProfileSet, status: SetStatus, done: SetProgress | None) -> int | None:
    """The block to go on from; None where there is none: never collected, or the meter began anew."""
    if done is None or not 0 <= done.block_seq <= status.last_seq:
        return None
    if done.block_seq == status.last_seq and done.valid_intervals > status.valid_intervals:
        return None
    if done.valid_intervals < profile_set.intervals_per_block and status.holds(done.block_seq):
        return done.block_seq
    return max(done.block_seq + 1, status.first_seq)


def _first_contact(profile_set: ProfileSet, status: SetStatus, since: datetime, now: datetime, evidence: Evidence) -> int:
    seq = _back_to(profile_set, status, (now - since).total_seconds())
    while seq > status.first_seq and _began_after(profile_set, status, seq, since, evidence):
        seq -= 1
    return seq


def _back_to(profile_set: ProfileSet, status: SetStatus, seconds: float) -> int:
    """The block that holds what happened so long ago, if no block was cut short."""
    seq = status.last_seq
    left = seconds - status.valid_intervals * 60 * profile_set.interval_minutes_at(seq)
    while left > 0 and seq > status.first_seq:
        seq -= 1
        left -= profile_set.intervals_per_block * 60 * profile_set.interval_minutes_at(seq)
    return seq


def _began_after(profile_set: ProfileSet, status: SetStatus, seq: int, since: datetime, evidence: Evidence) -> bool:
    """Whether a block that has been read turned out to begin later than was wanted; blocks are cut short when a clock is set."""
    form = profile_set.layout.formats.time
    start = status.element_of(seq, profile_set.blocks) * profile_set.block_size
    octets = evidence.images.get(Span(profile_set.table_id, start, form.stime_size))
    if octets is None or evidence.base is None:
        return False
    try:
        end = form.read_stime(octets)
    except TimeFieldError:
        return False
    valid = status.valid_intervals if seq == status.last_seq else profile_set.intervals_per_block
    length = timedelta(minutes=valid * profile_set.interval_minutes_at(seq))
    return end is not None and evidence.base.resolve(end)[0] - length > since


def due_self_reads(program: MeterProgram, state: LogStatus, since: Since, now: datetime) -> DueEntries:
    """Entries of ST26 that are news."""
    count = state.valid
    if since.progress.self_read_seq >= 0:
        newer = (state.last_seq - since.progress.self_read_seq) & SELF_READ_SEQ_MASK
        if newer <= SELF_READ_SEQ_MASK // 2:
            count = min(count, newer)
    else:
        count = min(count, (now - since.collect_from).days + 2)
    registers = program.registers
    ring = Ring(state.last_element, registers.self_reads, state.descending)
    return due_entries(ST_SELF_READS, SELF_READ_HEADER_OCTETS, registers.entry_size, ring, count)


def due_events(program: MeterProgram, state: LogStatus, since: Since) -> DueEntries:
    """Entries of ST76 that are news."""
    done = since.progress.event_seq
    fresh = not 0 <= done <= state.last_seq
    first = state.last_seq + 1 - min(state.valid, FIRST_EVENTS_MAX) if fresh else max(done + 1, state.first_seq)
    log = program.event_log
    ring = Ring(state.last_element, log.entries(), state.descending)
    return due_entries(ST_EVENT_LOG, LOG_HEADER_OCTETS, log.entry_size, ring, state.last_seq + 1 - first)


def due_entries(table: int, header: int, size: int, ring: Ring, count: int) -> DueEntries:
    """The newest `count` entries of a list."""
    places = _entry_places if count < REMEMBERED_MAX else _entry_places.__wrapped__
    return places(table, header, size, ring, count)


@lru_cache(maxsize=PLACES_MAX)
def _entry_places(table: int, header: int, size: int, ring: Ring, count: int) -> DueEntries:
    spans = tuple([Span(table, header + ring.before(back) * size, size) for back in range(count - 1, -1, -1)])
    return DueEntries(spans, joined(spans))


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Neighbours as one."""
    runs: list[Span] = []
    last = Span(-1, 0, 0)
    for span in spans:
        table, offset, length = span
        if table == last[0] and length and last[2] and last[1] + last[2] == offset:
            last = runs[-1] = Span(table, last[1], last[2] + length)
        else:
            runs.append(span)
            last = span
    return tuple(runs)
