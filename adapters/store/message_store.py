"""The message log: exchanges in the order of their numbers, counted day by day so that keeping to a size costs no look at all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import partner_tables
from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.instants import DAY_US, from_us, to_us
from adapters.store.limits import MESSAGES_PURGED_AT_ONCE
from headend.message_log import Direction, MessageEntry, MessageFilter, MessagePack, PackedEnvelopes, TransactionProgress

_M, _P, _D = partner_tables.message.c, partner_tables.message_pack.c, partner_tables.message_day.c
_Q, _T = partner_tables.deferred_request.c, partner_tables.deferred_target.c

_ENTRY = [column for column in partner_tables.message.columns if column.name not in {"message_no", "pack_no", "place", "octets_kept"}]
_values_of = attrgetter(*[column.name for column in _ENTRY if column.name not in {"direction", "began_us"}])
"""Values of the columns that hold what the entry's field of their name does."""

_COUNT = (
    "INSERT INTO message_day (day, messages, octets) VALUES (:day, :messages, :octets)"
    " ON CONFLICT (day) DO UPDATE SET messages = message_day.messages + excluded.messages, octets = message_day.octets + excluded.octets"
)
_LESS = "UPDATE message_pack SET messages = messages - :gone WHERE pack_no = :pack_no"
ROW_OCTETS = 200
"""What a row costs beside its envelopes, about."""


