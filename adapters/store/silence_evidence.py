"""What a store knows about endpoints that fell silent, for their diagnosis: route, router, neighbours, outages, exceptions."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, func, select

from adapters.store import schema
from adapters.store.bulk import fetch, rows_of
from adapters.store.instants import DAY_US, from_us
from adapters.store.router_packing import unpack_health
from adapters.store.watch_tables import endpoint_silence
from headend.model.endpoint import CONFIGURATIONS, EndpointId, NativeAddress, Transport
from headend.model.event_kinds import EventCatalogue, OutageMeaning
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.outage_devices import OutageState
from headend.router_health import RouterHealth
from headend.silence import SilenceState
from headend.silence_diagnosis import Evidence

_E, _S, _R, _Z = schema.endpoint.c, schema.endpoint_state.c, schema.router.c, endpoint_silence.c
_GASP_DAYS = 2
"""How long before an endpoint was last heard its last word on its supply may lie: meters tell late what they could not tell at once."""

# As text for the driver: there are two questions for each of many endpoints, and SQLAlchemy costs ten times what they do.
_LAST_WORD = (
    "SELECT code, occurred_us FROM device_event WHERE endpoint_id = ? AND occurred_us >= ? AND code IN ({codes})"
    " ORDER BY occurred_us DESC, sequence DESC LIMIT 1"
)
_LAST_EXCEPTION = (
    "SELECT occurred_us, kind, reason FROM exception_record WHERE endpoint_id = ? AND kind <> ? ORDER BY occurred_us DESC LIMIT 1"
)


def evidence(connection: Connection, endpoint_ids: Sequence[EndpointId], catalogue: EventCatalogue) -> dict[EndpointId, Evidence]:
    """By endpoint; `catalogue` says what its events mean for its supply."""
    meanings = {kind.code: kind.outage for kind in catalogue.kinds.values() if kind.outage is not None}
    keys = [(one,) for one in endpoint_ids]
    endpoints = {row[0]: row for row in fetch(connection, schema.endpoint, ("endpoint_id",), keys)}
    states = {row[0]: row for row in fetch(connection, schema.endpoint_state, ("endpoint_id",), keys)}
    outages = {row[0]: row for row in fetch(connection, schema.outage_state, ("endpoint_id",), keys)}
    neighbours = _Neighbours(connection)
    found = {}
    for endpoint_id in endpoint_ids:
        endpoint, state = endpoints[endpoint_id], states[endpoint_id]
        heard_us = _value(schema.endpoint_state, state, "heard_us")
        router_id = _value(schema.endpoint, endpoint, "router_id")
        name, health, others, silent = neighbours.of(router_id)
        configuration = CONFIGURATIONS[_value(schema.endpoint, endpoint, "configuration")]
        found[endpoint_id] = Evidence(
            route=_route(endpoint, state),
            battery=configuration.battery,
            heard=None if heard_us is None else from_us(heard_us),
            router=name,
            health=health,
            neighbours=max(0, others - 1),
            neighbours_silent=max(0, silent - 1),
            outage_since=_outage_since(connection, endpoint_id, heard_us, outages.get(endpoint_id), meanings),
            last_exception=_last_exception(connection, endpoint_id),
        )
    return found


def _value(table: Table, row: tuple[Any, ...], column: str) -> Any:
    return row[_places(table)[column]]


@cache
def _places(table: Table) -> dict[str, int]:
    return {name: place for place, name in enumerate(table.columns.keys())}


def _route(endpoint: tuple[Any, ...], state: tuple[Any, ...]) -> str:
    for table, row in ((schema.endpoint_state, state), (schema.endpoint, endpoint)):
        transport, host, port = (_value(table, row, name) for name in ("transport", "host", "port"))
        if host is not None:
            return str(NativeAddress(Transport(transport), host, port))
    return "no address known"


class _Neighbours:
    """Routers of silent endpoints, each looked up once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[int, tuple[str | None, RouterHealth | None, int, int]] = {}

    def of(self, router_id: int | None) -> tuple[str | None, RouterHealth | None, int, int]:
        """(its name, its health, its active endpoints, how many of them are silent)."""
        if router_id is None:
            return None, None, 0, 0
        if router_id not in self._known:
            self._known[router_id] = self._looked_up(router_id)
        return self._known[router_id]

    def _looked_up(self, router_id: int) -> tuple[str | None, RouterHealth | None, int, int]:
        state = schema.router_state.c
        named = schema.router.outerjoin(schema.router_state, state.router_id == _R.router_id)
        name, health = self._connection.execute(select(_R.name, state.health).select_from(named).where(_R.router_id == router_id)).one()
        here = [_E.router_id == router_id, _E.active == 1]
        count = self._connection.execute(select(func.count()).select_from(schema.endpoint).where(*here)).scalar_one()
        joined = endpoint_silence.join(schema.endpoint, _E.endpoint_id == _Z.endpoint_id)
        silent = select(func.count()).select_from(joined).where(*here, _Z.state != SilenceState.OK.value)
        return name, None if health is None else unpack_health(health), count, self._connection.execute(silent).scalar_one()


def _outage_since(
    connection: Connection,
    endpoint_id: int,
    heard_us: int | None,
    state: tuple[Any, ...] | None,
    meanings: Mapping[int, OutageMeaning],
) -> Any:
    """By what it is known to be in, or by its own last word on it."""
    if state is not None and _value(schema.outage_state, state, "state") == OutageState.OUTAGED.value:
        since_us = _value(schema.outage_state, state, "since_us")
        if since_us is not None:
            return from_us(since_us)
    if heard_us is None or not meanings:
        return None
    newest = _LAST_WORD.format(codes=", ".join(str(int(code)) for code in meanings))
    for code, occurred_us in rows_of(connection, newest, (endpoint_id, heard_us - _GASP_DAYS * DAY_US)):
        return from_us(occurred_us) if meanings[code] is OutageMeaning.OUTAGE else None
    return None


def _last_exception(connection: Connection, endpoint_id: int) -> ExceptionRecord | None:
    """The newest but for those that only tell of the silence."""
    for occurred_us, kind, reason in rows_of(connection, _LAST_EXCEPTION, (endpoint_id, ExceptionKind.NO_PUSH.value)):
        return ExceptionRecord(EndpointId(endpoint_id), ExceptionKind(kind), from_us(occurred_us), reason)
    return None
