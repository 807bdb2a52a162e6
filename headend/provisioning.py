"""Shipment and customer files → items to import, and a list of what is wrong with the rows that are none.

A shipment makes endpoints known, with their keys; a customer file says who lives where and which meter is installed there.
The columns stand in `SHIPMENT_COLUMNS` and `CUSTOMER_COLUMNS`; others are passed over. Keys are never shown, nor is what stands
in their place.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from headend.c1222.identifiers import ApTitle
from headend.errors import HeadEndError, RequestError
from headend.model.endpoint import SHIPPABLE, Commodity, Customer, Installation, NativeAddress, ServicePoint, Transport
from headend.ports import CustomerItem, ShipmentItem
from headend.provisioning_rows import FileFormat, Problem, Row, rows

SHIPMENT_COLUMNS = frozenset(
    ("meter_no", "serial_no", "model", "configuration", "ap_title", "key_id", "key", "router", "transport", "host", "port")
)
CUSTOMER_COLUMNS = frozenset(
    (
        *("account_no", "name", "phone", "email"),
        *("service_point_no", "commodity", "address_line", "city", "state", "postal_code", "bill_cycle", "latitude", "longitude"),
        *("meter_no", "started", "ended"),
    )
)

KEY_OCTETS = 16
"""AES-128."""

PROBLEMS_MAX = 1_000
"""Problems kept of one file; whoever has more has the wrong file."""

T = TypeVar("T")


class ImportRefusedError(RequestError):
    """A file with bad rows, of which all or nothing was asked for; `problems` names each."""

    def __init__(self, problems: tuple[Problem, ...], bad_rows: int) -> None:
        self.problems = problems
        self.bad_rows = bad_rows
        shown = "".join(f"\n  {problem}" for problem in problems)
        more = f"\n  and {bad_rows - len(problems)} more" if bad_rows > len(problems) else ""
        super().__init__(f"nothing was imported: {bad_rows} bad row{'s' if bad_rows != 1 else ''}{shown}{more}")


@dataclass(frozen=True, slots=True)
class ImportFile(Generic[T]):
    """What a file holds: good items in order, `bad_rows` others, the first of them named in `problems`."""

    items: tuple[T, ...]
    problems: tuple[Problem, ...]
    bad_rows: int

    def accepted(self, all_or_nothing: bool) -> tuple[T, ...]:
        """The items to import. Raises ImportRefusedError for bad rows where it is all or nothing."""
        if all_or_nothing and self.bad_rows:
            raise ImportRefusedError(self.problems, self.bad_rows)
        return self.items


class RowError(Exception):
    """What is wrong with a row, in words; named with its line, it becomes a Problem."""


def read_shipment(octets: bytes, file_format: FileFormat) -> ImportFile[ShipmentItem]:
    """Endpoints of a shipment file; meter number and ApTitle occur once. Raises ProvisioningFileError."""
    seen: dict[tuple[str, str], int] = {}

    def unique(line: int, item: ShipmentItem) -> None:
        for column, value in (("meter_no", item.meter_no), ("ap_title", item.ap_title)):
            first = seen.setdefault((column, value), line)
            if first != line:
                raise RowError(f"{column} {value!r} is on line {first} already")

    return collect(rows(octets, file_format, SHIPMENT_COLUMNS), _shipment_item, unique)


def read_customers(octets: bytes, file_format: FileFormat) -> ImportFile[CustomerItem]:
    """Accounts and service points of a customer file; a service point has one account in it. Raises ProvisioningFileError."""
    accounts: dict[str, tuple[int, str]] = {}

    def consistent(line: int, item: CustomerItem) -> None:
        point_no = item.service_point.service_point_no
        first, account_no = accounts.setdefault(point_no, (line, item.customer.account_no))
        if account_no != item.customer.account_no:
            raise RowError(f"service_point_no {point_no!r} has account {account_no!r} on line {first}")

    return collect(rows(octets, file_format, CUSTOMER_COLUMNS), _customer_item, consistent)


def collect(found: Iterator[tuple[int, Row | Problem]], item_of: Callable[[Row], T], check: Callable[[int, T], None]) -> ImportFile[T]:
    """Items of rows, each made by `item_of` and held against those before it by `check`; both raise RowError."""
    items: list[T] = []
    problems: list[Problem] = []
    bad_rows = 0
    for line, row in found:
        problem = row if isinstance(row, Problem) else None
        if not isinstance(row, Problem):
            try:
                item = item_of(row)
                check(line, item)
                items.append(item)
            except RowError as error:
                problem = Problem(line, str(error))
        if problem is not None:
            bad_rows += 1
            if len(problems) < PROBLEMS_MAX:
                problems.append(problem)
    return ImportFile(tuple(items), tuple(problems), bad_rows)


def _shipment_item(row: Row) -> ShipmentItem:
    configuration = needed(row, "configuration")
    if configuration not in SHIPPABLE:
        raise RowError(f"configuration {configuration!r} is none of {', '.join(SHIPPABLE)}")
    return ShipmentItem(
        meter_no=needed(row, "meter_no"),
        serial_no=row["serial_no"] or needed(row, "meter_no"),
        model=row["model"],
        configuration=configuration,
        ap_title=_ap_title(row),
        key_id=number(row, "key_id", 0, 255),
        key=_key(row),
        address=_address(row),
        router=row["router"] or None,
    )


def _customer_item(row: Row) -> CustomerItem:
    customer = Customer(needed(row, "account_no"), needed(row, "name"), row["phone"], row["email"])
    if row["commodity"] not in frozenset(Commodity):
        raise RowError(f"commodity {row['commodity']!r} is none of {', '.join(Commodity)}")
    service_point = ServicePoint(
        service_point_no=needed(row, "service_point_no"),
        commodity=Commodity(row["commodity"]),
        address_line=row["address_line"],
        city=row["city"],
        state=row["state"],
        postal_code=row["postal_code"],
        account_no=customer.account_no,
        bill_cycle=row["bill_cycle"],
        latitude=degrees(row, "latitude", 90),
        longitude=degrees(row, "longitude", 180),
    )
    return CustomerItem(customer, service_point, _installation(row, service_point.service_point_no))


def _installation(row: Row, service_point_no: str) -> Installation | None:
    if not row["meter_no"]:
        return None
    started, ended = _instant(row, "started"), _instant(row, "ended") if row["ended"] else None
    if ended is not None and ended <= started:
        raise RowError("ended is not after started")
    return Installation(row["meter_no"], service_point_no, started, ended)


def needed(row: Row, column: str) -> str:
    """What stands in a column. Raises RowError where nothing does."""
    if not row[column]:
        raise RowError(f"{column} is missing")
    return row[column]


def number(row: Row, column: str, least: int, most: int) -> int:
    """A whole number of a range. Raises RowError."""
    text = needed(row, column)
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise RowError(f"{column} {text!r} is not a number from {least} to {most}")
    return int(text)


def _key(row: Row) -> bytes:
    try:
        key = bytes.fromhex(needed(row, "key"))
    except ValueError:
        key = b""
    if len(key) != KEY_OCTETS:
        raise RowError(f"key is not {2 * KEY_OCTETS} hexadecimal digits")
    return key


def _ap_title(row: Row) -> str:
    text = needed(row, "ap_title")
    try:
        return str(ApTitle.parse(text))
    except HeadEndError as error:
        raise RowError(f"ap_title {text!r}: {error}") from None


def _transport(row: Row) -> Transport:
    text = row["transport"].lower() or Transport.UDP.value
    if text not in frozenset(Transport):
        raise RowError(f"transport {text!r} is none of {', '.join(Transport)}")
    return Transport(text)


def _address(row: Row) -> NativeAddress | None:
    """Where the endpoint is; a row with neither host nor port is of one that will register."""
    transport = _transport(row)
    if not row["host"] and not row["port"]:
        return None
    return NativeAddress(transport, needed(row, "host"), number(row, "port", 1, 65_535))


def degrees(row: Row, column: str, most: int) -> float | None:
    """Degrees of latitude or longitude, None where nothing stands. Raises RowError."""
    if not row[column]:
        return None
    try:
        value = float(row[column])
    except ValueError:
        value = float("nan")
    if not -most <= value <= most:
        raise RowError(f"{column} {row[column]!r} is not a number of degrees from {-most} to {most}")
    return value


def _instant(row: Row, column: str) -> datetime:
    text = needed(row, column)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise RowError(f"{column} {text!r} is not an ISO 8601 date and time") from None
    if instant.tzinfo is None:
        raise RowError(f"{column} {text!r} has no offset from UTC")
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise RowError(f"{column} {text!r} is out of range") from None
