"""Service locations, accounts and customers: what follows from what is said of them. Pure.

Every rule here and in `meter_rules` writes to a book and raises RequestError, with the object and the cause in one sentence.
"""

from dataclasses import replace
from datetime import datetime

from headend.errors import RequestError, UnknownMeterError, shown
from headend.master_data.book import Book
from headend.master_data.installing import install, open_at
from headend.master_data.records import Account, CustomerRecord
from headend.master_data.statements import AccountSaid, CustomerSaid, Place, ServicePointSaid
from headend.model.endpoint import Commodity, ServicePoint


def point_for(book: Book, place: Place, commodity: Commodity) -> ServicePoint:
    """The service point of a place, made where the place says who pays there.

    Raises  RequestError for a location that is not known, of which no account is said either
    """
    points = book.points_at(place.location_no)
    if not points and place.account_no is None:
        raise RequestError(f"service location {shown(place.location_no)} is not known")
    point = points.get(commodity) or _new_point(place.location_no, commodity, points)
    return _paid(book, point, place.account_no, place.customer_id, place.bill_cycle)


def take_service_point(book: Book, said: ServicePointSaid, now: datetime) -> None:
    """Where a commodity is delivered, and to whom."""
    points = book.points_at(said.location_no)
    commodity = said.commodity or (next(iter(points)) if len(points) == 1 else Commodity.ELECTRIC)
    point = points.get(commodity) or _new_point(said.location_no, commodity, points)
    point = replace(
        point,
        address_line=_told(said.address_line, point.address_line),
        city=_told(said.city, point.city),
        state=_told(said.state, point.state),
        postal_code=_told(said.postal_code, point.postal_code),
        latitude=point.latitude if said.latitude is None else said.latitude,
        longitude=point.longitude if said.longitude is None else said.longitude,
    )
    point = _paid(book, point, said.account_no, said.customer_id, said.bill_cycle)
    if said.meter_no is not None:
        meter = book.meter(said.meter_no)
        if meter is None:
            raise UnknownMeterError(said.meter_no)
        if meter.commodity is not commodity:
            where = f"meter {shown(said.meter_no)} measures {meter.commodity.value}"
            raise RequestError(f"{where}, and service location {shown(said.location_no)} has it as {commodity.value}")
        install(book, said.meter_no, point, now)


def record_service_point(book: Book, point: ServicePoint) -> None:
    """A service point of a file; one that had meters delivers what it delivered.

    Raises  RequestError for another commodity
    """
    known = book.service_point(point.service_point_no)
    if known is not None and known.commodity is not point.commodity and book.installations_at(point.service_point_no):
        number = shown(point.service_point_no)
        raise RequestError(f"service point {number} delivers {known.commodity.value}, and is said to deliver {point.commodity.value}")
    book.write(replace(point, location_no=known.location_no if known else ""))


def end_service_location(book: Book, location_no: str) -> None:
    """Nothing is delivered there any more: points that never had a meter are forgotten, the others are nobody's."""
    points = book.points_at(location_no)
    if not points:
        raise RequestError(f"service location {shown(location_no)} is not known")
    for point in points.values():
        occupant = open_at(book, point.service_point_no)
        if occupant is not None:
            raise RequestError(f"service location {shown(location_no)} has meter {shown(occupant.meter_no)}; remove it first")
        if book.installations_at(point.service_point_no):
            book.write(replace(point, account_no="", bill_cycle=""))
        else:
            book.erase(point)


def take_customer(book: Book, said: CustomerSaid) -> None:
    """Who somebody is: all their accounts bear the same name."""
    known = book.customer(said.customer_id) or CustomerRecord(said.customer_id)
    customer = CustomerRecord(
        said.customer_id, _told(said.name, known.name), _told(said.phone, known.phone), _told(said.email, known.email)
    )
    book.write(customer)
    for account_no in said.account_nos:
        book.write(replace(book.account(account_no) or Account(account_no), customer_id=said.customer_id))
    for account in book.accounts_of(said.customer_id):
        book.write(replace(account, name=customer.name, phone=customer.phone, email=customer.email))


def end_customer(book: Book, customer_id: str) -> None:
    """Somebody is no customer any more, which takes that no account of theirs pays for anything."""
    customer = book.customer(customer_id)
    if customer is None:
        raise RequestError(f"customer {shown(customer_id)} is not known")
    for account in book.accounts_of(customer_id):
        _require_unpaying(book, account.account_no, f"customer {shown(customer_id)} holds account")
        book.write(replace(account, customer_id=None))
    book.erase(customer)


def take_account(book: Book, said: AccountSaid) -> None:
    """Who pays, where, and in which bill cycle."""
    account = _account(book, said.account_no, said.customer_id)
    account = replace(
        account, name=_told(said.name, account.name), phone=_told(said.phone, account.phone), email=_told(said.email, account.email)
    )
    book.write(account)
    for location_no in said.location_nos:
        points = book.points_at(location_no)
        if not points:
            raise RequestError(f"service location {shown(location_no)} is not known")
        for point in points.values():
            book.write(replace(point, account_no=said.account_no))
    if said.bill_cycle is not None:
        for point in book.points_of(said.account_no):
            book.write(replace(point, bill_cycle=said.bill_cycle))


def end_account(book: Book, account_no: str) -> None:
    """An account is closed, which takes that it pays for nothing."""
    account = book.account(account_no)
    if account is None:
        raise RequestError(f"account {shown(account_no)} is not known")
    _require_unpaying(book, account_no, "account")
    book.erase(account)


def _require_unpaying(book: Book, account_no: str, what: str) -> None:
    points = book.points_of(account_no)
    if points:
        raise RequestError(f"{what} {shown(account_no)}, which pays at service location {shown(points[0].service_location)}")


def _paid(book: Book, point: ServicePoint, account_no: str | None, customer_id: str | None, bill_cycle: str | None) -> ServicePoint:
    """The point as it is written, its account known."""
    if account_no:
        book.write(_account(book, account_no, customer_id))
    point = replace(point, account_no=_told(account_no, point.account_no), bill_cycle=_told(bill_cycle, point.bill_cycle))
    book.write(point)
    return point


def _account(book: Book, account_no: str, customer_id: str | None) -> Account:
    account = book.account(account_no) or Account(account_no)
    if customer_id is None or customer_id == account.customer_id:
        return account
    customer = book.customer(customer_id) or CustomerRecord(customer_id, account.name, account.phone, account.email)
    book.write(customer)
    return replace(account, customer_id=customer_id, name=customer.name, phone=customer.phone, email=customer.email)


def _new_point(location_no: str, commodity: Commodity, others: dict[Commodity, ServicePoint]) -> ServicePoint:
    """A further service point of a location is where its others are, and paid for like them."""
    if not others:
        return ServicePoint(location_no, commodity, "", "", "", "", "", "")
    number = f"{location_no}/{commodity.value}"
    return replace(next(iter(others.values())), service_point_no=number, commodity=commodity, location_no=location_no)


def _told(said: str | None, known: str) -> str:
    return known if said is None else said
