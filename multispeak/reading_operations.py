"""Every operation that answers formattedBlocks or intervalData: one row each, which meters × of when × in which shape.

What the parameters of all have in common, names of fields and templates, types, pages, is read and answered in one way for all rows.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial

from headend.billing_reader import BillingReader
from headend.billing_reads import cycle_period
from headend.limits import GROUP_METERS_MAX
from headend.model.endpoint import Commodity
from headend.model.selections import LOAD_PROFILE, LOADS, REGISTERS, Cycle, Fleet, Quantities, quantities
from headend.read_ahead import read_ahead
from headend.reading_engine import LatestReader, ListedMeters, MetersOfSet, MeterSource, PeriodReader, Target, ValueReader, meter_values
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.formatted_blocks import BlockWriter, formatted_blocks
from multispeak.group_reads import group_meters
from multispeak.interval_data import IntervalWriter, interval_data
from multispeak.message_header import Paging
from multispeak.meter_names import commodities_of, listed_meters, one_meter
from multispeak.paging import meter_page
from multispeak.read_selection import (
    Between,
    Billing,
    Latest,
    Selection,
    When,
    between_dates,
    between_profile_dates,
    billing_date,
    not_too_long,
    profile_day,
    selected,
)


class Shape(Enum):
    """What is answered: a list of one of the two, or one that holds all meters."""

    BLOCKS = auto()
    ONE_BLOCK = auto()
    INTERVALS = auto()
    ONE_INTERVALS = auto()


Meters = Callable[[Call, Selection], Awaitable[MeterSource]]


@dataclass(frozen=True, slots=True)
class Row:
    """One operation; `default` is what is told where the parameters name nothing."""

    meters: Meters
    when: Callable[[Call], When]
    shape: Shape
    default: Quantities
    effect: str


async def _one(call: Call, selection: Selection, *, parameter: str) -> MeterSource:
    meter = await one_meter(call, parameter)
    return ListedMeters([Target(meter.meter_no, meter)])


async def _list(call: Call, selection: Selection, *, parameter: str) -> MeterSource:
    return await listed_meters(call, parameter)


async def _group(call: Call, selection: Selection) -> MeterSource:
    return await group_meters(call)


async def _fleet(call: Call, selection: Selection) -> MeterSource:
    """Every meter that may have what is wanted: of the commodity, and alive at the time."""
    when = selection.when
    since = None
    if isinstance(when, Between):
        since = when.period.start
    elif isinstance(when, Billing):
        since = cycle_period(call.utility, when.date).start
    return MetersOfSet(call.store, Fleet(selection.wanted.commodities, since))


async def _cycle(call: Call, selection: Selection) -> MeterSource:
    """Every meter that was installed at a service point of the bill cycle in the month that ends, or on the day asked for."""
    name = (call.request.billingCycle or "").strip()
    if not name:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no billingCycle")
    if not await call.store.knows_bill_cycle(name):
        raise RefusedCallError(FaultCode.UNKNOWN_BILL_CYCLE, f"billingCycle {name[:80]!r} is not known")
    when = selection.when
    assert not isinstance(when, Latest), "a bill cycle is asked for at a date"
    installed = when.period if isinstance(when, Between) else cycle_period(call.utility, when.date)
    return MetersOfSet(call.store, Cycle(name, installed))


def _dates(call: Call) -> When:
    return Between(not_too_long(between_dates(call)))


def _latest(call: Call) -> When:
    return Latest()


def _latest_between(call: Call) -> When:
    return Latest(not_too_long(between_dates(call)))


def _profile_dates(call: Call) -> When:
    return Between(not_too_long(between_profile_dates(call)))


def _profile_day(call: Call) -> When:
    return Between(profile_day(call))


_METER_NO, _METER_NUMBER, _METER_ID = (partial(_one, parameter=name) for name in ("meterNo", "meterNumber", "meterID"))
_METER_NO_LIST, _METER_IDS = partial(_list, parameter="meterNo"), partial(_list, parameter="meterIDs")

_ANY = quantities(REGISTERS.registers, LOADS)
"""What interval data is where nothing is named: loads, not the voltages that would be nine tenths of it."""


def _blocks(meters: Meters, when: Callable[[Call], When], effect: str, default: Quantities = REGISTERS) -> Row:
    return Row(meters, when, Shape.BLOCKS, default, effect)


def _intervals(meters: Meters, when: Callable[[Call], When], effect: str, default: Quantities = _ANY) -> Row:
    return Row(meters, when, Shape.INTERVALS, default, effect)


def _in_one(row: Row) -> Row:
    shape = Shape.ONE_BLOCK if row.shape is Shape.BLOCKS else Shape.ONE_INTERVALS
    return Row(row.meters, row.when, shape, row.default, row.effect)


_OF_METER = "of one meter"
_OF_LIST = "of each meter of a list; one that is not known is told with the reason"
_OF_ALL = "of every meter that measures such values"
_OF_GROUP = "of each meter of a group"
_OF_CYCLE = "of each meter of a bill cycle, or the reason why there is none; where meters were exchanged, of both"
_READ_AT = "The read at a billing date"

_BOTH: dict[str, Row] = {
    "GetLatestReadingByFieldNameIntervalData": _intervals(_fleet, _latest, f"The newest values {_OF_ALL}."),
    "GetReadingsByBillingCycle": _blocks(_cycle, billing_date, f"{_READ_AT} {_OF_CYCLE}."),
    "GetReadingsByBillingCycleIntervalData": _intervals(_cycle, billing_date, f"{_READ_AT} {_OF_CYCLE}."),
    "GetReadingsByDateFormattedBlock": _blocks(_fleet, billing_date, f"{_READ_AT} {_OF_ALL}, or the reason why there is none."),
    "GetReadingsByDateIntervalData": _intervals(_fleet, billing_date, f"{_READ_AT} {_OF_ALL}, or the reason why there is none."),
    "GetReadingsByDateAndFieldNameIntervalData": _intervals(_fleet, _dates, f"Values of a period {_OF_ALL}."),
    "GetReadingByMeterIDIntervalData": _intervals(_METER_ID, billing_date, f"{_READ_AT} {_OF_METER}, or the reason why there is none."),
}

_V3: dict[str, Row] = {
    "GetLatestMeterReadingsByMeterGroup": _in_one(_blocks(_group, _latest, f"The newest values {_OF_GROUP}.")),
    "GetLatestMeterReadingsByMeterGroupIntervalData": _intervals(_group, _latest, f"The newest values {_OF_GROUP}."),
    "GetLatestReadingByMeterIDAndFieldNameIntervalData": _intervals(
        _METER_ID, _latest_between, f"The newest values of a period {_OF_METER}."
    ),
    "GetLatestReadingByMeterListAndFieldNameIntervalData": _intervals(
        _METER_IDS, _latest_between, f"The newest values of a period {_OF_LIST}."
    ),
    "GetLatestReadingByMeterNoAndType": _in_one(_blocks(_METER_NO, _latest, f"The newest values of a type {_OF_METER}.")),
    "GetLatestReadingByType": _blocks(_fleet, _latest, f"The newest values of a type {_OF_ALL}."),
    "GetLatestReadingsByMeterNoList": _blocks(_METER_NO_LIST, _latest_between, f"The newest values of a type and a period {_OF_LIST}."),
    "GetLatestReadingsByMeterNoListFormattedBlock": _blocks(
        _METER_NO_LIST, _latest_between, f"The newest values of a period {_OF_LIST}."
    ),
    "GetReadingByMeterIDAndFieldNameIntervalData": _intervals(_METER_ID, _dates, f"Values of a period {_OF_METER}."),
    "GetReadingByMeterNumberFormattedBlock": _blocks(
        _METER_NUMBER, billing_date, f"{_READ_AT} {_OF_METER}, or the reason why there is none."
    ),
    "GetReadingsByDateAndType": _blocks(_fleet, _dates, f"Values of a type and a period {_OF_ALL}."),
    "GetReadingsByMeterNoAndType": _blocks(_METER_NO, _dates, f"Values of a type and a period {_OF_METER}."),
}

_V4: dict[str, Row] = {
    "GetLPReadingsByBillingCycle": _blocks(_cycle, _profile_day, f"A day's load profile {_OF_CYCLE}.", LOAD_PROFILE),
    "GetLPReadingsByBillingCycleIntervalData": _intervals(_cycle, _profile_day, f"A day's load profile {_OF_CYCLE}.", LOAD_PROFILE),
    "GetLPReadingsByDateFormattedBlock": _blocks(_fleet, _profile_day, f"A day's load profile {_OF_ALL}.", LOAD_PROFILE),
    "GetLPReadingsByDateIntervalData": _intervals(_fleet, _profile_day, f"A day's load profile {_OF_ALL}.", LOAD_PROFILE),
    "GetLPReadingsByMeterIDFormattedBlock": _blocks(_METER_ID, _profile_dates, f"The load profile of a period {_OF_METER}.", LOAD_PROFILE),
    "GetLPReadingsByMeterIDIntervalData": _intervals(_METER_ID, _profile_dates, f"The load profile of a period {_OF_METER}.", LOAD_PROFILE),
    "GetLatestMeterReadingsByMeterGroup": _in_one(_blocks(_group, _latest, f"The newest values {_OF_GROUP}.")),
    "GetLatestMeterReadingsByMeterGroupIntervalData": _in_one(_intervals(_group, _latest, f"The newest values {_OF_GROUP}.")),
    "GetLatestReadingByFieldName": _blocks(_fleet, _latest, f"The newest values {_OF_ALL}."),
    "GetLatestReadingByMeterIDAndFieldName": _in_one(_blocks(_METER_ID, _latest, f"The newest values {_OF_METER}.")),
    "GetLatestReadingByMeterIDAndFieldNameIntervalData": _in_one(_intervals(_METER_ID, _latest, f"The newest values {_OF_METER}.")),
    "GetLatestReadingsByMeterIDList": _blocks(_METER_IDS, _latest_between, f"The newest values of a period {_OF_LIST}."),
    "GetLatestReadingsByMeterIDListIntervalData": _intervals(_METER_IDS, _latest_between, f"The newest values of a period {_OF_LIST}."),
    "GetLatestReadingsByMeterListFormattedBlock": _blocks(_METER_IDS, _latest_between, f"The newest values of a period {_OF_LIST}."),
    "GetLatestReadingsByMeterListIntervalData": _intervals(_METER_IDS, _latest_between, f"The newest values of a period {_OF_LIST}."),
    "GetReadingByMeterIDFormattedBlock": _blocks(_METER_ID, billing_date, f"{_READ_AT} {_OF_METER}, or the reason why there is none."),
    "GetReadingsByDateAndFieldName": _blocks(_fleet, _dates, f"Values of a period {_OF_ALL}."),
    "GetReadingsByMeterIDAndFieldName": _blocks(_METER_ID, _dates, f"Values of a period {_OF_METER}."),
    "GetReadingsByMeterIDAndFieldNameIntervalData": _intervals(_METER_ID, _dates, f"Values of a period {_OF_METER}."),
    "GetReadingsByMeterIDListAndFieldNameIntervalData": _intervals(_METER_IDS, _dates, f"Values of a period {_OF_LIST}."),
}

READING_ROWS: Mapping[str, Mapping[str, Row]] = {"3.0": _BOTH | _V3, "4.1.6": _BOTH | _V4}
"""MultiSpeak version → operation → row."""


def reading_handlers(version: str) -> dict[str, Handler]:
    """A handler for each row."""
    return {name: _handler(row) for name, row in READING_ROWS[version].items()}


def _handler(row: Row) -> Handler:
    async def handle(call: Call) -> Answer | ListAnswer:
        return await _answer(row, call)

    handle.__doc__ = row.effect
    return handle


async def _answer(row: Row, call: Call) -> Answer | ListAnswer:
    selection = selected(call, row.when(call), row.default)
    source = await row.meters(call, selection)
    reader = _reader(call, selection, row.shape)
    if row.shape in {Shape.ONE_BLOCK, Shape.ONE_INTERVALS}:
        return await _one_object(row.shape, call, selection, source, reader)
    page = await meter_page(call, source)
    values = read_ahead(meter_values(source, reader, page))
    if row.shape is Shape.BLOCKS:
        objects = formatted_blocks(BlockWriter(call, selection, _commodities(source)), values)
    else:
        objects = interval_data(call, selection, values)
    return ListAnswer(objects, Paging(page.remaining, page.last_key))


async def _one_object(shape: Shape, call: Call, selection: Selection, source: MeterSource, reader: ValueReader) -> Answer:
    """One object that holds all meters of a page; where the operation has no pages, all meters."""
    paged = "lastReceived" in type(call.request).__slots__
    page = await meter_page(call, source) if paged else await source.page("", GROUP_METERS_MAX)
    blocks, intervals = BlockWriter(call, selection, _commodities(source)), IntervalWriter(call, selection)
    add = blocks.add_to_one if shape is Shape.ONE_BLOCK else intervals.add
    async for batch in meter_values(source, reader, page):
        for values in batch:
            add(values)
    result = blocks.one() if shape is Shape.ONE_BLOCK else intervals.data()
    return Answer(result, Paging(page.remaining, page.last_key) if paged else None)


def _commodities(source: MeterSource) -> Collection[Commodity]:
    """Those of meters that were named; of others it is not known before they come."""
    return commodities_of(source.targets) if isinstance(source, ListedMeters) else ()


def _reader(call: Call, selection: Selection, shape: Shape) -> ValueReader:
    wanted = selection.wanted
    match selection.when:
        case Between(period):
            ends = shape in {Shape.INTERVALS, Shape.ONE_INTERVALS}
            return PeriodReader(call.store, period, wanted, ends)
        case Latest(period):
            return LatestReader(call.store, wanted, period, call.now)
        case Billing(date, look):
            return BillingReader(call.store, call.utility, date, look, wanted, call.now)
