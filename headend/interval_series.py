"""Interval blocks of UTC days → series without days, and what is asked of them. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from headend.model.channels import ChannelId
from headend.model.instants import SECOND_US, to_us
from headend.model.readings import DAY_SECONDS, IntervalBlock, day_start
from headend.model.selections import Period


@dataclass(frozen=True, slots=True)
class IntervalSeries:
    """Consecutive intervals of one channel and length; the first and the last are known, in between there may be gaps.

    Interval n of time is (n × length, (n + 1) × length] in seconds since 1970 UTC; `values[i]` × 10^`exponent` of the channel's unit
    is that of interval `first` + i, None where there is none; `flags` runs parallel. Nothing is known where both are empty.
    """

    channel_id: ChannelId
    interval_seconds: int
    exponent: int
    first: int
    values: Sequence[int | None]
    flags: Sequence[int]

    @property
    def last(self) -> int:
        """Number of the last interval."""
        return self.first + len(self.values) - 1

    def end_us(self, number: int) -> int:
        """The instant that stamps interval `number`, in microseconds since 1970 UTC."""
        return (number + 1) * self.interval_seconds * SECOND_US

    def known(self) -> Iterator[tuple[int, int | None, int]]:
        """(number, value, flags) of the intervals of which anything is known."""
        for i, (value, flags) in enumerate(zip(self.values, self.flags, strict=True)):
            if value is not None or flags:
                yield self.first + i, value, flags


def series_of(blocks: Iterable[IntervalBlock], period: Period) -> list[IntervalSeries]:
    """One endpoint's blocks as series, as far as their intervals end in the period; by channel and length."""
    together: dict[tuple[ChannelId, int], list[IntervalBlock]] = {}
    for block in blocks:
        together.setdefault((block.channel_id, block.interval_seconds), []).append(block)
    joined = (_join(together[key], period) for key in sorted(together))
    return [series for series in joined if series is not None]


def newest_of(series: IntervalSeries) -> IntervalSeries:
    """The last interval alone."""
    return IntervalSeries(series.channel_id, series.interval_seconds, series.exponent, series.last, series.values[-1:], series.flags[-1:])


def _join(blocks: list[IntervalBlock], period: Period) -> IntervalSeries | None:
    length, exponent = blocks[0].interval_seconds, min(block.exponent for block in blocks)
    per_day = DAY_SECONDS // length
    blocks.sort(key=lambda block: block.day)
    first_day = blocks[0].day
    count = ((blocks[-1].day - first_day).days + 1) * per_day
    values: list[int | None] = [None] * count
    flags = [0] * count
    for block in blocks:
        begin = (block.day - first_day).days * per_day
        values[begin : begin + per_day] = _scaled(block, exponent)
        flags[begin : begin + per_day] = block.flags
    first = to_us(day_start(first_day)) // SECOND_US // length
    low = max(0, to_us(period.start) // (length * SECOND_US) - first)
    high = min(count, to_us(period.end) // (length * SECOND_US) - first)
    while low < high and values[low] is None and not flags[low]:
        low += 1
    while low < high and values[high - 1] is None and not flags[high - 1]:
        high -= 1
    if low >= high:
        return None
    return IntervalSeries(blocks[0].channel_id, length, exponent, first + low, values[low:high], flags[low:high])


def _scaled(block: IntervalBlock, exponent: int) -> Sequence[int | None]:
    factor = 10 ** (block.exponent - exponent)
    return block.values if factor == 1 else [None if value is None else value * factor for value in block.values]
