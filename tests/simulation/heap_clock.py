"""A reactor's time turned by hand, for simulations of months: a heap instead of Twisted's list, which is sorted with every call.

Work on threads takes no time of the simulation: it stands still until all of it has come back.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from queue import Queue
from typing import Any

from twisted.internet.base import DelayedCall
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

THREAD_SECONDS = 60
"""How long a thread may take, in real seconds, before a simulation fails rather than hangs."""


@implementer(IReactorTime)
class HeapClock:
    """Calls at one instant happen in the order in which they were made, or moved there. `is_busy` says whether threads are at work."""

    def __init__(self) -> None:
        self.is_busy: Callable[[], bool] = lambda: False
        self._from_threads: Queue[Callable[[], Any]] = Queue()
        self._now = 0.0
        self._heap: list[tuple[float, int, DelayedCall]] = []
        self._serial = 0

    def seconds(self) -> float:
        """Since the beginning."""
        return self._now

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any) -> DelayedCall:  # noqa: A002 (Twisted's names)
        """See IReactorTime."""
        call = DelayedCall(self._now + delay, callable, args, kw, lambda _call: None, self._push, self.seconds)
        self._push(call)
        return call

    def _push(self, call: DelayedCall) -> None:
        self._serial += 1
        heappush(self._heap, (call.getTime(), self._serial, call))

    def getDelayedCalls(self) -> list[DelayedCall]:
        """Those that are to come."""
        return list({id(call): call for _, _, call in sorted(self._heap) if call.active()}.values())

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kw: Any) -> None:  # noqa: A002
        """See IReactorFromThreads."""
        self._from_threads.put(lambda: callable(*args, **kw))

    def settle(self) -> None:
        """Take what comes from threads until they have nothing to do."""
        while self.is_busy():
            self._from_threads.get(timeout=THREAD_SECONDS)()

    def run_until(self, end: float) -> None:
        """Let everything happen that is due until then."""
        self.settle()
        while self._heap and self._heap[0][0] <= end:
            at, _, call = heappop(self._heap)
            if not call.active() or call.getTime() > at:
                continue
            self._now = max(self._now, at)
            call.called = 1
            call.func(*call.args, **call.kw)
            self.settle()
        self._now = end
