"""What is due of each list: the blocks, self-reads and events that came since the last time, or since `collect_from`."""

from datetime import datetime, timedelta
from typing import NamedTuple

from headend.c1219.clock import TimeBase
from headend.c1219.event_log_tables import LOG_HEADER_OCTETS, LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.tables import ST_EVENT_LOG, ST_SELF_READS
from headend.c1219.times import TimeFieldError
from headend.collection.images import Span, TableImages
from headend.collection.list_state import SELF_READ_SEQ_MASK, ListStates
from headend.model.collection import Progress, SetProgress

FIRST_EVENTS_MAX = 48
"""Events of a first contact: what fits in one reply."""


class Since(NamedTuple):
    """From where on: what was collected before, and how far back to go where nothing was."""

    progress: Progress
    collect_from: datetime


class DueBlock(NamedTuple):
    """Slots `first` … `valid` - 1 (in time order) of block `seq`, which stands at `element`; joined, `spans` decode."""

    seq: int
    element: int
    first: int
    valid: int
    spans: tuple[Span, ...] = ()


Entry = tuple[int, Span]
"""Sequence number and place of an entry of ST26 or ST76."""


class Due(NamedTuple):
    """What is due, oldest first; None for a list whose state is not known."""

    sets: list[list[DueBlock] | None]
    self_reads: list[Entry] | None
    events: list[Entry] | None


class Evidence(NamedTuple):
    """What helps a first contact to tell whether a block reaches far enough back: those that have been read, and their clock."""

    images: TableImages
    base: TimeBase | None


def due_of(program: MeterProgram, states: ListStates, since: Since, now: datetime, evidence: Evidence) -> Due:
    """All that is due, by the states given."""
    return Due(
        [
            None if status is None else due_blocks(profile_set, status, since, now, evidence)
            for profile_set, status in zip(program.sets, states.sets, strict=True)
        ],
        None if states.self_reads is None else due_self_reads(program, states.self_reads, since, now),
        None if states.events is None else due_events(program, states.events, since),
    )


def due_blocks(profile_set: ProfileSet, status: SetStatus, since: Since, now: datetime, evidence: Evidence) -> list[DueBlock]:
    """Blocks with news, oldest first."""
    if not status.valid_blocks:
        return []
    sets = since.progress.sets
    done = sets[profile_set.index] if profile_set.index < len(sets) else None
    first_slot = 0
    first_seq = _after(profile_set, status, done)
    if first_seq is None:
        first_seq = _first_contact(profile_set, status, since.collect_from if done is None else min(done.end, now), now, evidence)
    elif done is not None and first_seq == done.block_seq:
        first_slot = done.valid_intervals
    layout, table, last, blocks = profile_set.layout, profile_set.table_id, status.last_seq, profile_set.blocks
    full = layout.intervals
    descending, size, header, row = status.intervals_descending, profile_set.block_size, layout.header_size, layout.row_size
    due = []
    for seq in range(first_seq, last + 1):
        valid = status.valid_intervals if seq == last else full
        if first_slot < valid:
            element = status.element_of(seq, blocks)
            if first_slot:
                ranges = profile_set.row_ranges(element, first_slot, valid, descending)
                spans = tuple([Span(table, r.start, len(r)) for r in ranges])
            else:
                spans = (Span(table, element * size, header + valid * row),)
            due.append(DueBlock(seq, element, first_slot, valid, spans))
        first_slot = 0
    return due


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


def due_self_reads(program: MeterProgram, state: LogStatus, since: Since, now: datetime) -> list[Entry]:
    """Entries of ST26 that are news, oldest first."""
    count = state.valid
    if since.progress.self_read_seq >= 0:
        newer = (state.last_seq - since.progress.self_read_seq) & SELF_READ_SEQ_MASK
        if newer <= SELF_READ_SEQ_MASK // 2:
            count = min(count, newer)
    else:
        count = min(count, (now - since.collect_from).days + 2)
    size, entries, last = program.registers.entry_size, program.registers.self_reads, state.last_seq
    return [
        (seq & SELF_READ_SEQ_MASK, Span(ST_SELF_READS, SELF_READ_HEADER_OCTETS + state.element_of(seq, entries) * size, size))
        for seq in range(last - count + 1, last + 1)
    ]


def due_events(program: MeterProgram, state: LogStatus, since: Since) -> list[Entry]:
    """Entries of ST76 that are news, oldest first."""
    done = since.progress.event_seq
    fresh = not 0 <= done <= state.last_seq
    first = state.last_seq + 1 - min(state.valid, FIRST_EVENTS_MAX) if fresh else max(done + 1, state.first_seq)
    log = program.event_log
    entries, size = log.entries(), log.entry_size
    return [
        (seq, Span(ST_EVENT_LOG, LOG_HEADER_OCTETS + state.element_of(seq, entries) * size, size))
        for seq in range(first, state.last_seq + 1)
    ]
