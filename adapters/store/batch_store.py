"""Batches in the database: several requests accepted as one, previewed, listed, reported, cancelled."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from twisted.internet.defer import Deferred

from adapters.store import cancelling, deferred_store, partner_tables, schema
from adapters.store.bulk import fetch
from adapters.store.cancelling import Run
from adapters.store.command_store import view_of
from adapters.store.database import Database
from adapters.store.instants import from_us
from adapters.store.partitions import DayKey
from headend.commands.arranging import Arrangement
from headend.commands.staggering import NO_ROUTER, minute_of
from headend.model.batch import AcceptedBatch, BatchId, BatchLine, BatchReport, BatchSummary
from headend.model.deferred import DeferredRequest, TargetState
from headend.model.refusal import Refusal
from headend.model.utility import Utility

_ROUTER = [column.name for column in schema.endpoint.columns].index("router_id")
_Q, _T, _E = partner_tables.deferred_request.c, partner_tables.deferred_target.c, schema.endpoint.c


def accept(connection: Connection, requests: Sequence[DeferredRequest], utility: Utility) -> AcceptedBatch:
    """Store requests as one batch."""
    deferred_store.lock(connection)
    batch_id: int | None = None
    refusals: list[Refusal] = []
    again = False
    for request in requests:
        accepted = deferred_store.accept(connection, request, utility, batch_id)
        if batch_id is None and accepted.request_id is not None:
            batch_id = connection.execute(select(_Q.batch_id).where(_Q.request_id == accepted.request_id)).scalar()
        refusals += accepted.refusals
        again = again or accepted.again
    return AcceptedBatch(None if batch_id is None else BatchId(batch_id), tuple(refusals), again)


def preview(connection: Connection, requests: Sequence[DeferredRequest], utility: Utility) -> list[Arrangement]:
    """What would become of each request if they were accepted now."""
    taken: Counter[tuple[int, int]] = Counter()
    found = []
    for request in requests:
        arrangement = deferred_store.arranged(connection, request, utility, taken)
        routers = _routers(connection, [one.target.endpoint_id for one in arrangement.targets])
        taken.update((minute_of(one.due), routers.get(one.target.endpoint_id, NO_ROUTER)) for one in arrangement.targets)
        found.append(arrangement)
    return found


def _routers(connection: Connection, endpoint_ids: Sequence[int]) -> dict[int, int]:
    rows = fetch(connection, schema.endpoint, ("endpoint_id",), [(one,) for one in endpoint_ids])
    return {row[0]: row[_ROUTER] for row in rows if row[_ROUTER] is not None}


def summaries(connection: Connection, limit: int, batch_id: int | None = None) -> list[BatchSummary]:
    """The newest batches, newest first, or one."""
    mine = select(_Q.batch_id).where(_Q.batch_id.is_not(None) if batch_id is None else _Q.batch_id == batch_id)
    ids = list(connection.execute(mine.group_by(_Q.batch_id).order_by(_Q.batch_id.desc()).limit(limit)).scalars())
    requests: dict[int, list[Any]] = {}
    for row in connection.execute(select(partner_tables.deferred_request).where(_Q.batch_id.in_(ids)).order_by(_Q.request_id)):
        requests.setdefault(row.batch_id, []).append(row)
    return [_summary(connection, one, requests[one]) for one in ids]


def _summary(connection: Connection, batch_id: int, requests: Sequence[Any]) -> BatchSummary:
    request_ids = [row.request_id for row in requests]
    grouped = select(_T.state, _T.action, func.count(), func.min(_T.due_us), func.max(_T.due_us)).where(_T.request_id.in_(request_ids))
    rows = connection.execute(grouped.group_by(_T.state, _T.action)).all()
    counts: Counter[TargetState] = Counter()
    for state, _, count, _, _ in rows:
        counts[TargetState(state)] += count
    waiting = [row for row in rows if row[0] == TargetState.ACCEPTED.value]
    kinds = [row.kind for row in requests if row.kind != "switch"] + [action for _, action, *_ in rows if action is not None]
    return BatchSummary(
        batch_id=BatchId(batch_id),
        requester=requests[0].partner,
        title=requests[0].title or requests[0].operation,
        what=tuple(sorted(set(kinds))),
        accepted=from_us(requests[0].accepted_us),
        expires=from_us(max(row.expires_us for row in requests)),
        counts=dict(counts),
        refused=sum(len(json.loads(row.refusals)) for row in requests),
        next_due=from_us(min(row[3] for row in waiting)) if waiting else None,
        last_due=from_us(max(row[4] for row in waiting)) if waiting else None,
        cancelled=next((row.cancelled for row in requests if row.cancelled), ""),
    )


def report(connection: Connection, batch_id: int) -> BatchReport | None:
    """A batch with its commands."""
    found = summaries(connection, 1, batch_id)
    if not found:
        return None
    requests = connection.execute(select(_Q.request_id, _Q.refusals).where(_Q.batch_id == batch_id).order_by(_Q.request_id)).all()
    joined = partner_tables.deferred_target.join(schema.endpoint, _E.endpoint_id == _T.endpoint_id).join(
        partner_tables.deferred_request, _Q.request_id == _T.request_id
    )
    columns = (_E.meter_no, _Q.kind, _T.action, _T.state, _T.reason, _T.outcome, _T.changed_us, _T.due_us, _T.attempts)
    statement = select(*columns).select_from(joined).where(_T.request_id.in_([row[0] for row in requests]))
    lines = [
        BatchLine(view_of(tuple(row[:7])), None if row.due_us is None else from_us(row.due_us), row.attempts)
        for row in connection.execute(statement.order_by(_T.request_id, _T.position))
    ]
    refusals = [Refusal(object_id, reason) for row in requests for object_id, reason in json.loads(row.refusals)]
    return BatchReport(found[0], tuple(lines), tuple(refusals))


def requests_of(connection: Connection, batch_id: int) -> list[int]:
    """The requests that make a batch."""
    return list(connection.execute(select(_Q.request_id).where(_Q.batch_id == batch_id)).scalars())


def endpoints_named(connection: Connection, meter_nos: Collection[str]) -> list[int]:
    """Endpoints by meter number; those that are not known are left out."""
    return [row[0] for row in fetch(connection, schema.endpoint, ("meter_no",), [(one,) for one in meter_nos])]


class BatchPart:
    """Batches of a store."""

    utility: Utility
    _database: Database
    _partitions: set[DayKey] | None
    with_partitions: Run

    def accept_batch(self, requests: Sequence[DeferredRequest]) -> Deferred[AcceptedBatch]:
        return self._database.run(lambda c: accept(c, list(requests), self.utility))

    def preview_batch(self, requests: Sequence[DeferredRequest]) -> Deferred[list[Arrangement]]:
        return self._database.read(lambda c: preview(c, list(requests), self.utility))

    def batches(self, limit: int) -> Deferred[list[BatchSummary]]:
        return self._database.read(lambda c: summaries(c, limit))

    def batch_summary(self, batch_id: BatchId) -> Deferred[BatchSummary | None]:
        return self._database.read(lambda c: next(iter(summaries(c, 1, batch_id)), None))

    def batch(self, batch_id: BatchId) -> Deferred[BatchReport | None]:
        return self._database.read(lambda c: report(c, batch_id))

    async def cancel_batch(self, batch_id: BatchId, reason: str, now: datetime, meter_nos: Collection[str] | None = None) -> int | None:
        """Cancel what can be cancelled, or only of some meters; how many commands that were, None where there is no such batch."""
        request_ids = await self._database.read(lambda c: requests_of(c, batch_id))
        if not request_ids:
            return None
        named = meter_nos
        only = None if named is None else await self._database.read(lambda c: endpoints_named(c, named))
        return await cancelling.cancel(self.with_partitions, request_ids, reason, now, self._partitions, only)
