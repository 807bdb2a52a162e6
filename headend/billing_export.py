"""Which reads answer an item of a billing request, or why there are none. Pure; which read is *the* read is decided by `billing_reads`.

Source  reference/domain-itron-openway.md 3.1, 3.3
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headend.billing_reads import billing_read, peak_demand
from headend.errors import shown
from headend.interval_series import series_of
from headend.model.billing import ReadWindow
from headend.model.billing_export import Answer, BillingItem, ItemStatus, Place, ReadSet, Stay, Usage
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS, ChannelId
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.instants import to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import REGISTERS, Period

PERIOD_DAYS_MAX = 400
"""Longest bill period, in days: a year and what a late bill adds."""

WINDOW_DAYS_MAX = 60
"""Longest read window on either side, in days: a bill cycle is half of it."""

FUTURE_DAYS_MAX = 62
"""How far ahead a bill stop may lie, in days: two bill cycles."""

_SHORTEST = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
NET = CHANNEL_BY_NAME["energy_net"].channel_id


def item_problem(item: BillingItem, deadline: datetime, now: datetime) -> str:
    """What is wrong with an item by itself; empty where nothing is."""
    if item.problem:
        return item.problem
    if not (item.service_point or item.meter or item.account):
        return "names no servicePointId, meterId or accountId"
    if item.stop <= item.start:
        return f"billStop {item.stop:%Y-%m-%dT%H:%MZ} is not after billStart {item.start:%Y-%m-%dT%H:%MZ}"
    if item.stop - item.start > timedelta(days=PERIOD_DAYS_MAX):
        return f"the bill period is longer than {PERIOD_DAYS_MAX} days"
    if max(item.lag, item.lead) > timedelta(days=WINDOW_DAYS_MAX) or min(item.lag, item.lead) < timedelta():
        return f"the read window reaches further than {WINDOW_DAYS_MAX} days"
    if item.stop > now + timedelta(days=FUTURE_DAYS_MAX) or item.stop > deadline:
        return f"billStop {item.stop:%Y-%m-%dT%H:%MZ} lies after the deadline {deadline:%Y-%m-%dT%H:%MZ}"
    strange = [name for name in item.channels if name not in CHANNEL_BY_NAME or CHANNEL_BY_NAME[name].channel_id not in REGISTERS.registers]
    return f"no register is called {shown(strange[0])}" if strange else ""


@dataclass(frozen=True, slots=True)
class Found:
    """The place that an item means, or why none is."""

    place: Place | None
    problem: str = ""


class Places:
    """Places by what items call them."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._by_point = {place.service_point: place for place in places}
        self._by_account: dict[str, list[Place]] = {}
        self._by_meter: dict[str, list[Place]] = {}
        for place in self._by_point.values():
            self._by_account.setdefault(place.account, []).append(place)
            for meter_no in {stay.meter.meter_no for stay in place.stays}:
                self._by_meter.setdefault(meter_no, []).append(place)

    def of(self, item: BillingItem) -> Found:
        """The service point that an item means, with everything it says of it held against it."""
        if item.service_point:
            place = self._by_point.get(item.service_point)
            if place is None:
                return Found(None, f"servicePointId {shown(item.service_point)} is not known")
        else:
            candidates = self._candidates(item)
            if len(candidates) != 1:
                return Found(None, self._why_not_one(item, candidates))
            (place,) = candidates
        return Found(place, _contradiction(item, place))

    def _candidates(self, item: BillingItem) -> list[Place]:
        if item.meter:
            at = self._by_meter.get(item.meter, [])
            return [place for place in at if any(stay.meter.meter_no == item.meter for stay in stays_in(place, item))]
        at = self._by_account.get(item.account, [])
        return [place for place in at if item.commodity in {None, place.commodity}]

    def _why_not_one(self, item: BillingItem, candidates: Sequence[Place]) -> str:
        what = f"meterId {shown(item.meter)}" if item.meter else f"accountId {shown(item.account)}"
        if candidates:
            points = ", ".join(place.service_point for place in candidates[:5])
            return f"{what} has {len(candidates)} service points in the period ({points}): name one"
        known = item.meter in self._by_meter if item.meter else item.account in self._by_account
        return f"{what} was at no service point in the period" if known else f"{what} is not known"


