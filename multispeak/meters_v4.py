"""Meters as MultiSpeak 4.1.6 notifies of them → statements: in lists by what they measure.

Source  reference/multispeak.md 1; contract types meters, meterExchanges, endDeviceShipment
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

from headend.errors import RequestError
from headend.identifiers import identifier
from headend.master_data.statements import MeterAdded, MeterExchanged, MeterFacts, Place, Statement
from headend.model.endpoint import Commodity
from multispeak.calls import Call
from multispeak.meter_notices import Taking, muted, statements
from multispeak.notifications import Told, object_name
from multispeak.said_values import instant, items, meter_number, named_meter, require_service, text

_LISTS: dict[str, Commodity | None] = {
    "electric": Commodity.ELECTRIC,
    "water": Commodity.WATER,
    "gas": Commodity.GAS,
    "propane": None,
    "other": None,
}
"""Lists of `meters` and `meterExchanges`, by the word their names begin with, and what they measure; None: not read here."""


def meters_told(parameter: str, taking: Taking, call: Call) -> Iterable[Told]:
    """The meters of a notification, list by list."""
    meters = getattr(call.request, parameter)
    for word, commodity in _LISTS.items() if meters is not None else ():
        facts_of = partial(facts, word, commodity)
        for meter in items(getattr(meters, f"{word}Meters")):
            yield Told(object_name(meter, meter.meterNo), f"{word}Meter", meter, partial(statements, call, meter, facts_of, taking))


def exchanges_told(call: Call) -> Iterable[Told]:
    """The exchanges of a notification, named by the meter that went out."""
    exchanges = call.request.meterChangeout
    for word, commodity in _LISTS.items() if exchanges is not None else ():
        for exchange in items(getattr(exchanges, f"{word}MeterExchanges")):
            out = named_meter(exchange.outMeterReading.meterID) if exchange.outMeterReading else None
            read = partial(_exchange, call, exchange, word, commodity)
            yield Told(object_name(exchange, out), f"{word}MeterExchange", exchange, read)


def received_told(shipment: Any) -> Iterable[Told]:
    """The meters of a shipment."""
    for word, commodity in _LISTS.items():
        noun = f"received{word.capitalize()}Meter"
        for meter in items(getattr(shipment, f"{noun}s", None)):
            yield Told(object_name(meter, meter.meterNo), noun, meter, partial(_received, meter, word, commodity))


def facts(word: str, commodity: Commodity | None, call: Call, meter: Any) -> MeterFacts:
    """What a meter says."""
    measured = _read_here(word, commodity)
    return MeterFacts(
        meter_no=identifier(meter.meterNo or meter.objectID, "meterNo"),
        commodity=measured,
        serial_no=text(meter.serialNumber, "serialNumber"),
        model=text(meter.AMRDeviceType, "AMRDeviceType"),
        configuration=text(meter.meterType, "meterType"),
        muted=muted(meter.meterStatusList),
        place=_place(meter, measured),
        installed=instant(call, meter.installedDate, "installedDate"),
        ended=instant(call, meter.removedDate, "removedDate"),
    )


def _place(meter: Any, commodity: Commodity) -> Place | None:
    info = meter.utilityInfo
    if info is None:
        return None
    if info.serviceID is not None:
        require_service(info.serviceID.serviceType, commodity)
    location_no = text(info.serviceLocationID, "serviceLocationID")
    if location_no is None:
        return None
    account_no, customer_id = text(info.accountNumber, "accountNumber"), text(info.customerID, "customerID")
    return Place(location_no, account_no, customer_id, text(meter.billingCycle, "billingCycle"))


def _exchange(call: Call, exchange: Any, word: str, commodity: Commodity | None) -> Iterable[Statement]:
    measured = _read_here(word, commodity)
    out, into = exchange.outMeterReading, exchange.inMeterReading
    if not (out and into and named_meter(out.meterID) and named_meter(into.meterID)):
        raise RequestError("outMeterReading and inMeterReading are to name the old and the new meter")
    for reading in (out, into):
        require_service(reading.meterID.serviceType, measured)
    read_out, read_in = _read_at(call, out, latest=True), _read_at(call, into, latest=False)
    if read_out is not None and read_in is not None and read_out > read_in:
        raise RequestError("the old meter was read after the new one; dates are reversed")
    at = instant(call, exchange.timeStamp, "timeStamp") or read_in or read_out
    location_no = text(exchange.serviceLocationID, "serviceLocationID")
    yield MeterExchanged(meter_number(out.meterID), meter_number(into.meterID), location_no, at, measured)


def _read_at(call: Call, reading: Any, *, latest: bool) -> datetime | None:
    """When a meter was read: the last of the old one's values, the first of the new one's."""
    instants = [instant(call, value.timeStamp, "timeStamp") for value in items(reading.readingValues)]
    said = [one for one in instants if one is not None]
    return (max(said) if latest else min(said)) if said else None


def _received(meter: Any, word: str, commodity: Commodity | None) -> Iterable[Statement]:
    measured = _read_here(word, commodity)
    serial_no, model = text(meter.serialNumber, "serialNumber"), text(meter.AMRDeviceType, "AMRDeviceType")
    yield MeterAdded(MeterFacts(identifier(meter.meterNo or meter.objectID, "meterNo"), measured, serial_no, model))


def _read_here(word: str, commodity: Commodity | None) -> Commodity:
    if commodity is None:
        raise RequestError(f"{word} meters are not read by this head-end")
    return commodity
