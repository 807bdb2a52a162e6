"""DeskStore over a database: cases that are due, and what was judged of them, in one transaction with what subscribers are told."""

from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, update
from twisted.internet.defer import Deferred

from adapters.store import device_store, registration_store, schema
from adapters.store.bulk import OnConflict, fetch, put, rows_of
from adapters.store.case_rows import COLUMNS, cases_of, rows_numbered
from adapters.store.change_sequence import next_change
from adapters.store.database import Database
from adapters.store.event_packing import message_id, pack_memory, pack_told, queue_name, unpack_memory
from adapters.store.event_recording import put_events
from adapters.store.event_tables import event_case, event_memory, outbox_queue
from adapters.store.instants import DAY_US, from_us, to_us
from adapters.store.keys import KeySealer
from adapters.store.limits import REASON_CHARACTERS_MAX
from adapters.store.monitoring_store import monitoring_of_row
from adapters.store.partitions import DayKey, require_partitions
from adapters.store.silencing_store import current_silencings
from headend.event_desk_port import DeskWork, EventMessage, Judged
from headend.model.event_case import Decision, EventNumber
from headend.model.event_kinds import OutageMeaning
from headend.model.event_telling import EVENT
from headend.model.registration import Registration
from headend.model.silencing import Scope
from headend.model.watched_use import WATCHED_CODES
from headend.monitoring import Monitoring, MonitoringKind
from headend.outage_devices import OutageState

_C, _M = event_case.c, schema.meter_monitoring.c
_DUE = f"SELECT {COLUMNS} FROM event_case WHERE due_us <= ? ORDER BY due_us, change_seq, position LIMIT ?"  # noqa: S608
_STATES = {OutageMeaning.OUTAGE: OutageState.OUTAGED, OutageMeaning.RESTORATION: OutageState.RESTORED}


def work(connection: Connection, now: datetime, limit: int, groups: Collection[str]) -> DeskWork:
    """Cases that are due."""
    rows = rows_of(connection, _DUE, (to_us(now), limit))
    if not rows:
        return DeskWork(())
    silencings = current_silencings(connection, now)
    wanted = {*groups, *(one.name for one in silencings if one.scope is Scope.GROUP)}
    endpoint_ids = sorted({row[3] for row in rows if not row[2]})
    memories = {
        row[0]: unpack_memory(row[1]) for row in fetch(connection, event_memory, ("endpoint_id",), [(one,) for one in endpoint_ids])
    }
    due = {EventNumber(row[0], row[1]) for row in rows}
    waiting = [memory.held.number for memory in memories.values() if memory.held is not None and memory.held.number not in due]
    cases = cases_of(connection, [*rows, *rows_numbered(connection, waiting)], wanted)
    return DeskWork(
        cases=sorted((case for case in cases if case.number in due), key=lambda case: case.number),
        held=[case for case in cases if case.number not in due],
        memories=memories,
        silencings=silencings,
        planned=_planned(connection, endpoint_ids, to_us(now)),
        watched=_watched(connection, endpoint_ids, sorted({row[3] for row in rows if row[4] in WATCHED_CODES})),
    )


def _watched(connection: Connection, endpoint_ids: Sequence[int], found_at: Sequence[int]) -> dict[int, list[Monitoring]]:
    """What is watched at endpoints: their events, and what was found at some of them."""
    keys = [(MonitoringKind.EVENTS.value, one) for one in endpoint_ids]
    keys += [(kind.value, one) for kind in WATCHED_CODES.values() for one in found_at]
    found: dict[int, list[Monitoring]] = {}
    for row in fetch(connection, schema.meter_monitoring, ("kind", "endpoint_id"), keys) if keys else ():
        found.setdefault(row[1], []).append(monitoring_of_row(row, ""))
    return found


