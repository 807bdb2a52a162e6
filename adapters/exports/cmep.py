"""Readings as CMEP records (MEPMD01, version 19970819): a line for each meter and channel; times are UTC.

Layout  type, version, sender, sender's customer, receiver, receiver's customer, time of the file, meter, purpose, commodity, units,
        constant, interval, count, then for each value its time, quality and value; a value that is not known has quality N and is empty
Source  reference/domain-itron-openway.md 4.4; quality N is [K]
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from adapters.exports.document import PartHead
from adapters.exports.texts import decimals
from headend.model.channels import CHANNELS, ChannelId, Flow, Unit
from headend.model.export import ChannelDay, MeterData, Wanted
from headend.model.instants import to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.selections import Period

_COMMODITIES = {"electric": "E", "gas": "G", "water": "W"}
_UNITS = {
    Unit.WATT_HOUR: ("KWH", -3),
    Unit.VAR_HOUR: ("KVARH", -3),
    Unit.VOLT: ("V", 0),
    Unit.CUBIC_METRE: ("CM", 0),
    Unit.CUBIC_FOOT: ("CF", 0),
    Unit.GALLON: ("GAL", 0),
}
_FLOWS = {Flow.RECEIVED: "R", Flow.NET: "N"}


class Cmep:
    """A DocumentWriter. The format knows neither heads nor tails."""

    def __init__(self, head: PartHead, wanted: Wanted) -> None:
        self._wanted = wanted
        told = _time(to_us(head.reported or head.period.end) // 1_000_000)
        self._beginning = f"MEPMD01,19970819,{head.utility.utility_id},,,,{told},"

    def head(self) -> bytes:
        """See DocumentWriter."""
        return b""

    def tail(self) -> bytes:
        """See DocumentWriter."""
        return b""

    def meters(self, data: Sequence[MeterData], period: Period) -> bytes:
        """See DocumentWriter."""
        start = to_us(period.start) // 1_000_000
        lines: list[str] = []
        for meter, registers, days in data:
            begin = self._beginning + _field(meter.meter_no)
            for row in registers:
                name, scale = _units(ChannelId(row.channel_id))
                value, time = decimals(row.exponent + scale)[row.value], _time(row.instant_us // 1_000_000)
                lines.append(f"{begin},OK,{_commodity(row.channel_id)},{name}REG,1,00000000,1,{time},{_quality(row.flags)},{value}\r\n")
            lines += [begin + _intervals(day, start) for day in days]
        return "".join(lines).encode()


def _intervals(day: ChannelDay, start: int) -> str:
    name, scale = _units(day.channel_id)
    texts = decimals(day.exponent + scale)
    template = _template(day.channel_id, name, day.seconds, start, len(day.values))
    flags = day.flags or [0] * len(day.values)
    told = ["N," if value is None else f"{_quality(flag)},{texts[value]}" for value, flag in zip(day.values, flags, strict=True)]
    return template % tuple(told)


@lru_cache(maxsize=1_024)
def _template(channel_id: ChannelId, name: str, seconds: int, start: int, count: int) -> str:
    minutes, first = seconds // 60, start // seconds
    every = f"{minutes // 1_440:04}{minutes % 1_440 // 60:02}{minutes % 60:02}"
    values = "".join(f",{_time((first + i + 1) * seconds)},%s" for i in range(count))
    return f",OK,{_commodity(channel_id)},{name},1,{every},{count}{values}\r\n"


@lru_cache(maxsize=1_024)
def _units(channel_id: ChannelId) -> tuple[str, int]:
    """What a channel's unit is called, and by which power of ten it is larger than ours (below zero) or not."""
    channel = CHANNELS[channel_id]
    name, scale = _UNITS[channel.unit]
    statistic = {"maximum": "MAX", "minimum": "MIN", "average": "AVG"}.get(channel.statistic.value, "")
    tier = f"TOU{channel.tier}" if channel.tier else ""
    return f"{name}{_FLOWS.get(channel.flow, '')}{statistic}{channel.phase}{tier}", scale


@lru_cache(maxsize=1_024)
def _commodity(channel_id: int) -> str:
    return _COMMODITIES[CHANNELS[ChannelId(channel_id)].commodity.value]


@lru_cache(maxsize=8_192)
def _time(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y%m%d%H%M}"


def _quality(flags: int) -> str:
    """R0 is raw and good, E doubtful or estimated, N worth nothing."""
    return "R0" if not flags & (DOUBTFUL | WORTHLESS) else "N0" if flags & WORTHLESS else "E0"


def _field(text: str) -> str:
    """A meter number as a field: one that has a comma or quotes is quoted."""
    return text if not any(c in text for c in ',"\r\n') else '"' + text.replace('"', '""').replace("\r", " ").replace("\n", " ") + '"'
