"""meterReads and meterReadings: the latest of a meter, all of a meter, those of all meters in a period.

Lists over all meters hold registers; they are streamed as texts made from rows in one pass. What one meter read holds its intervals too.
"""

from collections.abc import AsyncGenerator, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from typing import Any

from headend.interval_series import series_of
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.instants import from_us
from headend.model.meters import Meter
from headend.model.selections import EVERYTHING, Fleet, Period, Quantities
from headend.read_ahead import read_ahead
from headend.reading_engine import MetersOfSet, MeterValues, PeriodReader, meter_values
from headend.reading_queries import ListedRow, Position, RegisterPage
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import (
    EMPTY_CHUNK_DAYS_MAX,
    FETCH_ROWS,
    GROUP_INTERVALS_MAX,
    PAGE_OBJECTS_MAX,
    READINGS_PER_CHUNK_DAYS,
)
from multispeak.mapping import IntervalValue, ReadingGroup, Shape, Telling, ToldMeter, interval_values, reading_groups, told_meter
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import Paging
from multispeak.meter_names import one_meter, the_meter
from multispeak.paging import meter_page, object_id, page_size, reading_position, utc_text
from multispeak.read_selection import between_dates, not_too_long
from multispeak.records import Records
from multispeak.register_texts import RegisterTexts, register_texts
from multispeak.said_values import named_meter
from multispeak.units_of_measure import measured_in

_SHAPES: dict[str, type[ShapeV3] | type[ShapeV4]] = {"3.0": ShapeV3, "4.1.6": ShapeV4}
_PARAMETERS = {"3.0": "meterNo", "4.1.6": "meterID"}
_NEVER_READ = "no reading of this meter has been collected yet"


def meter_read_handlers(version: str) -> dict[str, Handler]:
    """The operations that answer meterReads or meterReadings, in one version."""
    by = {"3.0": "ByMeterNo", "4.1.6": "ByMeterID"}[version]
    return {
        "GetLatestReading" + by: latest_reading,
        "GetReadings" + by: readings_of_meter,
        "GetReadingsByDate": readings_by_date,
        "GetReadingsByUOMAndDate": readings_by_unit,
        "GetLatestReadings": latest_readings,
    }


async def latest_reading(call: Call) -> Answer:
    """The registers of the newest instant of one meter; for a meter never read, an object that says so."""
    identifier = call.partner.identifier
    name = named_meter(getattr(call.request, _PARAMETERS[call.version]))
    if not name:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    found = await call.store.newest_registers(identifier, name)
    meter = the_meter(name, [one for one, _ in found])
    registers = next(rows for one, rows in found if one is meter)
    if not registers:
        return Answer(_shape(call).no_reading(call.utility, told_meter(meter, identifier), _NEVER_READ))
    rows: list[ListedRow] = [(meter.endpoint_id, *row[1:], *meter[1:5]) for row in registers]
    (text,) = register_texts(call, _shape(call), listed=False).texts(rows)
    return Answer(text, written=True)


async def readings_of_meter(call: Call) -> ListAnswer:
    """Registers and intervals of one meter in a period, both ends included."""
    period = between_dates(call)
    meter = await one_meter(call, _PARAMETERS[call.version])
    return ListAnswer(read_ahead(_objects_of_meter(call, meter, period)))


async def readings_by_date(call: Call) -> ListAnswer:
    """Registers of all meters in a period, both ends included, by meter and instant."""
    return await _registers_between(call, between_dates(call), None)


async def readings_by_unit(call: Call) -> ListAnswer:
    """Values of all meters in a period that are told in one unit: registers, and intervals of what has no registers."""
    period = between_dates(call)
    measured = measured_in(call.request.uomData or "", call.partner.energy_unit)
    partner = replace(call.partner, energy_unit=measured.energy_unit)
    call = replace(call, caller=replace(call.caller, partner=partner))
    if measured.wanted.registers:
        return await _registers_between(call, period, measured.wanted.registers)
    return await _intervals_between(call, not_too_long(period), measured.wanted)


async def latest_readings(call: Call) -> ListAnswer:
    """The newest registers of every meter that has any, by meter."""
    position = await reading_position(call)
    after = position.endpoint_id if position else EndpointId(0)
    page = await call.store.latest_page(after, page_size(call, PAGE_OBJECTS_MAX))
    return _register_answer(call, page, _latest_rows(call, after, page.last))


async def _registers_between(call: Call, period: Period, channels: Collection[ChannelId] | None) -> ListAnswer:
    after = await reading_position(call)
    page = await call.store.register_page(period, channels, after, page_size(call, PAGE_OBJECTS_MAX))
    return _register_answer(call, page, _register_rows(call, period, channels, after, page.last))


