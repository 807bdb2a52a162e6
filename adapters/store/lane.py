"""Small reads over a connection of the driver's own: on a thread for them, or where SQLite is asked while nothing else is, on the spot.

To find a few rows by key costs less than what stands around it elsewhere: SQLAlchemy's transaction, and a pool's bookkeeping of threads
and connections. What fails here is for the usual way, which knows how to wait, to try again, and what to say.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from adapters.store.errors import DATABASE_ERRORS

T = TypeVar("T")
Rows = Callable[[str, tuple[Any, ...]], list[Any]]
"""Runs a statement with its parameters, as the driver writes them, and gives its rows as the driver makes them."""
Find = Callable[[Rows], T]
"""A read of few rows. Each statement sees the newest state, so two of them may see two."""


def rows_through(connection: Connection) -> Rows:
    """Rows of a transaction, for a `find` that is done the usual way."""

    def rows(statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        cursor = connection.exec_driver_sql(statement, parameters).cursor
        assert cursor is not None, f"{statement} has no rows"
        return list(cursor.fetchall())

    return rows


class Reader:
    """Reads over a connection that is opened at the first question, and anew after one that failed; for one thread at a time."""

    def __init__(self, engine: Engine, patience_seconds: float | None = None) -> None:
        """`patience_seconds` is for what another holds, where the engine's own is not meant."""
        self._engine = engine
        self._patience_seconds = patience_seconds
        self._connection: Any = None

    def found(self, find: Find[T]) -> T:
        """What is found. Raises what the driver or `find` raises."""
        try:
            return find(self._rows)
        except DATABASE_ERRORS:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection back; the next question opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*DATABASE_ERRORS):
                connection.close()

    def _rows(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        if self._connection is None:
            self._connection = _opened(self._engine, self._patience_seconds)
        rows: list[Any] = self._connection.execute(statement, parameters).fetchall()
        return rows


class Lane:
    """One thread that reads; questions wait their turn."""

    def __init__(self, engine: Engine, reactor: Any, name: str) -> None:
        self._reader = Reader(engine)
        self._reactor = reactor
        self._questions: SimpleQueue[tuple[Find[Any], Deferred[Any]] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._tell: Callable[..., object] = reactor.callFromThread

    def ask(self, find: Find[T]) -> Deferred[T]:
        """What is found. Fails with what the driver or `find` raises."""
        answer: Deferred[T] = Deferred()
        if self._thread.ident is None:
            self._tell = _caller_of(self._reactor)
            self._thread.start()
        self._questions.put((find, answer))
        return answer

    def stop(self) -> None:
        """Answer what was asked, and end."""
        if self._thread.ident is not None:
            self._questions.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (question := self._questions.get()) is not None:
            find, answer = question
            try:
                found = self._reader.found(find)
            except Exception:  # noqa: BLE001 - told to whoever asked
                self._tell(answer.errback, Failure())
            else:
                self._tell(answer.callback, found)
        self._reader.close()


def _caller_of(reactor: Any) -> Callable[..., object]:
    """What calls a function on the reactor's thread, on which this is called."""
    try:
        # Half of what Twisted's own way costs on an asyncio reactor, which goes through a timer.
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        call: Callable[..., object] = reactor.callFromThread
        return call


def _opened(engine: Engine, patience_seconds: float | None) -> Any:
    """A connection of the driver's that no pool knows of, every statement its own transaction."""
    pooled = engine.raw_connection()
    connection: Any = pooled.driver_connection
    pooled.detach()
    if engine.dialect.name == "postgresql":
        connection.autocommit = True
        # Statements here name the partitions they read by constants, so that a plan can be kept.
        connection.prepare_threshold = 2
        connection.execute("SET default_transaction_read_only = on")
    elif patience_seconds is not None:
        connection.execute(f"PRAGMA busy_timeout = {patience_seconds * 1_000:.0f}")
    return connection
