"""Work items: at most one open for each kind and subject, changed by whoever has something to say, listed newest first."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, put
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from adapters.store.router_packing import pack, unpack_history
from headend.model.work_item import Party, WorkItem, WorkItemChange, WorkItemId, WorkItemKind, WorkItemState

_W = schema.work_item.c


def change_work_items(connection: Connection, changes: Sequence[WorkItemChange]) -> list[WorkItem | None]:
    """Apply changes in their order; each item afterwards, None where none is open and none was to be."""
    if changes and connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE work_item IN SHARE ROW EXCLUSIVE MODE"))
    return [_changed(connection, change) for change in changes]


def work_items(
    connection: Connection, limit: int, *, closed: bool, subject: str | None, kind: WorkItemKind | None = None
) -> list[WorkItem]:
    """Items, newest first."""
    statement: Select[Any] = select(schema.work_item).order_by(_W.opened_us.desc(), _W.work_item_id.desc()).limit(limit)
    if not closed:
        statement = statement.where(_W.closed_us.is_(None))
    if subject is not None:
        statement = statement.where(_W.subject == subject)
    if kind is not None:
        statement = statement.where(_W.kind == kind.value)
    return [_item(row) for row in connection.execute(statement).all()]


def work_item(connection: Connection, work_item_id: WorkItemId) -> WorkItem | None:
    """One by its number."""
    row = connection.execute(select(schema.work_item).where(_W.work_item_id == work_item_id)).first()
    return None if row is None else _item(row)


def open_subjects(connection: Connection, kinds: set[WorkItemKind]) -> set[tuple[WorkItemKind, str]]:
    """Of which kind and subject an item is open."""
    statement = select(_W.kind, _W.subject).where(_W.closed_us.is_(None), _W.kind.in_([kind.value for kind in kinds]))
    return {(WorkItemKind(row[0]), row[1]) for row in connection.execute(statement)}


def _changed(connection: Connection, change: WorkItemChange) -> WorkItem | None:
    statement = select(schema.work_item).where(_W.kind == change.kind.value, _W.subject == change.subject, _W.closed_us.is_(None))
    row = connection.execute(statement).first()
    before = None if row is None else _item(row)
    if before is not None and all(entry in before.history for entry in change.entries) and change.state is WorkItemState.OPEN:
        return before
    after = change.applied(before)
    if after is None:
        return None
    item_id = before.work_item_id if before is not None else None
    if item_id is None:
        item_id = WorkItemId((connection.execute(select(func.max(_W.work_item_id))).scalar() or 0) + 1)
    closed_us = None if after.closed is None else to_us(after.closed)
    values = (item_id, after.kind.value, after.subject, after.state.value, after.routed_to.value, to_us(after.opened), closed_us)
    written = (*values, after.diagnosis, pack(after.history), after.assigned_to)
    put(connection, schema.work_item, [written], OnConflict.REPLACE)
    return _item(written)


def _item(row: Any) -> WorkItem:
    item_id, kind, subject, state, routed_to, opened_us, closed_us, diagnosis, history, assigned_to = tuple(row)
    return WorkItem(
        kind=WorkItemKind(kind),
        subject=subject,
        opened=from_us(opened_us),
        diagnosis=diagnosis,
        routed_to=Party(routed_to),
        history=unpack_history(history),
        state=WorkItemState(state),
        closed=None if closed_us is None else from_us(closed_us),
        work_item_id=WorkItemId(item_id),
        assigned_to=assigned_to,
    )


class WorkItemPart:
    """The work items of RouterQueries of a store."""

    _database: Database

    def work_items(
        self, limit: int, *, closed: bool = False, subject: str | None = None, kind: WorkItemKind | None = None
    ) -> Deferred[list[WorkItem]]:
        return self._database.read(lambda c: work_items(c, limit, closed=closed, subject=subject, kind=kind))

    def work_item(self, work_item_id: WorkItemId) -> Deferred[WorkItem | None]:
        return self._database.read(lambda c: work_item(c, work_item_id))

    def change_work_item(self, change: WorkItemChange) -> Deferred[WorkItem | None]:
        return self._database.run(lambda c: change_work_items(c, [change])[0])
