"""ReadingType codes of IEC 61968-9 for our channels: eighteen numbers joined by dots, and the power of ten that a unit is told in.

Fields: macro period, aggregate, measuring period, accumulation, flow, commodity, kind, two pairs of interharmonics and arguments, TOU, CPP,
tier, phases, multiplier, unit, currency.
Source  reference/domain-itron-openway.md 4.3; those that it derives ([K]) have not been held against the standard itself
"""

from functools import lru_cache

from headend.model.channels import CHANNELS, Channel, ChannelId, Flow, Statistic, Unit

_AGGREGATES = {Statistic.AVERAGE: 2, Statistic.MAXIMUM: 8, Statistic.MINIMUM: 9}
_PERIODS = {900: 2, 3_600: 7, 86_400: 11, 1_800: 5, 300: 6, 60: 3}
_FLOWS = {Flow.DELIVERED: 1, Flow.NET: 4, Flow.RECEIVED: 19, Flow.NONE: 0}
_COMMODITIES = {"electric": 1, "gas": 7, "water": 9}
_PHASES = {"A": 128, "B": 64, "C": 32, "": 0}
_RATES = {"": 0, "A": 1, "B": 2, "C": 3, "D": 4, "E": 5}
_UNITS = {
    Unit.WATT_HOUR: (12, 3, 72),
    Unit.VAR_HOUR: (12, 3, 73),
    Unit.VOLT: (54, 0, 29),
    Unit.CUBIC_METRE: (58, 0, 42),
    Unit.CUBIC_FOOT: (58, 0, 119),
    Unit.GALLON: (58, 0, 128),
}
"""Kind, multiplier, unit: energy is told in thousands."""

BULK, DELTA, INDICATING = 1, 4, 6


@lru_cache(maxsize=1_024)
def register_type(channel_id: ChannelId) -> str:
    """Of a cumulative register."""
    return _code(CHANNELS[channel_id], 0, BULK)


@lru_cache(maxsize=1_024)
def interval_type(channel_id: ChannelId, seconds: int) -> str:
    """Of the intervals of a channel."""
    channel = CHANNELS[channel_id]
    return _code(channel, _PERIODS.get(seconds, 0), INDICATING if channel.unit is Unit.VOLT else DELTA)


def told_exponent(channel_id: ChannelId, exponent: int) -> int:
    """The exponent of a value in the unit that its reading type tells."""
    return exponent - _UNITS[CHANNELS[channel_id].unit][1]


def _code(channel: Channel, period: int, accumulation: int) -> str:
    kind, multiplier, unit = _UNITS[channel.unit]
    commodity = _COMMODITIES[channel.commodity.value]
    fields = (0, _AGGREGATES.get(channel.statistic, 0), period, accumulation, _FLOWS[channel.flow], commodity, kind)
    rate = _RATES[channel.tier]
    return ".".join(map(str, (*fields, 0, 0, 0, 0, rate, 0, 0, _PHASES[channel.phase], multiplier, unit, 0)))


ESTIMATED, EDITED, MISSING, QUESTIONABLE, VALID = "2.8.0", "2.7.0", "2.5.259", "2.5.0", "2.0.0"
"""ReadingQuality codes that the head-end gives: system 2, category, index. Source  as above; index 259 for what is not known is [K]"""
