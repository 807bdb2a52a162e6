"""Hands out due endpoints: each to one owner at a time, with invocation ids that are never handed out again.

A lease moves the endpoint's due time to its own end, so that an expired one is simply due again.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, text

from adapters.store import gap_store, schema
from adapters.store.bulk import OnConflict, fetch, key_source, put
from adapters.store.endpoint_state import Outcome, lease_id
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.progress_packing import unpack_progress
from headend.c1222.exchange import next_invocation_id
from headend.errors import StoreError, UnknownMeterError
from headend.limits import INVOCATION_ID_MAX, INVOCATION_IDS_PER_LEASE
from headend.model.collection import Assignment, Gap
from headend.model.endpoint import EndpointId, NativeAddress, Transport
from headend.model.events import ExceptionKind

_PICK = "SELECT endpoint_id FROM endpoint_state WHERE due_us <= :now ORDER BY due_us, endpoint_id LIMIT :count"
# Materialized, so that no plan can run the picking twice and lease more than was asked for.
_LEASE = (
    "WITH picked AS MATERIALIZED ({pick})"
    " UPDATE endpoint_state SET lease_owner = :owner, due_us = :until, lease_no = lease_no + 1, attempts = attempts + 1,"
    " next_invocation_id = (next_invocation_id - 1 + :ids) % :id_max + 1 WHERE endpoint_id IN (SELECT endpoint_id FROM picked)"
    " RETURNING endpoint_id, lease_no, next_invocation_id, program, progress, collect_from_us, transport, host, port"
)
_DETAILS = (
    "SELECT e.endpoint_id, e.meter_no, e.ap_title_octets, e.configuration, e.key_id, y.sealed, r.name,"
    " e.transport, e.host, e.port FROM {keys} JOIN endpoint AS e ON e.endpoint_id = k.endpoint_id"
    " LEFT JOIN endpoint_key AS y ON y.endpoint_id = e.endpoint_id AND y.key_id = e.key_id"
    " LEFT JOIN router AS r ON r.router_id = e.router_id"
)
# By the index of what is due, in which a leased endpoint stands with its lease's end: one of owners would be kept up with every lease.
_GIVE_BACK = "UPDATE endpoint_state SET lease_owner = NULL, due_us = scheduled_us WHERE due_us IS NOT NULL AND lease_owner = :owner"
_SCHEDULE = (
    "UPDATE endpoint_state SET outcome = :due_outcome, scheduled_us = :due, collect_from_us = :collect_from, attempts = 0,"
    " due_us = CASE WHEN lease_owner IS NULL THEN :due ELSE due_us END"
    " WHERE endpoint_id IN (SELECT endpoint_id FROM endpoint WHERE active = 1 AND polled = 1{named})"
    # One that was shipped without an address is collected once it has registered.
    " AND (host IS NOT NULL OR endpoint_id IN (SELECT endpoint_id FROM endpoint WHERE host IS NOT NULL))"
)
_RECOUNT = (
    "UPDATE tally SET due = (SELECT count(*) FROM endpoint_state WHERE outcome = 1),"
    " done = (SELECT count(*) FROM endpoint_state WHERE outcome = 2),"
    " failed = (SELECT count(*) FROM endpoint_state WHERE outcome = 3)"
)


def lease(connection: Connection, sealer: KeySealer, owner: str, count: int, *, now: datetime, until: datetime) -> list[Assignment]:
    """Up to `count` due endpoints, now `owner`'s until `until`."""
    # SKIP LOCKED: whoever comes second gets the next ones instead of waiting for the first.
    pick = _PICK if connection.dialect.name == "sqlite" else f"{_PICK} FOR UPDATE SKIP LOCKED"
    parameters = {"now": to_us(now), "until": to_us(until), "count": count, "owner": owner}
    ids = {"ids": INVOCATION_IDS_PER_LEASE, "id_max": INVOCATION_ID_MAX}
    leased = sorted([tuple(row) for row in connection.execute(text(_LEASE.format(pick=pick)), parameters | ids).all()])
    if not leased:
        return []
    source, keys = key_source(connection, [schema.endpoint.c.endpoint_id], [row[:1] for row in leased])
    details = {row[0]: tuple(row) for row in connection.exec_driver_sql(_DETAILS.format(keys=source), keys).all()}
    gaps = gap_store.taken(connection, [row[0] for row in leased])
    assignments, unusable = [], []
    for row in leased:
        try:
            assignments.append(_assignment(row, details[row[0]], sealer, gaps.get(row[0], ())))
        except StoreError as error:
            unusable.append((row[0], str(error)))
    _fail(connection, unusable, now)
    return assignments


