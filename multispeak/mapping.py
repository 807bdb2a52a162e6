"""headend.model → MultiSpeak, as far as both versions agree: what stands in a reading, as texts; groups of values; local times.

Pure functions; the shapes of the versions are in mapping_v3 and mapping_v4.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from headend.interval_series import IntervalSeries
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS, ChannelId
from headend.model.endpoint import Commodity, Endpoint, MeterEntry
from headend.model.instants import from_us
from headend.model.meters import Meter
from headend.model.partner import EnergyUnit, MeterIdentifier
from headend.model.quality import status_names
from headend.model.readings import RegisterRow
from headend.model.utility import Utility
from multispeak.field_names import FIELD_NAMES, FieldName
from multispeak.paging import object_id, utc_text


class ToldMeter(NamedTuple):
    """A meter as a partner is told of it: `meter_no` is ours and makes object ids, `name` what the partner calls it.

    `commodity` is None of a name that no meter has.
    """

    meter_no: str
    name: str
    device_id: str
    commodity: Commodity | None


class ToldValue(NamedTuple):
    """One value as texts; `text` is None where there is none, `interval_seconds` 0 for a register."""

    field: FieldName
    text: str | None
    local: str
    flags: int
    interval_seconds: int = 0


class ToldReading(NamedTuple):
    """What becomes one meterRead or meterReading. `delivered` and `received` are whole kWh, None where nothing was read.

    `rates` are whole kWh by the number of the rate of time of use, from 1.
    """

    object_id: str
    local: str
    values: Sequence[ToldValue]
    delivered: str | None = None
    received: str | None = None
    rates: Mapping[int, str] = MappingProxyType({})


class Shape(Protocol):
    """Objects of one version."""

    def reading(self, utility: Utility, meter: ToldMeter, reading: ToldReading) -> Any:
        """One meterRead or meterReading."""

    def no_reading(self, utility: Utility, meter: ToldMeter, reason: str) -> Any:
        """The same for a meter that has none, saying why."""


def entry_name(entry: MeterEntry, identifier: MeterIdentifier) -> str:
    """What a partner calls a meter of the directory."""
    return str(getattr(entry.endpoint, identifier.value) or "")


def told_meter(meter: Meter, identifier: MeterIdentifier) -> ToldMeter:
    """A meter for a partner who calls it by an identifier."""
    return ToldMeter(meter.meter_no, meter.called(identifier), meter.serial_no, meter.commodity)


class IntervalValue(NamedTuple):
    """One interval, stamped by its end in microseconds since 1970 UTC; `value` is None where the meter has none."""

    end_us: int
    channel_id: ChannelId
    interval_seconds: int
    exponent: int
    flags: int
    value: int | None


@dataclass(frozen=True, slots=True)
class ReadingGroup:
    """What becomes one reading: registers of one instant, and the intervals since the instant before."""

    instant_us: int
    registers: Sequence[RegisterRow]
    intervals: Sequence[IntervalValue] = ()


def interval_values(series: Sequence[IntervalSeries]) -> list[IntervalValue]:
    """The intervals of which anything is known, in order of their ends."""
    found = [
        IntervalValue(one.end_us(number), one.channel_id, one.interval_seconds, one.exponent, flags, value)
        for one in series
        for number, value, flags in one.known()
    ]
    found.sort(key=lambda value: value[:3])
    return found


def reading_groups(registers: Sequence[RegisterRow], intervals: Sequence[IntervalValue]) -> Iterator[ReadingGroup]:
    """Groups in time order.

    Intervals in (previous register instant, this instant] go with this one's registers; those after the last register make a group without
    registers, at the newest interval's end.
    """
    begin = 0
    for instant_us, group in register_instants(registers):
        end = begin
        while end < len(intervals) and intervals[end].end_us <= instant_us:
            end += 1
        yield ReadingGroup(instant_us, group, intervals[begin:end])
        begin = end
    if begin < len(intervals):
        yield ReadingGroup(intervals[-1].end_us, (), intervals[begin:])


def register_instants(registers: Sequence[RegisterRow]) -> Iterator[tuple[int, list[RegisterRow]]]:
    """One endpoint's registers instant by instant, one a channel."""
    for instant_us, group in groupby(first_sources(registers), key=attrgetter("instant_us")):
        yield instant_us, list(group)