def add(connection: Connection, packs: Sequence[MessagePack]) -> None:
    """Store exchanges."""
    rows: list[tuple[Any, ...]] = []
    counts: dict[int, list[int]] = {}
    for pack in packs:
        values = {"messages": len(pack.entries), "octets": pack.octets}
        pack_no = connection.execute(partner_tables.message_pack.insert().values(values).returning(_P.pack_no)).scalar_one()
        octets_kept = len(pack.octets) // len(pack.entries)
        for place, entry in enumerate(pack.entries):
            began_us = to_us(entry.began)
            rows.append((entry.direction.value, began_us, *_values_of(entry), pack_no, place, octets_kept))
            count = counts.setdefault(began_us // DAY_US, [0, 0])
            count[0] += 1
            count[1] += ROW_OCTETS + octets_kept
    if rows:
        put(connection, partner_tables.message, rows, OnConflict.FAIL)
        _recount(connection, counts)


def listed(connection: Connection, wanted: MessageFilter, limit: int) -> list[tuple[int, MessageEntry]]:
    """The newest exchanges that are meant, or the oldest after a number, in ascending order."""
    statement = select(_M.message_no, *_ENTRY).where(*_conditions(wanted)).limit(limit)
    if wanted.after is not None:
        rows = connection.execute(statement.where(_M.message_no > wanted.after).order_by(_M.message_no)).all()
    else:
        rows = connection.execute(statement.order_by(_M.message_no.desc())).all()[::-1]
    return [(row[0], _entry(tuple(row)[1:])) for row in rows]


def found(connection: Connection, number: int) -> tuple[MessageEntry, PackedEnvelopes] | None:
    """One exchange whole."""
    whole = select(*_ENTRY, _M.place, _P.octets).join(partner_tables.message_pack, _P.pack_no == _M.pack_no)
    row = connection.execute(whole.where(_M.message_no == number)).first()
    return None if row is None else (_entry(tuple(row)[:-2]), PackedEnvelopes(row.octets, row.place))


def purge(connection: Connection, before: datetime, octets_max: int) -> int:
    """Forget some of the oldest exchanges, while they are too old or all together are too large; how many."""
    total = connection.execute(select(func.coalesce(func.sum(_D.octets), 0))).scalar_one()
    oldest = select(_M.message_no).order_by(_M.message_no).limit(MESSAGES_PURGED_AT_ONCE)
    if total <= octets_max:
        oldest = oldest.where(_M.began_us < to_us(before))
    chosen = list(connection.execute(oldest).scalars())
    if not chosen:
        return 0
    forgotten = delete(partner_tables.message).where(_M.message_no.in_(chosen)).returning(_M.began_us, _M.octets_kept, _M.pack_no)
    counts: dict[int, list[int]] = {}
    unpacked: Counter[int] = Counter()
    for began_us, octets_kept, pack_no in connection.execute(forgotten):
        count = counts.setdefault(began_us // DAY_US, [0, 0])
        count[0] -= 1
        count[1] -= ROW_OCTETS + octets_kept
        unpacked[pack_no] += 1
    _forget_packs(connection, unpacked)
    _recount(connection, counts)
    connection.execute(delete(partner_tables.message_day).where(_D.messages <= 0))
    return len(chosen)


def transaction_progress(connection: Connection, transaction_id: str) -> list[TransactionProgress]:
    """Deferred requests under a transaction id, with their targets counted by state."""
    statement = (
        select(_Q.request_id, _Q.partner, _Q.operation, _Q.accepted_us, _Q.expires_us, _T.state, func.count())
        .join(partner_tables.deferred_target, _T.request_id == _Q.request_id)
        .where(_Q.transaction_id == transaction_id)
        .group_by(_Q.request_id, _Q.partner, _Q.operation, _Q.accepted_us, _Q.expires_us, _T.state)
        .order_by(_Q.request_id, _T.state)
    )
    progress: dict[int, TransactionProgress] = {}
    for request_id, partner, operation, accepted_us, expires_us, state, count in connection.execute(statement):
        states = {**progress[request_id].states, state: count} if request_id in progress else {state: count}
        progress[request_id] = TransactionProgress(request_id, partner, operation, from_us(accepted_us), from_us(expires_us), states)
    return list(progress.values())


def _forget_packs(connection: Connection, gone: Mapping[int, int]) -> None:
    """So many exchanges less in each pack; one without any goes."""
    connection.execute(text(_LESS), [{"pack_no": pack_no, "gone": count} for pack_no, count in sorted(gone.items())])
    emptied = delete(partner_tables.message_pack).where(_P.pack_no.in_(sorted(gone)), _P.messages <= 0)
    connection.execute(emptied)


def _recount(connection: Connection, counts: dict[int, list[int]]) -> None:
    # In one order everywhere, so that two processes never wait for each other's days.
    rows = [{"day": day, "messages": messages, "octets": octets} for day, (messages, octets) in sorted(counts.items())]
    connection.execute(text(_COUNT), rows)


def _conditions(wanted: MessageFilter) -> list[ColumnElement[bool]]:
    patterns = ((_M.partner, wanted.partner), (_M.operation, wanted.operation), (_M.verdict, wanted.verdict))
    found = [_like(column, pattern) for column, pattern in patterns if pattern]
    if wanted.transaction_id:
        found.append(_M.transaction_id == wanted.transaction_id)
    if wanted.since is not None:
        found.append(_M.began_us >= to_us(wanted.since))
    return found


def _like(column: Any, pattern: str) -> ColumnElement[bool]:
    """A column that matches a pattern with `*`; what SQL has for patterns stands for itself."""
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
    condition: ColumnElement[bool] = column.like(escaped, escape="\\")
    return condition


def _entry(row: tuple[Any, ...]) -> MessageEntry:
    direction, began_us, *rest = row
    return MessageEntry(Direction(direction), from_us(began_us), *rest)


class MessagePart:
    """MessageStore of a store."""

    _database: Database

    def add_messages(self, packs: Sequence[MessagePack]) -> Deferred[None]:
        return self._database.run(lambda c: add(c, packs))

    def messages(self, wanted: MessageFilter, limit: int) -> Deferred[list[tuple[int, MessageEntry]]]:
        return self._database.read(lambda c: listed(c, wanted, limit))

    def message(self, number: int) -> Deferred[tuple[MessageEntry, PackedEnvelopes] | None]:
        return self._database.read(lambda c: found(c, number))

    def purge_messages(self, before: datetime, octets_max: int) -> Deferred[int]:
        return self._database.run(lambda c: purge(c, before, octets_max))

    def transaction_progress(self, transaction_id: str) -> Deferred[list[TransactionProgress]]:
        return self._database.read(lambda c: transaction_progress(c, transaction_id))
