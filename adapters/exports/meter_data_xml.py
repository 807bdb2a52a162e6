"""Readings as our own XML (`wsdl/exports/meter-data.xsd`): templates, one for each kind of channel and day, that are filled in.

A value is in the channel's base unit (Wh, V, m3…), as exact as the meter told it.
"""

from collections.abc import Sequence
from functools import lru_cache

from adapters.exports.document import PartHead
from adapters.exports.texts import NOT_COLLECTED_TEXT, decimals, escape, status_text, utc_text, utc_text_us
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS, ChannelId
from headend.model.endpoint import CONFIGURATIONS
from headend.model.export import ChannelDay, Content, MeterData, Wanted
from headend.model.instants import to_us
from headend.model.readings import ReadSource, RegisterRow
from headend.model.selections import Period

NAMESPACE = "urn:open-ami-headend:meter-data:1"

SOURCES = {ReadSource.SELF_READ: "SELF", ReadSource.SCHEDULED: "SCHEDULED", ReadSource.ON_DEMAND: "ONDEMAND"}
"""Why a register was read, as files say it."""

_TAIL = b"</MeterData>\n"


class MeterDataXml:
    """A DocumentWriter."""

    def __init__(self, head: PartHead, wanted: Wanted) -> None:
        self._head = head
        self._wanted = wanted

    def head(self) -> bytes:
        """See DocumentWriter."""
        one = self._head
        contents = " ".join(content.value for content in Content if content in one.files.contents)
        late = "" if one.reported is None else f' corrections="true" reported="{utc_text_us(to_us(one.reported))}"'
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<MeterData xmlns="{NAMESPACE}" version="1" utility="{one.utility.utility_id}"'
            f' content="{contents}" localDate="{one.day}" timeZone="{one.utility.time_zone.key}" {_bounds(one.period)}{late}>\n'
        ).encode()

    def tail(self) -> bytes:
        """See DocumentWriter."""
        return _TAIL

    def meters(self, data: Sequence[MeterData], period: Period) -> bytes:
        """See DocumentWriter."""
        start, end_us = to_us(period.start) // 1_000_000, to_us(period.end)
        own = period == self._head.period
        bounds = "" if own else f" {_bounds(period)}"
        registers_wanted = self._wanted.registers
        parts: list[str] = []
        for meter, registers, days in data:
            account = f' account="{escape(meter.account_no)}"' if meter.account_no else ""
            point = f' servicePoint="{escape(meter.service_point_no)}"' if meter.service_point_no else ""
            commodity = CONFIGURATIONS[meter.configuration].commodity.value
            no, serial = escape(meter.meter_no), escape(meter.serial_no)
            parts.append(f'<Meter no="{no}" serial="{serial}"{point}{account} commodity="{commodity}"{bounds}>\n')
            if registers_wanted:
                parts += [_register(row) for row in registers]
                parts += _missing_registers(meter.configuration, registers, registers_wanted, end_us)
            parts += [_intervals(day, start) for day in days]
            parts.append("</Meter>\n")
        return "".join(parts).encode()


@lru_cache(maxsize=1_024)
def _bounds(period: Period) -> str:
    return f'start="{utc_text_us(to_us(period.start))}" end="{utc_text_us(to_us(period.end))}"'


@lru_cache(maxsize=4_096)
def _register_template(channel_id: int, source: int, flags: int, instant_us: int) -> str:
    channel = CHANNELS[ChannelId(channel_id)]
    status = f' status="{status_text(flags)}"' if flags else ""
    facts = f'channel="{channel.name}" unit="{channel.unit.value}" time="{utc_text_us(instant_us)}"'
    return f'<Register {facts} value="%s" source="{SOURCES[ReadSource(source)]}"{status}/>\n'


def _register(row: RegisterRow) -> str:
    _, instant_us, channel_id, source, exponent, flags, value = row
    return _register_template(channel_id, source, flags, instant_us) % decimals(exponent)[value]


@lru_cache(maxsize=1_024)
def _configured(configuration: str) -> tuple[ChannelId, ...]:
    return tuple(CHANNEL_BY_NAME[name].channel_id for name in CONFIGURATIONS[configuration].registers)


def _missing_registers(configuration: str, rows: Sequence[RegisterRow], wanted: frozenset[ChannelId], end_us: int) -> list[str]:
    """Registers that should have been read at the end of the day and were not."""
    read = {row.channel_id for row in rows if row.instant_us == end_us}
    return [
        f'<Register channel="{CHANNELS[channel].name}" unit="{CHANNELS[channel].unit.value}" time="{utc_text_us(end_us)}"'
        f' status="{NOT_COLLECTED_TEXT}"/>\n'
        for channel in _configured(configuration)
        if channel in wanted and channel not in read
    ]


def _intervals(day: ChannelDay, start: int) -> str:
    channel_id, seconds, exponent, values, _, whole = day
    if whole:
        texts = map(decimals(exponent).__getitem__, values)  # type: ignore[arg-type]  # a whole day holds no None
        return _whole_template(channel_id, seconds, start, len(values)) % tuple(texts)
    return _with_gaps(day, start)


@lru_cache(maxsize=1_024)
def _whole_template(channel_id: ChannelId, seconds: int, start: int, count: int) -> str:
    """Of a day of which every interval is known and good."""
    ends = _ends(start, seconds, count)
    return _opening(channel_id, seconds, count, count) + "".join([f'<I end="{end}" value="%s"/>\n' for end in ends]) + "</Intervals>\n"


@lru_cache(maxsize=1_024)
def _ends(start: int, seconds: int, count: int) -> tuple[str, ...]:
    first = start // seconds
    return tuple(utc_text((first + i + 1) * seconds) for i in range(count))


def _opening(channel_id: ChannelId, seconds: int, expected: int, present: int) -> str:
    channel = CHANNELS[channel_id]
    facts = f'channel="{channel.name}" unit="{channel.unit.value}" seconds="{seconds}"'
    return f'<Intervals {facts} expected="{expected}" present="{present}">\n'


def _with_gaps(day: ChannelDay, start: int) -> str:
    channel_id, seconds, exponent, values, flags, _ = day
    texts = decimals(exponent)
    ends = _ends(start, seconds, len(values))
    present = len(values) - values.count(None)
    parts = [_opening(channel_id, seconds, len(values), present)]
    for end, value, flag in zip(ends, values, flags or [0] * len(values), strict=True):
        status = f' status="{status_text(flag)}"' if flag else ""
        if value is not None:
            parts.append(f'<I end="{end}" value="{texts[value]}"{status}/>\n')
        else:
            parts.append(f'<I end="{end}"{status or _NOTHING}/>\n')
    parts.append("</Intervals>\n")
    return "".join(parts)


_NOTHING = f' status="{NOT_COLLECTED_TEXT}"'
