"""Engine, bounded thread pools, and `run(work)`: one transaction on a pool thread, tried again when it lost a race.

SQLite has one thread that writes, with a connection of its own, and several that read beside it (WAL); PostgreSQL has several of both.
No row or result leaves `work`: it returns plain values.
"""

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from adapters.store import limits
from adapters.store.errors import DATABASE_ERRORS, StoreBusyError, database_name, store_error
from adapters.store.lane import Find, Lane, Reader, rows_through
from adapters.store.outage import Outage
from headend.errors import StoreError

T = TypeVar("T")
Work = Callable[[Connection], T]
Perform = Callable[[Engine, Work[Any]], Any]


class Database:
    """One opened database; close it when done."""

    def __init__(self, url: URL, reactor: Any) -> None:
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._reactor = reactor
        self._write_engine = _engine(url, writes=True)
        self._read_engine = _engine(url, writes=False)
        self._write_pool = ThreadPool(0, 1 if self.is_sqlite else limits.THREADS_MAX, "store-write")
        self._read_pool = ThreadPool(0, limits.THREADS_MAX, "store-read")
        self._lane = Lane(self._read_engine, reactor, "store-look-up")
        self._here = Reader(self._read_engine, patience_seconds=0) if self.is_sqlite else None
        self._outage = Outage(database_name(url), reactor)
        self._waiting: set[Deferred[Any]] = set()
        self._writing = 0
        self._opened = False
        self._closed = False
        self._write_pool.start()
        self._read_pool.start()

    async def open(self, work: Work[None]) -> None:
        """The first transaction, which makes the database ready. As `run`, but with less patience."""
        await self._queue(self._write_pool, self._write_engine, work, limits.OPENING_PATIENCE_SECONDS)
        self._opened = True

    def run(self, work: Work[T]) -> Deferred[T]:
        """One read-write transaction, tried again while the database is locked or restarts.

        Raises StoreError; what `work` raises rolls back and comes through.
        """
        return self._queue(self._write_pool, self._write_engine, work, limits.PATIENCE_SECONDS)

    def maintain(self, work: Work[T]) -> Deferred[T]:
        """Statements outside any transaction, as PostgreSQL wants it of some; all are begun anew where one finds a lock."""
        return self._queue(self._write_pool, self._write_engine, work, limits.PATIENCE_SECONDS, _autocommitted)

    def read(self, work: Work[T]) -> Deferred[T]:
        """One read-only transaction that sees one state of the database throughout."""
        return self._queue(self._read_pool, self._read_engine, work, limits.PATIENCE_SECONDS)

    def look_up(self, find: Find[T]) -> Deferred[T]:
        """A few rows by key, at a fraction of what `read` costs; where that fails, as `read`.

        SQLite is asked here and now while nothing is written: that costs less than to hand the question over. Beside a thread that
        is at it the driver would wait for the interpreter's lock at each of its calls, and everything else here with it.
        """
        if self._here is not None and not self._writing and not self._closed:
            try:
                return succeed(self._here.found(find))
            except DATABASE_ERRORS:
                pass
            except Exception:  # noqa: BLE001 - told to whoever asked
                return fail(Failure())
        return self._begun(self._looked_up(find))

    @property
    def dialect(self) -> Dialect:
        """How SQL is written here."""
        return self._read_engine.dialect

    async def close(self) -> None:
        """Let what was begun end, then give back threads and connections."""
        if self._closed:
            return
        self._closed = True
        while self._waiting:
            await next(iter(self._waiting))
        self._lane.stop()
        if self._here is not None:
            self._here.close()
        self._write_pool.stop()
        self._read_pool.stop()
        self._write_engine.dispose()
        self._read_engine.dispose()

    def _queue(
        self, pool: ThreadPool, engine: Engine, work: Work[T], patience_seconds: float, perform: "Perform | None" = None
    ) -> Deferred[T]:
        return self._begun(self._tried(pool, engine, work, patience_seconds, perform))

    def _begun(self, work: Coroutine[Deferred[Any], Any, T]) -> Deferred[T]:
        try:
            self._require_room()
        except StoreError:
            work.close()
            raise
        ended: Deferred[None] = Deferred()
        self._waiting.add(ended)
        return Deferred.fromCoroutine(work).addBoth(self._end, ended)

    def _require_room(self) -> None:
        if self._closed:
            raise StoreError(f"{database_name(self.url)} is closed")
        if len(self._waiting) >= limits.WORKS_WAITING_MAX:
            raise StoreBusyError(f"{database_name(self.url)} is overloaded: {len(self._waiting)} pieces of work are waiting")

    def _end(self, result: Any, ended: Deferred[None]) -> Any:
        self._waiting.discard(ended)
        ended.callback(None)
        return result

    async def _looked_up(self, find: Find[T]) -> T:
        try:
            return await self._lane.ask(find)
        except DATABASE_ERRORS:
            return await self._tried(self._read_pool, self._read_engine, lambda c: find(rows_through(c)))

    async def _tried(
        self,
        pool: ThreadPool,
        engine: Engine,
        work: Work[T],
        patience_seconds: float = limits.PATIENCE_SECONDS,
        perform: "Perform | None" = None,
    ) -> T:
        give_up_at = self._reactor.seconds() + patience_seconds
        wait_seconds = limits.RETRY_SECONDS_FIRST
        writes = engine is self._write_engine
        while True:
            self._writing += writes
            try:
                result: T = await deferToThreadPool(self._reactor, pool, perform or _transaction, engine, work)
            except DATABASE_ERRORS as failure:
                error = store_error(failure, self.url)
            else:
                self._outage.worked(writes=writes)
                return result
            finally:
                self._writing -= writes
            is_tried_again = isinstance(error, StoreBusyError) and self._reactor.seconds() + wait_seconds < give_up_at
            if is_tried_again or self._opened:  # else whoever opens it says so, and ends
                self._outage.failed(error, writes=writes)
            if not is_tried_again:
                raise error
            await deferLater(self._reactor, wait_seconds)
            wait_seconds = min(2 * wait_seconds, limits.RETRY_SECONDS_MAX)


