"""Writes what changed in a book: the objects, the log of changes, and what follows for collecting."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, text

from adapters.store import schema
from adapters.store.awaited_records import look_again
from adapters.store.bulk import OnConflict, put, remove
from adapters.store.endpoint_state import EndpointState, Outcome
from adapters.store.instants import to_us
from adapters.store.leasing import recount
from adapters.store.master_loading import Loaded
from adapters.store.master_rows import Row, account_row, customer_row, document_row, installation_row, meter_row, point_row, value_text
from adapters.store.recording import lock_states
from adapters.store.router_ids import router_ids_of
from adapters.store.statistics import refresh_statistics
from headend.master_data.book import Change, Value
from headend.master_data.modified import modified_meters
from headend.master_data.port import Author
from headend.master_data.records import Account, CustomerRecord, Document, Kind, Meter, Switch
from headend.model.endpoint import Installation, ServicePoint

_TABLES = {
    Kind.CUSTOMER: schema.customer,
    Kind.ACCOUNT: schema.account,
    Kind.SERVICE_POINT: schema.service_point,
    Kind.METER: schema.endpoint,
    Kind.INSTALLATION: schema.installation,
    Kind.SWITCH: schema.switch_device,
    Kind.DOCUMENT: schema.document,
}
"""In the order in which rows refer to one another."""


def write_changes(connection: Connection, loaded: Loaded, author: Author, now: datetime) -> list[Change]:
    """Write what is different in a book from what was loaded into it; what that was."""
    changes = loaded.book.changes()
    if not changes:
        return []
    created = _new_endpoints(connection, loaded, changes, now)
    row_of = _row_maker(connection, loaded, changes, now)
    for kind, table in _TABLES.items():
        put(connection, table, [row_of(c.after) for c in changes if c.kind is kind and c.after is not None], OnConflict.REPLACE)
    for kind, table in reversed(_TABLES.items()):
        gone = [row_of(c.before) for c in changes if c.kind is kind and c.after is None and c.before is not None]
        remove(connection, table, [row[: len(table.primary_key)] for row in gone])
    put(connection, schema.endpoint_state, [EndpointState.new(one) for one in created], OnConflict.FAIL)
    # Of another device, or of none, no state is known.
    other = [c.before.meter_no for c in changes if isinstance(c.before, Switch)]
    remove(connection, schema.switch_state, [(loaded.endpoints[meter_no][0],) for meter_no in other])
    _log(connection, loaded, changes, author, now)
    _follow_meters(connection, loaded, changes)
    if any(change.kind is Kind.INSTALLATION for change in changes):
        look_again(connection, now)
    refresh_statistics(connection, Counter([_TABLES[change.kind] for change in changes]) + Counter({schema.endpoint_state: len(created)}))
    return changes


def _new_endpoints(connection: Connection, loaded: Loaded, changes: Sequence[Change], now: datetime) -> list[int]:
    """Give new meters their endpoint ids; which they are."""
    next_id = (connection.execute(select(func.max(schema.endpoint.c.endpoint_id))).scalar() or 0) + 1
    created = []
    for change in changes:
        if isinstance(change.after, Meter) and change.before is None:
            loaded.endpoints[change.after.meter_no] = (next_id, to_us(now))
            created.append(next_id)
            next_id += 1
    return created


def _row_maker(connection: Connection, loaded: Loaded, changes: Iterable[Change], now: datetime) -> Callable[[Value], Row]:
    shipped = [c.after.communication for c in changes if isinstance(c.after, Meter) and c.after.communication is not None]
    routers = router_ids_of(connection, {facts.router for facts in shipped if facts.router is not None})
    endpoints, now_us = loaded.endpoints, to_us(now)

    def row_of(value: Value) -> Row:
        match value:
            case Meter():
                return meter_row(value, *endpoints[value.meter_no], routers)
            case Installation():
                return installation_row(value, endpoints[value.meter_no][0])
            case ServicePoint():
                return point_row(value)
            case Account():
                return account_row(value)
            case CustomerRecord():
                return customer_row(value)
            case Switch():
                return (endpoints[value.meter_no][0], value.device_id, int(value.present))
            case Document():
                return document_row(value, now_us)

    return row_of


def _log(connection: Connection, loaded: Loaded, changes: Sequence[Change], author: Author, now: datetime) -> None:
    # Under the lock of master data, so numbers become visible in their order.
    change_no = (connection.execute(select(func.max(schema.master_change.c.change_no))).scalar() or 0) + 1
    said = (to_us(now), author.partner, author.operation)
    rows = [
        (change_no, position, *said, c.kind.value, str(c.key), value_text(c.before), value_text(c.after))
        for position, c in enumerate(changes)
    ]
    put(connection, schema.master_change, rows, OnConflict.FAIL)
    modified = modified_meters(loaded.book, changes)
    put(
        connection,
        schema.meter_change,
        [(change_no, loaded.endpoints[meter_no][0], int(is_new)) for meter_no, is_new in modified.items()],
        OnConflict.FAIL,
    )


def _follow_meters(connection: Connection, loaded: Loaded, changes: Iterable[Change]) -> None:
    moved, retired, counted = [], [], False
    for change in changes:
        before, after = change.before, change.after
        if not isinstance(after, Meter):
            continue
        counted = counted or not isinstance(before, Meter) or before.active != after.active
        if isinstance(before, Meter):
            endpoint_id = loaded.endpoints[after.meter_no][0]
            if _moved(before, after):
                moved.append(endpoint_id)
            if before.active and not after.active:
                retired.append(endpoint_id)
    # States before the tally, as whoever records locks them.
    _change_states(connection, moved, {"transport": None, "host": None, "port": None})
    if retired:
        _change_states(connection, retired, {"outcome": Outcome.NONE, "due_us": None, "scheduled_us": None, "lease_owner": None})
        recount(connection)
    if counted:
        connection.execute(text("UPDATE tally SET endpoints = (SELECT count(*) FROM endpoint WHERE active = 1)"))


def _moved(before: Meter, after: Meter) -> bool:
    """Whether a device was shipped anew to another address, which takes the place of one that it registered."""
    if before.communication is None or after.communication is None or after.communication.address is None:
        return False
    return before.communication.address != after.communication.address


def _change_states(connection: Connection, endpoint_ids: Sequence[int], values: dict[str, Any]) -> None:
    states = lock_states(connection, sorted(endpoint_ids)).values()
    put(connection, schema.endpoint_state, [state._replace(**values) for state in states], OnConflict.REPLACE)
