"""Notifications of master data: every one that a head-end subscribes to, in both versions, with the effect it has."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from headend.identifiers import identifier
from headend.master_data.statements import DocumentSaid
from multispeak import meters_v3, meters_v4, places_v3, places_v4
from multispeak.calls import Call, Handler
from multispeak.device_notices import Kept, documents_told, shipment_told, switches_ended_told, switches_exchanged_told, switches_told
from multispeak.meter_notices import added, changed, removed, retired
from multispeak.notifications import Told, notification
from multispeak.said_values import items, named_meter

_KEPT = "Kept as told, by objectID, for whoever asks; nothing else follows from it here."
_METERS: dict[str, Any] = {"3.0": meters_v3, "4.1.6": meters_v4}
_PLACES: dict[str, Any] = {"3.0": places_v3, "4.1.6": places_v4}
_DEVICES = {"MeterBase": ("meterBase", "MBs", "MBChangeout"), "InHomeDisplay": ("inHomeDisplay", "IHDs", "IHDChangeout")}
"""Devices that are only kept, by the word their operations begin with: noun, ending of the parameters, parameter of an exchange."""


def master_data_handlers(version: str) -> dict[str, Handler]:
    """Handlers by operation name."""
    handlers = _meter_handlers(version) | _place_handlers(version) | _switch_handlers() | _document_handlers()
    return handlers | _handlers_of_v4() if version == "4.1.6" else handlers


def _meter_handlers(version: str) -> dict[str, Handler]:
    meters = _METERS[version]
    return {
        "MeterAddNotification": notification(
            partial(meters.meters_told, "addedMeters", added),
            "Makes meters known, and installed where they name a service location; they are collected once they have been shipped.",
        ),
        "MeterChangedNotification": notification(
            partial(meters.meters_told, "changedMeters", changed),
            "Takes over what is said of known meters; a new place moves one, meterStatus Inactive mutes its alarms.",
        ),
        "MeterRemoveNotification": notification(
            partial(meters.meters_told, "removedMeters", removed),
            "Ends the meters' installations; they stay known, and what they read stays readable.",
        ),
        "MeterRetireNotification": notification(
            partial(meters.meters_told, "retiredMeters", retired),
            "Ends the meters' installations and their collection; what they read stays readable.",
        ),
        "MeterExchangeNotification": notification(
            meters.exchanges_told,
            "Ends the old meter's installation and begins the new one's at one instant; both histories stay with the service location.",
        ),
        "EndDeviceShipmentNotification": notification(
            partial(shipment_told, meters.received_told),
            "Makes the meters of a shipment known, without keys; other devices and the shipment itself are kept as told.",
        ),
        "MeterConnectivityNotification": notification(
            partial(documents_told, "newConnectivity", Kept("meterConnectivity", name=_meter_name)),
            "Keeps, by meter, the substation, feeder and phase that it is on now.",
        ),
    }


def _place_handlers(version: str) -> dict[str, Handler]:
    places = _PLACES[version]
    location = "servLocID" if version == "3.0" else "serviceLocationID"
    return {
        "ServiceLocationChangedNotification": notification(
            places.locations_told,
            "Makes or changes service points: address, account, bill cycle; verb Delete ends those that have no meter.",
        ),
        "CustomerChangedNotification": notification(
            places.customers_told, "Makes or changes customers, whose name all their accounts bear; verb Delete ends one without accounts."
        ),
        "UpdateServiceLocationDisplays": notification(
            partial(_displays_told, location), "Notes the wish to update the displays of a service location; none is spoken to from here."
        ),
    }


def _switch_handlers() -> dict[str, Handler]:
    gone = "Takes it that the meters have no connect/disconnect device any more."
    return {
        "CDDeviceAddNotification": notification(
            partial(switches_told, "addedCDDs"), "Takes it that the meters have connect/disconnect devices, in a state not known."
        ),
        "CDDeviceChangedNotification": notification(
            partial(switches_told, "changedCDDs"), "Takes it that the meters have these connect/disconnect devices; verb Delete ends one."
        ),
        "CDDeviceRemoveNotification": notification(partial(switches_ended_told, "removedCDDs"), gone),
        "CDDeviceRetireNotification": notification(partial(switches_ended_told, "retiredCDDs"), gone),
        "CDDeviceExchangeNotification": notification(
            switches_exchanged_told, "Takes it that the meters have other connect/disconnect devices now, in a state not known."
        ),
    }


def _document_handlers() -> dict[str, Handler]:
    handlers: dict[str, Handler] = {}
    for word, (kind, ending, changeout) in _DEVICES.items():
        for verb, parameter, ended in (
            ("Add", f"added{ending}", ""),
            ("Changed", f"changed{ending}", ""),
            ("Remove", f"removed{ending}", "removed"),
            ("Retire", f"retired{ending}", "retired"),
        ):
            handlers[f"{word}{verb}Notification"] = notification(partial(documents_told, parameter, Kept(kind, ended)), _KEPT)
        exchange = Kept(f"{kind}Exchange", "exchanged")
        handlers[f"{word}ExchangeNotification"] = notification(partial(documents_told, changeout, exchange), _KEPT)
    return handlers | {
        "CustomersAffectedByOutageNotification": notification(
            partial(documents_told, "newOutages", Kept("customersAffectedByOutage", name=lambda o: o.objectID or o.outageEventID)), _KEPT
        ),
        "OutageEventChangedNotification": notification(partial(documents_told, "oEvents", Kept("outageEvent")), _KEPT),
        "DomainMembersChangedNotification": notification(
            partial(documents_told, "changedDomainMembers", Kept("domainMember", name=lambda member: member.code)), _KEPT
        ),
        "DomainNamesChangedNotification": notification(
            partial(documents_told, "changedDomainNames", Kept("domainName", name=lambda change: change.domainName)), _KEPT
        ),
    }


def _handlers_of_v4() -> dict[str, Handler]:
    handlers = {
        "AccountChangedNotification": notification(
            places_v4.accounts_told,
            "Makes or changes accounts: their customer, the locations they pay for, and the bill cycle of those; verb Delete ends one.",
        ),
        "MeterTestNotification": notification(partial(documents_told, "tests", Kept("meterTest", name=_meter_name)), _KEPT),
        "RateChangedNotification": notification(
            partial(documents_told, "rateInfo", Kept("rate", name=lambda rate: rate.rateCode or rate.objectID)), _KEPT
        ),
    }
    for verb, ended in (("Opened", ""), ("Changed", ""), ("Closed", "closed")):
        order = Kept("serviceOrder", ended, lambda one: one.objectID or one.soNumber, _meters_of_order)
        handlers[f"ServiceOrder{verb}Notification"] = notification(partial(documents_told, "changedSOs", order), _KEPT)
    return handlers


def _meter_name(value: Any) -> str:
    """Number of the meter that an object is about."""
    return named_meter(value.meterNo) if hasattr(value, "meterNo") else named_meter(value.meterID)


def _meters_of_order(order: Any) -> tuple[str, ...]:
    """Meters that a service order says exist."""
    existing = (meters.existingMeter for meters in items(order.associatedMetersList) if meters.existingMeter)
    return tuple(name for meter in existing if (name := named_meter(meter.meterID)))


def _displays_told(parameter: str, call: Call) -> Iterable[Told]:
    location_no = (getattr(call.request, parameter) or "").strip()
    wish = {"requestedAt": call.now.isoformat()}

    def statements() -> Iterable[DocumentSaid]:
        known = identifier(location_no, "service location")
        yield DocumentSaid("serviceLocationDisplays", known, wish, location_nos=(known,))

    yield Told(location_no, "serviceLocation", None, statements)
