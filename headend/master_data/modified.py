"""Which meters are other than before, as those see them who are told of meters: themselves, their place, their account. Pure."""

from collections.abc import Iterable

from headend.master_data.book import Book, Change
from headend.master_data.installing import open_at
from headend.master_data.records import Account, InstallationKey, Kind
from headend.model.endpoint import ServicePoint


def modified_meters(book: Book, changes: Iterable[Change]) -> dict[str, bool]:
    """Meter numbers that changes are about, each with whether the meter is new."""
    modified: dict[str, bool] = {}
    for change in changes:
        for meter_no in _meters_of(book, change):
            is_new = change.kind is Kind.METER and change.before is None
            modified[meter_no] = modified.get(meter_no, False) or is_new
    return modified


def _meters_of(book: Book, change: Change) -> list[str]:
    match change.kind, change.key:
        case Kind.METER | Kind.SWITCH, str() as meter_no:
            return [meter_no]
        case Kind.INSTALLATION, InstallationKey(meter_no, _):
            return [meter_no]
        case Kind.SERVICE_POINT, str() as number if _paid(change.before) != _paid(change.after):
            return _installed(book, [number])
        case Kind.ACCOUNT, str() as account_no if _holder(change.before) != _holder(change.after):
            return _installed(book, [point.service_point_no for point in book.points_of(account_no)])
        case _:
            return []


def _installed(book: Book, service_point_nos: Iterable[str]) -> list[str]:
    found = (open_at(book, number) for number in service_point_nos)
    return [installation.meter_no for installation in found if installation is not None]


def _paid(value: object) -> tuple[str, str] | None:
    return (value.account_no, value.bill_cycle) if isinstance(value, ServicePoint) else None


def _holder(value: object) -> str | None:
    return value.customer_id if isinstance(value, Account) else None
