"""Work items: at most one open for each kind and subject, changed by whoever has something to say, listed newest first."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, func, select, text
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, key_source, put
from adapters.store.database import Database
from adapters.store.instants import from_us, to_us
from adapters.store.router_packing import pack, unpack_history
from headend.model.work_item import Party, WorkItem, WorkItemChange, WorkItemId, WorkItemKind, WorkItemState

_W = schema.work_item.c


def change_work_items(connection: Connection, changes: Sequence[WorkItemChange]) -> list[WorkItem | None]:
    """Apply changes in their order; each item afterwards, None where none is open and none was to be."""
    if not changes:
        return []
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE work_item IN SHARE ROW EXCLUSIVE MODE"))
    current = _open_items(connection, {(change.kind.value, change.subject) for change in changes})
    newest: int = connection.execute(select(func.max(_W.work_item_id))).scalar() or 0
    written: dict[int, WorkItem] = {}
    results: list[WorkItem | None] = []
    for change in changes:
        key = change.kind.value, change.subject
        before = current.get(key)
        if before is not None and change.state is WorkItemState.OPEN and all(entry in before.history for entry in change.entries):
            results.append(before)
            continue
        after = change.applied(before)
        if after is not None:
            item_id = None if before is None else before.work_item_id
            if item_id is None:
                newest += 1
                item_id = WorkItemId(newest)
            after = replace(after, work_item_id=item_id)
            written[item_id] = after
            if after.closed is None:
                current[key] = after
            else:
                current.pop(key, None)
        results.append(after)
    # In the order of their numbers: where one is closed and another opened for a subject, the first makes way.
    put(connection, schema.work_item, [_row(written[item_id]) for item_id in sorted(written)], OnConflict.REPLACE)
    return results


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


def _open_items(connection: Connection, keys: set[tuple[str, str]]) -> dict[tuple[str, str], WorkItem]:
    """What is open of these kinds and subjects."""
    source, parameters = key_source(connection, (_W.kind, _W.subject), sorted(keys))
    columns = ", ".join(f"t.{column.name}" for column in schema.work_item.columns)
    # CROSS JOIN keeps SQLite to the written order: keys outside, the index inside.
    statement = (
        f"SELECT {columns} FROM {source} CROSS JOIN work_item AS t"  # noqa: S608
        " WHERE t.kind = k.kind AND t.subject = k.subject AND t.closed_us IS NULL"
    )
    cursor = connection.exec_driver_sql(statement, parameters)
    return {(item.kind.value, item.subject): item for item in map(_item, cursor)}


def _row(item: WorkItem) -> tuple[Any, ...]:
    closed_us = None if item.closed is None else to_us(item.closed)
    values = (item.work_item_id, item.kind.value, item.subject, item.state.value, item.routed_to.value, to_us(item.opened), closed_us)
    return (*values, item.diagnosis, pack(item.history), item.assigned_to)


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