def _register_answer(call: Call, page: RegisterPage, rows: AsyncGenerator[list[ListedRow], None]) -> ListAnswer:
    last = object_id(page.last_meter_no, utc_text(from_us(page.last.instant_us))) if page.last else ""
    texts = register_texts(call, _shape(call), listed=True)
    return ListAnswer(_written(read_ahead(rows), texts), Paging(page.remaining, last), written=True)


async def _written(batches: AsyncGenerator[list[ListedRow], None], texts: RegisterTexts) -> AsyncGenerator[Sequence[str], None]:
    async with aclosing(batches):
        async for rows in batches:
            yield texts.texts(rows)


async def _register_rows(
    call: Call, period: Period, channels: Collection[ChannelId] | None, after: Position | None, last: Position | None
) -> AsyncGenerator[list[ListedRow], None]:
    """The rows after `after`, up to and with `last`; one that arrives in between is told if its place is in between."""
    while last is not None and after != last:
        rows = await call.store.register_rows(period, channels, after, last, FETCH_ROWS)
        if not rows:
            return
        yield rows
        after = Position(*rows[-1][:2])


async def _latest_rows(call: Call, after: EndpointId, last: Position | None) -> AsyncGenerator[list[ListedRow], None]:
    while last is not None and after < last.endpoint_id:
        rows = await call.store.latest_rows(after, last.endpoint_id, FETCH_ROWS)
        if not rows:
            return
        yield rows
        after = rows[-1][0]


async def _intervals_between(call: Call, period: Period, wanted: Quantities) -> ListAnswer:
    source = MetersOfSet(call.store, Fleet(wanted.commodities, period.start))
    page = await meter_page(call, source)
    values = read_ahead(meter_values(source, PeriodReader(call.store, period, wanted), page))
    return ListAnswer(_objects_of_meters(call, values), Paging(page.remaining, page.last_key))


async def _objects_of_meters(call: Call, batches: AsyncGenerator[list[MeterValues], None]) -> AsyncGenerator[Sequence[Any], None]:
    objects = _ObjectMaker(call)
    async with aclosing(batches):
        async for batch in batches:
            for values in batch:
                yield list(objects.of_meter(values))


async def _objects_of_meter(call: Call, meter: Meter, period: Period) -> AsyncGenerator[Sequence[Any], None]:
    """All of one meter in pieces of a week; intervals wait for the register read that ends them, up to a bound."""
    objects = _ObjectMaker(call)
    held: list[IntervalValue] = []
    start, days = period.start, READINGS_PER_CHUNK_DAYS
    while start <= period.end:
        end = min(start + timedelta(days=days), period.end)
        values = await call.store.values_of([meter.endpoint_id], Period(start, end), EVERYTHING)
        found = values.registers or values.blocks
        days = READINGS_PER_CHUNK_DAYS if found else min(2 * days, EMPTY_CHUNK_DAYS_MAX)
        intervals = held + interval_values(series_of(values.blocks, Period(start, end)))
        groups = list(reading_groups(values.registers, intervals))
        held = []
        if groups and not groups[-1].registers and end < period.end and len(groups[-1].intervals) < GROUP_INTERVALS_MAX:
            held = list(groups.pop().intervals)
        for group in groups:
            yield [objects.reading(meter, group)]
        # What lies at the end has been told.
        start = end + timedelta(microseconds=1)


class _ObjectMaker:
    """meterReads or meterReadings for one call."""

    def __init__(self, call: Call) -> None:
        self._shape = _shape(call)
        self._utility = call.utility
        self._identifier = call.partner.identifier
        self._telling = Telling(call.utility, call.partner.energy_unit)

    def reading(self, meter: Meter, group: ReadingGroup) -> Any:
        """One object."""
        told = told_meter(meter, self._identifier)
        return self._shape.reading(self._utility, told, self._telling.reading(meter.meter_no, group))

    def no_reading(self, meter: ToldMeter, reason: str) -> Any:
        """One that says why it holds nothing."""
        return self._shape.no_reading(self._utility, meter, reason)

    def of_meter(self, values: MeterValues) -> Iterator[Any]:
        """What one meter read: at least one object."""
        meter = values.meter
        assert meter is not None, "only meters of a set come here"
        if values.empty:
            yield self.no_reading(told_meter(meter, self._identifier), values.problem)
        for group in reading_groups(values.registers, interval_values(values.series)):
            yield self.reading(meter, group)


def _shape(call: Call) -> Shape:
    return _made(call.version, call.records)


@lru_cache(maxsize=8)
def _made(version: str, records: Records) -> Shape:
    """One for each version that is served."""
    return _SHAPES[version](records)
