"""What a batch of collected items wants stored, by key, before the database is asked; what cannot be stored becomes an exception.

A value that breaks a rule is left out and named in an exception record; the rest of its item and of the batch is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from adapters.store.blocks import Block, BlockKey
from adapters.store.day_packing import segments_of
from adapters.store.instants import DAY_US, from_day, to_day, to_us
from adapters.store.limits import DAYS_AHEAD_MAX, DAYS_PAST_MAX
from adapters.store.segment_arrays import pack_runs
from adapters.store.segments import PackingError, Segment
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, ExceptionKind, ExceptionRecord
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import DAY_SECONDS, IntervalBlock, RegisterRead

EndpointDay = tuple[int, int]
"""Endpoint, day."""
ReadKey = tuple[int, int, int, int]
"""Endpoint, instant, channel, source."""
EventKey = tuple[int, int, int, int]
"""Endpoint, instant, code, sequence."""

_INT16, _INT32, _INT64 = 1 << 15, 1 << 31, 1 << 63


@dataclass(slots=True)
class Arrivals:
    """Values of a batch by their keys; intervals of a day are segments, those that came first before those that came later."""

    days: dict[EndpointDay, list[Segment]] = field(default_factory=dict)
    reads: dict[ReadKey, RegisterRead] = field(default_factory=dict)
    events: dict[EventKey, DeviceEvent] = field(default_factory=dict)
    exceptions: list[ExceptionRecord] = field(default_factory=list)
    spoilt: set[int] = field(default_factory=set)
    """Endpoints of which something was left out."""


def arrange(batch: Sequence[Collected], runs: Sequence[IntervalRuns], now: datetime) -> Arrivals:
    """The values of `batch`, and of its endpoints' `runs`, that keep the rules, by key."""
    arrivals = Arrivals()
    today = to_us(now) // DAY_US
    first_day, last_day = today - DAYS_PAST_MAX, today + DAYS_AHEAD_MAX
    problems: dict[int, list[str]] = {}
    for one in runs:
        _take_runs(arrivals, one, first_day, last_day, problems)
    for item in batch:
        if item.exception is not None:
            arrivals.exceptions.append(item.exception)
        arrivals.exceptions += item.notices
        found: list[str] = []
        _take_blocks(arrivals, item, first_day, last_day, found)
        _take_reads(arrivals, item, first_day, last_day, found)
        _take_events(arrivals, item, first_day, last_day, found)
        if found:
            problems.setdefault(item.endpoint_id, []).extend(found)
    for endpoint_id, texts in problems.items():
        spoil(arrivals, endpoint_id, texts, now)
    return arrivals


def spoil(arrivals: Arrivals, endpoint_id: int, problems: Sequence[str], now: datetime) -> None:
    """Note what had to be left out of an endpoint's values: the first few in words, all in number."""
    more = f"; and {len(problems) - 3} more" if len(problems) > 3 else ""
    reason = f"not stored: {'; '.join(problems[:3])}{more}"
    arrivals.exceptions.append(ExceptionRecord(EndpointId(endpoint_id), ExceptionKind.STORE, now, reason))
    arrivals.spoilt.add(endpoint_id)


def _take_runs(arrivals: Arrivals, runs: IntervalRuns, first_day: int, last_day: int, problems: dict[int, list[str]]) -> None:
    days = arrivals.days
    for endpoint_id, day, segment in zip(runs.endpoint_ids, runs.days, pack_runs(runs), strict=True):
        if first_day <= day <= last_day:
            days.setdefault((endpoint_id, day), []).append(segment)
        else:
            problems.setdefault(endpoint_id, []).append(f"intervals of {from_day(day)}: {_day_problem(first_day, last_day)}")


def _take_blocks(arrivals: Arrivals, item: Collected, first_day: int, last_day: int, problems: list[str]) -> None:
    days: dict[int, dict[BlockKey, Block]] = {}
    for block in item.interval_blocks:
        day = to_day(block.day)
        problem = _block_problem(block, item, first_day, day, last_day)
        key = block.channel_id, block.interval_seconds
        if problem is None and key in days.get(day, {}):
            problem = "twice in one item"
        if problem is not None:
            problems.append(f"interval block of channel {block.channel_id}, {block.day}: {problem}")
            continue
        days.setdefault(day, {})[key] = (block.values, block.flags, block.exponent)
    for day, blocks in days.items():
        if segments := _segments(day, blocks, problems):
            arrivals.days.setdefault((item.endpoint_id, day), []).extend(segments)


def _segments(day: int, blocks: dict[BlockKey, Block], problems: list[str]) -> list[Segment]:
    """Blocks as segments, all of them together, or where one does not fit, those that do."""
    try:
        return list(segments_of(blocks))
    except PackingError as error:
        if len(blocks) == 1:
            ((channel_id, _),) = blocks
            problems.append(f"interval block of channel {channel_id}, {from_day(day)}: {error}")
            return []
    return [segment for key, block in blocks.items() for segment in _segments(day, {key: block}, problems)]


def _block_problem(block: IntervalBlock, item: Collected, first_day: int, day: int, last_day: int) -> str | None:
    seconds = block.interval_seconds
    if block.endpoint_id != item.endpoint_id:
        return f"of endpoint {block.endpoint_id} in an item of endpoint {item.endpoint_id}"
    if not first_day <= day <= last_day:
        return _day_problem(first_day, last_day)
    if seconds <= 0 or DAY_SECONDS % seconds or len(block.values) * seconds != DAY_SECONDS or len(block.flags) != len(block.values):
        return f"{len(block.values)} values and {len(block.flags)} flags of {seconds} s are not a day"
    if not 0 <= block.channel_id < _INT16:
        return "channel out of range"
    return None


def _day_problem(first_day: int, last_day: int) -> str:
    return f"day outside {from_day(first_day)} to {from_day(last_day)}"


def _take_reads(arrivals: Arrivals, item: Collected, first_day: int, last_day: int, problems: list[str]) -> None:
    for read in item.register_reads:
        instant = to_us(read.instant)
        if not first_day <= instant // DAY_US <= last_day:
            problems.append(f"register read of channel {read.channel_id} at {read.instant}: day out of range")
        elif read.endpoint_id != item.endpoint_id:
            problems.append(f"register read of endpoint {read.endpoint_id} in an item of endpoint {item.endpoint_id}")
        elif not _read_fits(read):
            problems.append(f"register read of channel {read.channel_id} at {read.instant}: value, exponent or flags out of range")
        else:
            arrivals.reads[item.endpoint_id, instant, read.channel_id, read.source.value] = read


def _read_fits(read: RegisterRead) -> bool:
    in_range = -_INT64 <= read.value < _INT64 and abs(read.exponent) < 128
    return in_range and 0 <= read.flags < _INT32 and 0 <= read.channel_id < _INT16


def _take_events(arrivals: Arrivals, item: Collected, first_day: int, last_day: int, problems: list[str]) -> None:
    for event in item.events:
        occurred = to_us(event.occurred)
        if not first_day <= occurred // DAY_US <= last_day:
            problems.append(f"event {event.code} at {event.occurred}: day out of range")
        elif event.endpoint_id != item.endpoint_id:
            problems.append(f"event of endpoint {event.endpoint_id} in an item of endpoint {item.endpoint_id}")
        elif not (0 <= event.code < _INT32 and -_INT64 <= event.sequence < _INT64):
            problems.append(f"event {event.code} at {event.occurred}: code or sequence out of range")
        else:
            arrivals.events.setdefault((item.endpoint_id, occurred, event.code, event.sequence), event)
