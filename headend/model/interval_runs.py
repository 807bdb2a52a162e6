"""Interval values of many endpoints in arrays: what a batch of conversations brings of one profile set at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.readings import DAY_SECONDS, IntervalBlock, utc_day


@dataclass(frozen=True, slots=True, eq=False)
class IntervalRuns:
    """Runs alike: each of consecutive intervals, a day of them at most, of the same channels of one endpoint; every one has its value.

    Run i is of `endpoint_ids[i]` and begins with slot `first` of UTC day `days[i]` (days since 1970-01-01); it may end on the next.
    `channels` come with their exponents: a value is an integer × 10^exponent of the channel's unit.
    Layout  values: int64[runs, channels, intervals] | flags: uint16 of the same shape, None where no value has any
    """

    endpoint_ids: Sequence[EndpointId]
    days: Sequence[int]
    first: int
    interval_seconds: int
    channels: tuple[tuple[ChannelId, int], ...]
    values: NDArray[np.int64]
    flags: NDArray[np.uint16] | None

    def blocks(self) -> list[IntervalBlock]:
        """The same as interval blocks."""
        days = range(1 + (self.first + self.values.shape[2] > DAY_SECONDS // self.interval_seconds))
        return [
            self._block(run, channel, endpoint_id, day, later)
            for run, (endpoint_id, day) in enumerate(zip(self.endpoint_ids, self.days, strict=True))
            for later in days
            for channel in range(len(self.channels))
        ]

    def _block(self, run: int, channel: int, endpoint_id: EndpointId, day: int, later: int) -> IntervalBlock:
        """What lies on the day on which the run begins, or on the one after it."""
        per_day = DAY_SECONDS // self.interval_seconds
        values: list[int | None] = [None] * (2 * per_day)
        flags = [0] * (2 * per_day)
        slots = slice(self.first, self.first + self.values.shape[2])
        values[slots] = self.values[run, channel].tolist()
        if self.flags is not None:
            flags[slots] = self.flags[run, channel].tolist()
        channel_id, exponent = self.channels[channel]
        of_day = slice(later * per_day, (later + 1) * per_day)
        return IntervalBlock(
            endpoint_id, channel_id, utc_day(day + later), self.interval_seconds, exponent, values[of_day], flags[of_day]
        )


def runs_by_day(
    endpoint_ids: Sequence[EndpointId],
    starts: NDArray[np.int64],
    interval_seconds: int,
    channels: tuple[tuple[ChannelId, int], ...],
    values: NDArray[np.int64],
    flags: NDArray[np.uint16] | None,
) -> list[IntervalRuns]:
    """Consecutive intervals of many endpoints, those of endpoint i beginning at UNIX second starts[i].

    More than a day of them is cut at every midnight UTC; what is no more, such as a local day, stays whole.
    """
    per_day, count = DAY_SECONDS // interval_seconds, values.shape[2]
    firsts = starts % DAY_SECONDS // interval_seconds
    runs = []
    for first in np.unique(firsts).tolist():
        chosen = np.flatnonzero(firsts == first)
        ids = [endpoint_ids[at] for at in chosen.tolist()]
        days = starts[chosen] // DAY_SECONDS
        ends = [*range(per_day - first, count, per_day), count] if count > per_day else [count]
        for later, (begin, end) in enumerate(pairwise([0, *ends])):
            part = slice(begin, end)
            marks = None if flags is None else flags[chosen, :, part]
            slot = 0 if later else first
            runs.append(
                IntervalRuns(ids, (days + later).tolist(), slot, interval_seconds, channels, values[chosen, :, part], marks)
            )
    return runs
