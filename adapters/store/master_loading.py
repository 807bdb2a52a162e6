"""Reads what statements name, and what hangs together with it, into a book: a few queries, however many statements."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Table

from adapters.store import schema
from adapters.store.bulk import fetch
from adapters.store.master_rows import Row, document_of, installation_of, meter_of, point_of, switch_of
from headend.master_data.book import Book
from headend.master_data.naming import Named
from headend.master_data.records import Account, CustomerRecord


@dataclass(slots=True)
class Loaded:
    """A book, and what its meters are in the tables: endpoint id and when it was created, by meter number."""

    book: Book = field(default_factory=Book)
    endpoints: dict[str, tuple[int, int]] = field(default_factory=dict)


def load(connection: Connection, named: Named) -> Loaded:
    """All that the rules can ask for when they follow statements that name these objects."""
    endpoints = _rows(connection, schema.endpoint, "meter_no", named.meters)
    endpoints |= _rows(connection, schema.endpoint, "ap_title", named.ap_titles)
    devices = _rows(connection, schema.switch_device, "endpoint_id", endpoints) | _rows(
        connection, schema.switch_device, "device_id", named.devices
    )
    installations = _rows(connection, schema.installation, "endpoint_id", {row[0] for row in endpoints.values()}, 2)
    accounts = _rows(connection, schema.account, "account_no", named.accounts)
    accounts |= _rows(connection, schema.account, "customer_id", named.customers)
    points = _points(connection, named, installations.values(), accounts)
    installations |= _rows(connection, schema.installation, "service_point_no", points, 2)
    beside = {row[0] for row in (*installations.values(), *devices.values())} - endpoints.keys()
    endpoints |= _rows(connection, schema.endpoint, "endpoint_id", beside)
    accounts |= _rows(connection, schema.account, "account_no", {row[6] for row in points.values() if row[6]} - accounts.keys())
    holders = named.customers | {row[4] for row in accounts.values() if row[4]}
    loaded = Loaded(endpoints={row[1]: (row[0], row[14]) for row in endpoints.values()})
    meter_nos = {row[0]: row[1] for row in endpoints.values()}
    routers = _router_names(connection, endpoints.values())
    book = loaded.book
    book.know(meter_of(row, routers) for row in endpoints.values())
    book.know(point_of(row) for row in points.values())
    book.know(installation_of(row, meter_nos[row[0]]) for row in installations.values())
    book.know(CustomerRecord(*row) for row in _rows(connection, schema.customer, "customer_id", holders).values())
    book.know(Account(*row) for row in accounts.values())
    book.know(switch_of(row, meter_nos[row[0]]) for row in devices.values())
    keys = [(key.document_kind, key.object_id) for key in named.documents]
    book.know(document_of(row) for row in fetch(connection, schema.document, ("document_kind", "object_id"), keys))
    return loaded


def _points(connection: Connection, named: Named, installations: Iterable[Row], accounts: Iterable[object]) -> dict[object, Row]:
    """Service points that are named, that meters are at, and that accounts pay for."""
    points = _rows(connection, schema.service_point, "location_no", named.locations)
    points |= _rows(connection, schema.service_point, "service_point_no", named.points | {row[2] for row in installations})
    return points | _rows(connection, schema.service_point, "account_no", accounts)


def _rows(connection: Connection, table: Table, column: str, values: Iterable[object], key_columns: int = 1) -> dict[object, Row]:
    """Rows in which `column` has one of `values`, by their primary key, which stands in front."""
    rows = fetch(connection, table, (column,), [(value,) for value in sorted(set(values), key=str)])
    return {row[0] if key_columns == 1 else row[:key_columns]: row for row in rows}


def _router_names(connection: Connection, endpoints: Iterable[Row]) -> dict[int, str]:
    rows = _rows(connection, schema.router, "router_id", {row[8] for row in endpoints if row[8] is not None})
    return {row[0]: row[1] for row in rows.values()}
