"""Deliveries: queued with their batch, handed out in order, marked by what became of them, counted by day."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, select, text, update
from twisted.internet.defer import Deferred

from adapters.store.database import Database
from adapters.store.delivery_tables import delivery
from adapters.store.instants import DAY_US, from_day, from_us, to_us
from adapters.store.work_item_store import change_work_items
from headend.model.delivery import Delivery, DeliveryFigures, DeliveryId, DeliveryState, FinishedFile
from headend.model.work_item import HEAD_END, Party, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState

_D = delivery.c
_OPEN = [DeliveryState.QUEUED.value, DeliveryState.SENT.value]
_AT_ONCE = timedelta()
_VERIFIED, _PARKED = DeliveryState.VERIFIED.value, DeliveryState.PARKED.value

_QUEUE = text(
    "INSERT INTO delivery (target, batch, position, path, name, size, sha256, state, tries, created_us, deadline_us, next_try_us,"
    " settled_us, reason, alerted, kept) VALUES (:target, :batch, :position, :path, :name, :size, :sha256, 'queued', 0, :now, :deadline,"
    " :now, NULL, '', 0, 1) ON CONFLICT (target, batch, name) DO NOTHING RETURNING delivery_id"
)


def queue(
    connection: Connection, batch: str, files: Sequence[FinishedFile], targets: Sequence[str], now: datetime, deadline: datetime | None
) -> int:
    """Queue files for each target; how many are new. May be part of a larger transaction."""
    new = 0
    for target in targets:
        for position, file in enumerate(files):
            values = {"path": str(file.path), "name": file.name, "size": file.size, "sha256": file.sha256}
            times = {"now": to_us(now), "deadline": None if deadline is None else to_us(deadline)}
            queued = connection.execute(_QUEUE, {"target": target, "batch": batch, "position": position} | values | times)
            new += queued.first() is not None
    return new


def due_targets(connection: Connection, now: datetime) -> list[str]:
    """Targets for which something is due."""
    due = select(_D.target).where(_D.state.in_(_OPEN), _D.next_try_us <= to_us(now)).distinct().order_by(_D.target)
    return list(connection.execute(due).scalars())


def claim(connection: Connection, target: str, now: datetime, until: datetime) -> Delivery | None:
    """The next file for a target."""
    before = delivery.alias("before")
    held = exists().where(
        before.c.target == _D.target, before.c.batch == _D.batch, before.c.position < _D.position, before.c.state != _VERIFIED
    )
    due = select(delivery).where(_D.target == target, _D.state.in_(_OPEN), _D.next_try_us <= to_us(now), ~held)
    row = connection.execute(due.order_by(_D.delivery_id).limit(1).with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    connection.execute(
        update(delivery).where(_D.delivery_id == row.delivery_id).values(tries=_D.tries + 1, next_try_us=to_us(until))
    )
    return _delivery((*row[:9], row.tries + 1, *row[10:]))


def hold(connection: Connection, delivery_id: DeliveryId, until: datetime) -> None:
    """Nobody else gets it until then."""
    mine = and_(_D.delivery_id == delivery_id, _D.state.in_(_OPEN))
    connection.execute(update(delivery).where(mine).values(next_try_us=to_us(until)))


def mark(
    connection: Connection, delivery_id: DeliveryId, state: DeliveryState, now: datetime, reason: str, again: datetime | None
) -> None:
    """What became of a file."""
    settled = None if state.value in _OPEN else to_us(now)
    values = {"state": state.value, "settled_us": settled, "reason": reason[:1_000], "next_try_us": to_us(again or now)}
    marked = update(delivery).where(_D.delivery_id == delivery_id).values(values).returning(_D.target, _D.batch, _D.alerted)
    row = connection.execute(marked).first()
    if row is not None and row.alerted and state is DeliveryState.VERIFIED:
        _close_alert(connection, row.batch, row.target, now)


def alert_late(connection: Connection, ahead: Mapping[str, timedelta], now: datetime) -> list[tuple[str, str]]:
    """Work items for what will be late or is."""
    near = to_us(now + max(ahead.values(), default=_AT_ONCE))
    late = select(_D.target, _D.batch, func.min(_D.deadline_us), func.count()).where(
        _D.state != _VERIFIED, _D.alerted == 0, _D.deadline_us <= near
    )
    told = []
    for target, batch, deadline_us, count in connection.execute(late.group_by(_D.target, _D.batch)).all():
        deadline = from_us(deadline_us)
        # A target that the settings no longer have gets nothing any more, which somebody should know.
        if deadline - ahead.get(target, _AT_ONCE) <= now:
            _open_alert(connection, batch, target, deadline, count, now)
            told.append((batch, target))
    return told


def figures(connection: Connection, since: datetime) -> list[DeliveryFigures]:
    """By day and target."""
    meant_us = func.coalesce(_D.deadline_us, _D.created_us)
    day = (meant_us - meant_us % DAY_US) / DAY_US
    verified = _D.state == _VERIFIED
    in_time = _D.deadline_us.is_(None) | (_D.settled_us <= _D.deadline_us)
    counted = select(
        day.label("day"),
        _D.target,
        func.count(),
        _sum(verified & in_time),
        _sum(verified & ~in_time),
        _sum(_D.state == _PARKED),
        _sum(_D.state.in_(_OPEN)),
    )
    counted = counted.where(meant_us >= to_us(since)).group_by("day", _D.target).order_by("day", _D.target)
    return [DeliveryFigures(row[1], str(from_day(int(row[0]))), *row[2:]) for row in connection.execute(counted)]


def listed(
    connection: Connection, limit: int, state: DeliveryState | None, target: str | None, batch: str | None
) -> list[Delivery]:
    """The newest so many, the oldest of them first."""
    wanted = select(delivery).order_by(_D.delivery_id.desc()).limit(limit)
    for column, value in ((_D.state, None if state is None else state.value), (_D.target, target), (_D.batch, batch)):
        if value is not None:
            wanted = wanted.where(column == value)
    return [_delivery(row) for row in connection.execute(wanted).all()[::-1]]


def try_again(connection: Connection, delivery_ids: Sequence[DeliveryId] | None, now: datetime) -> int:
    """Files that wait or were given up are due now, and are tried as long as new ones."""
    chosen = _D.state == _PARKED if delivery_ids is None else and_(_D.delivery_id.in_(delivery_ids), _D.state != _VERIFIED)
    values = {"state": DeliveryState.QUEUED.value, "created_us": to_us(now), "next_try_us": to_us(now), "settled_us": None}
    return connection.execute(update(delivery).where(chosen).values(values)).rowcount


def done_files(connection: Connection, before: datetime, limit: int) -> list[Path]:
    """Files that every target had before then."""
    all_done = and_(func.max(case((_D.state == _VERIFIED, 0), else_=1)) == 0, func.max(_D.settled_us) < to_us(before))
    paths = select(_D.path).where(_D.kept == 1).group_by(_D.path).having(all_done).order_by(_D.path).limit(limit)
    return [Path(one) for one in connection.execute(paths).scalars()]


def forget_files(connection: Connection, paths: Sequence[Path]) -> None:
    """They lie here no more."""
    connection.execute(update(delivery).where(_D.path.in_([str(one) for one in paths])).values(kept=0))


def _open_alert(connection: Connection, batch: str, target: str, deadline: datetime, count: int, now: datetime) -> None:
    files = f"{count} file{'s' if count > 1 else ''}"
    entry = WorkItemEntry(now, HEAD_END, f"{files} not there; the deadline is {deadline:%Y-%m-%d %H:%M} UTC")
    reasons = select(_D.reason).where(_D.target == target, _D.batch == batch, _D.state != _VERIFIED, _D.reason != "").limit(1)
    diagnosis = connection.execute(reasons).scalar() or f"waiting to be delivered to {target}"
    change = WorkItemChange(
        WorkItemKind.LATE_EXPORT, _subject(batch, target), now, WorkItemState.OPEN, (entry,), diagnosis, Party.OPERATOR
    )
    change_work_items(connection, [change])
    late = and_(_D.target == target, _D.batch == batch, _D.state != _VERIFIED)
    connection.execute(update(delivery).where(late).values(alerted=1))


def _close_alert(connection: Connection, batch: str, target: str, now: datetime) -> None:
    """Close the work item, where nothing else of the batch is late."""
    others = select(_D.delivery_id).where(_D.target == target, _D.batch == batch, _D.state != _VERIFIED, _D.alerted == 1).limit(1)
    if connection.execute(others).first() is None:
        entry = WorkItemEntry(now, HEAD_END, "everything is there")
        change = WorkItemChange(WorkItemKind.LATE_EXPORT, _subject(batch, target), now, WorkItemState.CLOSED, (entry,))
        change_work_items(connection, [change])


def _subject(batch: str, target: str) -> str:
    return f"{batch} to {target}"


def _sum(condition: ColumnElement[bool]) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _delivery(row: Any) -> Delivery:
    delivery_id, target, batch, position, path, name, size, sha256, state, tries, *rest = tuple(row)
    created, deadline, next_try, settled, reason = rest[:5]
    return Delivery(
        delivery_id=DeliveryId(delivery_id),
        target=target,
        batch=batch,
        position=position,
        file=FinishedFile(Path(path), name, size, sha256),
        state=DeliveryState(state),
        tries=tries,
        created=from_us(created),
        deadline=None if deadline is None else from_us(deadline),
        next_try=from_us(next_try),
        settled=None if settled is None else from_us(settled),
        reason=reason,
    )


class DeliveryPart:
    """DeliveryStore of a store."""

    _database: Database

    def queue_files(
        self, batch: str, files: Sequence[FinishedFile], targets: Sequence[str], now: datetime, deadline: datetime | None = None
    ) -> Deferred[int]:
        return self._database.run(lambda c: queue(c, batch, files, targets, now, deadline))

    def due_targets(self, now: datetime) -> Deferred[list[str]]:
        return self._database.read(lambda c: due_targets(c, now))

    def claim_delivery(self, target: str, now: datetime, until: datetime) -> Deferred[Delivery | None]:
        return self._database.run(lambda c: claim(c, target, now, until))

    def hold_delivery(self, delivery_id: DeliveryId, until: datetime) -> Deferred[None]:
        return self._database.run(lambda c: hold(c, delivery_id, until))

    def mark_delivery(
        self, delivery_id: DeliveryId, state: DeliveryState, now: datetime, *, reason: str = "", again: datetime | None = None
    ) -> Deferred[None]:
        return self._database.run(lambda c: mark(c, delivery_id, state, now, reason, again))

    def alert_late(self, ahead: Mapping[str, timedelta], now: datetime) -> Deferred[list[tuple[str, str]]]:
        return self._database.run(lambda c: alert_late(c, ahead, now))

    def deliveries(
        self, limit: int, *, state: DeliveryState | None = None, target: str | None = None, batch: str | None = None
    ) -> Deferred[list[Delivery]]:
        return self._database.read(lambda c: listed(c, limit, state, target, batch))

    def try_again(self, delivery_ids: Sequence[DeliveryId] | None, now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: try_again(c, delivery_ids, now))

    def delivery_figures(self, since: datetime) -> Deferred[list[DeliveryFigures]]:
        return self._database.read(lambda c: figures(c, since))

    def done_files(self, before: datetime, limit: int) -> Deferred[list[Path]]:
        return self._database.read(lambda c: done_files(c, before, limit))

    def forget_files(self, paths: Sequence[Path]) -> Deferred[None]:
        return self._database.run(lambda c: forget_files(c, paths))