def _contradiction(item: BillingItem, place: Place) -> str:
    if item.account and place.account != item.account:
        return f"service point {shown(place.service_point)} belongs to another account than {shown(item.account)}"
    if item.commodity is not None and place.commodity is not item.commodity:
        return f"service point {shown(place.service_point)} has {place.commodity.value}, not {item.commodity.value}"
    if item.meter and not any(stay.meter.meter_no == item.meter for stay in stays_in(place, item)):
        return f"meter {shown(item.meter)} was not at service point {shown(place.service_point)} in the period"
    return ""


def stays_in(place: Place, item: BillingItem) -> list[Stay]:
    """Who was there in the bill period. One that came at its very end, or had gone by its beginning, was not."""
    return [one for one in place.stays if one.started < item.stop and (one.ended is None or one.ended > item.start)]


def read_windows(item: BillingItem, stay: Stay) -> tuple[ReadWindow, ReadWindow]:
    """(where a meter's last read of the period is looked for, where its first one is).

    A meter that was removed before the bill stop is read about its removal and not after it; one that was installed after the bill start,
    about its installation and not before it.
    """
    last = ReadWindow(item.stop - item.lag, item.stop + item.lead + _INSTANT, item.stop)
    if stay.ended is not None and stay.ended < item.stop:
        last = ReadWindow(stay.ended - item.lag, stay.ended + _INSTANT, stay.ended)
    first = ReadWindow(item.start - item.lag, item.start + item.lead + _INSTANT, item.start)
    if stay.started > item.start:
        first = ReadWindow(stay.started, stay.started + max(item.lag, _SHORTEST), stay.started)
    return replace(last, start=max(last.start, stay.started)), replace(first, start=max(first.start, stay.started))


@dataclass(frozen=True, slots=True)
class MeterReads:
    """What a meter read about the bill stop and start, and its intervals where they are wanted."""

    registers: Sequence[RegisterRow] = ()
    blocks: Sequence[IntervalBlock] = ()


def needs_intervals(item: BillingItem, stay: Stay) -> bool:
    """Whether intervals make a part of the answer: the highest demand, or the sum of a channel that has no register."""
    return item.demand or bool(_summed(item, stay))


def answer_item(
    item: BillingItem, found: Found, reads: Mapping[EndpointId, MeterReads], deadline: datetime, now: datetime
) -> Answer:
    """The answer to an item as things are."""
    problem = item_problem(item, deadline, now) or found.problem
    if problem or found.place is None:
        return Answer(item, ItemStatus.REJECTED, problem)
    place = found.place
    stays = stays_in(place, item)
    if not stays:
        return Answer(item, ItemStatus.CANT_READ, "no meter was installed in the bill period", place)
    sets, wanting, any_read = [], list[str](), False
    for stay in stays:
        one, missing = _read_set(item, stay, reads.get(stay.meter.endpoint_id, MeterReads()))
        sets.append(one)
        any_read = any_read or bool(one.reads) or bool(one.usages)
        wanting += [f"meter {stay.meter.meter_no}: {text}" for text in missing]
    # Nothing is final before the period is over, and its window.
    ahead = now < item.stop
    if not wanting and not ahead:
        return Answer(item, ItemStatus.COMPLETE, "", place, sets)
    reason = "; ".join(wanting) or "the bill period is not over"
    status = ItemStatus.PARTIAL if any_read else ItemStatus.CANT_READ
    return Answer(item, status, reason, place, sets, waiting=True)


def _read_set(item: BillingItem, stay: Stay, reads: MeterReads) -> tuple[ReadSet, list[str]]:
    last, first = read_windows(item, stay)
    wanted = [CHANNEL_BY_NAME[name].channel_id for name in item.channels]
    registers = [row for row in reads.registers if not wanted or row.channel_id in wanted]
    stop = billing_read(registers, last, stay.meter.newest_us, item.rule)
    start = billing_read(registers, first, stay.meter.newest_us)
    priors = {row.channel_id: row for row in start.registers} if item.priors else {}
    bounds = Period(max(item.start, stay.started), last.target)
    series = series_of(reads.blocks, bounds)
    peak = peak_demand(series, bounds) if item.demand else None
    summed = _summed(item, stay)
    usages = [_usage(channel, reads.blocks, bounds) for channel in summed]
    one = ReadSet(stay.meter, bounds.start, bounds.end, stop.registers, priors, peak, [usage for usage in usages if usage.present])
    none = None if stop.none is None else stop.none.reason.value
    return one, list(_wanting(item, stay, one, none, summed, usages))


