"""Rows of event cases with the devices they are of: an endpoint with its router and groups, or a router."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select, text

from adapters.store import schema
from adapters.store.bulk import fetch, key_source, rows_of
from adapters.store.event_tables import event_case
from adapters.store.instants import from_us
from headend.meter_groups import GroupKind
from headend.model.endpoint import CONFIGURATIONS
from headend.model.event_case import CaseState, Device, EventCase, EventNumber
from headend.model.events import EventPath

Row = tuple[Any, ...]

COLUMNS = ", ".join(column.name for column in event_case.columns)

_ENDPOINTS = (
    "SELECT e.endpoint_id, e.meter_no, e.configuration, e.serial_no, e.ap_title, r.name, e.muted FROM {keys}"
    " JOIN endpoint AS e ON e.endpoint_id = k.endpoint_id LEFT JOIN router AS r ON r.router_id = e.router_id"
)
_G, _M, _R = schema.meter_group.c, schema.meter_group_member.c, schema.router.c
_MEMBERS = text(
    "SELECT endpoint_id, group_id FROM meter_group_member WHERE group_kind = :kind AND group_id IN :groups AND endpoint_id IN :endpoints"
).bindparams(bindparam("groups", expanding=True), bindparam("endpoints", expanding=True))


def cases_of(connection: Connection, rows: Sequence[Row], groups: Collection[str] = ()) -> list[EventCase]:
    """Cases of rows of `event_case`; devices say which of `groups` they belong to. One whose device is gone is left out."""
    endpoints = _endpoints(connection, sorted({row[3] for row in rows if not row[2]}), groups)
    routers = _routers(connection, sorted({row[3] for row in rows if row[2]}))
    found = []
    for row in rows:
        device = (routers if row[2] else endpoints).get(row[3])
        if device is not None:
            found.append(_case(row, device))
    return found


def rows_numbered(connection: Connection, numbers: Sequence[EventNumber]) -> list[Row]:
    """Rows of `event_case` by their numbers."""
    return fetch(connection, event_case, ("change_seq", "position"), [tuple(one) for one in numbers])


def _case(row: Row, device: Device) -> EventCase:
    change_seq, position, _, _, code, occurred_us, sequence, path, argument, received_us, state, reason, _ = row
    return EventCase(
        EventNumber(change_seq, position),
        device,
        code,
        from_us(occurred_us),
        sequence,
        EventPath(path),
        bytes(argument),
        from_us(received_us),
        CaseState(state),
        reason,
    )


def _endpoints(connection: Connection, endpoint_ids: list[int], groups: Collection[str]) -> dict[int, Device]:
    if not endpoint_ids:
        return {}
    source, keys = key_source(connection, [schema.endpoint.c.endpoint_id], [(one,) for one in endpoint_ids])
    belonging = _groups(connection, endpoint_ids, groups) if groups else {}
    rows = connection.exec_driver_sql(_ENDPOINTS.format(keys=source), keys).all()
    nowhere: frozenset[str] = frozenset()
    return {
        endpoint_id: Device(
            endpoint_id,
            meter_no,
            CONFIGURATIONS[configuration].commodity,
            configuration,
            serial_no,
            ap_title or "",
            router,
            bool(muted),
            belonging.get(endpoint_id, nowhere),
        )
        for endpoint_id, meter_no, configuration, serial_no, ap_title, router, muted in rows
    }


def _groups(connection: Connection, endpoint_ids: list[int], groups: Collection[str]) -> Mapping[int, frozenset[str]]:
    """By endpoint those of `groups`, which are named by their number or name, that it is a member of."""
    kind = GroupKind.METERS.value
    named = select(_G.group_id, _G.name).where(_G.group_kind == kind, or_(_G.group_id.in_(groups), _G.name.in_(groups)))
    known = {group_id: frozenset({group_id, name}).intersection(groups) for group_id, name in connection.execute(named)}
    if not known:
        return {}
    belonging: dict[int, frozenset[str]] = {}
    rows = connection.execute(_MEMBERS, {"kind": kind, "groups": list(known), "endpoints": endpoint_ids})
    for endpoint_id, group_id in rows:
        belonging[endpoint_id] = belonging.get(endpoint_id, frozenset()) | known[group_id]
    return belonging


def _routers(connection: Connection, router_ids: list[int]) -> dict[int, Device]:
    if not router_ids:
        return {}
    rows = connection.execute(select(_R.router_id, _R.name).where(_R.router_id.in_(router_ids)))
    return {router_id: Device(router_id, name, None) for router_id, name in rows}


def newest_first(connection: Connection, condition: str, parameters: Row, limit: int) -> list[Row]:
    """Rows of `event_case` that fulfil a condition, whose parameters stand as `?`."""
    statement = f"SELECT {COLUMNS} FROM event_case WHERE {condition} ORDER BY change_seq DESC, position DESC LIMIT ?"  # noqa: S608
    return rows_of(connection, statement, (*parameters, limit))
