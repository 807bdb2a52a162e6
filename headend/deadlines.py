"""One structure for all deadlines, one reactor timer: a timer for each conversation would cost more than the conversation."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

GRAIN_SECONDS = 0.02
"""Deadlines this close together are handled at once."""

NEVER = float("inf")


class Dated(Protocol):
    """Something that has a deadline, in reactor seconds; setting it anew revokes the one before."""

    deadline: float


T = TypeVar("T", bound=Dated)


class Deadlines(Generic[T]):
    """Calls `passed` with each item whose deadline passes."""

    def __init__(self, reactor: IReactorTime, passed: Callable[[T], None]) -> None:
        self._reactor = reactor
        self._passed = passed
        self._heap: list[tuple[float, int, T]] = []
        self._serial = 0
        self._timer: IDelayedCall | None = None
        self._timer_at = NEVER

    def set(self, item: T, at: float) -> None:
        """Let `item` have this deadline, and no other."""
        item.deadline = at
        self._serial += 1
        heappush(self._heap, (at, self._serial, item))
        if at < self._timer_at:
            self._arm(at)

    def clear(self, item: T) -> None:
        """Let `item` have none."""
        item.deadline = NEVER

    def stop(self) -> None:
        """Forget all."""
        self._heap.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer, self._timer_at = None, NEVER

    def _arm(self, at: float) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._reactor.callLater(max(at - self._reactor.seconds(), 0), self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, NEVER
        until = self._reactor.seconds() + GRAIN_SECONDS
        due = []
        while self._heap and self._heap[0][0] <= until:
            at, _, item = heappop(self._heap)
            if item.deadline == at:
                due.append(item)
        for item in due:
            if item.deadline <= until:
                item.deadline = NEVER
                self._passed(item)
        # Nearly all have been revoked by the time they pass: the timer waits for the first that has not.
        while self._heap and self._heap[0][2].deadline != self._heap[0][0]:
            heappop(self._heap)
        if self._heap and self._heap[0][0] < self._timer_at:
            self._arm(self._heap[0][0])
