"""Switches and outage detection devices: which meters have one, and what is known of its state."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, case, func, or_, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.database import Database
from adapters.store.directory import ENTRIES, entry_of
from adapters.store.instants import from_us, to_us
from adapters.store.recording import lock_states
from headend.errors import UnknownMeterError
from headend.model.endpoint import CONFIGURATIONS, Commodity, EndpointId, MeterEntry
from headend.outage_devices import DeviceStatus, OutageDevice, OutageState
from headend.ports import Page
from headend.switches import KnownBy, MeterSwitch, SwitchState

_E, _D, _W, _O = schema.endpoint.c, schema.switch_device.c, schema.switch_state.c, schema.outage_state.c
_WITH_SWITCH = [name for name, configuration in CONFIGURATIONS.items() if configuration.has_switch]
_ELECTRIC = [name for name, configuration in CONFIGURATIONS.items() if configuration.commodity is Commodity.ELECTRIC]

HAS_SWITCH: ColumnElement[bool] = or_(_D.present == 1, and_(_D.present.is_(None), _E.configuration.in_(_WITH_SWITCH)))
"""A device that a partner told of, or one that is built in; needs an outer join of `switch_device`."""

_SWITCHES = (
    ENTRIES.outerjoin(schema.switch_device, _D.endpoint_id == _E.endpoint_id)
    .outerjoin(schema.switch_state, _W.endpoint_id == _E.endpoint_id)
    .add_columns(case((HAS_SWITCH, 1), else_=0), _W.enabled, _W.state, _W.since_us, _W.known_by)
)
_STATUS = func.coalesce(
    _O.said_status,
    case(
        (or_(_E.ap_title.is_(None), _O.state == OutageState.OUTAGED.value), DeviceStatus.OUT_OF_SERVICE.value),
        else_=DeviceStatus.IN_SERVICE.value,
    ),
)
_DEVICES = (
    ENTRIES.outerjoin(schema.outage_state, _O.endpoint_id == _E.endpoint_id)
    .add_columns(_O.state, _O.since_us, _STATUS)
    .where(_E.active == 1, _E.configuration.in_(_ELECTRIC))
)


def switch(connection: Connection, meter_no: str) -> MeterSwitch | None:
    """A meter's switch."""
    row = connection.execute(_SWITCHES.where(_E.meter_no == meter_no)).first()
    if row is None:
        return None
    *entry, present, enabled, state, since_us, known_by = tuple(row)
    return MeterSwitch(
        entry=entry_of(entry),
        present=bool(present),
        enabled=bool(present) and enabled != 0,
        state=SwitchState(state or SwitchState.UNKNOWN),
        since=None if since_us is None else from_us(since_us),
        known_by=None if known_by is None else KnownBy(known_by),
    )


def switch_meters(connection: Connection, after: str, limit: int) -> Page[MeterEntry]:
    """Active meters that have a switch."""
    wanted = _SWITCHES.where(_E.active == 1, HAS_SWITCH, _E.meter_no > after)
    rows, remaining = _page(connection, wanted, limit)
    return Page([entry_of(tuple(row)[:-5]) for row in rows], remaining)


@dataclass(frozen=True, slots=True)
class SwitchNote:
    """What was learned of a switch: how it stands, whether it obeys; None where that was not learned."""

    endpoint_id: int
    state: SwitchState | None
    known_by: KnownBy | None
    enabled: bool | None = None


def note_switches(connection: Connection, notes: Sequence[SwitchNote], since: datetime) -> None:
    """What was learned of switches, in this order; how they stand is so since then. Takes their states until the transaction ends."""
    endpoint_ids = sorted({note.endpoint_id for note in notes})
    lock_states(connection, endpoint_ids)
    known = {row[0]: tuple(row) for row in fetch(connection, schema.switch_state, ("endpoint_id",), [(one,) for one in endpoint_ids])}
    since_us = to_us(since)
    for note in notes:
        _, enabled, state, known_us, known_by = known.get(note.endpoint_id, (None, 1, SwitchState.UNKNOWN.value, None, None))
        enabled = enabled if note.enabled is None else int(note.enabled)
        if note.state is not None and (known_us is None or known_us <= since_us):
            state, known_us, known_by = note.state.value, since_us, note.known_by and note.known_by.value
        known[note.endpoint_id] = (note.endpoint_id, enabled, state, known_us, known_by)
    put(connection, schema.switch_state, [known[endpoint_id] for endpoint_id in endpoint_ids], OnConflict.REPLACE)


def note_switch_state(connection: Connection, meter_no: str, state: SwitchState, since: datetime, known_by: KnownBy) -> None:
    """A switch stands so since then."""
    note_switches(connection, [SwitchNote(_locked(connection, meter_no), state, known_by)], since)


def enable_switch(connection: Connection, meter_no: str, *, enabled: bool) -> None:
    """A switch obeys commands, or does not."""
    note_switches(connection, [SwitchNote(_locked(connection, meter_no), None, None, enabled)], datetime.min.replace(tzinfo=UTC))


def outage_device(connection: Connection, meter_no: str) -> OutageDevice | None:
    """A meter as outage detection device."""
    row = connection.execute(_DEVICES.where(_E.meter_no == meter_no)).first()
    return None if row is None else _device(row)


