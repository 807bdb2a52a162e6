"""What there should be of an endpoint's day and what there is: by channel, with the reason of each interval that is missing. Pure.

What is expected follows from the configuration, the periods of installation and the lengths that intervals really have; a value is
present or it is not, whatever its flags say of its quality. Nothing is made up for what is missing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from headend.interval_series import IntervalSeries, series_of
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS, ChannelId
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.instants import SECOND_US, to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import IntervalBlock, ReadSource, RegisterRow
from headend.model.selections import Period

Spans = list[tuple[int, int]]
"""Stretches of time in UNIX seconds, in order, apart from one another."""


class MissingReason(StrEnum):
    """Why an interval or a midnight register is not there."""

    NEVER_HEARD = "never heard"
    NOT_HEARD_SINCE = "not heard since"
    NOT_MEASURED = "not measured by the meter"
    NOT_BROUGHT = "heard since, not brought"
    ASKED_IN_VAIN = "asked for again in vain"


@dataclass(frozen=True, slots=True)
class EndpointFacts:
    """What of an endpoint decides what is expected of it. No `installed` periods: nobody said where it is, so it counts always.

    `in_vain` is what was asked for again as often as anything is.
    """

    endpoint_id: EndpointId
    meter_no: str
    configuration: str
    router: str | None
    heard: datetime | None
    installed: tuple[tuple[datetime, datetime | None], ...] = ()
    in_vain: tuple[tuple[datetime, datetime], ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelDay:
    """One channel of an endpoint's local day; `interval_seconds` is 0 for the register at its end. `gaps` are where values are missing."""

    channel_id: ChannelId
    interval_seconds: int
    expected: int
    present: int
    doubtful: int
    missing: dict[MissingReason, int] = field(default_factory=dict)
    gaps: tuple[tuple[int, int], ...] = ()

    @property
    def name(self) -> str:
        return CHANNELS[self.channel_id].name


@dataclass(frozen=True, slots=True)
class EndpointDay:
    """An endpoint's local day; `registers` are all reads of it, both midnights included."""

    facts: EndpointFacts
    day: date
    channels: tuple[ChannelDay, ...]
    registers: tuple[RegisterRow, ...] = ()

    @property
    def is_complete(self) -> bool:
        return all(channel.present >= channel.expected for channel in self.channels)


def endpoint_day(
    facts: EndpointFacts, day: date, period: Period, registers: Sequence[RegisterRow], blocks: Sequence[IntervalBlock], now: datetime
) -> EndpointDay:
    """Of the day that `period` is, as far as it is over, with what there is of it."""
    configuration = CONFIGURATIONS[facts.configuration]
    expected = _expected(facts, period, now)
    series: dict[ChannelId, list[IntervalSeries]] = {}
    for one in series_of(blocks, period):
        series.setdefault(one.channel_id, []).append(one)
    wanted = {CHANNEL_BY_NAME[name].channel_id: seconds for name, seconds in configuration.intervals}
    channels = [_intervals(facts, c, seconds, series.get(c, []), expected) for c, seconds in wanted.items()]
    read = [CHANNEL_BY_NAME[name].channel_id for name in configuration.registers]
    channels += [_midnight(facts, channel_id, period.end, registers, expected) for channel_id in read]
    return EndpointDay(facts, day, tuple([channel for channel in channels if channel.expected]), tuple(registers))


def _expected(facts: EndpointFacts, period: Period, now: datetime) -> Spans:
    """When the endpoint was there, within what is over of the period."""
    start, end = _second(period.start), min(_second(period.end), _second(now))
    if not facts.installed:
        return [(start, end)] if start < end else []
    spans: Spans = []
    for begun, ended in sorted(facts.installed, key=lambda one: one[0]):
        first = max(start, _second(begun), spans[-1][1] if spans else start)
        last = end if ended is None else min(end, _second(ended))
        if first < last:
            spans.append((first, last))
    return spans


