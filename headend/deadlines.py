"""One structure for all deadlines, one reactor timer: a timer for each conversation would cost more than the conversation."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

GRAIN_SECONDS = 0.02
"""Deadlines this close together are handled at once."""

REVOKED_MAX = 256
"""Revoked deadlines kept besides as many as are set."""

NEVER = float("inf")

_Entry = tuple[float, int, int]
"""When, under which serial number, of which item."""


class Dated(Protocol):
    """Something that has a deadline, in reactor seconds; setting it anew revokes the one before."""

    deadline: float


T = TypeVar("T", bound=Dated)


class Deadlines(Generic[T]):
    """Calls `passed` with each item whose deadline passes. Of an item without a deadline nothing is kept."""

    def __init__(self, reactor: IReactorTime, passed: Callable[[T], None]) -> None:
        self._reactor = reactor
        self._passed = passed
        # Not the items: nearly all are revoked long before they pass, and what they hold (keys, replies) is to go when they do.
        self._heap: list[_Entry] = []
        self._set: dict[int, tuple[int, T]] = {}
        self._serial = 0
        self._timer: IDelayedCall | None = None
        self._timer_at = NEVER

    def set(self, item: T, at: float) -> None:
        """Let `item` have this deadline, and no other."""
        item.deadline = at
        self._serial += 1
        self._set[id(item)] = self._serial, item
        heappush(self._heap, (at, self._serial, id(item)))
        if len(self._heap) > 2 * len(self._set) + REVOKED_MAX:
            self._heap = [entry for entry in self._heap if self._is_set(entry)]
            heapify(self._heap)
        if at < self._timer_at:
            self._arm(at)

    def clear(self, item: T) -> None:
        """Let `item` have none."""
        item.deadline = NEVER
        self._set.pop(id(item), None)

    def stop(self) -> None:
        """Forget all."""
        self._heap.clear()
        self._set.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer, self._timer_at = None, NEVER

    def _is_set(self, entry: _Entry) -> bool:
        found = self._set.get(entry[2])
        return found is not None and found[0] == entry[1]

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
            entry = heappop(self._heap)
            if self._is_set(entry):
                due.append(self._set.pop(entry[2])[1])
        for item in due:
            # One that passed before may have revoked it, or set it anew.
            if item.deadline <= until:
                self.clear(item)
                self._passed(item)
        # Nearly all have been revoked by the time they pass: the timer waits for the first that has not.
        while self._heap and not self._is_set(self._heap[0]):
            heappop(self._heap)
        if self._heap and self._heap[0][0] < self._timer_at:
            self._arm(self._heap[0][0])