def parse_url(text: str) -> URL:
    """A database URL with the driver we use. Raises StoreError for one that names no file or no known database."""
    try:
        url = make_url(text)
    except ArgumentError:
        raise StoreError("the database URL cannot be read; write sqlite:////path/file or postgresql://user@host/name") from None
    match url.get_backend_name():
        case "sqlite" if url.database not in {None, "", ":memory:"}:
            return url.set(drivername="sqlite+pysqlite")
        case "sqlite":
            raise StoreError("a SQLite URL must name a file: sqlite:////path/file (several threads share it, so memory will not do)")
        case "postgresql":
            return url.set(drivername="postgresql+psycopg")
        case other:
            raise StoreError(f"database kind {other!r} is not supported; use sqlite or postgresql")


def _transaction(engine: Engine, work: Work[T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _autocommitted(engine: Engine, work: Work[T]) -> T:
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        return work(connection)


def _engine(url: URL, *, writes: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, writes=writes)
    engine = create_engine(
        url,
        pool_size=limits.THREADS_MAX,
        max_overflow=0,
        isolation_level="READ COMMITTED" if writes else "REPEATABLE READ",
        connect_args={
            "application_name": "headend",
            "connect_timeout": limits.CONNECT_SECONDS,
            # What is read is in memory or on a solid-state disk: a thousand rows by their keys cost less than a look at a whole table.
            "options": f"-c timezone=UTC -c lock_timeout={limits.LOCK_SECONDS}s -c random_page_cost=1.1",
            "tcp_user_timeout": limits.DEAD_PEER_SECONDS * 1_000,
            "keepalives_idle": limits.DEAD_PEER_SECONDS // 4,
            "keepalives_interval": limits.DEAD_PEER_SECONDS // 4,
            "keepalives_count": 3,
            # Partitions are pruned when a statement is planned, so each is planned with its own days.
            "prepare_threshold": None,
        },
    )
    return engine if writes else engine.execution_options(postgresql_readonly=True)


def _sqlite_engine(url: URL, *, writes: bool) -> Engine:
    engine = create_engine(
        url,
        pool_size=1 if writes else limits.THREADS_MAX,
        max_overflow=0,
        connect_args={"timeout": limits.BUSY_SECONDS, "check_same_thread": False, "isolation_level": None},
    )

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in _pragmas(writes=writes):
            connection.execute(f"PRAGMA {pragma}")

    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begun)
    return engine


def _pragmas(*, writes: bool) -> list[str]:
    # synchronous=FULL: what was acknowledged survives a power cut too, not only a killed process.
    common = ["foreign_keys = ON", f"cache_size = -{limits.SQLITE_CACHE_KIB}", "temp_store = MEMORY"]
    return ["journal_mode = WAL", "synchronous = FULL", *common] if writes else [*common, "query_only = ON"]
