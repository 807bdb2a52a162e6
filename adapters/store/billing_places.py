"""Service points with everybody who was ever there, by number, account or meter; many at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from adapters.store import schema
from adapters.store.bulk import key_source, rows_of
from adapters.store.instants import from_us
from adapters.store.scopes import conditions, known
from headend.model.billing_export import Place, Stay
from headend.model.endpoint import Commodity, EndpointId
from headend.model.meters import Meter
from headend.model.partner import MeterScope

_Point = tuple[str, str, str, dict[tuple[int, int], Stay]]
"""Account, commodity, bill cycle, and stays by beginning and endpoint."""

_P, _E = schema.service_point.c, schema.endpoint.c

_PLACES = (
    "SELECT p.service_point_no, coalesce(p.account_no, ''), p.commodity, p.bill_cycle, i.started_us, i.ended_us, e.endpoint_id, e.meter_no,"
    " e.serial_no, coalesce(e.ap_title, ''), e.configuration, e.active, s.last_read_us FROM {keys}"
    " JOIN service_point AS p ON p.{column} = k.{column} LEFT JOIN installation AS i ON i.service_point_no = p.service_point_no"
    " LEFT JOIN endpoint AS e ON e.endpoint_id = i.endpoint_id LEFT JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id"
)
_POINTS_OF_METERS = (
    "SELECT DISTINCT i.service_point_no FROM {keys} JOIN endpoint AS e ON e.meter_no = k.meter_no"
    " JOIN installation AS i ON i.endpoint_id = e.endpoint_id"
)


def places(
    connection: Connection,
    service_points: Sequence[str],
    meters: Sequence[str],
    accounts: Sequence[str],
    scope: MeterScope | None = None,
) -> list[Place]:
    """Each service point once; of a scope's meters alone, where there is one."""
    points = set(service_points)
    if meters:
        source, parameters = key_source(connection, [_E.meter_no], [(one,) for one in meters])
        points |= {row[0] for row in rows_of(connection, _POINTS_OF_METERS.format(keys=source), parameters)}
    rows: list[Any] = []
    for column, values in ((_P.service_point_no, sorted(points)), (_P.account_no, sorted(set(accounts)))):
        if values:
            source, parameters = key_source(connection, [column], [(one,) for one in values])
            rows += rows_of(connection, _PLACES.format(keys=source, column=column.name), parameters)
    found: dict[str, _Point] = {}
    for point, account, commodity, cycle, started_us, ended_us, *meter in rows:
        stays = found.setdefault(point, (account, commodity, cycle, {}))[3]
        if started_us is not None:
            stays[started_us, meter[0]] = Stay(_meter(meter), from_us(started_us), None if ended_us is None else from_us(ended_us))
    if scope is not None:
        found = _seen(connection, scope, found)
    return [
        Place(point, account, Commodity(commodity), cycle, tuple(stays[key] for key in sorted(stays)))
        for point, (account, commodity, cycle, stays) in found.items()
    ]


def _seen(connection: Connection, scope: MeterScope, found: Mapping[str, _Point]) -> dict[str, _Point]:
    """What of service points who knows some meters only may be told."""
    meter_nos = sorted({stay.meter.meter_no for *_, stays in found.values() for stay in stays.values()})
    inside = known(connection, conditions(scope), meter_nos)
    seen: dict[str, _Point] = {}
    for point, (account, commodity, cycle, stays) in found.items():
        theirs = {key: stay for key, stay in stays.items() if stay.meter.meter_no in inside}
        if theirs:
            seen[point] = (account, commodity, cycle, theirs)
    return seen


def _meter(row: Sequence[Any]) -> Meter:
    endpoint_id, meter_no, serial_no, ap_title, configuration, active, newest_us = row
    return Meter(EndpointId(endpoint_id), meter_no, serial_no, ap_title, configuration, bool(active), newest_us)
