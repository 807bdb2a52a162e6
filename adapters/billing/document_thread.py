"""A thread for one document: what lxml parses incrementally must be begun, gone on with and freed by one thread, else it crashes.

Observed 2026-07, lxml 6.1.3: iterparse with a schema, continued on another thread of a pool.
"""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


class DocumentThread:
    """Runs everything that is about a document, one after the other."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, 1, "billing-document")

    def __call__(self, work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Call something there."""
        return deferToThreadPool(self._reactor, self._pool, work, *arguments)

    async def __aenter__(self) -> Self:
        self._pool.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.stop()
