"""Installations: a meter is in one place at a time, and a service point has one meter at a time. Pure."""

from dataclasses import replace
from datetime import datetime, timedelta

from headend.errors import RequestError, shown
from headend.master_data.book import Book
from headend.model.endpoint import Installation, ServicePoint

AHEAD_MAX = timedelta(days=1)
"""How far ahead of now something may be said to have happened: clocks differ, and so do midnights."""


def open_of(book: Book, meter_no: str) -> Installation | None:
    """Where a meter is now."""
    return next((one for one in book.installations_of(meter_no) if one.ended is None), None)


def open_at(book: Book, service_point_no: str) -> Installation | None:
    """What is installed at a service point now."""
    return next((one for one in book.installations_at(service_point_no) if one.ended is None), None)


def location_of(book: Book, installation: Installation) -> str:
    """The service location of an installation."""
    point = book.service_point(installation.service_point_no)
    return point.service_location if point else installation.service_point_no


def install(book: Book, meter_no: str, point: ServicePoint, at: datetime) -> None:
    """Install a meter that is nowhere at a service point that is free; a meter that is there already stays as it is.

    Raises  RequestError naming what is in the way
    """
    now_at = open_of(book, meter_no)
    if now_at is not None and now_at.service_point_no == point.service_point_no:
        return
    if now_at is not None:
        where = shown(location_of(book, now_at))
        raise RequestError(f"meter {shown(meter_no)} is installed at service location {where}; remove it there first")
    occupant = open_at(book, point.service_point_no)
    if occupant is not None:
        where = f"service location {shown(point.service_location)} has {point.commodity.value} meter {shown(occupant.meter_no)}"
        raise RequestError(f"{where}; exchange or remove that one first")
    for before in (*book.installations_of(meter_no), *book.installations_at(point.service_point_no)):
        if before.ended is not None and before.ended > at:
            where = shown(location_of(book, before))
            raise RequestError(
                f"meter {shown(before.meter_no)} was installed at service location {where} until {before.ended.isoformat()},"
                f" after {at.isoformat()}, when this is to begin"
            )
    book.write(Installation(meter_no, point.service_point_no, at))


def end(book: Book, installation: Installation, at: datetime) -> None:
    """End an installation; one that ends as it begins has never been.

    Raises  RequestError where it would end before it began
    """
    if at < installation.started:
        raise RequestError(
            f"meter {shown(installation.meter_no)} was installed at {installation.started.isoformat()},"
            f" after {at.isoformat()}, when that is to end: dates are reversed"
        )
    book.erase(installation)
    if at > installation.started:
        book.write(replace(installation, ended=at))


def record_period(book: Book, wanted: Installation) -> None:
    """A period as a file tells it; what the meter or the service point had before ends where one that still lasts begins.

    Raises  RequestError for dates reversed
    """
    if wanted.ended is not None and wanted.ended <= wanted.started:
        raise RequestError(f"meter {shown(wanted.meter_no)}: the installation ends at {wanted.ended.isoformat()}, before it begins")
    if wanted.ended is None:
        for before in (open_of(book, wanted.meter_no), open_at(book, wanted.service_point_no)):
            if before is not None and before != wanted and before.started < wanted.started:
                book.write(replace(before, ended=wanted.started))
    book.write(wanted)


def instant(said: datetime | None, now: datetime, what: str) -> datetime:
    """When something took effect: as said, else now.

    Raises  RequestError for an instant that lies ahead
    """
    if said is None:
        return now
    if said > now + AHEAD_MAX:
        raise RequestError(f"{what} {said.isoformat()} lies in the future")
    return said
