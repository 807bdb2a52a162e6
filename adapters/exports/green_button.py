"""A service point's usage as Green Button (ESPI): an Atom feed of usage point, readings, reading types and blocks of intervals.

Identifiers are made of what entries are about, so that the same download again has the same. Energy is told in Wh, volumes in thousandths;
an interval that is not known is left out, as the format knows no gaps.
Source  reference/domain-itron-openway.md 4.4; codes are [K], the standard's schema was not at hand
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

from adapters.exports.texts import escape, utc_text_us
from headend.interval_series import IntervalSeries
from headend.model.channels import CHANNELS, Channel, Flow, Unit
from headend.model.endpoint import Commodity, ServicePoint
from headend.model.instants import SECOND_US, to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import IntervalFlag
from headend.model.utility import Utility

ATOM = "http://www.w3.org/2005/Atom"
ESPI = "http://naesb.org/espi"

_KINDS = {Commodity.ELECTRIC: 0, Commodity.GAS: 1, Commodity.WATER: 2}
_COMMODITIES = {Commodity.ELECTRIC: 1, Commodity.GAS: 7, Commodity.WATER: 9}
_FLOWS = {Flow.DELIVERED: 1, Flow.RECEIVED: 19, Flow.NET: 4, Flow.NONE: 0}
_UNITS = {
    Unit.WATT_HOUR: (72, 0, 12),
    Unit.VAR_HOUR: (73, 0, 12),
    Unit.CUBIC_METRE: (42, -3, 58),
    Unit.CUBIC_FOOT: (119, -3, 58),
    Unit.GALLON: (128, -3, 58),
}
"""Unit, power of ten, kind."""


@dataclass(frozen=True, slots=True)
class Download:
    """What is downloaded: a service point's intervals of a period, `updated` when that is."""

    utility: Utility
    point: ServicePoint
    start: datetime
    end: datetime
    updated: datetime
    series: Sequence[IntervalSeries]


def green_button(wanted: Download) -> Iterator[str]:
    """The feed, piece by piece."""
    identify = partial(_identify, wanted)
    now, path = utc_text_us(to_us(wanted.updated)), f"/espi/1_1/resource/UsagePoint/{wanted.point.service_point_no}"
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="{ATOM}">\n<id>urn:uuid:{identify("feed")}</id>\n'
    yield f"<title>Green Button Usage Feed</title>\n<updated>{now}</updated>\n"
    kind = f"<ServiceCategory><kind>{_KINDS[wanted.point.commodity]}</kind></ServiceCategory>"
    yield _entry(identify("point"), path, wanted.point.service_point_no, now, f'<UsagePoint xmlns="{ESPI}">{kind}</UsagePoint>')
    yield _entry(identify("time"), "/espi/1_1/resource/LocalTimeParameters/1", "Local time", now, _local_time(wanted))
    for number, series in enumerate((one for one in wanted.series if CHANNELS[one.channel_id].unit in _UNITS), 1):
        channel, reading = CHANNELS[series.channel_id], f"{path}/MeterReading/{number}"
        yield _entry(identify(f"reading {number}"), reading, channel.name, now, f'<MeterReading xmlns="{ESPI}"/>')
        kind_path = f"/espi/1_1/resource/ReadingType/{number}"
        yield _entry(identify(f"type {number}"), kind_path, channel.name, now, _reading_type(channel, series), related=reading)
        for day, texts in _days(wanted, series):
            block = f'<IntervalBlock xmlns="{ESPI}">{texts}</IntervalBlock>'
            yield _entry(identify(f"block {number} {day}"), f"{reading}/IntervalBlock/{day}", str(day), now, block)
    yield "</feed>\n"


def _identify(wanted: Download, what: str) -> UUID:
    return uuid5(NAMESPACE_URL, f"{wanted.utility.utility_id}/{wanted.point.service_point_no}/{wanted.start}/{wanted.end}/{what}")


def _entry(identifier: UUID, path: str, title: str, now: str, content: str, related: str = "") -> str:
    up = path.rsplit("/", 1)[0]
    links = f'<link rel="self" href="{escape(path)}"/><link rel="up" href="{escape(up)}"/>'
    links += f'<link rel="related" href="{escape(related)}"/>' if related else ""
    times = f"<published>{now}</published><updated>{now}</updated>"
    return f"<entry><id>urn:uuid:{identifier}</id>{links}<title>{escape(title)}</title><content>{content}</content>{times}</entry>\n"


def _local_time(wanted: Download) -> str:
    """Offset in seconds in winter. Rules of daylight saving are left out: instants are UTC."""
    shown = wanted.start.astimezone(wanted.utility.time_zone)
    offset, saving = shown.utcoffset() or timedelta(), shown.dst() or timedelta()
    standard = int((offset - saving).total_seconds())
    facts = f"<dstEndRule></dstEndRule><dstOffset>{int(saving.total_seconds())}</dstOffset><dstStartRule></dstStartRule>"
    return f'<LocalTimeParameters xmlns="{ESPI}">{facts}<tzOffset>{standard}</tzOffset></LocalTimeParameters>'


def _reading_type(channel: Channel, series: IntervalSeries) -> str:
    unit, power, kind = _UNITS[channel.unit]
    facts = {
        "accumulationBehaviour": 4,
        "commodity": _COMMODITIES[channel.commodity],
        "dataQualifier": 12,
        "flowDirection": _FLOWS[channel.flow],
        "intervalLength": series.interval_seconds,
        "kind": kind,
        "phase": 0,
        "powerOfTenMultiplier": power,
        "timeAttribute": 0,
        "uom": unit,
    }
    told = "".join(f"<{name}>{value}</{name}>" for name, value in facts.items())
    return f'<ReadingType xmlns="{ESPI}">{told}</ReadingType>'


def _days(wanted: Download, series: IntervalSeries) -> Iterator[tuple[date, str]]:
    """A block for each local day that has any interval."""
    power = _UNITS[CHANNELS[series.channel_id].unit][1]
    days: dict[date, list[str]] = {}
    length = series.interval_seconds
    for number, value, flags in series.known():
        if value is None or flags & WORTHLESS:
            continue
        begin = series.end_us(number) // SECOND_US - length
        day = wanted.utility.local_day(datetime.fromtimestamp(begin, wanted.start.tzinfo))
        told = round(value * 10.0 ** (series.exponent - power)) if series.exponent < power else value * 10 ** (series.exponent - power)
        period = f"<timePeriod><duration>{length}</duration><start>{begin}</start></timePeriod>"
        quality = f"<ReadingQuality><quality>{_quality(flags)}</quality></ReadingQuality>" if flags & DOUBTFUL else ""
        days.setdefault(day, []).append(f"<IntervalReading>{quality}{period}<value>{told}</value></IntervalReading>")
    for day, texts in sorted(days.items()):
        start, end = (to_us(instant) // SECOND_US for instant in wanted.utility.day_bounds(day))
        yield day, f"<interval><duration>{end - start}</duration><start>{start}</start></interval>{''.join(texts)}"


def _quality(flags: int) -> int:
    """8 is estimated, 7 edited, 10 questionable."""
    return 8 if flags & IntervalFlag.ESTIMATED else 7 if flags & IntervalFlag.EDITED else 10
