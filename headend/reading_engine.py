"""The one reading engine: which meters, which of their values, of when → meter by meter what there is, or why there is nothing.

A source says which meters and in what order, a reader what is told of each; pages end at a meter, and a position is a meter's number
(or the name asked for, where no meter has it), so that it stays one whatever arrives in between.
"""

from bisect import bisect_right
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from headend.errors import RequestError
from headend.interval_series import IntervalSeries, newest_of, series_of
from headend.limits import METERS_PER_FETCH_MAX, METERS_PER_LOOKUP, VALUES_PER_FETCH, VALUES_PER_METER_DAY
from headend.model.billing import BillingRead, MeterTerm
from headend.model.channels import CHANNELS
from headend.model.endpoint import Commodity, EndpointId
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import ALL_TIME, LOADS, Cycle, MeterSet, Period, Quantities
from headend.reading_queries import ReadingQueries, Values

T = TypeVar("T", RegisterRow, IntervalBlock)


class UnknownPositionError(RequestError):
    """A place in a list that is none: no meter of the list has this number."""

    def __init__(self, position: str) -> None:
        self.position = position
        super().__init__(f"{position[:80]!r} is no place in this list")


@dataclass(frozen=True, slots=True)
class Target:
    """One meter of an answer, or a name that no meter has, and why; `terms` are its parts in a bill cycle.

    `key` is our meter number, that of a name alone has a question mark before it.
    """

    key: str
    meter: Meter | None
    problem: str = ""
    terms: tuple[MeterTerm, ...] = ()

    @classmethod
    def unknown(cls, name: str, problem: str) -> "Target":
        """A name that no meter has."""
        return cls(f"?{name}", None, problem)

    def called(self, identifier: MeterIdentifier) -> str:
        """What a partner calls it: the meter's identifier, or the name as it came."""
        return self.key[1:] if self.meter is None else self.meter.called(identifier)


@dataclass(slots=True)
class MeterValues:
    """What one meter read; `problem` says why there is nothing, where there is nothing."""

    target: Target
    registers: Sequence[RegisterRow] = ()
    series: Sequence[IntervalSeries] = ()
    billing: Sequence[BillingRead] = ()
    problem: str = ""

    @property
    def meter(self) -> Meter | None:
        return self.target.meter

    @property
    def empty(self) -> bool:
        return not (self.registers or self.series or self.billing)


@dataclass(frozen=True, slots=True)
class TargetPage:
    """Part of a source: after a place, up to and with another, and how many meters follow. Places are the source's own numbers."""

    after: int
    last: int
    last_key: str
    remaining: int


class MeterSource(Protocol):
    """Meters in an order that stays."""

    async def page(self, after: str, limit: int) -> TargetPage:
        """Where a page ends that begins after the meter `after` (empty: at the beginning). Raises UnknownPositionError."""

    def batches(self, page: TargetPage, size: int) -> AsyncGenerator[Sequence[Target], None]:
        """The meters of a page, up to `size` at once."""


