"""What a collection looks up beside its leases: counts, programs, security of endpoints that speak on their own, exceptions."""

from datetime import datetime

from sqlalchemy import Connection, desc, select, text

from adapters.store import schema
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.progress_packing import unpack_progress, unpack_tables
from headend.model.collection import CollectionSummary, EndpointSecurity, MeterProgramRecord
from headend.model.endpoint import EndpointId, NativeAddress, Transport
from headend.model.events import ExceptionKind, ExceptionRecord

_SECURITY = text(
    "SELECT e.endpoint_id, e.meter_no, e.configuration, e.active, coalesce(s.transport, e.transport),"
    " coalesce(s.host, e.host), coalesce(s.port, e.port), s.program, s.progress, s.replay_window"
    " FROM endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id WHERE e.ap_title_octets = :ap_title"
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


def security(connection: Connection, sealer: KeySealer, ap_title: bytes) -> EndpointSecurity | None:
    """What is needed to accept a message of the endpoint with this ApTitle."""
    row = connection.execute(_SECURITY, {"ap_title": ap_title}).first()
    if row is None:
        return None
    endpoint_id, meter_no, configuration, active, transport, host, port, fingerprint, progress, replay_window = row
    key = schema.endpoint_key.c
    stored = connection.execute(select(key.key_id, key.sealed).where(key.endpoint_id == endpoint_id).order_by(key.key_id))
    keys = tuple([(key_id, sealer.open(sealed, meter_no, key_id)) for key_id, sealed in stored])
    return EndpointSecurity(
        endpoint_id=EndpointId(endpoint_id),
        meter_no=meter_no,
        ap_title=ap_title,
        configuration=configuration,
        active=bool(active),
        keys=keys,
        program=fingerprint,
        progress=unpack_progress(progress),
        replay_window=replay_window,
        address=None if transport is None else NativeAddress(Transport(transport), host, port),
    )


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
