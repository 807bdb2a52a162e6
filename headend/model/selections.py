"""What a reading request selects, as values: which meters, which of their values, of when."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from headend.model.channels import CHANNELS, ChannelId, Unit
from headend.model.endpoint import Commodity


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, UTC: a register read belongs to it at both ends, an interval when its end is in (start, end]."""

    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        return (self.end - self.start) / timedelta(days=1)


ALL_TIME = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Quantities:
    """Which values of a meter: registers of some channels, intervals of some, and of the latter those of one length where it is given."""

    registers: frozenset[ChannelId]
    intervals: frozenset[ChannelId]
    interval_seconds: int | None = None

    @property
    def commodities(self) -> frozenset[Commodity]:
        """What a meter must measure to have any of them."""
        return frozenset(CHANNELS[one].commodity for one in self.registers | self.intervals)

    def __bool__(self) -> bool:
        return bool(self.registers or self.intervals)


def quantities(registers: Iterable[ChannelId] = (), intervals: Iterable[ChannelId] = ()) -> Quantities:
    """Those of some channels."""
    return Quantities(frozenset(registers), frozenset(intervals))


VOLTAGES = frozenset(c.channel_id for c in CHANNELS.values() if c.unit is Unit.VOLT)
"""Channels of a voltage profile; meters have no registers of them."""
TIERS = frozenset(c.channel_id for c in CHANNELS.values() if c.tier)
"""Registers of the rates of time of use; there are no intervals of them."""
LOADS = frozenset(CHANNELS) - VOLTAGES - TIERS
"""Channels of a load profile: what is consumed or fed in."""

REGISTERS = quantities(registers=LOADS | TIERS)
"""What an unqualified reading of many meters is."""
LOAD_PROFILE = quantities(intervals=LOADS)
"""What an unqualified load profile is."""
EVERYTHING = quantities(registers=CHANNELS, intervals=LOADS | VOLTAGES)
"""What an unqualified reading of one meter is."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Meters of some commodities that are active; those that have retired too, where they were read at or after `read_since`."""

    commodities: frozenset[Commodity]
    read_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """Meters installed at service points of a bill cycle at any time of a period."""

    bill_cycle: str
    installed: Period


MeterSet = Fleet | Cycle
