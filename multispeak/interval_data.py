"""What meters read → intervalData: profiles of channels, blocks of local days.

A profile is all channels of one interval length. A block is one local day of a profile, all its channels; `d` holds the values of a
channel joined by the interval delimiter, empty where there is none; `cS` the statuses of all channels together, joined likewise, empty
where all is well. A register that was read at a block's end stands in its endReadingList; registers that were asked for and end no
block have blocks of their own, without intervals. Channels count from 1.
Source  reference/multispeak.md 7
"""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from datetime import timedelta
from functools import lru_cache
from typing import Any

from headend.interval_series import IntervalSeries
from headend.model.channels import ChannelId
from headend.model.instants import SECOND_US, from_us, to_us
from headend.model.quality import NOT_COLLECTED
from headend.model.readings import RegisterRow
from headend.model.utility import Utility
from headend.reading_engine import MeterValues
from multispeak.block_rows import why_none
from multispeak.calls import Call
from multispeak.field_names import FIELD_NAMES, decimal_text
from multispeak.interval_shapes import IntervalShape, ProfileKey, interval_shape
from multispeak.mapping import ToldMeter, first_sources, local_time_of_us, status_text, told_meter
from multispeak.read_selection import Selection

DELIMITER = ","


class IntervalWriter:
    """Makes intervalData of one call; profiles are numbered in the order in which they are met."""

    def __init__(self, call: Call, selection: Selection) -> None:
        self._call = call
        self._selection = selection
        self._shape: IntervalShape = interval_shape(call.version, call.records)
        self._names = FIELD_NAMES[call.partner.energy_unit]
        self._zone = call.utility.time_zone
        self._profiles: dict[ProfileKey, str] = {}
        self._blocks: list[Any] = []
        self._remarks: list[str] = list(selection.remarks)

    def add(self, values: MeterValues) -> None:
        """Blocks of one meter; where there are none, one that says whose there should be, and a remark why."""
        meter = self._told(values)
        before = len(self._blocks)
        registers = _registers(values)
        used: set[RegisterRow] = set()
        for length in sorted({series.interval_seconds for series in values.series}):
            together = [series for series in values.series if series.interval_seconds == length]
            self._add_profile(meter, length, together, registers, used)
        self._add_registers(meter, [r for r in registers if r not in used and r.channel_id in self._selection.wanted.registers])
        problems = [why_none(read.none, self._zone) for read in values.billing if read.none is not None]
        if problems or len(self._blocks) == before:
            problem = "; ".join(problems) or values.problem or "nothing is known of what was asked for"
            self._remarks.append(f"{meter.name}: {problem}")
        if len(self._blocks) == before:
            self._blocks.append(self._shape.block(self._call.utility, meter, None))

    def data(self) -> Any:
        """The intervalData of what was added."""
        profiles = [self._profile(key, profile_id) for key, profile_id in self._profiles.items()]
        return self._shape.data(DELIMITER, "; ".join(self._remarks), profiles, self._blocks)

    def _told(self, values: MeterValues) -> ToldMeter:
        identifier = self._call.partner.identifier
        if values.meter is None:
            name = values.target.called(identifier)
            return ToldMeter(name, name, "", None)
        return told_meter(values.meter, identifier)

    def _add_profile(
        self, meter: ToldMeter, length: int, together: list[IntervalSeries], registers: list[RegisterRow], used: set[RegisterRow]
    ) -> None:
        channels = tuple(series.channel_id for series in together)
        profile_id = self._profile_id((length, channels))
        for first, last in self._days(together):
            end_us = together[0].end_us(last)
            ends = [r for r in registers if r.instant_us == end_us and r.channel_id in channels]
            used.update(ends)
            self._blocks.append(
                self._shape.block(
                    self._call.utility,
                    meter,
                    profile_id,
                    end_readings=self._end_readings(ends, channels),
                    log_time=self._local(end_us),
                    interval_start=self._local(end_us - (last - first + 1) * length * SECOND_US),
                    values=[self._values(series, first, last) for series in together],
                    statuses=_statuses(together, first, last),
                )
            )

    def _days(self, together: Sequence[IntervalSeries]) -> Iterator[tuple[int, int]]:
        """First and last interval of each local day from the first one known to the last; an interval is of the day it begins in."""
        length_us = together[0].interval_seconds * SECOND_US
        first, last = min(series.first for series in together), max(series.last for series in together)
        while first <= last:
            until = min(last, -(-_next_midnight_us(first * length_us, self._call.utility) // length_us) - 1)
            yield first, until
            first = until + 1

    def _values(self, series: IntervalSeries, first: int, last: int) -> str:
        text = decimal_text(series.exponent + self._names[series.channel_id].power)
        begin, end = first - series.first, last - series.first + 1
        texts = ["" if value is None else text(value) for value in series.values[max(0, begin) : max(0, end)]]
        before = min(max(0, -begin), last - first + 1)
        after = last - first + 1 - before - len(texts)
        return DELIMITER.join([""] * before + texts + [""] * after)

    def _add_registers(self, meter: ToldMeter, registers: Sequence[RegisterRow]) -> None:
        if not registers:
            return
        channels = tuple(sorted({read.channel_id for read in registers}))
        profile_id = self._profile_id((0, channels))
        for instant_us in sorted({read.instant_us for read in registers}):
            ends = [read for read in registers if read.instant_us == instant_us]
            readings = self._end_readings(ends, channels)
            block = self._shape.block(self._call.utility, meter, profile_id, end_readings=readings, log_time=self._local(instant_us))
            self._blocks.append(block)

    def _end_readings(self, reads: Sequence[RegisterRow], channels: Sequence[ChannelId]) -> list[Any]:
        return [
            self._shape.end_reading(
                channels.index(read.channel_id) + 1,
                float(self._names[read.channel_id].text(read.value, read.exponent)),
                self._local(read.instant_us),
            )
            for read in reads
        ]

    def _profile_id(self, key: ProfileKey) -> str:
        return self._profiles.setdefault(key, str(len(self._profiles) + 1))

    def _profile(self, key: ProfileKey, profile_id: str) -> Any:
        length, channels = key
        names = [self._names[channel] for channel in channels]
        told = [(name.interval if length else name.register, name.channel, name.unit) for name in names]
        return self._shape.profile(profile_id, length, told)

    def _local(self, us: int) -> str:
        return local_time_of_us(us, self._zone)


async def interval_data(
    call: Call, selection: Selection, values: AsyncGenerator[list[MeterValues], None]
) -> AsyncGenerator[Sequence[Any], None]:
    """One intervalData a meter."""
    async with aclosing(values):
        async for batch in values:
            for one in batch:
                yield [_data_of_one(call, selection, one)]


def _data_of_one(call: Call, selection: Selection, values: MeterValues) -> Any:
    writer = IntervalWriter(call, selection)
    writer.add(values)
    return writer.data()


@lru_cache(maxsize=8192)
def _next_midnight_us(us: int, utility: Utility) -> int:
    """The end of the local day of an instant; kept, because a fleet's blocks begin at the same few instants."""
    return to_us(utility.midnight(utility.local_day(from_us(us)) + timedelta(days=1)))


def _registers(values: MeterValues) -> list[RegisterRow]:
    if values.billing:
        return sorted({row for read in values.billing for row in read.registers}, key=lambda row: row[:3])
    return first_sources(values.registers)


def _statuses(together: Sequence[IntervalSeries], first: int, last: int) -> str:
    statuses = [0] * (last - first + 1)
    for series in together:
        begin, end = first - series.first, last - series.first + 1
        values, flags = series.values[max(0, begin) : max(0, end)], series.flags[max(0, begin) : max(0, end)]
        if len(values) == len(statuses) and not any(flags) and None not in values:
            continue
        before = min(max(0, -begin), len(statuses))
        inside = [flag or (NOT_COLLECTED if value is None else 0) for value, flag in zip(values, flags, strict=True)]
        after = len(statuses) - before - len(inside)
        told = [NOT_COLLECTED] * before + inside + [NOT_COLLECTED] * after
        statuses = [old | new for old, new in zip(statuses, told, strict=True)]
    return DELIMITER.join([status_text(status, " ") for status in statuses])