def first_sources(registers: Iterable[RegisterRow]) -> list[RegisterRow]:
    """One endpoint's registers without those of which another source says the same: the first in `ReadSource` is told."""
    told: dict[tuple[int, ChannelId], RegisterRow] = {}
    for read in registers:
        told.setdefault((read.instant_us, read.channel_id), read)
    return list(told.values())


class Telling:
    """Turns groups of values into texts for one partner of a utility."""

    def __init__(self, utility: Utility, energy_unit: EnergyUnit) -> None:
        self.zone = utility.time_zone
        self.names = FIELD_NAMES[energy_unit]

    def reading(self, meter_no: str, group: ReadingGroup) -> ToldReading:
        """One reading of a meter."""
        values = [self._register(read) for read in group.registers]
        values += [self._interval(value) for value in group.intervals]
        whole = {read.channel_id: whole_kwh(read.value, read.exponent) for read in group.registers}
        instant = from_us(group.instant_us)
        token, local = object_id(meter_no, utc_text(instant)), local_time(instant, self.zone)
        return told_reading(token, local, values, whole)

    def _register(self, read: RegisterRow) -> ToldValue:
        name = self.names[read.channel_id]
        return ToldValue(name, name.text(read.value, read.exponent), local_time_of_us(read.instant_us, self.zone), read.flags)

    def _interval(self, value: IntervalValue) -> ToldValue:
        name = self.names[value.channel_id]
        text = None if value.value is None else name.text(value.value, value.exponent)
        return ToldValue(name, text, local_time_of_us(value.end_us, self.zone), value.flags, value.interval_seconds)


def told_reading(object_id: str, local: str, values: Sequence[ToldValue], whole: Mapping[ChannelId, str]) -> ToldReading:
    """A reading whose registers have these whole kWh."""
    rates = {RATES[channel]: text for channel, text in whole.items() if channel in RATES}
    return ToldReading(object_id, local, values, whole.get(DELIVERED), whole.get(RECEIVED), rates)


DELIVERED = CHANNEL_BY_NAME["energy_delivered"].channel_id
RECEIVED = CHANNEL_BY_NAME["energy_received"].channel_id
RATES = {one.channel_id: "ABCDE".index(one.tier) + 1 for one in CHANNELS.values() if one.tier}
"""Registers of rates of time of use, with the number of the rate."""

WHOLE_KWH = frozenset({DELIVERED, RECEIVED, *RATES})
"""Registers that are told as whole kWh too."""


def whole_kwh(value: int, exponent: int) -> str:
    """The whole kWh of a register in Wh, towards zero as a display cuts them."""
    power = exponent - 3
    if power >= 0:
        return str(value * int(10**power))
    whole = abs(value) // int(10**-power)
    return str(whole if value >= 0 else -whole)


@lru_cache(maxsize=8192)
def local_time_of_us(us: int, zone: ZoneInfo) -> str:
    """xs:dateTime in the utility's zone, with its offset. Kept, because a fleet is read at the same few instants."""
    return local_time(from_us(us), zone)


@lru_cache(maxsize=4096)
def local_time(instant: datetime, zone: ZoneInfo) -> str:
    """The same of a datetime."""
    return instant.astimezone(zone).isoformat()


@lru_cache(maxsize=256)
def status_text(flags: int, separator: str = ",") -> str:
    """Names of the flags that are set, e.g. `PARTIAL,POWER_FAIL`; empty for a good value."""
    return separator.join(status_names(flags))


def meter_status(endpoint: Endpoint) -> list[str]:
    """meterStatus of a meter: Inactive where it is retired or its alarms are muted, NotShipped where nobody can speak with it yet."""
    return ["Active" if endpoint.active and not endpoint.muted else "Inactive", *(() if endpoint.shipped else ("NotShipped",))]
