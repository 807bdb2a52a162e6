"""Meters as MultiSpeak 3.0 notifies of them → statements.

A 3.0 meter does not say what it measures; deviceClass may name it, as ours do.
Source  reference/multispeak.md 1; contract types meter, meterExchange, endDeviceShipment
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from headend.errors import RequestError
from headend.identifiers import identifier
from headend.master_data.statements import MeterAdded, MeterExchanged, MeterFacts, Place, Statement
from headend.model.endpoint import Commodity
from multispeak.calls import Call
from multispeak.meter_notices import Taking, muted, statements
from multispeak.notifications import Told, object_name
from multispeak.said_values import commodity_named, instant, items, meter_number, named_meter, text


def meters_told(parameter: str, taking: Taking, call: Call) -> Iterable[Told]:
    """The meters of a notification."""
    for meter in items(getattr(call.request, parameter)):
        yield Told(object_name(meter, meter.meterNo), "meter", meter, partial(statements, call, meter, facts, taking))


def exchanges_told(call: Call) -> Iterable[Told]:
    """The meterExchanges of a notification, named by the meter that went out."""
    for exchange in items(call.request.meterChangeout):
        out = exchange.outMeterRead.meterNo if exchange.outMeterRead else None
        yield Told(object_name(exchange, out), "meterExchange", exchange, partial(_exchange, call, exchange))


def received_told(shipment: Any) -> Iterable[Told]:
    """The meters of a shipment; 3.0 ships electric ones."""
    for meter in items(shipment.receivedMeters):
        yield Told(object_name(meter, meter.meterNo), "receivedElectricMeter", meter, partial(_received, meter))


def facts(call: Call, meter: Any) -> MeterFacts:
    """What a meter says."""
    return MeterFacts(
        meter_no=identifier(meter.meterNo or meter.objectID, "meterNo"),
        commodity=commodity_named(meter.deviceClass),
        serial_no=text(meter.serialNumber, "serialNumber"),
        model=text(meter.AMRDeviceType, "AMRDeviceType"),
        configuration=text(meter.meterType, "meterType"),
        muted=muted(meter.meterStatusList),
        place=_place(meter.utilityInfo),
        installed=instant(call, meter.inServiceDate, "inServiceDate"),
        ended=instant(call, meter.outServiceDate, "outServiceDate"),
    )


def _place(info: Any) -> Place | None:
    location_no = text(info.servLoc, "servLoc") if info else None
    if location_no is None:
        return None
    return Place(location_no, text(info.accountNumber, "accountNumber"), text(info.custID, "custID"))


def _exchange(call: Call, exchange: Any) -> Iterable[Statement]:
    out, into = exchange.outMeterRead, exchange.inMeterRead
    if not (out and into and named_meter(out.meterNo) and named_meter(into.meterNo)):
        raise RequestError("outMeterRead and inMeterRead are to name the old and the new meter")
    read_out, read_in = instant(call, out.readingDate, "readingDate"), instant(call, into.readingDate, "readingDate")
    if read_out is not None and read_in is not None and read_out > read_in:
        raise RequestError("the old meter was read after the new one; dates are reversed")
    location = exchange.serviceLocation
    location_no = text(location.objectID, "serviceLocation") if location else None
    yield MeterExchanged(meter_number(out.meterNo), meter_number(into.meterNo), location_no, read_in or read_out)


def _received(meter: Any) -> Iterable[Statement]:
    serial_no, model = text(meter.serialNumber, "serialNumber"), text(meter.AMRDeviceType, "AMRDeviceType")
    yield MeterAdded(MeterFacts(identifier(meter.meterNo or meter.objectID, "meterNo"), Commodity.ELECTRIC, serial_no, model))
