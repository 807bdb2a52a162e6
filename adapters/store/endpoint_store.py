"""Makes the endpoints of a shipment and the customers of a file known, by the rules that notifications keep to; all or nothing."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.directory import ENTRIES, entry_of
from adapters.store.keys import KeySealer
from adapters.store.master_loading import load
from adapters.store.master_lock import lock_master_data
from adapters.store.master_rows import Row
from adapters.store.master_writing import write_changes
from adapters.store.statistics import refresh_statistics
from headend.master_data.naming import named_in
from headend.master_data.port import Author
from headend.master_data.records import InstallationKey, Kind
from headend.master_data.rules import follow
from headend.master_data.statements import AccountSaid, MeterInstalled, MeterShipped, ServicePointRecorded, Statement
from headend.model.endpoint import Endpoint, EndpointId
from headend.ports import CustomerItem, ShipmentItem

_SHIPMENT, _CUSTOMERS = Author("", "import shipment"), Author("", "import customers")


def import_shipment(connection: Connection, items: Sequence[ShipmentItem], sealer: KeySealer, now: datetime) -> int:
    """Add or update endpoints by meter number; how many changed. Raises RequestError for an ApTitle of two meters."""
    lock_master_data(connection)
    statements = [MeterShipped(item) for item in items]
    loaded = load(connection, named_in(statements))
    for statement in statements:
        follow(loaded.book, statement, now)
    changed = {loaded.endpoints[str(c.key)][0] for c in write_changes(connection, loaded, _SHIPMENT, now)}
    rekeyed = _seal_keys(connection, {loaded.endpoints[item.meter_no][0]: item for item in items}, sealer)
    return len(changed | rekeyed)


def import_customers(connection: Connection, items: Sequence[CustomerItem], now: datetime) -> int:
    """Add or update accounts, service points and installations; how many lines changed anything. Raises UnknownMeterError."""
    lock_master_data(connection)
    told = [_statements(item) for item in items]
    loaded = load(connection, named_in(statement for statements in told for statement in statements))
    for statements in told:
        for statement in statements:
            follow(loaded.book, statement, now)
    changed = {(c.kind, c.key) for c in write_changes(connection, loaded, _CUSTOMERS, now)}
    return sum(not changed.isdisjoint(_objects(item)) for item in items)


def endpoint(connection: Connection, endpoint_id: EndpointId) -> Endpoint | None:
    """One endpoint."""
    row = connection.execute(ENTRIES.where(schema.endpoint.c.endpoint_id == endpoint_id)).first()
    return None if row is None else entry_of(row).endpoint


def _statements(item: CustomerItem) -> list[Statement]:
    customer = item.customer
    account = AccountSaid(customer.account_no, name=customer.name, phone=customer.phone, email=customer.email)
    statements: list[Statement] = [account, ServicePointRecorded(item.service_point)]
    if item.installation is not None:
        statements.append(MeterInstalled(item.installation))
    return statements


def _objects(item: CustomerItem) -> list[tuple[Kind, object]]:
    """What a line is about."""
    objects: list[tuple[Kind, object]] = [
        (Kind.ACCOUNT, item.customer.account_no),
        (Kind.SERVICE_POINT, item.service_point.service_point_no),
    ]
    if (installation := item.installation) is not None:
        objects.append((Kind.INSTALLATION, InstallationKey(installation.meter_no, installation.started)))
    return objects


def _seal_keys(connection: Connection, items: dict[int, ShipmentItem], sealer: KeySealer) -> set[int]:
    """Seal keys that are new or differ; whose they are."""
    wanted = [(endpoint_id, item.key_id) for endpoint_id, item in items.items()]
    before = {row[:2]: row[2] for row in fetch(connection, schema.endpoint_key, ("endpoint_id", "key_id"), wanted)}
    fresh: list[Row] = []
    for endpoint_id, item in items.items():
        sealed = before.get((endpoint_id, item.key_id))
        if sealed is None or not sealer.holds(sealed, item.key, item.meter_no, item.key_id):
            fresh.append((endpoint_id, item.key_id, sealer.seal(item.key, item.meter_no, item.key_id)))
    put(connection, schema.endpoint_key, fresh, OnConflict.REPLACE)
    refresh_statistics(connection, {schema.endpoint_key: len(fresh)})
    return {row[0] for row in fresh}