def release(connection: Connection, owner: str) -> None:
    """Every lease of `owner` is over; its endpoints are due as they were."""
    connection.execute(text(_GIVE_BACK), {"owner": owner})


def schedule(connection: Connection, due: datetime, collect_from: datetime, meter_nos: Sequence[str] | None) -> int:
    """Make endpoints due; all of them begin a new collection, whose counts start from nothing. Raises UnknownMeterError."""
    parameters: dict[str, Any] = {"due": to_us(due), "collect_from": to_us(collect_from), "due_outcome": Outcome.DUE.value}
    if meter_nos is None:
        due_count = connection.execute(text(_SCHEDULE.format(named="")), parameters).rowcount
        connection.execute(text("UPDATE tally SET register_reads = 0, intervals = 0, events = 0"))
    else:
        names: BindParameter[str] = bindparam("names", expanding=True)
        _check_known(connection, meter_nos)
        statement = text(_SCHEDULE.format(named=" AND meter_no IN :names")).bindparams(names)
        due_count = connection.execute(statement, parameters | {"names": list(meter_nos)}).rowcount
    connection.execute(text(_RECOUNT))
    return due_count


def recount(connection: Connection) -> None:
    """Count the outcomes of the present collection anew."""
    connection.execute(text(_RECOUNT))


def _check_known(connection: Connection, meter_nos: Sequence[str]) -> None:
    known = {row[1] for row in fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in meter_nos])}
    for meter_no in meter_nos:
        if meter_no not in known:
            raise UnknownMeterError(meter_no)


def _assignment(leased: tuple[Any, ...], detail: tuple[Any, ...], sealer: KeySealer, gaps: tuple[Gap, ...]) -> Assignment:
    endpoint_id, lease_no, next_id, program, progress, collect_from_us, transport, host, port = leased
    _, meter_no, octets, configuration, key_id, sealed, router, shipped_transport, shipped_host, shipped_port = detail
    if sealed is None:
        raise StoreError(f"meter {meter_no!r} has no key {key_id}")
    if transport is None:
        transport, host, port = shipped_transport, shipped_host, shipped_port
    return Assignment(
        lease_id=lease_id(endpoint_id, lease_no),
        endpoint_id=EndpointId(endpoint_id),
        meter_no=meter_no,
        ap_title=octets,
        address=NativeAddress(Transport(transport), host, port),
        router=router,
        configuration=configuration,
        key_id=key_id,
        key=sealer.open(sealed, meter_no, key_id),
        program=program,
        progress=unpack_progress(progress),
        collect_from=from_us(collect_from_us),
        first_invocation_id=next_invocation_id(next_id, -INVOCATION_IDS_PER_LEASE),
        invocation_ids=INVOCATION_IDS_PER_LEASE,
        gaps=gaps,
    )


def _fail(connection: Connection, unusable: list[tuple[int, str]], now: datetime) -> None:
    if not unusable:
        return
    connection.execute(
        text("UPDATE endpoint_state SET outcome = :failed, due_us = NULL, lease_owner = NULL WHERE endpoint_id = :id"),
        [{"failed": Outcome.FAILED.value, "id": endpoint_id} for endpoint_id, _ in unusable],
    )
    rows = [(endpoint_id, to_us(now), ExceptionKind.STORE.value, reason) for endpoint_id, reason in unusable]
    put(connection, schema.exception_record, rows, OnConflict.IGNORE)
    connection.execute(text(_RECOUNT))
