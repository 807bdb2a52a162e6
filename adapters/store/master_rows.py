"""Rows of master data ⇄ the core's values; columns in the tables' order."""

import json
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from adapters.store.instants import from_us, to_us
from headend.c1222.identifiers import ApTitle
from headend.master_data.book import Value
from headend.master_data.records import Account, CommunicationFacts, CustomerRecord, Document, Meter, Switch
from headend.model.endpoint import CONFIGURATIONS, Commodity, Installation, NativeAddress, ServicePoint, Transport

Row = tuple[Any, ...]


def meter_of(row: Row, routers: dict[int, str]) -> Meter:
    """A meter; `routers` are names by id."""
    _, meter_no, serial_no, model, configuration, ap_title, _, key_id, router_id, transport, host, port, active, _, _, muted = row
    facts = None
    if ap_title is not None:
        address = None if transport is None else NativeAddress(Transport(transport), host, port)
        facts = CommunicationFacts(ap_title, key_id, None if router_id is None else routers[router_id], address)
    return Meter(meter_no, serial_no, model, configuration, bool(active), bool(muted), facts)


def meter_row(meter: Meter, endpoint_id: int, created_us: int, routers: dict[str, int]) -> Row:
    """The row of a meter; `routers` are ids by name."""
    communication: Row = (None,) * 7
    if (facts := meter.communication) is not None:
        address: Row = (None, None, None)
        if facts.address is not None:
            address = (facts.address.transport.value, facts.address.host, facts.address.port)
        router_id = None if facts.router is None else routers[facts.router]
        communication = (facts.ap_title, ApTitle.parse(facts.ap_title).absolute, facts.key_id, router_id, *address)
    polled = meter.communication is not None and not CONFIGURATIONS[meter.configuration].battery
    identity = (endpoint_id, meter.meter_no, meter.serial_no, meter.model, meter.configuration)
    return (*identity, *communication, int(meter.active), int(polled), created_us, int(meter.muted))


def point_of(row: Row) -> ServicePoint:
    """A service point; one that bears its location's number does not repeat it."""
    number, commodity, address_line, city, state, postal_code, account_no, bill_cycle, latitude, longitude, location_no = row
    place = (address_line, city, state, postal_code, account_no or "", bill_cycle, latitude, longitude)
    return ServicePoint(number, Commodity(commodity), *place, "" if location_no == number else location_no)


def point_row(point: ServicePoint) -> Row:
    """The row of a service point."""
    place = (point.address_line, point.city, point.state, point.postal_code, point.account_no or None, point.bill_cycle)
    return (point.service_point_no, point.commodity.value, *place, point.latitude, point.longitude, point.service_location)


def account_row(account: Account) -> Row:
    """The row of an account."""
    return (account.account_no, account.name, account.phone, account.email, account.customer_id)


def customer_row(customer: CustomerRecord) -> Row:
    """The row of a customer."""
    return (customer.customer_id, customer.name, customer.phone, customer.email)


def installation_of(row: Row, meter_no: str) -> Installation:
    """An installation of a meter whose number is known."""
    _, started_us, service_point_no, ended_us = row
    return Installation(meter_no, service_point_no, from_us(started_us), None if ended_us is None else from_us(ended_us))


def installation_row(installation: Installation, endpoint_id: int) -> Row:
    """The row of an installation."""
    ended_us = None if installation.ended is None else to_us(installation.ended)
    return (endpoint_id, to_us(installation.started), installation.service_point_no, ended_us)


def switch_of(row: Row, meter_no: str) -> Switch:
    """What is said of a meter's connect/disconnect device."""
    return Switch(meter_no, row[1], bool(row[2]))


def document_of(row: Row) -> Document:
    """An object that is only kept."""
    kind, object_id, text, ended, _ = row
    return Document(kind, object_id, json.loads(text), ended)


def document_row(document: Document, now_us: int) -> Row:
    """The row of an object that is only kept."""
    return (document.document_kind, document.object_id, json.dumps(document.fields), document.ended, now_us)


def value_text(value: Value | None) -> str | None:
    """A value as the change log has it."""
    return None if value is None else json.dumps(_plain(value), default=_plain)


def _plain(value: Any) -> Any:
    """What JSON has no form for."""
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    assert isinstance(value, datetime), f"{type(value)} in master data"
    return value.isoformat()
