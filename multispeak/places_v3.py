"""Service locations and customers as MultiSpeak 3.0 notifies of them → statements.

Source  contract types serviceLocation, customer
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from headend.identifiers import identifier
from headend.master_data.statements import CustomerEnded, CustomerSaid, ServiceLocationEnded, ServicePointSaid, Statement
from multispeak.calls import Call
from multispeak.notifications import Told, object_name
from multispeak.places import coordinates, electronic_mail, first_text, joined, not_kept
from multispeak.said_values import commodity_named, items, text


def locations_told(call: Call) -> Iterable[Told]:
    """The service locations of a notification."""
    for location in items(call.request.changedServiceLocations):
        yield Told(object_name(location), "serviceLocation", location, partial(_location, location))


def customers_told(call: Call) -> Iterable[Told]:
    """The customers of a notification."""
    for customer in items(call.request.changedCustomers):
        yield Told(object_name(customer), "customer", customer, partial(_customer, customer))


def _location(location: Any) -> Iterable[Statement]:
    location_no = identifier(location.objectID, "objectID")
    match location.verb:
        case "Delete":
            yield ServiceLocationEnded(location_no)
        case None | "New" | "Change":
            gps = location.GPS if location.GPS is not None and location.GPS.GPSValidity is not False else None
            latitude, longitude = coordinates(gps.latitude, gps.longitude) if gps else (None, None)
            yield ServicePointSaid(
                location_no=location_no,
                commodity=commodity_named(location.servType),
                account_no=text(location.accountNumber, "accountNumber"),
                customer_id=text(location.custID, "custID"),
                bill_cycle=text(location.billingCycle, "billingCycle"),
                address_line=joined((location.servAddr1, location.servAddr2), "servAddr"),
                city=text(location.servCity, "servCity"),
                state=text(location.servState, "servState"),
                postal_code=text(location.servZip, "servZip"),
                latitude=latitude,
                longitude=longitude,
            )
        case verb:
            raise not_kept(verb)


def _customer(customer: Any) -> Iterable[Statement]:
    customer_id = identifier(customer.objectID, "objectID")
    match customer.verb:
        case "Delete":
            yield CustomerEnded(customer_id)
        case None | "New" | "Change":
            name = text(customer.dBAName, "dBAName") or joined((customer.firstName, customer.mName, customer.lastName), "name")
            yield CustomerSaid(customer_id, name, _phone(customer), electronic_mail(customer.contactInfo))
        case verb:
            raise not_kept(verb)


def _phone(customer: Any) -> str | None:
    contact = customer.contactInfo
    home = joined((customer.homeAc, customer.homePhone), "homePhone")
    day = joined((customer.dayAc, customer.dayPhone), "dayPhone")
    others = [number.phone for number in items(contact.phoneList)] if contact else []
    return first_text((home, day, *others), "phone")
