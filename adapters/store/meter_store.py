"""Which endpoints a reading request means: by identifier, by what they measure, by bill cycle; in the order of their ids."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Select, and_, func, or_, select

from adapters.store import schema
from adapters.store.bulk import key_source, rows_of
from adapters.store.directory import ENTRIES, entry_of
from adapters.store.instants import from_us, to_us
from adapters.store.limits import KEYS_PER_QUERY_MAX
from headend.model.billing import MeterTerm
from headend.model.endpoint import CONFIGURATIONS, EndpointId, MeterEntry
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.selections import Cycle, Fleet, MeterSet, Period
from headend.ports import Page
from headend.reading_queries import MeterPage

_E, _S = schema.endpoint.c, schema.endpoint_state.c
_P, _I = schema.service_point.c, schema.installation.c

_METERS: Select[Any] = select(
    _E.endpoint_id, _E.meter_no, _E.serial_no, func.coalesce(_E.ap_title, ""), _E.configuration, _E.active, _S.last_read_us
).select_from(schema.endpoint.join(schema.endpoint_state, _S.endpoint_id == _E.endpoint_id))

Conditions = Sequence[ColumnElement[bool]]
"""What an endpoint must fulfil to be told of, on the table `endpoint`; none lets all be."""

_NAMED = (
    "SELECT endpoint.endpoint_id, endpoint.meter_no, endpoint.serial_no, coalesce(endpoint.ap_title, ''),"
    " configuration, active, last_read_us FROM {keys}"
    " JOIN endpoint ON endpoint.{column} = k.{column} JOIN endpoint_state ON endpoint_state.endpoint_id = endpoint.endpoint_id"
    " WHERE 1 = 1{only} ORDER BY endpoint.endpoint_id"
)


def also(dialect: Dialect, only: Conditions) -> str:
    """Conditions to put behind those of a statement that is text."""
    compiled = [one.compile(dialect=dialect, compile_kwargs={"literal_binds": True}) for one in only]
    return "".join(f" AND {one}" for one in compiled)


def meters(connection: Connection, after: str | None, limit: int, only: Conditions = ()) -> Page[MeterEntry]:
    """Active endpoints in order of meter number."""
    wanted = and_(_E.active == 1, _E.meter_no > (after or ""), *only)
    rows = connection.execute(ENTRIES.where(wanted).order_by(_E.meter_no).limit(limit)).all()
    if len(rows) < limit or not rows:
        return Page([entry_of(row) for row in rows], 0 if limit else _count(connection, wanted))
    return Page([entry_of(row) for row in rows], _count(connection, and_(_E.active == 1, _E.meter_no > rows[-1].meter_no, *only)))


def meters_named(connection: Connection, identifier: MeterIdentifier, names: Collection[str], only: Conditions = ()) -> list[Meter]:
    """Endpoints whose identifier is one of `names`."""
    return _meters_by(connection, schema.endpoint.c[identifier.value], names, only)


def meters_by_id(connection: Connection, endpoint_ids: Collection[EndpointId]) -> list[Meter]:
    """Endpoints in the order of their ids."""
    return _meters_by(connection, _E.endpoint_id, endpoint_ids, ())


def meter_page(connection: Connection, meter_set: MeterSet, after: EndpointId, limit: int, only: Conditions = ()) -> MeterPage:
    """Where a page of a set ends, and how many follow it."""
    inside = and_(_in_set(meter_set), _E.endpoint_id > after, *only)
    total = _count_meters(connection, inside)
    ordered = _METERS.where(inside)
    if total <= limit:
        row = connection.execute(ordered.order_by(_E.endpoint_id.desc()).limit(1)).first()
    else:
        row = connection.execute(ordered.order_by(_E.endpoint_id).offset(limit - 1).limit(1)).first()
    return MeterPage(None if row is None else meter_of(row), max(0, total - limit))


def meters_in(
    connection: Connection, meter_set: MeterSet, after: EndpointId, last: EndpointId, limit: int, only: Conditions = ()
) -> list[Meter]:
    """Meters of a set after an endpoint, up to and with `last`."""
    inside = and_(_in_set(meter_set), _E.endpoint_id > after, _E.endpoint_id <= last, *only)
    return [meter_of(row) for row in connection.execute(_METERS.where(inside).order_by(_E.endpoint_id).limit(limit))]


def terms(
    connection: Connection, bill_cycle: str, installed: Period, endpoint_ids: Sequence[EndpointId]
) -> list[tuple[EndpointId, MeterTerm]]:
    """When endpoints were installed at service points of a bill cycle, as far as that touches a period."""
    source, parameters = key_source(connection, [_I.endpoint_id], [(one,) for one in endpoint_ids])
    statement = (
        f"SELECT i.endpoint_id, i.service_point_no, i.started_us, i.ended_us FROM {source}"  # noqa: S608
        " JOIN installation AS i ON i.endpoint_id = k.endpoint_id JOIN service_point AS p ON p.service_point_no = i.service_point_no"
        " WHERE p.bill_cycle = ? AND i.started_us <= ? AND (i.ended_us IS NULL OR i.ended_us > ?) ORDER BY i.endpoint_id, i.started_us"
    )
    rows = rows_of(connection, statement, (*parameters, bill_cycle, to_us(installed.end), to_us(installed.start)))
    return [(EndpointId(row[0]), MeterTerm(row[1], from_us(row[2]), _instant(row[3]))) for row in rows]


def knows_bill_cycle(connection: Connection, bill_cycle: str) -> bool:
    """Whether any service point has it."""
    statement = select(_P.service_point_no).where(_P.bill_cycle == bill_cycle).limit(1)
    return connection.execute(statement).first() is not None


def _meters_by(connection: Connection, column: Column[Any], values: Collection[Any], only: Conditions) -> list[Meter]:
    found = []
    wanted = list(values)
    for start in range(0, len(wanted), KEYS_PER_QUERY_MAX):
        source, parameters = key_source(connection, [column], [(value,) for value in wanted[start : start + KEYS_PER_QUERY_MAX]])
        statement = _NAMED.format(keys=source, column=column.name, only=also(connection.dialect, only))
        found += [meter_of(row) for row in rows_of(connection, statement, parameters)]
    return found


def _in_set(meter_set: MeterSet) -> ColumnElement[bool]:
    match meter_set:
        case Fleet(commodities, read_since):
            measuring = [c.name for c in CONFIGURATIONS.values() if c.commodity in commodities]
            alive: ColumnElement[bool] = _E.active == 1
            if read_since is not None:
                alive = or_(alive, _S.last_read_us >= to_us(read_since))
            return and_(_E.configuration.in_(measuring), alive)
        case Cycle(bill_cycle, installed):
            joined = schema.installation.join(schema.service_point, _P.service_point_no == _I.service_point_no)
            during = and_(_I.started_us <= to_us(installed.end), or_(_I.ended_us.is_(None), _I.ended_us > to_us(installed.start)))
            at_point = select(_I.endpoint_id).select_from(joined).where(_I.endpoint_id == _E.endpoint_id)
            return at_point.where(_P.bill_cycle == bill_cycle, during).exists()


def meter_of(row: Any) -> Meter:
    """The value of one row of what these statements select."""
    endpoint_id, meter_no, serial_no, ap_title, configuration, active, newest_us = row
    return Meter(EndpointId(endpoint_id), meter_no, serial_no, ap_title, configuration, bool(active), newest_us)


def _instant(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)


def _count(connection: Connection, wanted: Any) -> int:
    return connection.execute(select(func.count()).select_from(schema.endpoint).where(wanted)).scalar_one()


def _count_meters(connection: Connection, inside: Any) -> int:
    joined = schema.endpoint.join(schema.endpoint_state, _S.endpoint_id == _E.endpoint_id)
    return connection.execute(select(func.count()).select_from(joined).where(inside)).scalar_one()