def outage_devices(connection: Connection, status: DeviceStatus | None, after: str, limit: int) -> Page[OutageDevice]:
    """Devices, or those of a status."""
    wanted = _DEVICES.where(_E.meter_no > after)
    if status is not None:
        wanted = wanted.where(_STATUS.is_not_distinct_from(status.value))
    rows, remaining = _page(connection, wanted, limit)
    return Page([_device(row) for row in rows], remaining)


def outaged_devices(connection: Connection, after: str, limit: int) -> Page[OutageDevice]:
    """Devices without power."""
    rows, remaining = _page(connection, _DEVICES.where(_O.state == OutageState.OUTAGED.value, _E.meter_no > after), limit)
    return Page([_device(row) for row in rows], remaining)


def note_outage_state(connection: Connection, endpoint_ids: Sequence[EndpointId], state: OutageState, since: datetime) -> None:
    """These have, or have no, power since then."""
    note_outage_states(connection, [(endpoint_id, since) for endpoint_id in endpoint_ids], state)


def note_outage_states(connection: Connection, since: Sequence[tuple[int, datetime]], state: OutageState) -> None:
    """Each endpoint has, or has no, power since an instant of its own; older news than what is known changes nothing."""
    wanted = dict(since)
    known_endpoints = lock_states(connection, sorted(wanted))
    known = {row[0]: row for row in fetch(connection, schema.outage_state, ("endpoint_id",), [(one,) for one in known_endpoints])}
    rows = []
    for endpoint_id in known_endpoints:
        _, _, known_us, said_status = known.get(endpoint_id, (endpoint_id, None, None, None))
        since_us = to_us(wanted[endpoint_id])
        if known_us is None or known_us <= since_us:
            rows.append((endpoint_id, state.value, since_us, said_status))
    put(connection, schema.outage_state, rows, OnConflict.REPLACE)


def say_device_status(connection: Connection, meter_no: str, status: DeviceStatus | None) -> None:
    """What a partner says of a device."""
    endpoint_id = _locked(connection, meter_no)
    known = fetch(connection, schema.outage_state, ("endpoint_id",), [(endpoint_id,)])
    state, since_us = known[0][1:3] if known else (OutageState.UNKNOWN.value, None)
    row = (endpoint_id, state, since_us, None if status is None else status.value)
    put(connection, schema.outage_state, [row], OnConflict.REPLACE)


def _device(row: Row[Any]) -> OutageDevice:
    *entry, state, since_us, status = tuple(row)
    since = None if since_us is None else from_us(since_us)
    return OutageDevice(entry_of(entry), OutageState(state or OutageState.UNKNOWN), since, DeviceStatus(status))


def _page(connection: Connection, wanted: Select[Any], limit: int) -> tuple[Sequence[Row[Any]], int]:
    """Rows in order of meter number, and how many follow after them."""
    rows = connection.execute(wanted.order_by(_E.meter_no).limit(limit)).all()
    if len(rows) < limit:
        return rows, 0
    count = connection.execute(wanted.with_only_columns(func.count())).scalar_one()
    return rows, count - len(rows)


def _locked(connection: Connection, meter_no: str) -> int:
    """Id of an endpoint, its states ours until the transaction ends."""
    endpoint_id = connection.execute(select(_E.endpoint_id).where(_E.meter_no == meter_no)).scalar()
    if endpoint_id is None:
        raise UnknownMeterError(meter_no)
    lock_states(connection, [endpoint_id])
    return int(endpoint_id)


class DevicePart:
    """Switches and OutageDevices of a store."""

    _database: Database

    def switch(self, meter_no: str) -> Deferred[MeterSwitch | None]:
        return self._database.read(lambda c: switch(c, meter_no))

    def switch_meters(self, after: str, limit: int) -> Deferred[Page[MeterEntry]]:
        return self._database.read(lambda c: switch_meters(c, after, limit))

    def note_switch_state(self, meter_no: str, state: SwitchState, since: datetime, known_by: KnownBy) -> Deferred[None]:
        return self._database.run(lambda c: note_switch_state(c, meter_no, state, since, known_by))

    def enable_switch(self, meter_no: str, *, enabled: bool) -> Deferred[None]:
        return self._database.run(lambda c: enable_switch(c, meter_no, enabled=enabled))

    def outage_device(self, meter_no: str) -> Deferred[OutageDevice | None]:
        return self._database.read(lambda c: outage_device(c, meter_no))

    def outage_devices(self, status: DeviceStatus | None, after: str, limit: int) -> Deferred[Page[OutageDevice]]:
        return self._database.read(lambda c: outage_devices(c, status, after, limit))

    def outaged_devices(self, after: str, limit: int) -> Deferred[Page[OutageDevice]]:
        return self._database.read(lambda c: outaged_devices(c, after, limit))

    def note_outage_state(self, endpoint_ids: Sequence[EndpointId], state: OutageState, since: datetime) -> Deferred[None]:
        return self._database.run(lambda c: note_outage_state(c, endpoint_ids, state, since))

    def say_device_status(self, meter_no: str, status: DeviceStatus | None) -> Deferred[None]:
        return self._database.run(lambda c: say_device_status(c, meter_no, status))
