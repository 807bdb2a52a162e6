"""Register reads and interval blocks: integers with a power of ten, a quality, and the instant or day they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import IntEnum, IntFlag
from functools import lru_cache
from typing import NamedTuple

from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId

DAY_SECONDS = 86_400


class IntervalFlag(IntFlag):
    """What a meter or the head-end has to say of one value; none set means good. 16 bits, stored as such."""

    MISSING = 1
    PARTIAL = 2
    LONG = 4
    SKIPPED = 8
    POWER_FAIL = 16
    CLOCK_FORWARD = 32
    CLOCK_BACK = 64
    DST = 128
    OVERFLOW = 256
    TEST_MODE = 512
    CONFIG_CHANGED = 1024
    CHECKSUM = 2048
    ESTIMATED = 4096
    EDITED = 8192
    STOPPED = 16384


class ReadSource(IntEnum):
    """Why a register was read."""

    SELF_READ = 1
    SCHEDULED = 2
    ON_DEMAND = 3


@dataclass(frozen=True, slots=True)
class RegisterRead:
    """A cumulative value at an instant: `value` × 10^`exponent` of the channel's unit. Unique by all but value and quality."""

    endpoint_id: EndpointId
    channel_id: ChannelId
    instant: datetime
    source: ReadSource
    value: int
    exponent: int
    flags: int = 0

    @property
    def quantity(self) -> Decimal:
        """The value in the channel's unit, exactly."""
        return Decimal(self.value).scaleb(self.exponent)


class RegisterRow(NamedTuple):
    """A register read as lists of many carry it; `instant_us` is microseconds since 1970 UTC, `source` a `ReadSource`."""

    endpoint_id: int
    instant_us: int
    channel_id: ChannelId
    source: int
    exponent: int
    flags: int
    value: int


@dataclass(frozen=True, slots=True)
class IntervalBlock:
    """The intervals of one endpoint, channel, UTC day and interval length that are known.

    Interval i of the day is (midnight + i × length, midnight + (i+1) × length] and is stamped by its end; it belongs to the UTC day
    in which it begins. `values` has one entry for each interval of the day; None where nothing is known. A value is an integer
    × 10^`exponent` of the channel's unit. `flags` runs parallel, 0 where none.
    """

    endpoint_id: EndpointId
    channel_id: ChannelId
    day: date
    interval_seconds: int
    exponent: int
    values: Sequence[int | None]
    flags: Sequence[int]

    def end_of(self, index: int) -> datetime:
        """The instant that stamps interval `index`."""
        return day_start(self.day) + timedelta(seconds=(index + 1) * self.interval_seconds)


@lru_cache(maxsize=1_024)
def utc_day(number: int) -> date:
    """The UTC day so many days after 1970-01-01."""
    return datetime.fromtimestamp(number * DAY_SECONDS, UTC).date()


def day_start(day: date) -> datetime:
    """Midnight UTC at which `day` begins."""
    return datetime.combine(day, time(), UTC)
