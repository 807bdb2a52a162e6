"""EventReports over a database: cases and their messages, queues, and what people change of them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, update
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.case_rows import cases_of, newest_first, rows_numbered
from adapters.store.database import Database
from adapters.store.event_packing import message_id, unpack_told
from adapters.store.event_tables import event_case, outbox_queue
from adapters.store.instants import from_us, to_us
from headend.errors import RequestError, shown
from headend.event_reports import OutboxEntry, OutboxFilter
from headend.model.event_case import CaseFilter, EventCase, EventNumber
from headend.model.event_telling import EVENT, QueueEntry
from headend.model.subscription import SUBJECT_OF
from headend.model.telling import Delivery

_C, _O, _Q = event_case.c, schema.outbox.c, outbox_queue.c
_QUEUED = Delivery.QUEUED.value


def cases(connection: Connection, wanted: CaseFilter, limit: int) -> list[EventCase]:
    """The newest that are meant."""
    parts, parameters = ["1 = 1"], list[Any]()
    if wanted.meter:
        parts.append("((is_router = 0 AND device_id = (SELECT endpoint_id FROM endpoint WHERE meter_no = ?))")
        parts[-1] += " OR (is_router = 1 AND device_id = (SELECT router_id FROM router WHERE name = ?)))"
        parameters += [wanted.meter, wanted.meter]
    if wanted.codes:
        parts.append(f"code IN ({', '.join(str(int(code)) for code in wanted.codes)})")
    if wanted.states:
        parts.append(f"state IN ({', '.join('?' * len(wanted.states))})")
        parameters += [state.value for state in wanted.states]
    if wanted.since is not None:
        parts.append("received_us >= ?")
        parameters.append(to_us(wanted.since))
    if wanted.before is not None:
        parts.append("(change_seq, position) < (?, ?)")
        parameters += [*wanted.before]
    return cases_of(connection, newest_first(connection, " AND ".join(parts), tuple(parameters), limit))


def case(connection: Connection, number: EventNumber) -> EventCase | None:
    """One by its number."""
    return next(iter(cases_of(connection, rows_numbered(connection, [number]))), None)


def counts(connection: Connection, since: datetime) -> dict[tuple[str, str], int]:
    """Decisions by state and the first word of their reason."""
    found: dict[tuple[str, str], int] = {}
    rows = connection.execute(
        select(_C.state, _C.reason, func.count()).where(_C.received_us >= to_us(since)).group_by(_C.state, _C.reason)
    )
    for state, reason, count in rows:
        key = (state, reason.partition(":")[0])
        found[key] = found.get(key, 0) + count
    return found


def messages_of(connection: Connection, number: EventNumber) -> list[OutboxEntry]:
    """Messages that tell an event."""
    subscriptions = connection.execute(select(_Q.subscription).distinct()).scalars()
    ids = [message_id(number, subscription, name) for subscription in subscriptions for name in SUBJECT_OF]
    rows = select(schema.outbox).where(_O.message_id.in_(ids)).order_by(_O.change_seq, _O.position)
    return [_entry(row) for row in connection.execute(rows)]


def queues(connection: Connection) -> list[QueueEntry]:
    """All queues."""
    waiting = (
        select(_O.subscriber, func.count(), func.min(_O.created_us))
        .where(_O.state == _QUEUED, _O.kind == EVENT)
        .group_by(_O.subscriber)
    )
    known = {row[0]: (row[1], row[2]) for row in connection.execute(waiting)}
    rows = connection.execute(select(outbox_queue).order_by(_Q.partner, _Q.queue))
    found = []
    for row in rows:
        count, oldest_us = known.get(row.queue, (0, None))
        oldest = None if oldest_us is None else from_us(oldest_us)
        rests = from_us(row.not_before_us) if row.not_before_us else None
        found.append(QueueEntry(row.queue, row.partner, row.subscription, row.lane, count, oldest, rests, row.failures, row.reason))
    return found


def outbox_messages(connection: Connection, wanted: OutboxFilter, limit: int) -> list[OutboxEntry]:
    """Messages that are meant."""
    statement = select(schema.outbox).where(*_conditions(wanted)).order_by(_O.change_seq, _O.position).limit(limit)
    return [_entry(row) for row in connection.execute(statement)]


def requeue(connection: Connection, wanted: OutboxFilter, now: datetime) -> int:
    """Tell settled messages again."""
    values = {"state": _QUEUED, "attempts": 0, "next_try_us": to_us(now), "answer": ""}
    return connection.execute(update(schema.outbox).where(*_conditions(wanted), _O.state != _QUEUED).values(values)).rowcount


def park(connection: Connection, wanted: OutboxFilter) -> int:
    """Tell queued messages no more."""
    values = {"state": Delivery.PARKED.value, "answer": "parked by a person"}
    return connection.execute(update(schema.outbox).where(*_conditions(wanted), _O.state == _QUEUED).values(values)).rowcount


def wake(connection: Connection, queue: str, now: datetime) -> int:
    """Let queues that rest be tried now."""
    statement = update(outbox_queue).where(_Q.not_before_us > to_us(now)).values(not_before_us=0)
    return connection.execute(statement.where(or_(_Q.queue == queue, _Q.subscription == queue)) if queue else statement).rowcount


def _conditions(wanted: OutboxFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_O.kind == EVENT]
    if wanted.queue:
        named = select(_Q.queue).where(or_(_Q.queue == wanted.queue, _Q.subscription == wanted.queue, _Q.partner == wanted.queue))
        conditions.append(_O.subscriber.in_(named))
    if wanted.state:
        conditions.append(_O.state == wanted.state)
    if wanted.message_ids:
        conditions.append(_O.message_id.in_([_octets(one) for one in wanted.message_ids]))
    if wanted.answered:
        conditions.append(_O.answer != "")
    return conditions


def _octets(message_id: str) -> bytes:
    try:
        return bytes.fromhex(message_id)
    except ValueError:
        raise RequestError(f"{shown(message_id)} is no id of a message, which is hexadecimal") from None


def _entry(row: Any) -> OutboxEntry:
    number, notification = unpack_told(row.payload)
    return OutboxEntry(
        bytes(row.message_id).hex(), row.subscriber, notification, number, row.state, row.attempts, from_us(row.created_us), row.answer
    )


class EventReportPart:
    """EventReports of a store."""

    _database: Database

    def event_cases(self, wanted: CaseFilter, limit: int) -> Deferred[list[EventCase]]:
        return self._database.read(lambda c: cases(c, wanted, limit))

    def event_case(self, number: EventNumber) -> Deferred[EventCase | None]:
        return self._database.read(lambda c: case(c, number))

    def event_counts(self, since: datetime) -> Deferred[Mapping[tuple[str, str], int]]:
        return self._database.read(lambda c: counts(c, since))

    def messages_of(self, number: EventNumber) -> Deferred[list[OutboxEntry]]:
        return self._database.read(lambda c: messages_of(c, number))

    def outbox_queues(self) -> Deferred[list[QueueEntry]]:
        return self._database.read(queues)

    def outbox_messages(self, wanted: OutboxFilter, limit: int) -> Deferred[list[OutboxEntry]]:
        return self._database.read(lambda c: outbox_messages(c, wanted, limit))

    def requeue(self, wanted: OutboxFilter, now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: requeue(c, wanted, now))

    def park(self, wanted: OutboxFilter) -> Deferred[int]:
        return self._database.run(lambda c: park(c, wanted))

    def wake_queues(self, queue: str, now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: wake(c, queue, now))
