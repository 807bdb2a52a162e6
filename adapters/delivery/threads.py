"""Blocking work on the reactor's pool of threads."""

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

OnThread = Callable[..., Deferred[Any]]
"""Calls a function with arguments on a thread; what it returns or raises comes back."""


def on_threads_of(reactor: Any) -> OnThread:
    """The reactor's pool."""

    def on_thread(work: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), work, *arguments)

    return on_thread