def _intervals(facts: EndpointFacts, channel_id: ChannelId, seconds: int, series: Sequence[IntervalSeries], expected: Spans) -> ChannelDay:
    present: Spans = []
    unmeasured: Spans = []
    doubtful = count = 0
    for one in series:
        if len(expected) == 1 and None not in one.values:
            # Nearly every day of nearly every endpoint; a thousand times as many steps are in the general way below.
            span, number, poor = _whole(one, *expected[0])
            present.append(span)
            count, doubtful = count + number, doubtful + poor
            continue
        for number, value, flags in one.known():
            span = (number * one.interval_seconds, (number + 1) * one.interval_seconds)
            if value is None:
                unmeasured.append(span)
            elif any(first <= span[0] and span[1] <= last for first, last in expected):
                present.append(span)
                count += 1
                doubtful += bool(flags & DOUBTFUL)
            else:
                present.append(span)
    # The length that intervals have: it may have been changed, and then gaps are counted in the newer one.
    length = max(series, key=lambda one: one.end_us(one.last)).interval_seconds if series else seconds
    missing: Counter[MissingReason] = Counter()
    gaps: Spans = []
    for first, last in _without(expected, present):
        begins = range(-(-first // length) * length, last - length + 1, length)
        if unmeasured or facts.in_vain:
            reasons, brought = _each(facts, begins, length, unmeasured)
        else:
            reasons, brought = _at_once(facts, begins, length)
        missing += reasons
        gaps += brought
    return ChannelDay(channel_id, length, count + missing.total(), count, doubtful, dict(missing), tuple(_joined(gaps)))


def _each(facts: EndpointFacts, begins: range, length: int, unmeasured: Spans) -> tuple[Counter[MissingReason], Spans]:
    """Why intervals that begin so, one after another, are missing, and which of them the meter may still have."""
    reasons: Counter[MissingReason] = Counter()
    gaps = []
    for begin in begins:
        reason = _reason(facts, begin + length, any(s <= begin < e for s, e in unmeasured))
        reasons[reason] += 1
        if reason is MissingReason.NOT_BROUGHT:
            gaps.append((begin, begin + length))
    return reasons, gaps


def _at_once(facts: EndpointFacts, begins: range, length: int) -> tuple[Counter[MissingReason], Spans]:
    """The same where nothing but the last contact matters: whole days of endpoints that are not reached, thousands after a bad night."""
    if facts.heard is None or not begins:
        return Counter({MissingReason.NEVER_HEARD: len(begins)}), []
    brought = min(len(begins), max(0, int((facts.heard.timestamp() - begins[0]) // length)))
    reasons = Counter({MissingReason.NOT_BROUGHT: brought, MissingReason.NOT_HEARD_SINCE: len(begins) - brought})
    return reasons, [(begins[0], begins[0] + brought * length)] if brought else []


def _whole(series: IntervalSeries, start: int, end: int) -> tuple[tuple[int, int], int, int]:
    """Of a series without gaps: when it is, how many of its intervals are within what is expected, and how many of those are doubtful."""
    length, first = series.interval_seconds, series.first
    low = max(0, -(-start // length) - first)
    high = min(len(series.values), end // length - first)
    within = series.flags[low:high] if low < high else ()
    doubtful = sum(1 for flags in within if flags & DOUBTFUL) if any(within) else 0
    return (first * length, (series.last + 1) * length), max(0, high - low), doubtful


def _midnight(
    facts: EndpointFacts, channel_id: ChannelId, midnight: datetime, registers: Sequence[RegisterRow], expected: Spans
) -> ChannelDay:
    """The register at the day's end: that of the meter's own midnight read, or another at that very instant."""
    at = _second(midnight)
    if not any(first < at <= last for first, last in expected):
        return ChannelDay(channel_id, 0, 0, 0, 0)
    instant_us = to_us(midnight)
    found = [r for r in registers if r.channel_id == channel_id and r.instant_us == instant_us and not r.flags & WORTHLESS]
    found.sort(key=lambda r: r.source != ReadSource.SELF_READ)
    if found:
        return ChannelDay(channel_id, 0, 1, 1, int(bool(found[0].flags & DOUBTFUL)))
    return ChannelDay(channel_id, 0, 1, 0, 0, {_reason(facts, at, unmeasured=False): 1})


def _reason(facts: EndpointFacts, end: int, unmeasured: bool) -> MissingReason:
    if unmeasured:
        return MissingReason.NOT_MEASURED
    if facts.heard is None:
        return MissingReason.NEVER_HEARD
    if facts.heard.timestamp() < end:
        return MissingReason.NOT_HEARD_SINCE
    asked = any(start.timestamp() < end <= last.timestamp() for start, last in facts.in_vain)
    return MissingReason.ASKED_IN_VAIN if asked else MissingReason.NOT_BROUGHT


def _without(spans: Spans, taken: Spans) -> Iterator[tuple[int, int]]:
    """What of `spans` is in none of `taken`."""
    held = _joined(sorted(taken))
    for start, end in spans:
        at = start
        for first, last in held:
            if last <= at or first >= end:
                continue
            if first > at:
                yield at, first
            at = max(at, last)
        if at < end:
            yield at, end


def _joined(spans: Spans) -> Spans:
    joined: Spans = []
    for first, last in spans:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _second(instant: datetime) -> int:
    return to_us(instant) // SECOND_US


@dataclass(slots=True)
class Totals:
    """Counts over many endpoint-days, intervals and registers apart; `rate` is what is present of what is expected."""

    endpoints: int = 0
    complete: int = 0
    intervals: Counter[str] = field(default_factory=Counter)
    registers: Counter[str] = field(default_factory=Counter)

    def add(self, day: EndpointDay) -> None:
        """Count one in."""
        self.endpoints += 1
        self.complete += day.is_complete
        for channel in day.channels:
            counts = self.intervals if channel.interval_seconds else self.registers
            counts["expected"] += channel.expected
            counts["present"] += channel.present
            counts["doubtful"] += channel.doubtful
            for reason, number in channel.missing.items():
                counts[reason.value] += number


def rate(counts: Counter[str]) -> float:
    """Present of expected, 1 where nothing is."""
    return counts["present"] / counts["expected"] if counts["expected"] else 1.0
