"""MasterData of a store: statements take effect in one transaction; documents and the log of changes can be asked for."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.database import Database
from adapters.store.directory import ENTRIES, entry_of
from adapters.store.instants import from_us
from adapters.store.master_loading import load
from adapters.store.master_lock import lock_master_data
from adapters.store.master_rows import document_of
from adapters.store.master_writing import write_changes
from headend.master_data.naming import named_in
from headend.master_data.port import Author, LoggedChange
from headend.master_data.records import Document
from headend.master_data.rules import follow_all
from headend.master_data.statements import Said
from headend.model.endpoint import MeterEntry
from headend.model.refusal import Refusal
from headend.ports import Page

_D, _C, _P = schema.document.c, schema.master_change.c, schema.service_point.c


def take(connection: Connection, said: Sequence[Said], author: Author, now: datetime) -> list[Refusal]:
    """Let each object take effect or refuse it."""
    lock_master_data(connection)
    loaded = load(connection, named_in(statement for one in said if not one.problem for statement in one.statements))
    refusals = follow_all(loaded.book, said, now)
    write_changes(connection, loaded, author, now)
    return refusals


def meter_at(connection: Connection, location_no: str) -> MeterEntry | None:
    """The meter installed at a service location; electric, gas, water is the order of the commodities' names, too."""
    row = connection.execute(ENTRIES.where(_P.location_no == location_no).order_by(_P.commodity)).first()
    return None if row is None else entry_of(row)


def document(connection: Connection, document_kind: str, object_id: str) -> Document | None:
    """An object that is only kept."""
    row = connection.execute(select(schema.document).where(_D.document_kind == document_kind, _D.object_id == object_id)).first()
    return None if row is None else document_of(tuple(row))


def documents(connection: Connection, document_kind: str, after: str, limit: int) -> Page[Document]:
    """Objects of a kind in order of their ids."""
    wanted = select(schema.document).where(_D.document_kind == document_kind, _D.object_id > after)
    found = [document_of(tuple(row)) for row in connection.execute(wanted.order_by(_D.object_id).limit(limit))]
    if len(found) < limit:
        return Page(found, 0)
    count = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
    return Page(found, count - len(found))


def changes(connection: Connection, after: int, limit: int) -> list[LoggedChange]:
    """The log after a number, at least `limit` changes where there are as many: those of one transaction are never parted."""
    last = select(_C.change_no).where(_C.change_no > after).order_by(_C.change_no, _C.position).offset(limit - 1).limit(1)
    end = connection.execute(last).scalar()
    wanted = select(schema.master_change).where(_C.change_no > after).order_by(_C.change_no, _C.position)
    if end is not None:
        wanted = wanted.where(_C.change_no <= end)
    return [
        LoggedChange(
            row.change_no, from_us(row.at_us), Author(row.partner, row.operation), row.kind, row.object_key, row.before, row.after
        )
        for row in connection.execute(wanted)
    ]


class MasterPart:
    """MasterData of a store."""

    _database: Database

    def take(self, said: Sequence[Said], author: Author, now: datetime) -> Deferred[list[Refusal]]:
        return self._database.run(lambda c: take(c, said, author, now))

    def meter_at(self, location_no: str) -> Deferred[MeterEntry | None]:
        return self._database.read(lambda c: meter_at(c, location_no))

    def document(self, document_kind: str, object_id: str) -> Deferred[Document | None]:
        return self._database.read(lambda c: document(c, document_kind, object_id))

    def documents(self, document_kind: str, after: str, limit: int) -> Deferred[Page[Document]]:
        return self._database.read(lambda c: documents(c, document_kind, after, limit))

    def master_changes(self, after: int, limit: int) -> Deferred[list[LoggedChange]]:
        return self._database.read(lambda c: changes(c, after, limit))
