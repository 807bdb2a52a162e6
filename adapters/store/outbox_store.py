"""The outbox: messages recorded with what they tell, handed to whoever delivers them and marked by what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from adapters.store import schema
from adapters.store.instants import to_us

_O = schema.outbox.c


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """One message to deliver; `message_id` is the same at every attempt."""

    message_id: bytes
    subscriber: str
    kind: str
    endpoint_id: int | None
    payload: bytes
    attempts: int


def claim(connection: Connection, subscriber: str, limit: int, now: datetime, again: datetime) -> list[QueuedMessage]:
    """Messages of a subscriber whose time has come, in the order they were recorded; each comes again at `again` unless marked."""
    due = select(schema.outbox).where(_O.subscriber == subscriber, _O.state == "queued", _O.next_try_us <= to_us(now))
    rows = connection.execute(due.order_by(_O.change_seq, _O.position).limit(limit).with_for_update(skip_locked=True)).all()
    if not rows:
        return []
    claimed = update(schema.outbox).where(_O.message_id == bindparam("claimed")).values(attempts=_O.attempts + 1, next_try_us=to_us(again))
    connection.execute(claimed, [{"claimed": row.message_id} for row in rows])
    return [QueuedMessage(row.message_id, row.subscriber, row.kind, row.endpoint_id, row.payload, row.attempts + 1) for row in rows]


def mark(connection: Connection, message_ids: Sequence[bytes], state: str) -> None:
    """What became of messages: `acknowledged`, `refused` or `parked`; they are not handed out any more."""
    if message_ids:
        marked = update(schema.outbox).where(_O.message_id == bindparam("marked")).values(state=state)
        connection.execute(marked, [{"marked": message_id} for message_id in message_ids])
