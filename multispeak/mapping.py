"""headend.model → MultiSpeak, as far as both versions agree: groups of values, object ids, local times.

Pure functions; the shapes of the versions are in mapping_v3 and mapping_v4.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from headend.model.endpoint import Endpoint, MeterEntry
from headend.model.readings import IntervalFlag, IntervalValue, RegisterRead
from headend.model.utility import Utility
from headend.ports import MeterReadings, ReadingKey


@dataclass(frozen=True, slots=True)
class ReadingGroup:
    """What becomes one meterRead or meterReading: registers of one instant, and the intervals since the instant before."""

    instant: datetime
    registers: Sequence[RegisterRead]
    intervals: Sequence[IntervalValue] = ()


class Shape(Protocol):
    """Objects of one version."""

    def reading(self, utility: Utility, entry: MeterEntry, group: ReadingGroup) -> Any:
        """One meterRead or meterReading."""

    def no_reading(self, utility: Utility, entry: MeterEntry, reason: str) -> Any:
        """The same for a meter that has none, saying why."""

    def meter_no(self, request: Any) -> str:
        """The meter number that a request names; empty where it names none."""


def reading_groups(readings: MeterReadings) -> Iterator[ReadingGroup]:
    """Groups in time order.

    Intervals in (previous register instant, this instant] go with this one's registers; those after the last register make a group without
    registers, at the newest interval's end.
    """
    intervals, begin = readings.intervals, 0
    for instant, registers in _by_instant(readings.registers):
        end = begin
        while end < len(intervals) and intervals[end].end <= instant:
            end += 1
        yield ReadingGroup(instant, registers, intervals[begin:end])
        begin = end
    if begin < len(intervals):
        yield ReadingGroup(intervals[-1].end, (), intervals[begin:])


def _by_instant(registers: Sequence[RegisterRead]) -> Iterator[tuple[datetime, list[RegisterRead]]]:
    """Registers instant by instant; of several sources of one channel the first in `ReadSource` is told."""
    if len(registers) == 1:
        yield registers[0].instant, list(registers)
        return
    begin = 0
    while begin < len(registers):
        instant = registers[begin].instant
        end = begin
        while end < len(registers) and registers[end].instant == instant:
            end += 1
        told: dict[int, RegisterRead] = {}
        for read in sorted(registers[begin:end], key=lambda r: (r.channel_id, r.source)):
            told.setdefault(read.channel_id, read)
        yield instant, list(told.values())
        begin = end


def object_id(meter_no: str, instant: datetime) -> str:
    """Stable and unique: the meter number and the instant in UTC, e.g. `E100@2026-03-01T06:00:00Z`."""
    return f"{meter_no}@{_utc_text(instant)}"


def reading_key(token: str) -> ReadingKey:
    """The object that an object id names.

    Raises  ValueError for text that is none
    """
    meter_no, separator, instant = token.rpartition("@")
    if not separator or not meter_no:
        raise ValueError(f"{token[:80]!r} is no objectID of a reading")
    return ReadingKey(meter_no, datetime.strptime(instant, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC))


@lru_cache(maxsize=4096)
def _utc_text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@lru_cache(maxsize=4096)
def local_time(instant: datetime, zone: ZoneInfo) -> str:
    """xs:dateTime in the utility's zone, with its offset. Kept, because a fleet is read at the same few instants."""
    return instant.astimezone(zone).isoformat()


@lru_cache(maxsize=256)
def status_text(flags: int) -> str:
    """Names of the flags that are set, e.g. `PARTIAL,POWER_FAIL`; empty for a good value."""
    return ",".join(flag.name or "" for flag in IntervalFlag if flags & flag)


def meter_status(endpoint: Endpoint) -> list[str]:
    """meterStatus of a meter: Inactive where it is retired or its alarms are muted, NotShipped where nobody can speak with it yet."""
    return ["Active" if endpoint.active and not endpoint.muted else "Inactive", *(() if endpoint.shipped else ("NotShipped",))]


@lru_cache(maxsize=64)
def interval_type(interval_seconds: int) -> str:
    """readingType of an interval value: its length as an ISO 8601 duration."""
    if interval_seconds % 60:
        return f"Interval PT{interval_seconds}S"
    return f"Interval PT{interval_seconds // 60}M"


REGISTER_TYPE = "Register"
