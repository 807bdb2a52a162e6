"""Silences of endpoints: who may be silent, what is known about those, and what a look came to, recorded in one transaction."""

from array import array
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, put, rows_of
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from adapters.store.limits import REASON_CHARACTERS_MAX
from adapters.store.progress_packing import unpack_progress
from adapters.store.router_packing import unpack_health
from adapters.store.silence_evidence import evidence
from adapters.store.silence_packing import pack_silence, unpack_silence
from adapters.store.watch_tables import endpoint_silence
from adapters.store.work_item_store import change_work_items
from headend.collection_plan import longest_pause
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.utility import Utility
from headend.router_health import RouterHealth
from headend.silence import EndpointContact, Silence, SilencePolicy, SilenceState
from headend.silence_diagnosis import Evidence
from headend.silence_ports import SilenceEntry, SilenceRecord

_OK = SilenceState.OK.value

# Of those that are silent already only the ones that were heard since are looked at each time.
_MISSED = (
    "SELECT s.endpoint_id FROM endpoint_state AS s WHERE s.missed_us <= ? AND (s.heard_us IS NULL OR s.heard_us < s.missed_us)"
    " AND NOT EXISTS (SELECT 1 FROM endpoint_silence AS z WHERE z.endpoint_id = s.endpoint_id AND z.state <> 'ok')"
)
_HEARD = (
    "SELECT z.endpoint_id FROM endpoint_silence AS z JOIN endpoint_state AS s ON s.endpoint_id = z.endpoint_id"
    " WHERE z.state <> 'ok' AND s.heard_us > coalesce(z.since_us, 0) - ?"
)
_SILENT = "SELECT endpoint_id FROM endpoint_silence WHERE state <> 'ok'"
# Nobody waits for one that was never heard and is not installed.
_ASLEEP = (
    "SELECT s.endpoint_id FROM endpoint AS b JOIN endpoint_state AS s ON s.endpoint_id = b.endpoint_id"
    " WHERE b.active = 1 AND b.polled = 0 AND b.ap_title IS NOT NULL AND (s.heard_us <= ? OR (s.heard_us IS NULL AND EXISTS"
    " (SELECT 1 FROM installation AS i WHERE i.endpoint_id = b.endpoint_id AND i.ended_us IS NULL)))"
    " AND NOT EXISTS (SELECT 1 FROM endpoint_silence AS z WHERE z.endpoint_id = s.endpoint_id AND z.state <> 'ok')"
)
_CONTACTS = (
    "SELECT e.endpoint_id, e.meter_no, r.name, e.configuration, e.active, e.polled, e.ap_title IS NOT NULL, s.heard_us, s.missed,"
    " s.missed_us, e.created_us, s.progress,"
    " (SELECT max(i.started_us) FROM installation AS i WHERE i.endpoint_id = e.endpoint_id AND i.ended_us IS NULL), z.packed"
    " FROM endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id"
    " LEFT JOIN router AS r ON r.router_id = e.router_id LEFT JOIN endpoint_silence AS z ON z.endpoint_id = e.endpoint_id"
    " WHERE e.endpoint_id IN ({ids}) ORDER BY e.endpoint_id"
)
# Not where nobody scheduled anything yet: how far back to read is not known there.
_ASK = (
    "UPDATE endpoint_state SET due_us = :now WHERE endpoint_id = :id AND lease_owner IS NULL AND scheduled_us IS NOT NULL"
    " AND (due_us IS NULL OR due_us > :now)"
)
_E, _S, _R, _Z = schema.endpoint.c, schema.endpoint_state.c, schema.router.c, endpoint_silence.c


def suspects(connection: Connection, now: datetime, policy: SilencePolicy, *, all_of_them: bool) -> Sequence[EndpointId]:
    """Endpoints that may be silent, or may be so no more, in order of id; packed, since they may be very many."""
    late = to_us(now - timedelta(seconds=policy.late_seconds))
    parts: list[tuple[str, tuple[int, ...]]] = [(_MISSED, (late,))]
    parts += [(_SILENT, ()), (_ASLEEP, (late,))] if all_of_them else [(_HEARD, (int(policy.wake_grace_seconds * 1e6),))]
    found = {row[0] for statement, bounds in parts for row in rows_of(connection, statement, bounds)}
    return cast("Sequence[EndpointId]", array("q", sorted(found)))


def contacts(connection: Connection, endpoint_ids: Sequence[EndpointId]) -> list[tuple[EndpointContact, Silence | None]]:
    """What is known of them, in order of id."""
    rows = rows_of(connection, _CONTACTS.format(ids=", ".join(map(str, endpoint_ids))), ())
    return [(_contact(row), None if row[13] is None else unpack_silence(row[0], bytes(row[13]))) for row in rows]


