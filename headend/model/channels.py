"""The catalogue of channels: what a value measures, as one small number that every stored value carries.

A channel is a quantity of a service point (energy delivered, maximum voltage of phase B, gas volume…). The same channel can have
register reads and interval values; the interval length belongs to the block, because it may change.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from headend.model.endpoint import Commodity

ChannelId = NewType("ChannelId", int)


class Unit(StrEnum):
    """Base units in which values are kept, scaled by their own power of ten."""

    WATT_HOUR = "Wh"
    VAR_HOUR = "varh"
    VOLT = "V"
    CUBIC_METRE = "m3"
    CUBIC_FOOT = "ft3"
    GALLON = "gal"


class Statistic(StrEnum):
    """Which statistic of an interval a value is; `TOTAL` is consumption within it, `NET` delivered less received."""

    TOTAL = "total"
    NET = "net"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    AVERAGE = "average"


class Flow(StrEnum):
    """Direction seen from the utility: delivered to the customer, received from it."""

    DELIVERED = "delivered"
    RECEIVED = "received"
    NET = "net"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Channel:
    """One entry of the catalogue; `phase` is A, B, C or empty for all phases together.

    `tier` is the rate of time of use, A to E, whose share of the total a register counts; empty for the total.
    """

    channel_id: ChannelId
    name: str
    commodity: Commodity
    unit: Unit
    statistic: Statistic
    flow: Flow = Flow.NONE
    phase: str = ""
    tier: str = ""


def _tier(channel_id: int, tier: str) -> Channel:
    name = f"energy_delivered_{tier.lower()}"
    return Channel(ChannelId(channel_id), name, Commodity.ELECTRIC, Unit.WATT_HOUR, Statistic.TOTAL, Flow.DELIVERED, tier=tier)


def _voltage(first_id: int, phase: str) -> tuple[Channel, ...]:
    return tuple(
        Channel(ChannelId(first_id + i), f"voltage_{s.value}_{phase.lower()}", Commodity.ELECTRIC, Unit.VOLT, s, phase=phase)
        for i, s in enumerate((Statistic.MAXIMUM, Statistic.MINIMUM, Statistic.AVERAGE))
    )


_E = Commodity.ELECTRIC
CHANNELS: dict[ChannelId, Channel] = {
    c.channel_id: c
    for c in (
        Channel(ChannelId(1), "energy_delivered", _E, Unit.WATT_HOUR, Statistic.TOTAL, Flow.DELIVERED),
        Channel(ChannelId(2), "energy_received", _E, Unit.WATT_HOUR, Statistic.TOTAL, Flow.RECEIVED),
        Channel(ChannelId(3), "energy_net", _E, Unit.WATT_HOUR, Statistic.NET, Flow.NET),
        Channel(ChannelId(4), "reactive_delivered", _E, Unit.VAR_HOUR, Statistic.TOTAL, Flow.DELIVERED),
        Channel(ChannelId(5), "reactive_received", _E, Unit.VAR_HOUR, Statistic.TOTAL, Flow.RECEIVED),
        *_voltage(11, "A"),
        *_voltage(14, "B"),
        *_voltage(17, "C"),
        *(_tier(21 + number, tier) for number, tier in enumerate("ABCDE")),
        Channel(ChannelId(31), "gas_volume", Commodity.GAS, Unit.CUBIC_METRE, Statistic.TOTAL, Flow.DELIVERED),
        Channel(ChannelId(32), "gas_volume_ft3", Commodity.GAS, Unit.CUBIC_FOOT, Statistic.TOTAL, Flow.DELIVERED),
        Channel(ChannelId(41), "water_volume", Commodity.WATER, Unit.CUBIC_METRE, Statistic.TOTAL, Flow.DELIVERED),
        Channel(ChannelId(42), "water_volume_gal", Commodity.WATER, Unit.GALLON, Statistic.TOTAL, Flow.DELIVERED),
    )
}
CHANNEL_BY_NAME: dict[str, Channel] = {c.name: c for c in CHANNELS.values()}
