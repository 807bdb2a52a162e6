"""Queues of subscribers: taken by one process at a time, told from the head, put to rest where the server behind does not answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text, update
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import rows_of
from adapters.store.case_rows import cases_of, rows_numbered
from adapters.store.database import Database
from adapters.store.event_packing import unpack_told
from adapters.store.event_tables import outbox_queue
from adapters.store.instants import to_us
from adapters.store.limits import REASON_CHARACTERS_MAX
from headend.model.event_telling import EventBatch, MarkedEvent, ToldEvent
from headend.model.telling import Delivery, MessageId

_Q, _O = outbox_queue.c, schema.outbox.c

_DUE = (
    "SELECT q.queue FROM outbox_queue AS q WHERE q.not_before_us <= ? AND (q.owner IS NULL OR q.owner = ? OR q.until_us <= ?)"
    " AND EXISTS (SELECT 1 FROM outbox AS o WHERE o.subscriber = q.queue AND o.state = 'queued' AND o.next_try_us <= ?) ORDER BY q.queue"
)
_TAKE = text(
    "UPDATE outbox_queue SET owner = :owner, until_us = :until WHERE queue = :queue AND not_before_us <= :now"
    " AND (owner IS NULL OR owner = :owner OR until_us <= :now) RETURNING partner, subscription, failures"
)
_HEAD = (
    "SELECT message_id, payload, attempts, next_try_us FROM outbox WHERE subscriber = ? AND state = 'queued'"
    " ORDER BY change_seq, position LIMIT ?"
)


def due(connection: Connection, owner: str, now: datetime) -> list[str]:
    """Queues in which something is due."""
    now_us = to_us(now)
    return [row[0] for row in rows_of(connection, _DUE, (now_us, owner, now_us, now_us))]


def take(connection: Connection, queue: str, owner: str, limit: int, now: datetime, until: datetime) -> EventBatch | None:
    """The head of a queue."""
    parameters = {"owner": owner, "until": to_us(until), "queue": queue, "now": to_us(now)}
    found = connection.execute(_TAKE, parameters).first()
    if found is None:
        return None
    head = rows_of(connection, _HEAD, (queue, limit))
    # What is told waits for company only while nothing before it is told: the first that is due takes all with it that came before.
    due_places = [place for place, row in enumerate(head) if row[3] <= to_us(now)]
    objects = _told(connection, head) if due_places else []
    if not objects:
        connection.execute(update(outbox_queue).where(_Q.queue == queue).values(owner=None, until_us=0))
        return None
    return EventBatch(found.partner, found.subscription, objects, found.failures)


def _told(connection: Connection, head: Sequence[tuple[Any, ...]]) -> list[ToldEvent]:
    told = [unpack_told(row[1]) for row in head]
    numbers = dict.fromkeys(number for number, _ in told)
    cases = {case.number: case for case in cases_of(connection, rows_numbered(connection, list(numbers)))}
    lost = [row[0] for row, (number, _) in zip(head, told, strict=True) if number not in cases]
    if lost:
        _set_aside(connection, lost)
    return [
        ToldEvent(MessageId(bytes(row[0])), notification, cases[number], row[2] + 1)
        for row, (number, notification) in zip(head, told, strict=True)
        if number in cases
    ]


def _set_aside(connection: Connection, message_ids: Sequence[bytes]) -> None:
    """Messages of events that are no longer stored."""
    statement = update(schema.outbox).where(_O.message_id.in_(message_ids))
    connection.execute(statement.values(state=Delivery.PARKED.value, answer="the event is no longer stored"))


def mark(connection: Connection, queue: str, marked: Sequence[MarkedEvent], put_off: datetime | None, now: datetime) -> None:
    """What became of messages of a queue."""
    alike: dict[tuple[str, str], list[bytes]] = {}
    for one in marked:
        alike.setdefault((one.delivery.value, one.reason[:REASON_CHARACTERS_MAX]), []).append(one.message_id)
    for (state, reason), message_ids in alike.items():
        these = update(schema.outbox).where(_O.message_id.in_(message_ids))
        connection.execute(these.values(state=state, answer=reason, attempts=_O.attempts + 1))
    if put_off is None:
        connection.execute(update(outbox_queue).where(_Q.queue == queue, _Q.failures > 0).values(failures=0, reason="", not_before_us=0))
        return
    failed = next((one.reason for one in marked if one.delivery is Delivery.QUEUED), "")
    rest = {"owner": None, "until_us": 0, "not_before_us": to_us(put_off), "reason": failed[:REASON_CHARACTERS_MAX]}
    resting = update(outbox_queue).where(_Q.queue == queue)
    connection.execute(resting.values(failures=_Q.failures + (1 if put_off > now else 0), **rest))


def release(connection: Connection, owner: str) -> None:
    """Whatever queues `owner` has, others may take."""
    connection.execute(update(outbox_queue).where(_Q.owner == owner).values(owner=None, until_us=0))


class EventQueuePart:
    """EventQueues of a store."""

    _database: Database

    def due_queues(self, owner: str, now: datetime) -> Deferred[list[str]]:
        return self._database.read(lambda c: due(c, owner, now))

    def take_queue(self, queue: str, owner: str, limit: int, now: datetime, until: datetime) -> Deferred[EventBatch | None]:
        return self._database.run(lambda c: take(c, queue, owner, limit, now, until))

    def mark_events(self, queue: str, marked: Sequence[MarkedEvent], put_off: datetime | None, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: mark(c, queue, list(marked), put_off, now))

    def release_queues(self, owner: str) -> Deferred[None]:
        return self._database.run(lambda c: release(c, owner))
