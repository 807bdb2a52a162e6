"""Makes endpoints, customers and service points known; what is known already and unchanged is left alone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, func, select, text

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.directory import ENTRIES, entry_of
from adapters.store.endpoint_state import EndpointState
from adapters.store.instants import to_us
from adapters.store.keys import KeySealer
from adapters.store.master_lock import lock_master_data
from headend.c1222.identifiers import ApTitle
from headend.errors import RequestError, UnknownMeterError
from headend.model.endpoint import CONFIGURATIONS, Endpoint, EndpointId
from headend.ports import CustomerItem, ShipmentItem

Row = tuple[Any, ...]


def import_shipment(connection: Connection, items: Sequence[ShipmentItem], sealer: KeySealer, now: datetime) -> int:
    """Add or update endpoints by meter number; how many changed. Raises RequestError for an ApTitle of two meters."""
    lock_master_data(connection)
    wanted = {item.meter_no: item for item in items}
    old = {row[1]: row for row in fetch(connection, schema.endpoint, ("meter_no",), [(meter_no,) for meter_no in wanted])}
    _check_ap_titles(connection, wanted)
    routers = _routers(connection, {item.router for item in wanted.values() if item.router})
    next_id = (connection.execute(select(func.max(schema.endpoint.c.endpoint_id))).scalar() or 0) + 1
    rows: list[Row] = []
    for item in wanted.values():
        known = old.get(item.meter_no)
        endpoint_id, created_us = (known[0], known[-1]) if known else (next_id, to_us(now))
        next_id += known is None
        rows.append(_endpoint_row(item, endpoint_id, routers, created_us))
    changed = {row[0] for row in rows if row != old.get(row[1])}
    new = {row[0] for row in rows if row[1] not in old}
    put(connection, schema.endpoint, [row for row in rows if row[0] in changed], OnConflict.REPLACE)
    put(connection, schema.endpoint_state, [EndpointState.new(endpoint_id) for endpoint_id in sorted(new)], OnConflict.FAIL)
    _forget_addresses(connection, rows, old)
    rekeyed = _seal_keys(connection, rows, list(wanted.values()), sealer)
    connection.execute(text("UPDATE tally SET endpoints = (SELECT count(*) FROM endpoint WHERE active = 1)"))
    return len(changed | rekeyed)


def import_customers(connection: Connection, items: Sequence[CustomerItem]) -> int:
    """Add or update accounts, service points and installations; how many lines changed anything. Raises UnknownMeterError."""
    lock_master_data(connection)
    endpoint_ids = _endpoint_ids(connection, {item.installation.meter_no for item in items if item.installation})
    accounts = {item.customer.account_no: _account_row(item) for item in items}
    points = {item.service_point.service_point_no: _point_row(item) for item in items}
    new_accounts = _changed(connection, schema.account, accounts)
    new_points = _changed(connection, schema.service_point, points)
    put(connection, schema.account, list(new_accounts.values()), OnConflict.REPLACE)
    put(connection, schema.service_point, list(new_points.values()), OnConflict.REPLACE)
    installed = _install(connection, items, endpoint_ids)
    return sum(
        item.customer.account_no in new_accounts or item.service_point.service_point_no in new_points or index in installed
        for index, item in enumerate(items)
    )


def endpoint(connection: Connection, endpoint_id: EndpointId) -> Endpoint | None:
    """One endpoint."""
    row = connection.execute(ENTRIES.where(schema.endpoint.c.endpoint_id == endpoint_id)).first()
    return None if row is None else entry_of(row).endpoint


def _endpoint_row(item: ShipmentItem, endpoint_id: int, routers: dict[str, int], created_us: int) -> Row:
    configuration = CONFIGURATIONS.get(item.configuration)
    if configuration is None:
        raise RequestError(f"meter {item.meter_no!r}: configuration {item.configuration!r} is not one of {', '.join(CONFIGURATIONS)}")
    octets = ApTitle.parse(item.ap_title).absolute
    router_id = routers[item.router] if item.router else None
    identity = (endpoint_id, item.meter_no, item.serial_no, item.model, item.configuration, item.ap_title, octets, item.key_id, router_id)
    return (*identity, item.address.transport.value, item.address.host, item.address.port, 1, int(not configuration.battery), created_us)


def _check_ap_titles(connection: Connection, wanted: dict[str, ShipmentItem]) -> None:
    owners: dict[str, str] = {}
    for row in fetch(connection, schema.endpoint, ("ap_title",), [(item.ap_title,) for item in wanted.values()]):
        if row[1] not in wanted:
            owners[row[5]] = row[1]
    for item in wanted.values():
        owner = owners.setdefault(item.ap_title, item.meter_no)
        if owner != item.meter_no:
            raise RequestError(f"meter {item.meter_no!r}: ApTitle {item.ap_title} belongs to meter {owner!r}")


def _routers(connection: Connection, names: set[str]) -> dict[str, int]:
    known = {row[1]: row[0] for row in fetch(connection, schema.router, ("name",), [(name,) for name in sorted(names)])}
    next_id = (connection.execute(select(func.max(schema.router.c.router_id))).scalar() or 0) + 1
    new = {name: next_id + i for i, name in enumerate(sorted(names - known.keys()))}
    put(connection, schema.router, [(router_id, name) for name, router_id in new.items()], OnConflict.FAIL)
    return known | new


def _forget_addresses(connection: Connection, rows: list[Row], old: dict[str, Row]) -> None:
    """An address that an endpoint registered gives way when it is shipped anew with another one."""
    moved = [(row[0],) for row in rows if row[1] in old and row[9:12] != old[row[1]][9:12]]
    states = fetch(connection, schema.endpoint_state, ("endpoint_id",), moved)
    put(connection, schema.endpoint_state, [(*state[:13], None, None, None, *state[16:]) for state in states], OnConflict.REPLACE)


def _seal_keys(connection: Connection, rows: list[Row], items: list[ShipmentItem], sealer: KeySealer) -> set[int]:
    """Seal keys that are new or differ; whose they are."""
    stored = fetch(connection, schema.endpoint_key, ("endpoint_id", "key_id"), [(row[0], row[7]) for row in rows])
    sealed_before = {row[:2]: row[2] for row in stored}
    fresh: list[Row] = []
    for row, item in zip(rows, items, strict=True):
        before = sealed_before.get((row[0], item.key_id))
        if before is None or not sealer.holds(before, item.key, item.meter_no, item.key_id):
            fresh.append((row[0], item.key_id, sealer.seal(item.key, item.meter_no, item.key_id)))
    put(connection, schema.endpoint_key, fresh, OnConflict.REPLACE)
    return {row[0] for row in fresh}


def _account_row(item: CustomerItem) -> Row:
    customer = item.customer
    return (customer.account_no, customer.name, customer.phone, customer.email)


def _point_row(item: CustomerItem) -> Row:
    point = item.service_point
    place = (point.address_line, point.city, point.state, point.postal_code)
    paid_by = (item.customer.account_no, point.bill_cycle)
    return (point.service_point_no, point.commodity.value, *place, *paid_by, point.latitude, point.longitude)


def _changed(connection: Connection, table: Table, rows: dict[str, Row]) -> dict[str, Row]:
    (key,) = (column.name for column in table.primary_key)
    stored = {row[0]: row for row in fetch(connection, table, (key,), [(one,) for one in rows])}
    return {one: row for one, row in rows.items() if row != stored.get(one)}


def _endpoint_ids(connection: Connection, meter_nos: set[str]) -> dict[str, int]:
    found = {row[1]: row[0] for row in fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in sorted(meter_nos)])}
    for meter_no in sorted(meter_nos - found.keys()):
        raise UnknownMeterError(meter_no)
    return found


def _install(connection: Connection, items: Sequence[CustomerItem], endpoint_ids: dict[str, int]) -> set[int]:
    """Installations that are new or differ, one that begins ending what stood there before; the positions of their items."""
    stored = {row[:2]: row for row in fetch(connection, schema.installation, ("endpoint_id",), [(one,) for one in endpoint_ids.values()])}
    points = [(item.service_point.service_point_no,) for item in items]
    stored |= {row[:2]: row for row in fetch(connection, schema.installation, ("service_point_no",), points)}
    open_by_endpoint = {row[0]: row for row in stored.values() if row[3] is None}
    open_by_point = {row[2]: row for row in stored.values() if row[3] is None}
    written: dict[tuple[int, int], Row] = {}
    changed = set()
    for index, item in enumerate(items):
        if (installation := item.installation) is None:
            continue
        ended_us = None if installation.ended is None else to_us(installation.ended)
        row = (endpoint_ids[installation.meter_no], to_us(installation.started), installation.service_point_no, ended_us)
        if stored.get(row[:2]) == row:
            continue
        changed.add(index)
        for before in (open_by_endpoint.get(row[0]), open_by_point.get(row[2])):
            if before is not None and before[:2] != row[:2] and before[1] < row[1] and ended_us is None:
                written[before[:2]] = (*before[:3], row[1])
        written[row[:2]] = stored[row[:2]] = row
        if ended_us is None:
            open_by_endpoint[row[0]] = open_by_point[row[2]] = row
    put(connection, schema.installation, list(written.values()), OnConflict.REPLACE)
    return changed
