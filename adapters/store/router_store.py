"""Routers and who watches them: profiles in, cases out, what came of polls and traps recorded, and what others ask of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.change_sequence import next_change
from adapters.store.database import Database
from adapters.store.errors import StoreMismatchError
from adapters.store.event_recording import put_router_events
from adapters.store.instants import from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.master_lock import lock_master_data
from adapters.store.router_ids import router_ids_of
from adapters.store.router_packing import pack, unpack_access, unpack_health, unpack_troubleshooting
from adapters.store.work_item_store import change_work_items, open_subjects
from headend.errors import StoreError
from headend.limits import ROUTER_EVENTS_KEPT, ROUTER_TROUBLESHOOTINGS_KEPT
from headend.model.endpoint import NativeAddress, RouterId, Transport
from headend.model.router import Router, RouterAccess, RouterProfile
from headend.router_case import TROUBLES, RouterCase
from headend.router_catalogue import RouterCode
from headend.router_health import RouterEvent, RouterHealth
from headend.router_ports import RouterEntry, RouterRecord
from headend.router_troubleshooting import Troubleshooting

Row = tuple[Any, ...]

_R, _P, _S = schema.router.c, schema.router_profile.c, schema.router_state.c
_OWNER = "\0router/"
"""Before a router's name where a sealed key says whose it is: no meter number begins so."""


def import_routers(connection: Connection, profiles: Sequence[RouterProfile], sealer: KeySealer, now: datetime) -> int:
    """Add or update routers by name; how many changed."""
    lock_master_data(connection)
    wanted = {profile.name: profile for profile in profiles}
    router_ids = router_ids_of(connection, set(wanted))
    stored = {row[0]: row for row in fetch(connection, schema.router_profile, ("router_id",), [(one,) for one in router_ids.values()])}
    rows: list[Row] = []
    for name, profile in wanted.items():
        before = stored.get(router_ids[name])
        plain = _plain_row(router_ids[name], profile)
        if before is not None and before[:-2] == plain and _opened(sealer, name, before[-2]) == profile.access:
            continue
        sealed = sealer.seal(pack(profile.access), _OWNER + name, 0)
        rows.append((*plain, sealed, to_us(now) if before is None else before[-1]))
    put(connection, schema.router_profile, rows, OnConflict.REPLACE)
    return len(rows)


def claim(connection: Connection, owner: str, now: datetime, until: datetime) -> bool:
    """Whether `owner` watches until `until`: it did, or nobody does."""
    claimed = connection.execute(
        text(
            "INSERT INTO router_watch (one, owner, until_us) VALUES (1, :owner, :until)"
            " ON CONFLICT (one) DO UPDATE SET owner = excluded.owner, until_us = excluded.until_us"
            " WHERE router_watch.owner = excluded.owner OR router_watch.until_us <= :now RETURNING owner"
        ),
        {"owner": owner, "until": to_us(until), "now": to_us(now)},
    )
    return claimed.first() is not None


def release(connection: Connection, owner: str) -> None:
    """Let another watch."""
    connection.execute(delete(schema.router_watch).where(schema.router_watch.c.owner == owner))


def cases(connection: Connection, sealer: KeySealer) -> list[RouterCase]:
    """All routers with a profile, by name."""
    open_items = open_subjects(connection, set(TROUBLES.values()))
    rows = connection.execute(_selected().where(_P.router_id.is_not(None)).order_by(_R.name)).all()
    found = []
    for row in rows:
        router = Router(RouterId(row.router_id), from_us(row.created_us), _profile(row, _opened(sealer, row.name, row.sealed)))
        opened = frozenset(code for code, kind in TROUBLES.items() if (kind, row.name) in open_items)
        found.append(RouterCase(router, _health(row) or RouterHealth(router.router_id), _running(row), opened))
    return found


def record(connection: Connection, records: Sequence[RouterRecord]) -> None:
    """What came of watching: states, events, ended troubleshootings and work items."""
    states: dict[int, Row] = {}
    events: list[Row] = []
    finished: list[Row] = []
    for one in records:
        health, running = one.case.health, one.case.troubleshooting
        heard_us = None if health.heard is None else to_us(health.heard)
        row = (health.router_id, health.state.value, heard_us, pack(health), None if running is None else pack(running))
        states[health.router_id] = row
        events += [(e.router_id, e.sequence, e.code.value, to_us(e.occurred), e.detail) for e in one.events]
        finished += [(health.router_id, to_us(t.began), t.code.value, pack(t)) for t in one.finished]
    put(connection, schema.router_state, list(states.values()), OnConflict.REPLACE)
    _put_events(connection, events)
    put(connection, schema.router_troubleshooting, finished, OnConflict.IGNORE)
    for router_id in {row[0] for row in events}:
        _forget_old(connection, schema.router_event, "sequence", router_id, ROUTER_EVENTS_KEPT)
    for router_id in {row[0] for row in finished}:
        _forget_old(connection, schema.router_troubleshooting, "began_us", router_id, ROUTER_TROUBLESHOOTINGS_KEPT)
    change_work_items(connection, [change for one in records for change in one.work_items])


def _put_events(connection: Connection, events: Sequence[Row]) -> None:
    """Events that are not there yet, before the event desk, too."""
    known = {row[:2] for row in fetch(connection, schema.router_event, ("router_id", "sequence"), [row[:2] for row in events])}
    new = [row for row in events if row[:2] not in known]
    if new:
        put(connection, schema.router_event, new, OnConflict.IGNORE)
        put_router_events(connection, new, next_change(connection))


