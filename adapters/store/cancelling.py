"""Cancels commands: what has not been told yet ends with one answer that says why; what has been told comes to its own end.

A request is marked first, so that whatever of it is handed out afterwards ends as cancelled, even where the one who cancels does not get
through; then its commands are gone through, some at a time.
"""

from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, update

from adapters.store import partner_tables
from adapters.store.command_store import record_commands
from adapters.store.command_taking import command_of, details_of
from adapters.store.partitions import DayKey
from headend.commands.machine import Answer, Cancelled, step
from headend.commands.policy import CommandPolicy
from headend.limits import CANCELLED_AT_ONCE
from headend.model.command import CommandUpdate
from headend.model.deferred import TargetState

_Q, _T = partner_tables.deferred_request.c, partner_tables.deferred_target.c
_OPEN = [state.value for state in TargetState if not state.terminal]
_COLUMNS = (
    *(_T.request_id, _T.endpoint_id, _T.position, _T.action, _T.state, _T.attempts, _T.lease_no, _T.began_us, _T.told),
    *(_T.priority, _T.outcome),
)

Run = Callable[[Callable[[Connection], Any]], Coroutine[Any, Any, Any]]
"""One transaction."""


def mark(connection: Connection, request_ids: Sequence[int], reason: str) -> None:
    """From now on nothing more of these requests is told to an endpoint for the first time."""
    these = update(partner_tables.deferred_request).where(_Q.request_id.in_(request_ids), _Q.cancelled == "")
    connection.execute(these.values(cancelled=reason))


def cancel_some(
    connection: Connection,
    request_ids: Sequence[int],
    endpoint_ids: Collection[int] | None,
    reason: str,
    now: datetime,
    partitions: set[DayKey] | None,
) -> int:
    """Cancel some commands of requests, of these endpoints where they are given; how many. 0 once none is left."""
    wanted = select(*_COLUMNS).where(_T.request_id.in_(request_ids), _T.state.in_(_OPEN), _T.told.is_(None))
    if endpoint_ids is not None:
        wanted = wanted.where(_T.endpoint_id.in_(endpoint_ids))
    rows = connection.execute(wanted.order_by(_T.request_id, _T.endpoint_id).limit(CANCELLED_AT_ONCE).with_for_update()).all()
    if not rows:
        return 0
    details = details_of(connection, [tuple(row) for row in rows])
    updates = []
    for row in rows:
        command, decision = step(command_of(tuple(row), details[row[0], row[1]]), Cancelled(reason), now, CommandPolicy())
        assert isinstance(decision, Answer), "what is open and was not told can be cancelled"
        updates.append(CommandUpdate(command, row[6], None, outcome=decision.outcome))
    record_commands(connection, updates, (), now, partitions, suspicious=())
    return len(updates)


async def cancel(
    run: Run, request_ids: Sequence[int], reason: str, now: datetime, partitions: set[DayKey] | None, only: Collection[int] | None = None
) -> int:
    """Cancel what can be cancelled of requests, or only of some of their endpoints; how many commands that were."""
    if only is None:
        await run(lambda c: mark(c, request_ids, reason))
    chosen = None if only is None else sorted(only)
    parts = [None] if chosen is None else [chosen[n : n + CANCELLED_AT_ONCE] for n in range(0, len(chosen), CANCELLED_AT_ONCE)]
    cancelled = 0
    for part in parts:
        some = partial(cancel_some, request_ids=request_ids, endpoint_ids=part, reason=reason, now=now, partitions=partitions)
        while more := await run(some):
            cancelled += more
    return cancelled


class CancellingPart:
    """Cancels what partners and people have asked for."""

    _partitions: set[DayKey] | None
    with_partitions: Run

    async def cancel_deferred(self, request_ids: Sequence[int], now: datetime, reason: str = "cancelled by who asked for it") -> None:
        await cancel(self.with_partitions, request_ids, reason, now, self._partitions)

    async def cancel_orders(self, requester: str, transaction_id: str, now: datetime) -> None:
        mine = select(_Q.request_id).where(_Q.partner == requester, _Q.transaction_id == transaction_id)

        def found(connection: Connection) -> list[int]:
            return list(connection.execute(mine).scalars())

        await self.cancel_deferred(await self.with_partitions(found), now, "cancelled: its time was over")
