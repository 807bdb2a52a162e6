"""Runs of intervals → one block for each channel, UTC day and interval length; whole lists are moved, never single values.

Runs come in the order of their sequence numbers: where two cover the same interval (the clock was set back) the later one wins, but
an interval that was never measured does not hide one that was.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from headend.c1219.interval_status import uniform
from headend.c1219.values import Scaling
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.readings import DAY_SECONDS, IntervalBlock, IntervalFlag, utc_day

UNMEASURED = int(IntervalFlag.SKIPPED | IntervalFlag.MISSING)

Column = tuple[ChannelId, Scaling]
_Days = dict[tuple[int, int], list[list[int | None] | list[int]]]


class Run(NamedTuple):
    """Consecutive intervals of one set. `start` is the UNIX second at which the first begins; a column of raw values a channel."""

    start: int
    interval_seconds: int
    values: Sequence[Sequence[int]]
    flags: Sequence[Sequence[int]]


def interval_blocks(
    endpoint_id: EndpointId, columns: Sequence[Column | None], runs: Iterable[Run], doubt: int = 0
) -> list[IntervalBlock]:
    """Blocks of all channels that have a column; `doubt` is flagged on every interval."""
    days: _Days = {}
    exponents = [0 if column is None else column[1].value_exponent for column in columns]
    for run in _merged(runs):
        for index, column in enumerate(columns):
            if column is not None:
                values, _ = column[1].apply(run.values[index])
                flags = run.flags[index]
                _place(days, 2 * index, len(columns), run, values, [flag | doubt for flag in flags] if doubt else flags)
    return [
        # Lists of values and of flags stand in turns.
        IntervalBlock(endpoint_id, column[0], utc_day(day), seconds, exponents[index], lists[2 * index], lists[2 * index + 1])  # type: ignore[arg-type]
        for (day, seconds), lists in days.items()
        for index, column in enumerate(columns)
        if column is not None
    ]


def _merged(runs: Iterable[Run]) -> list[Run]:
    """Runs that continue one another as one."""
    merged: list[Run] = []
    for run in runs:
        if merged:
            last = merged[-1]
            if last[1] == run[1] and last[0] + len(last[2][0]) * last[1] == run[0]:
                merged[-1] = Run(last[0], last[1], _appended(last[2], run[2]), _appended(last[3], run[3]))
                continue
        merged.append(run)
    return merged


def _appended(columns: Sequence[Sequence[int]], more: Sequence[Sequence[int]]) -> list[Sequence[int]]:
    return [(*column, *rest) for column, rest in zip(columns, more, strict=True)]


def _place(days: _Days, at: int, channels: int, run: Run, values: Sequence[int], flags: Sequence[int]) -> None:
    """Move one channel's run into the days it touches; list `at` holds values, the next one flags."""
    seconds = run.interval_seconds
    per_day = DAY_SECONDS // seconds
    day, second = divmod(run.start, DAY_SECONDS)
    first, done, count = second // seconds, 0, len(values)
    while done < count:
        taken = min(count - done, per_day - first)
        lists = days.get((day, seconds))
        if lists is None:
            lists = days[day, seconds] = _empty_lists(per_day, channels)
        part, marks = values[done : done + taken], flags[done : done + taken]
        if uniform(marks) and not marks[0] & UNMEASURED:
            lists[at][first : first + taken] = part
            lists[at + 1][first : first + taken] = marks
        else:
            _place_singly(lists[at], lists[at + 1], first, part, marks)
        day, first, done = day + 1, 0, done + taken


def _place_singly(
    values: list[int | None] | list[int], flags: list[int | None] | list[int], first: int, part: Sequence[int], marks: Sequence[int]
) -> None:
    for slot, (value, mark) in enumerate(zip(part, marks, strict=True), first):
        if not mark & UNMEASURED:
            values[slot], flags[slot] = value, mark
        elif values[slot] is None:
            flags[slot] = mark


def _empty_lists(per_day: int, channels: int) -> list[list[int | None] | list[int]]:
    """Values and flags of each channel in turn."""
    lists: list[list[int | None] | list[int]] = []
    for _ in range(channels):
        nothing: list[int | None] = [None] * per_day
        lists += (nothing, [0] * per_day)
    return lists
