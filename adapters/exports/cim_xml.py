"""Readings as MeterReadings of IEC 61968-9, in the message envelope of IEC 61968-100 (`wsdl/exports/meter-readings.xsd`).

Energy is in kWh and kvarh, as its reading types say. Identifiers of messages are made of what they are about, so that they stay the same.
Source  reference/domain-itron-openway.md 4.3
"""

from collections.abc import Sequence
from functools import lru_cache
from uuid import NAMESPACE_URL, uuid5

from adapters.exports.document import PartHead
from adapters.exports.reading_types import (
    EDITED,
    ESTIMATED,
    MISSING,
    QUESTIONABLE,
    interval_type,
    register_type,
    told_exponent,
)
from adapters.exports.texts import decimals, escape, utc_text, utc_text_us
from headend.model.channels import ChannelId
from headend.model.export import ChannelDay, MeterData, Wanted
from headend.model.instants import to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import IntervalFlag, RegisterRow
from headend.model.selections import Period

MESSAGE = "http://iec.ch/TC57/2011/schema/message"
READINGS = "http://iec.ch/TC57/2011/MeterReadings#"
SOURCE = "open-ami-headend"


class CimXml:
    """A DocumentWriter."""

    def __init__(self, head: PartHead, wanted: Wanted) -> None:
        self._head = head
        self._wanted = wanted
        self._reported = "" if head.reported is None else f"<reportedDateTime>{utc_text_us(to_us(head.reported))}</reportedDateTime>"

    def head(self) -> bytes:
        """See DocumentWriter."""
        one = self._head
        told = one.reported or one.period.end
        named = uuid5(NAMESPACE_URL, f"{one.utility.utility_id}/{one.files.kind}/{one.day}")
        return (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<EventMessage xmlns="{MESSAGE}">\n<Header><Verb>created</Verb>'
            f"<Noun>MeterReadings</Noun><Timestamp>{utc_text_us(to_us(told))}</Timestamp><Source>{SOURCE}</Source>"
            f'<MessageID>{named}</MessageID></Header>\n<Payload><MeterReadings xmlns="{READINGS}">\n'
        ).encode()

    def tail(self) -> bytes:
        """See DocumentWriter."""
        return b"</MeterReadings></Payload>\n</EventMessage>\n"

    def meters(self, data: Sequence[MeterData], period: Period) -> bytes:
        """See DocumentWriter."""
        start, values_interval = to_us(period.start) // 1_000_000, _values_interval(period)
        parts: list[str] = []
        for meter, registers, days in data:
            parts.append("<MeterReading>\n")
            parts += [self._block(day, start) for day in days]
            parts.append(
                f"<Meter><mRID>{escape(meter.meter_no)}</mRID><Names><name>{escape(meter.serial_no)}</name>"
                "<NameType><name>SerialNumber</name></NameType></Names></Meter>\n"
            )
            parts += [self._reading(row) for row in registers]
            if meter.service_point_no:
                parts.append(f"<UsagePoint><mRID>{escape(meter.service_point_no)}</mRID></UsagePoint>\n")
            parts.append(values_interval)
        return "".join(parts).encode()

    def _reading(self, row: RegisterRow) -> str:
        channel = ChannelId(row.channel_id)
        value = decimals(told_exponent(channel, row.exponent))[row.value]
        return (
            f"<Readings>{self._reported}<timeStamp>{utc_text_us(row.instant_us)}</timeStamp><value>{value}</value>{_quality(row.flags)}"
            f'<ReadingType ref="{register_type(channel)}"/></Readings>\n'
        )

    def _block(self, day: ChannelDay, start: int) -> str:
        texts = decimals(told_exponent(day.channel_id, day.exponent))
        kind = interval_type(day.channel_id, day.seconds)
        if day.whole:
            template = _whole_template(kind, day.seconds, start, len(day.values), self._reported)
            return template % tuple(map(texts.__getitem__, day.values))  # type: ignore[arg-type]  # a whole day holds no None
        parts = ["<IntervalBlocks>\n"]
        first = start // day.seconds
        for i, (value, flags) in enumerate(zip(day.values, day.flags or [0] * len(day.values), strict=True)):
            told = "" if value is None else f"<value>{texts[value]}</value>"
            end = utc_text((first + i + 1) * day.seconds)
            quality = _quality(flags if value is not None else flags | IntervalFlag.MISSING)
            parts.append(f"<IntervalReadings>{self._reported}<timeStamp>{end}</timeStamp>{told}{quality}</IntervalReadings>\n")
        parts.append(_type(kind))
        return "".join(parts)


@lru_cache(maxsize=1_024)
def _whole_template(kind: str, seconds: int, start: int, count: int, reported: str) -> str:
    first = start // seconds
    readings = [
        f"<IntervalReadings>{reported}<timeStamp>{utc_text((first + i + 1) * seconds)}</timeStamp><value>%s</value></IntervalReadings>\n"
        for i in range(count)
    ]
    return "<IntervalBlocks>\n" + "".join(readings) + _type(kind)


def _type(kind: str) -> str:
    return f'<ReadingType ref="{kind}"/></IntervalBlocks>\n'


@lru_cache(maxsize=1_024)
def _values_interval(period: Period) -> str:
    start, end = utc_text_us(to_us(period.start)), utc_text_us(to_us(period.end))
    return f"<valuesInterval><end>{end}</end><start>{start}</start></valuesInterval>\n</MeterReading>\n"


@lru_cache(maxsize=4_096)
def _quality(flags: int) -> str:
    """What is to be thought of a value; nothing is said of a good one."""
    codes = []
    if flags & WORTHLESS:
        codes.append(MISSING)
    if flags & IntervalFlag.ESTIMATED:
        codes.append(ESTIMATED)
    if flags & IntervalFlag.EDITED:
        codes.append(EDITED)
    if flags & DOUBTFUL & ~(IntervalFlag.ESTIMATED | IntervalFlag.EDITED):
        codes.append(QUESTIONABLE)
    return "".join(f'<ReadingQualities><ReadingQualityType ref="{code}"/></ReadingQualities>' for code in codes)