def _wanting(
    item: BillingItem, stay: Stay, one: ReadSet, none: str | None, summed: Sequence[ChannelId], usages: Sequence[Usage]
) -> Iterator[str]:
    """What the set has not, in words."""
    read = {row.channel_id: row for row in one.reads}
    due = [channel for channel in _channels(item, stay) if channel not in summed]
    for channel in due:
        row, name = read.get(channel), CHANNELS[channel].name
        if row is None and name not in CONFIGURATIONS[stay.meter.configuration].registers:
            yield f"a {stay.meter.configuration} meter has no register {name}"
        elif row is None:
            yield f"no read of {name}: {none or 'the meter told no such register in the window'}"
        elif row.flags & DOUBTFUL:
            yield f"the only read of {name} is doubtful"
        elif item.priors and channel not in one.priors:
            yield f"no read of {name} at the beginning"
    for usage in usages:
        if usage.present < usage.expected:
            yield f"{usage.expected - usage.present} of {usage.expected} intervals of {CHANNELS[usage.channel_id].name} are not known"
    if item.demand and CONFIGURATIONS[stay.meter.configuration].intervals and one.peak is None:
        yield "no demand is known"


def _channels(item: BillingItem, stay: Stay) -> list[ChannelId]:
    """Channels that are to be answered: those named, else the meter's registers and its net energy."""
    if item.channels:
        return [CHANNEL_BY_NAME[name].channel_id for name in item.channels]
    configured = CONFIGURATIONS[stay.meter.configuration]
    channels = [CHANNEL_BY_NAME[name].channel_id for name in configured.registers]
    return channels + ([NET] if any(name == "energy_net" for name, _ in configured.intervals) else [])


def _summed(item: BillingItem, stay: Stay) -> list[ChannelId]:
    """Channels without a register, whose intervals are summed up."""
    configured = CONFIGURATIONS[stay.meter.configuration]
    measured = {CHANNEL_BY_NAME[name].channel_id for name, _ in configured.intervals}
    registers = {CHANNEL_BY_NAME[name].channel_id for name in configured.registers}
    return [channel for channel in _channels(item, stay) if channel in measured and channel not in registers]


def _usage(channel: ChannelId, blocks: Sequence[IntervalBlock], period: Period) -> Usage:
    """The sum of a channel's intervals in a period."""
    own = [block for block in blocks if block.channel_id == channel]
    seconds = own[0].interval_seconds if own else 3_600
    expected = (to_us(period.end) // 1_000_000 // seconds) - (to_us(period.start) // 1_000_000 // seconds)
    value, exponent, present = 0, 0, 0
    for series in series_of(own, period):
        good = [one for _, one, flags in series.known() if one is not None and not flags & WORTHLESS]
        lower = min(exponent, series.exponent) if present else series.exponent
        value = value * 10 ** (exponent - lower if present else 0) + sum(good) * 10 ** (series.exponent - lower)
        exponent, present = lower, present + len(good)
    return Usage(channel, value, exponent, present, expected)


def overlapping(items: Sequence[BillingItem], taken: dict[tuple[str, str], list[tuple[datetime, datetime]]]) -> list[BillingItem]:
    """Items, those whose period overlaps another's of the same place with that as their problem; `taken` are those seen before."""
    checked = []
    for item in items:
        key = (item.service_point or item.meter or item.account, "" if item.commodity is None else item.commodity.value)
        spans = taken.setdefault(key, [])
        if not item.problem and any(item.start < end and start < item.stop for start, end in spans):
            checked.append(replace(item, problem=f"its period overlaps that of another item of {shown(key[0])}"))
        else:
            spans.append((item.start, item.stop))
            checked.append(item)
    return checked
