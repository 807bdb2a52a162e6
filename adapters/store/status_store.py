"""How things stand, counted in one read-only transaction; a second or two with a million endpoints."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text
from twisted.internet.defer import Deferred

from adapters.store.collection_store import summary
from adapters.store.database import Database
from adapters.store.event_file_store import before as events_before
from adapters.store.instants import from_us, to_us
from adapters.store.migration import stored_revision
from headend.status import Leases, Queue, Reach, RegularWork, StoreStatus

A_DAY = timedelta(days=1)

_REACH = (
    "SELECT count(*), coalesce(sum(CASE WHEN s.heard_us >= :day_ago THEN 1 ELSE 0 END), 0),"
    " coalesce(sum(CASE WHEN s.last_read_us >= :midnight THEN 1 ELSE 0 END), 0)"
    " FROM endpoint AS e JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id WHERE e.active = 1 AND e.ap_title IS NOT NULL"
)
_HELD = (
    "SELECT lease_owner, count(*), min(due_us) FROM endpoint_state"
    " WHERE due_us IS NOT NULL AND lease_owner IS NOT NULL GROUP BY lease_owner"
)
_WAITING = "SELECT count(*), min(due_us) FROM endpoint_state WHERE due_us <= :now AND lease_owner IS NULL"
_ROUTERS = (
    "SELECT coalesce(s.state, 'unheard'), count(*) FROM router_profile AS p"
    " LEFT JOIN router_state AS s ON s.router_id = p.router_id GROUP BY 1 ORDER BY 1"
)
_EXCEPTIONS = "SELECT kind, count(*) FROM exception_record WHERE occurred_us >= :day_ago GROUP BY kind ORDER BY kind"
_EVENTS = (
    "SELECT state, count(*) FROM event_case WHERE change_seq >= :events_from AND received_us >= :day_ago GROUP BY state ORDER BY state"
)
_EARLY = "SELECT count(*) FROM early_event"
_WORK_ITEMS = "SELECT kind, count(*) FROM work_item WHERE closed_us IS NULL GROUP BY kind ORDER BY kind"
_OUTBOX = "SELECT state, count(*) FROM outbox GROUP BY state ORDER BY state"
_MESSAGES = "SELECT coalesce(sum(messages), 0), coalesce(sum(octets), 0) FROM message_day"
_WORK = "SELECT work, CASE WHEN until_us > :now THEN owner END, done_us FROM regular_work ORDER BY work"


def status(connection: Connection, now: datetime, midnight: datetime) -> StoreStatus:
    """How things stand."""
    parameters = {"now": to_us(now), "day_ago": to_us(now - A_DAY), "midnight": to_us(midnight)}
    parameters["events_from"] = events_before(connection, now - A_DAY).change_seq

    def rows(statement: str) -> list[tuple[Any, ...]]:
        used = {name: value for name, value in parameters.items() if f":{name}" in statement}
        return [tuple(row) for row in connection.execute(text(statement), used)]

    def counts(statement: str) -> Mapping[str, int]:
        return {row[0]: int(row[1]) for row in rows(statement)}

    (reach,), (waiting,), (messages,), ((early,),) = rows(_REACH), rows(_WAITING), rows(_MESSAGES), rows(_EARLY)
    held = rows(_HELD)
    return StoreStatus(
        at=now,
        collection=summary(connection),
        reach=Reach(*map(int, reach)),
        leases=Leases(
            held={row[0]: row[1] for row in sorted(held)},
            first_ends=_instant(min((row[2] for row in held), default=None)),
            waiting=waiting[0],
            waiting_since=_instant(waiting[1]),
        ),
        routers=counts(_ROUTERS),
        exceptions=counts(_EXCEPTIONS),
        events={**counts(_EVENTS), **({"early": early} if early else {})},
        work_items=counts(_WORK_ITEMS),
        outbox=counts(_OUTBOX),
        messages=Queue(*map(int, messages)),
        octets=database_octets(connection),
        regular_work=tuple(RegularWork(work, owner, _instant(done_us)) for work, owner, done_us in rows(_WORK)),
        schema_revision=stored_revision(connection) or "",
        database_version=_version(connection),
    )


def database_octets(connection: Connection) -> int:
    """How large the database is on its disk, indexes included."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    pages, octets = (connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() for pragma in ("page_count", "page_size"))
    return int(pages * octets)


def _instant(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)


def _version(connection: Connection) -> str:
    if connection.dialect.name == "postgresql":
        return f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar_one()}"
    return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar_one()}"


class StatusPart:
    """StatusStore of a store."""

    _database: Database

    def status(self, now: datetime, midnight: datetime) -> Deferred[StoreStatus]:
        return self._database.read(lambda c: status(c, now, midnight))
