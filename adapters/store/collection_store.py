"""What a collection looks up beside its leases: counts, programs, security of endpoints that speak on their own, exceptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, desc, select, text

from adapters.store import schema
from adapters.store.bulk import fetch, key_source, rows_of
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.progress_packing import unpack_progress, unpack_tables
from headend.errors import StoreError
from headend.model.collection import CollectionSummary, EndpointSecurity, MeterProgramRecord
from headend.model.endpoint import EndpointId, NativeAddress, Transport
from headend.model.events import ExceptionKind, ExceptionRecord

_SECURITIES = (
    "SELECT e.endpoint_id, e.meter_no, e.configuration, e.active, coalesce(s.transport, e.transport),"
    " coalesce(s.host, e.host), coalesce(s.port, e.port), s.program, s.progress, s.replay_window, e.ap_title_octets"
    " FROM {titles} AS k CROSS JOIN endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id"
    " WHERE e.ap_title_octets = k.column1"
)

_PUSHED = text(
    "SELECT coalesce(sum(CASE WHEN s.last_read_us >= :read_until THEN 1 ELSE 0 END), 0), count(*)"
    " FROM endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id WHERE e.active = 1 AND e.polled = 0"
    " AND e.ap_title IS NOT NULL"
)


def pushed(connection: Connection, read_until: datetime) -> tuple[int, int]:
    """(active endpoints that push and whose newest register read is at or after `read_until`, all active endpoints that push)."""
    done, pushing = connection.execute(_PUSHED, {"read_until": to_us(read_until)}).one()
    return int(done), int(pushing)


def summary(connection: Connection) -> CollectionSummary:
    """Counts over the present collection: one row."""
    row = connection.execute(select(schema.tally)).one()
    return CollectionSummary(row.endpoints, row.due, row.done, row.failed, row.register_reads, row.intervals, row.events)


def program(connection: Connection, fingerprint: bytes) -> MeterProgramRecord | None:
    """A meter program stored before."""
    tables = connection.execute(select(schema.program.c.tables).where(schema.program.c.fingerprint == fingerprint)).scalar()
    return None if tables is None else MeterProgramRecord(fingerprint, unpack_tables(tables))


def securities(
    connection: Connection, sealer: KeySealer, ap_titles: Sequence[bytes]
) -> dict[bytes, EndpointSecurity | StoreError | None]:
    """What is needed to accept messages of the endpoints with these ApTitles; the error where a stored key or progress is no good."""
    source, parameters = _titles(connection, ap_titles)
    rows = rows_of(connection, _SECURITIES.format(titles=source), parameters)
    keys: dict[int, list[tuple[int, bytes]]] = {}
    for row in fetch(connection, schema.endpoint_key, ("endpoint_id",), [(row[0],) for row in rows]):
        keys.setdefault(row[0], []).append((row[1], row[2]))
    return {bytes(row[-1]): _security(row, sorted(keys.get(row[0], ())), sealer) for row in rows}


def _titles(connection: Connection, ap_titles: Sequence[bytes]) -> tuple[str, tuple[Any, ...]]:
    """Titles as something to join with, and its parameters."""
    if connection.dialect.name == "sqlite":
        return f"(VALUES {', '.join(['(?)'] * len(ap_titles))})", tuple(ap_titles)  # JSON holds no octets
    _, parameters = key_source(connection, [schema.endpoint.c.ap_title_octets], [(title,) for title in ap_titles])
    return "(SELECT unnest(?::bytea[]) AS column1)", parameters


def _security(row: tuple[Any, ...], sealed_keys: Sequence[tuple[int, bytes]], sealer: KeySealer) -> EndpointSecurity | StoreError:
    endpoint_id, meter_no, configuration, active, transport, host, port, fingerprint, progress, replay_window, ap_title = row
    try:
        return EndpointSecurity(
            endpoint_id=EndpointId(endpoint_id),
            meter_no=meter_no,
            ap_title=bytes(ap_title),
            configuration=configuration,
            active=bool(active),
            keys=tuple([(key_id, sealer.open(bytes(sealed), meter_no, key_id)) for key_id, sealed in sealed_keys]),
            program=None if fingerprint is None else bytes(fingerprint),
            progress=unpack_progress(bytes(progress)),
            replay_window=bytes(replay_window),
            address=None if transport is None else NativeAddress(Transport(transport), host, port),
        )
    except StoreError as error:
        return error


def checked(found: EndpointSecurity | StoreError | None) -> EndpointSecurity | None:
    """One of `securities`, for whoever asked for it. Raises the error that stands in its place."""
    if isinstance(found, StoreError):
        raise found
    return found


def exceptions(connection: Connection, limit: int) -> list[tuple[str, ExceptionRecord]]:
    """The newest exceptions with their meter numbers."""
    table, endpoint = schema.exception_record.c, schema.endpoint.c
    rows = connection.execute(
        select(endpoint.meter_no, schema.exception_record)
        .join(schema.endpoint, endpoint.endpoint_id == table.endpoint_id)
        .order_by(desc(table.occurred_us), desc(table.endpoint_id))
        .limit(limit)
    )
    return [
        (row.meter_no, ExceptionRecord(EndpointId(row.endpoint_id), ExceptionKind(row.kind), from_us(row.occurred_us), row.reason))
        for row in rows
    ]