def _contact(row: Any) -> EndpointContact:
    endpoint_id, meter_no, router, configuration, active, polled, shipped, heard_us, missed, missed_us, created_us, progress, *rest = row
    installed_us, _ = rest
    battery = not polled and CONFIGURATIONS[configuration].battery
    wake_ups = unpack_progress(bytes(progress)).wake_ups if battery else ()
    return EndpointContact(
        endpoint_id=EndpointId(endpoint_id),
        meter_no=meter_no,
        router=router,
        battery=battery,
        present=bool(active and shipped and (polled or battery)),
        heard=None if heard_us is None else from_us(heard_us),
        expected=None if installed_us is None else from_us(max(installed_us, created_us)),
        missed=missed,
        missed_since=None if missed_us is None else from_us(missed_us),
        wake=longest_pause(wake_ups) if wake_ups else None,
    )


def healths(connection: Connection) -> dict[str, RouterHealth]:
    """The routers that are watched, by name."""
    state = schema.router_state.c
    joined = schema.router.join(schema.router_state, state.router_id == _R.router_id)
    return {name: unpack_health(health) for name, health in connection.execute(select(_R.name, state.health).select_from(joined))}


def record(connection: Connection, records: Sequence[SilenceRecord], now: datetime) -> None:
    """States with their histories, exceptions, work items, and who is due."""
    rows = [_row(one.silence) for one in records]
    put(connection, endpoint_silence, rows, OnConflict.REPLACE)
    exceptions = [
        (x.endpoint_id, to_us(x.occurred), x.kind.value, x.reason[:REASON_CHARACTERS_MAX]) for one in records for x in one.exceptions
    ]
    put(connection, schema.exception_record, exceptions, OnConflict.IGNORE)
    change_work_items(connection, [change for one in records for change in one.work_items])
    asked = [{"id": one.silence.endpoint_id, "now": to_us(now)} for one in records if one.ask]
    if asked:
        connection.execute(text(_ASK), asked)


def _row(silence: Silence) -> tuple[Any, ...]:
    since_us = None if silence.since is None else to_us(silence.since)
    return (silence.endpoint_id, silence.state.value, to_us(silence.changed), since_us, silence.owner, pack_silence(silence))


def listed(connection: Connection, states: Sequence[SilenceState], limit: int, meter_no: str | None = None) -> list[SilenceEntry]:
    """Silences in one of `states`, or of a meter, the longest in its state first."""
    joined = (
        endpoint_silence.join(schema.endpoint, _E.endpoint_id == _Z.endpoint_id)
        .join(schema.endpoint_state, _S.endpoint_id == _Z.endpoint_id)
        .outerjoin(schema.router, _R.router_id == _E.router_id)
    )
    statement = select(_E.meter_no, _R.name, _S.heard_us, _Z.endpoint_id, _Z.packed).select_from(joined)
    statement = statement.where(_Z.state.in_([state.value for state in states]) if meter_no is None else _E.meter_no == meter_no)
    rows = connection.execute(statement.order_by(_Z.changed_us, _E.meter_no).limit(limit)).all()
    return [
        SilenceEntry(row[0], row[1], None if row[2] is None else from_us(row[2]), unpack_silence(row[3], bytes(row[4]))) for row in rows
    ]


def silent_counts(connection: Connection) -> dict[SilenceState, int]:
    """How many endpoints are in each state but ok."""
    rows = connection.execute(select(_Z.state, func.count()).where(_Z.state != _OK).group_by(_Z.state))
    return {SilenceState(state): count for state, count in rows}


class SilencePart:
    """SilenceStore and SilenceQueries of a store."""

    utility: Utility
    _database: Database

    def router_healths(self) -> Deferred[dict[str, RouterHealth]]:
        return self._database.read(healths)

    def silence_suspects(self, now: datetime, policy: SilencePolicy, *, all_of_them: bool) -> Deferred[Sequence[EndpointId]]:
        return self._database.read(lambda c: suspects(c, now, policy, all_of_them=all_of_them))

    def contacts(self, endpoint_ids: Sequence[EndpointId]) -> Deferred[list[tuple[EndpointContact, Silence | None]]]:
        return self._database.read(lambda c: contacts(c, endpoint_ids))

    def silence_evidence(self, endpoint_ids: Sequence[EndpointId]) -> Deferred[dict[EndpointId, Evidence]]:
        return self._database.read(lambda c: evidence(c, endpoint_ids, self.utility.events))

    def record_silences(self, records: Sequence[SilenceRecord], now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: record(c, records, now))

    def silences(self, states: Sequence[SilenceState], limit: int) -> Deferred[list[SilenceEntry]]:
        return self._database.read(lambda c: listed(c, states, limit))

    def silence_of(self, meter_no: str) -> Deferred[SilenceEntry | None]:
        return self._database.read(lambda c: next(iter(listed(c, (), 1, meter_no)), None))

    def silent_counts(self) -> Deferred[dict[SilenceState, int]]:
        return self._database.read(silent_counts)
