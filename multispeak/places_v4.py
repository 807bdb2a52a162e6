"""Service locations, customers and accounts as MultiSpeak 4.1.6 notifies of them → statements.

A service location lists its services, each with its own account, bill cycle and meter.
Source  contract types serviceLocation, electricService, customer, account
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from headend.identifiers import identifier
from headend.master_data.statements import (
    AccountEnded,
    AccountSaid,
    CustomerEnded,
    CustomerSaid,
    ServiceLocationEnded,
    ServicePointSaid,
    Statement,
)
from headend.model.endpoint import Commodity
from multispeak.calls import Call
from multispeak.notifications import Told, object_name
from multispeak.places import coordinates, electronic_mail, first_text, joined, not_kept
from multispeak.said_values import items, text


def locations_told(call: Call) -> Iterable[Told]:
    """The service locations of a notification."""
    for location in items(call.request.changedServiceLocations):
        yield Told(object_name(location), "serviceLocation", location, partial(_location, location))


def customers_told(call: Call) -> Iterable[Told]:
    """The customers of a notification."""
    for customer in items(call.request.changedCustomers):
        yield Told(object_name(customer), "customer", customer, partial(_customer, customer))


def accounts_told(call: Call) -> Iterable[Told]:
    """The accounts of a notification."""
    for account in items(call.request.changedAccounts):
        yield Told(object_name(account), "account", account, partial(_account, account))


def _location(location: Any) -> Iterable[Statement]:
    location_no = identifier(location.objectID, "objectID")
    match location.verb:
        case "Delete":
            yield ServiceLocationEnded(location_no)
        case None | "New" | "Change":
            services = [(commodity, service) for commodity in Commodity for service in items(getattr(location, f"{commodity}ServiceList"))]
            for commodity, service in services or ((None, None),):
                yield _service_point(location_no, location, commodity, service)
        case verb:
            raise not_kept(verb)


def _service_point(location_no: str, location: Any, commodity: Commodity | None, service: Any) -> ServicePointSaid:
    address, gps = location.serviceAddress, location.gpsPoint
    if gps is None and location.GPSLocation is not None and location.GPSLocation.GPSValidity is not False:
        gps = location.GPSLocation
    latitude, longitude = coordinates(gps.latitude, gps.longitude) if gps else (None, None)
    customer_id = service.customerID if service else None
    return ServicePointSaid(
        location_no=location_no,
        commodity=commodity,
        account_no=text(service.accountNumber, "accountNumber") if service else None,
        customer_id=first_text((customer_id, location.customerID), "customerID"),
        bill_cycle=text(service.billingCycle, "billingCycle") if service else None,
        address_line=joined((address.address1, address.address2), "address") if address else None,
        city=text(address.city, "city") if address else None,
        state=text(address.state, "state") if address else None,
        postal_code=text(address.postalCode, "postalCode") if address else None,
        latitude=latitude,
        longitude=longitude,
        meter_no=text(getattr(service, f"{commodity}MeterID"), "meter number") if service else None,
    )


def _customer(customer: Any) -> Iterable[Statement]:
    customer_id = identifier(customer.objectID, "objectID")
    match customer.verb:
        case "Delete":
            yield CustomerEnded(customer_id)
        case None | "New" | "Change":
            name = text(customer.dBAName, "dBAName") or joined((customer.firstName, customer.mName, customer.lastName), "name")
            account_nos = tuple(identifier(account.objectID, "account's objectID") for account in items(customer.accounts))
            yield CustomerSaid(customer_id, name, _phone(customer.contactInfo), electronic_mail(customer.contactInfo), account_nos)
        case verb:
            raise not_kept(verb)


def _phone(contact: Any) -> str | None:
    numbers = [number.phone for number in items(contact.phoneList) if number.phone] if contact else []
    parts = ((p.countryCode, p.areaCode, p.cityCode, p.localNumber, p.extension) for p in numbers)
    return first_text((joined(part, "phone") for part in parts), "phone")


def _account(account: Any) -> Iterable[Statement]:
    account_no = identifier(account.objectID, "objectID")
    match account.verb:
        case "Delete":
            yield AccountEnded(account_no)
        case None | "New" | "Change":
            location_nos = tuple(identifier(one.objectID, "serviceLocation's objectID") for one in items(account.serviceLocations))
            customer_id, bill_cycle = text(account.customerID, "customerID"), text(account.billingCycle, "billingCycle")
            yield AccountSaid(account_no, customer_id, bill_cycle=bill_cycle, location_nos=location_nos)
        case verb:
            raise not_kept(verb)