def _planned(connection: Connection, endpoint_ids: Sequence[int], now_us: int) -> dict[int, str]:
    """Endpoints whose supply is meant to be off now."""
    keys = [(MonitoringKind.PLANNED_OUTAGE.value, one) for one in endpoint_ids]
    rows = fetch(connection, schema.meter_monitoring, ("kind", "endpoint_id"), keys)
    current = [row for row in rows if row[4] <= now_us and (row[5] is None or row[5] > now_us)]
    until = {row[1]: "" if row[5] is None else f" until {from_us(row[5]):%Y-%m-%d %H:%M} UTC" for row in current}
    return {row[1]: f"of {row[2]}{until[row[1]]}" for row in current}


def keep(connection: Connection, judged: Judged, now: datetime, partitions: set[DayKey] | None, suspicious: Collection[int]) -> None:
    """Keep what was judged. Raises PartitionsWantedError before anything is written."""
    require_partitions({("device_event", to_us(event.occurred) // DAY_US) for event in judged.findings}, partitions)
    for meaning, state in _STATES.items():
        since = [(endpoint_id, at) for endpoint_id, (what, at) in judged.supplies.items() if what is meaning]
        device_store.note_outage_states(connection, since, state)
    put(connection, event_memory, [(one, pack_memory(memory)) for one, memory in judged.memories.items()], OnConflict.REPLACE)
    _write_decisions(connection, judged)
    if judged.messages or judged.findings:
        change_seq = next_change(connection)
        _write_messages(connection, judged.messages, change_seq, to_us(now))
        put_events(
            connection,
            [
                (e.endpoint_id, to_us(e.occurred), e.code, e.sequence, e.path.value, e.argument, to_us(now), change_seq)
                for e in judged.findings
            ],
            suspicious,
        )


def _write_decisions(connection: Connection, judged: Judged) -> None:
    """Decisions that are the same for many events of one change are written for all of them at once."""
    alike: dict[tuple[Decision, int], list[int]] = {}
    for number, decision in judged.decisions.items():
        alike.setdefault((decision, number.change_seq), []).append(number.position)
    for (decision, change_seq), positions in alike.items():
        due_us = None if decision.due is None else to_us(decision.due)
        values = {"state": decision.state.value, "reason": decision.reason[:REASON_CHARACTERS_MAX], "due_us": due_us}
        connection.execute(update(event_case).where(_C.change_seq == change_seq, _C.position.in_(positions)).values(values))


def _write_messages(connection: Connection, messages: Sequence[EventMessage], change_seq: int, now_us: int) -> None:
    queues = {(one.partner, one.subscription_id, one.lane) for one in messages}
    names = [(queue_name(subscription, lane), partner, subscription, lane) for partner, subscription, lane in sorted(queues)]
    put(connection, outbox_queue, [(*name, None, 0, 0, 0, "") for name in names], OnConflict.IGNORE)
    rows = [
        (
            change_seq,
            position,
            message_id(one.case.number, one.subscription_id, one.notification),
            queue_name(one.subscription_id, one.lane),
            EVENT,
            None if one.case.device.commodity is None else one.case.device.device_id,
            pack_told(one.case.number, one.notification),
            "queued",
            0,
            to_us(one.not_before),
            now_us,
            "",
        )
        for position, one in enumerate(messages)
    ]
    put(connection, schema.outbox, rows, OnConflict.IGNORE)


class EventDeskPart:
    """DeskStore of a store."""

    _database: Database
    _sealer: KeySealer
    _partitions: set[DayKey] | None
    _suspicious: frozenset[int]
    with_partitions: Callable[[Callable[[Connection], Any]], Coroutine[Any, Any, Any]]

    def desk_work(self, now: datetime, limit: int, groups: Collection[str]) -> Deferred[DeskWork]:
        return self._database.read(lambda c: work(c, now, limit, groups))

    def all_registrations(self) -> Deferred[list[Registration]]:
        return self._database.read(lambda c: registration_store.every(c, self._sealer))

    def keep_judged(self, judged: Judged, now: datetime) -> Deferred[None]:
        return Deferred.fromCoroutine(self.with_partitions(lambda c: keep(c, judged, now, self._partitions, self._suspicious)))