def entries(connection: Connection, sealer: KeySealer, name: str | None = None) -> list[RouterEntry]:
    """All routers by name, or one."""
    statement = _selected() if name is None else _selected().where(_R.name == name)
    e = schema.endpoint.c
    counting = select(e.router_id, func.count()).where(e.active == 1, e.router_id.is_not(None)).group_by(e.router_id)
    counted: dict[int, int] = {row[0]: row[1] for row in connection.execute(counting)}
    return [
        RouterEntry(
            RouterId(row.router_id),
            row.name,
            counted.get(row.router_id, 0),
            None if row.sealed is None else _profile(row, _opened(sealer, row.name, row.sealed)),
            _health(row),
            _running(row),
        )
        for row in connection.execute(statement.order_by(_R.name)).all()
    ]


def events(connection: Connection, name: str, limit: int) -> list[RouterEvent]:
    """The newest events of a router, newest first."""
    e = schema.router_event.c
    joined = schema.router_event.join(schema.router, _R.router_id == e.router_id)
    rows = connection.execute(
        select(e.router_id, e.sequence, e.code, e.occurred_us, e.detail)
        .select_from(joined)
        .where(_R.name == name)
        .order_by(e.sequence.desc())
        .limit(limit)
    )
    return [RouterEvent(RouterId(row[0]), row[1], RouterCode(row[2]), from_us(row[3]), row[4]) for row in rows]


def troubleshootings(connection: Connection, name: str, limit: int) -> list[Troubleshooting]:
    """The newest troubleshootings of a router that have ended, newest first."""
    t = schema.router_troubleshooting.c
    joined = schema.router_troubleshooting.join(schema.router, _R.router_id == t.router_id)
    rows = connection.execute(select(t.packed).select_from(joined).where(_R.name == name).order_by(t.began_us.desc()).limit(limit))
    return [unpack_troubleshooting(packed) for packed in rows.scalars()]


def _selected() -> Any:
    joined = schema.router.outerjoin(schema.router_profile, _P.router_id == _R.router_id).outerjoin(
        schema.router_state, _S.router_id == _R.router_id
    )
    profile = [column for column in schema.router_profile.columns if column.name != "router_id"]
    return select(_R.router_id, _R.name, *profile, _S.health, _S.troubleshooting).select_from(joined)


def _plain_row(router_id: int, profile: RouterProfile) -> Row:
    second = profile.second_address
    second_row = (None, None) if second is None else (second.host, second.port)
    place = (profile.location, profile.latitude, profile.longitude)
    return (router_id, profile.address.host, profile.address.port, *second_row, profile.expected_nodes, *place)


def _profile(row: Any, access: RouterAccess) -> RouterProfile:
    second = None if row.second_host is None else NativeAddress(Transport.UDP, row.second_host, row.second_port)
    return RouterProfile(
        name=row.name,
        address=NativeAddress(Transport.UDP, row.host, row.port),
        access=access,
        second_address=second,
        expected_nodes=row.expected_nodes,
        location=row.location,
        latitude=row.latitude,
        longitude=row.longitude,
    )


def _health(row: Any) -> RouterHealth | None:
    return None if row.health is None else unpack_health(row.health)


def _running(row: Any) -> Troubleshooting | None:
    return None if row.troubleshooting is None else unpack_troubleshooting(row.troubleshooting)


def _opened(sealer: KeySealer, name: str, sealed: bytes) -> RouterAccess:
    try:
        return unpack_access(sealer.open(sealed, _OWNER + name, 0))
    except StoreMismatchError:
        raise
    except StoreError:
        raise StoreError(f"the stored credentials of router {name!r} are damaged or belong to another") from None


def _forget_old(connection: Connection, table: Table, column: str, router_id: int, kept: int) -> None:
    """Keep a router's newest rows."""
    order = table.c[column]
    newest = select(order).where(table.c.router_id == router_id).order_by(order.desc()).offset(kept).limit(1).scalar_subquery()
    connection.execute(delete(table).where(table.c.router_id == router_id, order <= newest))


class RouterPart:
    """RouterStore, RouterProvisioning and the routers of RouterQueries of a store."""

    _database: Database
    _sealer: KeySealer

    def import_routers(self, profiles: Sequence[RouterProfile], now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: import_routers(c, profiles, self._sealer, now))

    def claim_routers(self, owner: str, now: datetime, until: datetime) -> Deferred[bool]:
        return self._database.run(lambda c: claim(c, owner, now, until))

    def release_routers(self, owner: str) -> Deferred[None]:
        return self._database.run(lambda c: release(c, owner))

    def router_cases(self) -> Deferred[list[RouterCase]]:
        return self._database.read(lambda c: cases(c, self._sealer))

    def record_routers(self, records: Sequence[RouterRecord]) -> Deferred[None]:
        return self._database.run(lambda c: record(c, records))

    def router_entries(self) -> Deferred[list[RouterEntry]]:
        return self._database.read(lambda c: entries(c, self._sealer))

    def router_entry(self, name: str) -> Deferred[RouterEntry | None]:
        return self._database.read(lambda c: next(iter(entries(c, self._sealer, name)), None))

    def router_events(self, name: str, limit: int) -> Deferred[list[RouterEvent]]:
        return self._database.read(lambda c: events(c, name, limit))

    def router_troubleshootings(self, name: str, limit: int) -> Deferred[list[Troubleshooting]]:
        return self._database.read(lambda c: troubleshootings(c, name, limit))
