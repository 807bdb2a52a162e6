"""How far the lists of a meter reach: profile sets, self-reads, events; as the meter says, or as expected from the last time.

What is expected is only ever used to choose what to ask for; what is stored follows what the meter says.
"""

from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from headend.c1219.event_log_tables import LOG_HEADER_OCTETS, LogStatus
from headend.c1219.load_profile_tables import SetStatus
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.tables import MT_PROFILE_MEANING, ST_CLOCK, ST_EVENT_LOG, ST_PROFILE_STATUS, ST_SELF_READS, TableError
from headend.collection.images import Span, TableImages
from headend.model.collection import Progress, SetProgress

CLOCK_SPAN = Span(ST_CLOCK, 0, 0)
STATUS_SPAN = Span(ST_PROFILE_STATUS, 0, 0)
COUNTER_SPAN = Span(MT_PROFILE_MEANING, 0, 2)
SELF_READ_HEAD = Span(ST_SELF_READS, 0, SELF_READ_HEADER_OCTETS)
EVENT_HEAD = Span(ST_EVENT_LOG, 0, LOG_HEADER_OCTETS)

SELF_READ_SEQ_MASK = 0xFFFF
"""ST26 counts its entries in 16 bits."""

EVENTS_AHEAD = 2
"""Events asked for before it is known that there are any: a quiet day brings none, most others one or two."""


class ListStates(NamedTuple):
    """States of the lists of one meter; None where it has no such list, or where nothing is known yet."""

    sets: tuple[SetStatus | None, ...] = ()
    self_reads: LogStatus | None = None
    events: LogStatus | None = None


def told_states(program: MeterProgram, images: TableImages) -> ListStates:
    """What the meter has said. Raises WireError where that is not possible."""
    octets = images.whole(ST_PROFILE_STATUS)
    sets: tuple[SetStatus | None, ...] = (None,) * len(program.sets)
    if octets is not None and program.sets:
        told = program.decode_profile_status(octets).sets
        sets = tuple(checked_set(told[s.index], s) for s in program.sets)
    head = images.get(SELF_READ_HEAD)
    log_head = images.get(EVENT_HEAD)
    return ListStates(
        sets,
        None if head is None else self_read_state(program, head),
        None if log_head is None or not program.event_log.entries() else program.event_log.decode_status(log_head),
    )


def checked_set(status: SetStatus, profile_set: ProfileSet) -> SetStatus:
    """A state that can be one of this set. Raises TableError."""
    if (
        status.valid_blocks > profile_set.blocks
        or (status.valid_blocks and status.last_element >= profile_set.blocks)
        or status.valid_intervals > profile_set.intervals_per_block
        or status.last_seq + 1 < status.valid_blocks
    ):
        raise TableError(ST_PROFILE_STATUS, f"state of set {profile_set.number} does not fit its {profile_set.blocks} blocks")
    return status


def self_read_state(program: MeterProgram, head: bytes) -> LogStatus:
    """The head of ST26. Raises TableError."""
    flags, valid, last, seq, unread = program.general.formats.struct("BBBHB").unpack(head)
    if valid > program.registers.self_reads or last >= max(program.registers.self_reads, 1):
        raise TableError(ST_SELF_READS, f"{valid} entries valid, the last at {last}, of {program.registers.self_reads}")
    return LogStatus(valid, last, seq, unread, flags)


def expected_states(program: MeterProgram, progress: Progress, now: datetime, zone: ZoneInfo) -> ListStates:
    """What the meter is likely to say, from the last time and the time gone by; rings are taken to be filled from their beginning."""
    if len(progress.sets) != len(program.sets):
        return ListStates((None,) * len(program.sets))
    sets = tuple(expected_set(s, done, now) for s, done in zip(program.sets, progress.sets, strict=True))
    return ListStates(sets, expected_self_reads(program, progress, now, zone), expected_events(program, progress))


def expected_set(profile_set: ProfileSet, done: SetProgress, now: datetime) -> SetStatus | None:
    """After so much time; None where the set was never collected, or its clock was ahead of now."""
    gone_by = intervals_gone_by(profile_set, done, now)
    if gone_by < 0 or done.block_seq < 0:
        return None
    blocks, intervals = profile_set.blocks, profile_set.intervals_per_block
    further, slot = divmod(done.valid_intervals + gone_by - 1, intervals)
    return SetStatus(
        valid_blocks=blocks,
        last_element=(done.element + further) % blocks,
        last_seq=done.block_seq + further,
        valid_intervals=slot + 1,
    )


def intervals_gone_by(profile_set: ProfileSet, done: SetProgress, now: datetime) -> int:
    """Whole intervals, of the present length, since what was collected ended."""
    return int((now - done.end).total_seconds()) // (60 * profile_set.interval_minutes)


def expected_self_reads(program: MeterProgram, progress: Progress, now: datetime, zone: ZoneInfo) -> LogStatus | None:
    """One self-read for every midnight gone by; None where none was collected yet."""
    count = program.registers.self_reads
    if not count or progress.self_read_seq < 0 or not progress.sets:
        return None
    last_heard = max([done.end for done in progress.sets])
    # Zones change their offsets on the minute, so the minute has the date.
    midnights = max(_local_day(now.replace(second=0, microsecond=0), zone) - _local_day(last_heard, zone), 0)
    seq = progress.self_read_seq + midnights
    return LogStatus(count, seq % count, seq & SELF_READ_SEQ_MASK)


def expected_events(program: MeterProgram, progress: Progress) -> LogStatus | None:
    """A few more events; None where none was collected yet."""
    count = program.event_log.entries()
    if not count or progress.event_seq < 0:
        return None
    seq = progress.event_seq + min(EVENTS_AHEAD, count)
    return LogStatus(count, seq % count, seq)


@lru_cache(maxsize=1_024)
def _local_day(instant: datetime, zone: ZoneInfo) -> int:
    return instant.astimezone(zone).toordinal()
