"""Feeds of event files: what is recorded after the last event that a feed has seen, and which events each file holds."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select, update
from twisted.internet.defer import Deferred

from adapters.store import house_tables
from adapters.store.bulk import OnConflict, put, rows_of
from adapters.store.case_rows import COLUMNS, cases_of
from adapters.store.database import Database
from adapters.store.event_tables import event_case, event_feed, event_file
from adapters.store.instants import from_us, to_day, to_us
from headend.event_files import EventFile, FeedMark
from headend.model.event_case import EventCase, EventNumber
from headend.model.events import EventPath

_F, _E = event_feed.c, event_file.c
_AFTER = (
    f"SELECT {COLUMNS} FROM event_case WHERE (change_seq > ? OR (change_seq = ? AND position > ?)) AND path IN ({{paths}})"  # noqa: S608
    "{until} ORDER BY change_seq, position LIMIT ?"
)
_UNTIL = " AND (change_seq < ? OR (change_seq = ? AND position <= ?))"
_C = event_case.c
_NEWEST = select(_C.change_seq, _C.position).order_by(_C.change_seq.desc(), _C.position.desc()).limit(1)


def begin(connection: Connection, feed: str, now: datetime) -> FeedMark:
    """A feed's mark; a new one has seen all that is there now."""
    row = connection.execute(select(_F.number, _F.change_seq, _F.position, _F.made_us).where(_F.feed == feed)).first()
    if row is None:
        newest = connection.execute(_NEWEST).first()
        seen = EventNumber(0, 0) if newest is None else EventNumber(*newest)
        put(connection, event_feed, [(feed, 0, *seen, to_us(now))], OnConflict.IGNORE)
        return FeedMark(0, seen, now)
    return FeedMark(row.number, EventNumber(row.change_seq, row.position), from_us(row.made_us))


def after(
    connection: Connection, paths: Collection[EventPath], seen: EventNumber, limit: int, until: EventNumber | None = None
) -> list[EventCase]:
    """Events recorded after one, in order."""
    statement = _AFTER.format(paths=", ".join(f"'{path.value}'" for path in sorted(paths)), until="" if until is None else _UNTIL)
    bounds = () if until is None else (until.change_seq, until.change_seq, until.position)
    return cases_of(connection, rows_of(connection, statement, (seen.change_seq, seen.change_seq, seen.position, *bounds, limit)))


def before(connection: Connection, instant: datetime) -> EventNumber:
    """By the changes that are noted once a day: at most two days of other events come after it."""
    d = house_tables.change_day.c
    mark = connection.execute(select(func.max(d.change_seq)).where(d.day < to_day(instant.date()))).scalar()
    return EventNumber(0 if mark is None else mark + 1, -1)


def advance(connection: Connection, feed: str, last: EventNumber, file: EventFile | None, now: datetime) -> None:
    """Note how far a feed is, together with the file that holds what it has seen now."""
    values: dict[str, Any] = {"change_seq": last.change_seq, "position": last.position}
    if file is not None:
        values |= {"number": file.number, "made_us": to_us(now)}
        row = (feed, file.number, *file.after, *file.last, file.events, to_us(file.made), 0)
        connection.execute(insert(event_file).values(row))
    connection.execute(update(event_feed).where(_F.feed == feed).values(values))


def files(connection: Connection, feed: str, numbers: Sequence[int] | None) -> list[EventFile]:
    """Files by number; without numbers those that are not handed over yet."""
    wanted = _E.queued == 0 if numbers is None else _E.number.in_(numbers)
    rows = connection.execute(select(event_file).where(_E.feed == feed, wanted).order_by(_E.number)).all()
    return [EventFile(r[1], EventNumber(r[2], r[3]), EventNumber(r[4], r[5]), r[6], from_us(r[7])) for r in rows]


def queued(connection: Connection, feed: str, number: int) -> None:
    """A file was handed over."""
    connection.execute(update(event_file).where(_E.feed == feed, _E.number == number).values(queued=1))


class EventFilePart:
    """EventFileStore of a store."""

    _database: Database

    def begin_event_feed(self, feed: str, now: datetime) -> Deferred[FeedMark]:
        return self._database.run(lambda c: begin(c, feed, now))

    def events_after(
        self, paths: Collection[EventPath], seen: EventNumber, limit: int, until: EventNumber | None = None
    ) -> Deferred[list[EventCase]]:
        return self._database.read(lambda c: after(c, paths, seen, limit, until))

    def events_before(self, instant: datetime) -> Deferred[EventNumber]:
        return self._database.read(lambda c: before(c, instant))

    def advance_event_feed(self, feed: str, last: EventNumber, file: EventFile | None, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: advance(c, feed, last, file, now))

    def event_files(self, feed: str, numbers: Sequence[int] | None = None) -> Deferred[list[EventFile]]:
        return self._database.read(lambda c: files(c, feed, numbers))

    def event_file_queued(self, feed: str, number: int) -> Deferred[None]:
        return self._database.run(lambda c: queued(c, feed, number))
