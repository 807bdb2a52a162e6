"""What follows from a list of things said: each takes effect whole or is refused with its cause. Pure."""

import json
from collections.abc import Sequence
from datetime import datetime

from headend.errors import RequestError, shown
from headend.limits import DOCUMENT_CHARACTERS_MAX
from headend.master_data import meter_rules, place_rules
from headend.master_data.book import Book
from headend.master_data.records import Document
from headend.master_data.statements import (
    AccountEnded,
    AccountSaid,
    CustomerEnded,
    CustomerSaid,
    DocumentSaid,
    MeterAdded,
    MeterChanged,
    MeterExchanged,
    MeterInstalled,
    MeterRemoved,
    MeterShipped,
    Said,
    ServiceLocationEnded,
    ServicePointRecorded,
    ServicePointSaid,
    Statement,
    SwitchEnded,
    SwitchSaid,
)
from headend.model.refusal import Refusal


def follow_all(book: Book, said: Sequence[Said], now: datetime) -> list[Refusal]:
    """Let the book follow what is said, object by object; those that were refused, in order, have left no trace in it."""
    refusals: list[Refusal] = []
    seen: set[tuple[type, str]] = set()
    for one in said:
        problem = one.problem or _twice(one, seen)
        if not problem:
            book.begin()
            try:
                for statement in one.statements:
                    follow(book, statement, now)
            except RequestError as error:
                book.take_back()
                problem = str(error)
        if problem:
            refusals.append(Refusal(one.object_id, problem))
    return refusals


def follow(book: Book, statement: Statement, now: datetime) -> None:
    """Let the book follow one statement.

    Raises  RequestError naming the object and the cause; the book may have been written in part
    """
    match statement:
        case MeterAdded(facts):
            meter_rules.add_meter(book, facts, now)
        case MeterChanged(facts):
            meter_rules.change_meter(book, facts, now)
        case MeterRemoved(facts, retired):
            meter_rules.remove_meter(book, facts, now, retired=retired)
        case MeterExchanged():
            meter_rules.exchange_meters(book, statement, now)
        case MeterShipped(item):
            meter_rules.ship_meter(book, item)
        case MeterInstalled(installation):
            meter_rules.record_installation(book, installation)
        case ServicePointSaid():
            place_rules.take_service_point(book, statement, now)
        case ServicePointRecorded(point):
            place_rules.record_service_point(book, point)
        case ServiceLocationEnded(location_no):
            place_rules.end_service_location(book, location_no)
        case CustomerSaid():
            place_rules.take_customer(book, statement)
        case CustomerEnded(customer_id):
            place_rules.end_customer(book, customer_id)
        case AccountSaid():
            place_rules.take_account(book, statement)
        case AccountEnded(account_no):
            place_rules.end_account(book, account_no)
        case SwitchSaid():
            meter_rules.take_switch(book, statement)
        case SwitchEnded():
            meter_rules.end_switch(book, statement)
        case DocumentSaid():
            _keep(book, statement)


def _keep(book: Book, said: DocumentSaid) -> None:
    for meter_no in said.meter_nos:
        meter_rules.known_meter(book, meter_no)
    for location_no in said.location_nos:
        if not book.points_at(location_no):
            raise RequestError(f"service location {shown(location_no)} is not known")
    size = len(json.dumps(said.fields))
    if size > DOCUMENT_CHARACTERS_MAX:
        what = f"{said.document_kind} {shown(said.object_id)}"
        raise RequestError(f"{what} has {size} characters, {DOCUMENT_CHARACTERS_MAX} are kept at most")
    book.write(Document(said.document_kind, said.object_id, said.fields, said.ended))


def _twice(one: Said, seen: set[tuple[type, str]]) -> str:
    keys = {(type(statement), one.object_id) for statement in one.statements}
    if keys & seen:
        return f"{shown(one.object_id)} stands in the list twice"
    seen |= keys
    return ""
