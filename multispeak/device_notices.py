"""Connect/disconnect devices, shipments, and objects that are only kept → statements. Both versions; they differ in names of members.

Objects that a head-end has no use for are kept as they were told, by kind and objectID, for whoever asks to see them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from headend.errors import RequestError
from headend.identifiers import identifier
from headend.master_data.statements import DocumentSaid, Statement, SwitchEnded, SwitchSaid
from multispeak.calls import Call
from multispeak.notifications import Told, object_name
from multispeak.record_fields import fields_said
from multispeak.said_values import items, meter_number, named_meter

_ENDED_BY_VERB = {"Delete": "removed"}
_RECEIVED = {
    "receivedModules": "module",
    "receivedLoadManagementDevices": "loadManagementDevice",
    "receivedIHDs": "inHomeDisplay",
}


def switches_told(parameter: str, call: Call) -> Iterable[Told]:
    """The CDDevices of a notification that there are."""
    for device in items(getattr(call.request, parameter)):
        yield Told(_device_name(device), "CDDevice", device, partial(_switch, device, exchanged=False))


def switches_ended_told(parameter: str, call: Call) -> Iterable[Told]:
    """The CDDevices of a notification that there are no more."""
    for device in items(getattr(call.request, parameter)):
        yield Told(_device_name(device), "CDDevice", device, partial(_switch_ended, device))


def switches_exchanged_told(call: Call) -> Iterable[Told]:
    """The CDDeviceExchanges of a notification; an objectID is that of the new device."""
    for exchange in items(call.request.CDDChangeout):
        name = object_name(exchange, named_meter(exchange.meterID))
        yield Told(name, "CDDeviceExchange", exchange, partial(_switch, exchange, exchanged=True))


def about_meter(value: Any) -> tuple[str, ...]:
    """The meter that an object says it belongs to."""
    named = _meter_of(value) or named_meter(getattr(getattr(value, "electricMeter", None), "meterNo", None))
    return (named,) if named else ()


def _meter_of(value: Any) -> str:
    """meterNo, meterIdentifier or meterID of an object, whichever its version has."""
    slots = ("meterNo", "meterIdentifier", "meterID")
    return next((name for slot in slots if (name := named_meter(getattr(value, slot, None)))), "")


@dataclass(frozen=True, slots=True)
class Kept:
    """How objects of one kind are kept: under what name, if not their objectID, and about which meters."""

    kind: str
    ended: str = ""
    name: Callable[[Any], str | None] = lambda value: None
    meters: Callable[[Any], tuple[str, ...]] = about_meter


def documents_told(parameter: str, kept: Kept, call: Call) -> Iterable[Told]:
    """The objects of a notification that are only kept."""
    value = getattr(call.request, parameter)
    found = [] if value is None else items(value) if type(value).type_name.startswith("ArrayOf") else [value]
    for one in found:
        name = (kept.name(one) or getattr(one, "objectID", None) or "").strip()
        yield Told(name, kept.kind, one, partial(_document, call, one, kept, name))


def shipment_told(received_meters: Callable[[Any], Iterable[Told]], call: Call) -> Iterable[Told]:
    """A shipment: its meters become known; it and its other devices are kept."""
    shipment = call.request.shipment
    if shipment is None:
        return
    yield from received_meters(shipment)
    for device in items(shipment.receivedCDDevices):
        read = partial(_switch, device, exchanged=False) if _meter_of(device) else partial(_kept, call, device, "CDDevice")
        yield Told(_device_name(device), "CDDevice", device, read)
    for parameter, kind in _RECEIVED.items():
        for device in items(getattr(shipment, parameter, None)):
            yield Told(object_name(device, device.serialNumber), kind, device, partial(_kept, call, device, kind))
    name = object_name(shipment, shipment.shippingTicketNumber)
    if name:
        lists = frozenset(slot for slot in type(shipment).__slots__ if slot.startswith("received") and slot != "receivedDate")
        # Its lists are told one by one; what the rest of it holds is looked at when it is kept.
        yield Told(name, "endDeviceShipment", None, lambda: (DocumentSaid("endDeviceShipment", name, fields_said(call, shipment, lists)),))


def _device_name(device: Any) -> str:
    return object_name(device, device.objectID, getattr(device, "serialNumber", None), _meter_of(device))


def _switch(device: Any, *, exchanged: bool) -> Iterable[Statement]:
    if device.verb == "Delete":
        return _switch_ended(device)
    return (SwitchSaid(meter_number(_meter_of(device)), identifier(_device_name(device), "objectID"), exchanged),)


def _switch_ended(device: Any) -> Iterable[Statement]:
    return (SwitchEnded(meter_number(_meter_of(device)), identifier(_device_name(device), "objectID")),)


def _kept(call: Call, device: Any, kind: str) -> Iterable[Statement]:
    return _document(call, device, Kept(kind), object_name(device, device.serialNumber))


def _document(call: Call, value: Any, kept: Kept, name: str) -> Iterable[Statement]:
    if not name:
        raise RequestError(f"{kept.kind} has no objectID")
    verb = getattr(value, "verb", None) or getattr(value, "action", None)
    ended = kept.ended or _ENDED_BY_VERB.get(verb or "", "")
    yield DocumentSaid(kept.kind, identifier(name, "objectID"), fields_said(call, value), ended, kept.meters(value))
