"""Rows of endpoints, service points and accounts as MeterEntry values."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, select

from adapters.store import schema
from adapters.store.master_rows import point_of
from headend.model.endpoint import Customer, Endpoint, EndpointId, MeterEntry, NativeAddress, Transport

_E, _S, _R = schema.endpoint.c, schema.endpoint_state.c, schema.router.c
_P, _A, _I = schema.service_point.c, schema.account.c, schema.installation.c

ENTRIES: Select[Any] = (
    select(
        _E.endpoint_id,
        _E.meter_no,
        _E.serial_no,
        _E.model,
        _E.configuration,
        _E.ap_title,
        func.coalesce(_S.transport, _E.transport),
        func.coalesce(_S.host, _E.host),
        func.coalesce(_S.port, _E.port),
        _R.name,
        _E.active,
        _E.muted,
        _P.service_point_no,
        _P.commodity,
        _P.address_line,
        _P.city,
        _P.state,
        _P.postal_code,
        _P.account_no,
        _P.bill_cycle,
        _P.latitude,
        _P.longitude,
        _P.location_no,
        _A.account_no,
        _A.name,
        _A.phone,
        _A.email,
        _A.customer_id,
    )
    .select_from(schema.endpoint)
    .join(schema.endpoint_state, _S.endpoint_id == _E.endpoint_id)
    .outerjoin(schema.router, _R.router_id == _E.router_id)
    .outerjoin(schema.installation, and_(_I.endpoint_id == _E.endpoint_id, _I.ended_us.is_(None)))
    .outerjoin(schema.service_point, _P.service_point_no == _I.service_point_no)
    .outerjoin(schema.account, _A.account_no == _P.account_no)
)
"""One row for each endpoint: what it is, and where it is installed now."""


def entry_of(row: Iterable[Any]) -> MeterEntry:
    """The value of one row of ENTRIES."""
    (endpoint_id, meter_no, serial_no, model, configuration, ap_title, transport, host, port, router, active, muted, *rest) = tuple(row)
    address = None if transport is None else NativeAddress(Transport(transport), host, port)
    identity = (EndpointId(endpoint_id), meter_no, serial_no, model, configuration)
    endpoint = Endpoint(*identity, ap_title, address, router, bool(active), bool(muted))
    if rest[0] is None:
        return MeterEntry(endpoint)
    point, (account_no, name, phone, email, customer_id) = point_of(tuple(rest[:11])), rest[11:]
    customer = None if account_no is None else Customer(account_no, name, phone, email, customer_id or "")
    return MeterEntry(endpoint, point, customer)


def entry_by_meter(connection: Connection, meter_no: str, only: Sequence[ColumnElement[bool]] = ()) -> MeterEntry | None:
    """The entry of one meter, where it fulfils the conditions."""
    row = connection.execute(ENTRIES.where(_E.meter_no == meter_no, *only)).first()
    return None if row is None else entry_of(row)


def entries_by_id(connection: Connection, endpoint_ids: Iterable[int]) -> dict[int, MeterEntry]:
    """Entries of many endpoints."""
    found: dict[int, MeterEntry] = {}
    wanted = sorted(set(endpoint_ids))
    for start in range(0, len(wanted), _IDS_PER_QUERY):
        chunk = wanted[start : start + _IDS_PER_QUERY]
        found |= {row[0]: entry_of(row) for row in connection.execute(ENTRIES.where(_E.endpoint_id.in_(chunk)))}
    return found


_IDS_PER_QUERY = 500