class ListedMeters:
    """Meters that were named, each once, in order of their keys."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_key = dict(sorted({target.key: target for target in targets}.items()))
        self._keys = list(self._by_key)

    @property
    def targets(self) -> Sequence[Target]:
        return list(self._by_key.values())

    async def page(self, after: str, limit: int) -> TargetPage:
        if after and after not in self._by_key:
            raise UnknownPositionError(after)
        begin = bisect_right(self._keys, after)
        end = min(begin + limit, len(self._keys))
        return TargetPage(begin, end, self._keys[end - 1] if end > begin else "", len(self._keys) - end)

    async def batches(self, page: TargetPage, size: int) -> AsyncGenerator[Sequence[Target], None]:
        for begin in range(page.after, page.last, size):
            yield [self._by_key[key] for key in self._keys[begin : min(begin + size, page.last)]]


@dataclass(frozen=True, slots=True)
class MetersOfSet:
    """Meters of a set, in the order in which they became known."""

    store: ReadingQueries
    meter_set: MeterSet

    async def page(self, after: str, limit: int) -> TargetPage:
        begin = await self._position(after) if after else EndpointId(0)
        page = await self.store.meter_page(self.meter_set, begin, limit)
        if page.last is None:
            return TargetPage(begin, begin, "", page.remaining)
        return TargetPage(begin, page.last.endpoint_id, page.last.meter_no, page.remaining)

    async def batches(self, page: TargetPage, size: int) -> AsyncGenerator[Sequence[Target], None]:
        after = EndpointId(page.after)
        while after < page.last:
            meters = await self.store.meters_in(self.meter_set, after, EndpointId(page.last), METERS_PER_LOOKUP)
            if not meters:
                return
            terms = await self._terms(meters)
            targets = [Target(meter.meter_no, meter, terms=tuple(terms.get(meter.endpoint_id, ()))) for meter in meters]
            for begin in range(0, len(targets), size):
                yield targets[begin : begin + size]
            after = meters[-1].endpoint_id

    async def _position(self, meter_no: str) -> EndpointId:
        found = await self.store.meters_named(MeterIdentifier.METER_NO, [meter_no])
        if not found:
            raise UnknownPositionError(meter_no)
        return found[0].endpoint_id

    async def _terms(self, meters: Sequence[Meter]) -> dict[EndpointId, list[MeterTerm]]:
        if not isinstance(self.meter_set, Cycle):
            return {}
        terms: dict[EndpointId, list[MeterTerm]] = {}
        found = await self.store.terms(self.meter_set.bill_cycle, self.meter_set.installed, [meter.endpoint_id for meter in meters])
        for endpoint_id, term in found:
            terms.setdefault(endpoint_id, []).append(term)
        return terms


class ValueReader(Protocol):
    """Reads what is told of each meter."""

    @property
    def meters_per_fetch(self) -> int:
        """How many meters to read at once."""

    async def read(self, targets: Sequence[Target]) -> list[MeterValues]:
        """Their values, one for each target in order."""


async def meter_values(source: MeterSource, reader: ValueReader, page: TargetPage) -> AsyncGenerator[list[MeterValues], None]:
    """What the meters of a page read, in batches."""
    async with aclosing(source.batches(page, reader.meters_per_fetch)) as batches:
        async for targets in batches:
            yield await reader.read(targets)


@dataclass(frozen=True, slots=True)
class PeriodReader:
    """All values of a period; with `ends` also the registers of wanted intervals, which may stand at the ends of those."""

    store: ReadingQueries
    period: Period
    wanted: Quantities
    ends: bool = False

    @property
    def meters_per_fetch(self) -> int:
        return meters_per_fetch(self.period.days, self.wanted)

    async def read(self, targets: Sequence[Target]) -> list[MeterValues]:
        wanted = self.wanted
        read = replace(wanted, registers=wanted.registers | (wanted.intervals & LOADS)) if self.ends else wanted
        values = await self.store.values_of([meter.endpoint_id for meter in known_meters(targets)], self.period, read)
        told = _shared_out(targets, values, self.period)
        for one in told:
            nothing = not one.series and not any(row.channel_id in wanted.registers for row in one.registers)
            if one.meter is not None and nothing:
                one.registers = ()
                one.problem = _NEVER if one.meter.newest_us is None else _NOT_THEN
        return told


@dataclass(frozen=True, slots=True)
class LatestReader:
    """Each meter's newest values, of a period or of all time."""

    store: ReadingQueries
    wanted: Quantities
    period: Period | None
    now: datetime

    @property
    def meters_per_fetch(self) -> int:
        return METERS_PER_FETCH_MAX

    async def read(self, targets: Sequence[Target]) -> list[MeterValues]:
        known = known_meters(targets)
        values = await self.store.latest_of(known, self.wanted, self.period, self.now)
        told = _shared_out(targets, values, self.period or ALL_TIME)
        for one in told:
            one.series = [newest_of(series) for series in one.series]
            if one.meter is not None and one.empty:
                one.problem = _NEVER if one.meter.newest_us is None else _NONE if self.period is None else _NOT_THEN
        return told


def by_endpoint(items: Iterable[T]) -> dict[EndpointId, list[T]]:
    """Rows or blocks of each endpoint, their order kept."""
    found: dict[EndpointId, list[T]] = {}
    for item in items:
        found.setdefault(EndpointId(item.endpoint_id), []).append(item)
    return found


def meters_per_fetch(days: float, wanted: Quantities) -> int:
    """How many meters have about `VALUES_PER_FETCH` values of so many days."""
    channels = max((sum(CHANNELS[one].commodity is c for one in wanted.intervals) for c in Commodity), default=0)
    per_day = min(VALUES_PER_METER_DAY, _INTERVALS_PER_DAY * channels) + _READS_PER_DAY
    return max(1, min(METERS_PER_FETCH_MAX, int(VALUES_PER_FETCH / ((days + 1) * per_day))))


def known_meters(targets: Iterable[Target]) -> list[Meter]:
    """The meters among targets that are such."""
    return [target.meter for target in targets if target.meter is not None]


def _shared_out(targets: Sequence[Target], values: Values, period: Period) -> list[MeterValues]:
    registers, blocks = by_endpoint(values.registers), by_endpoint(values.blocks)
    told = []
    for target in targets:
        if target.meter is None:
            told.append(MeterValues(target, problem=target.problem))
            continue
        endpoint_id = target.meter.endpoint_id
        series = series_of(blocks.get(endpoint_id, ()), period)
        told.append(MeterValues(target, registers.get(endpoint_id, ()), series))
    return told


_INTERVALS_PER_DAY = 96
_READS_PER_DAY = 4
_NEVER = "no reading of this meter has been collected yet"
_NOT_THEN = "no such value of this meter lies in the period"
_NONE = "no such value of this meter has been collected of late"
