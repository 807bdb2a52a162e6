"""Assignments waiting for their turn: routers take turns, and none has more conversations at once than its mesh bears."""

from collections import Counter, deque

from headend.model.collection import Assignment

Waiting = tuple[float, Assignment]


class RouterQueue:
    """Assignments by router, each with the second until which its conversation may begin; endpoints without a router have no bound."""

    def __init__(self, at_once_max: int) -> None:
        self._at_once_max = at_once_max
        self._waiting: dict[str | None, deque[Waiting]] = {}
        self._turns: deque[str | None] = deque()
        self._busy: Counter[str | None] = Counter()
        self._blocked: set[str | None] = set()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, assignment: Assignment, begin_until: float) -> None:
        """Let it wait."""
        router = assignment.router
        line = self._waiting.get(router)
        if line is None:
            line = self._waiting[router] = deque()
            self._queue(router)
        line.append((begin_until, assignment))
        self._count += 1

    def take(self, seconds: float) -> Assignment | None:
        """The next whose router has room, counted as under way; None when there is none. Those past their time are passed over."""
        while self._turns:
            router = self._turns.popleft()
            line = self._waiting[router]
            begin_until, assignment = line.popleft()
            self._count -= 1
            late = begin_until < seconds
            if not late:
                self._busy[router] += 1
            if line:
                self._queue(router)
            else:
                del self._waiting[router]
            if not late:
                return assignment
        return None

    def done(self, router: str | None) -> None:
        """One of this router's conversations is over."""
        self._busy[router] -= 1
        if not self._busy[router]:
            del self._busy[router]
        if router in self._blocked:
            self._blocked.discard(router)
            if router in self._waiting:
                self._turns.append(router)

    def _queue(self, router: str | None) -> None:
        if router is not None and self._busy[router] >= self._at_once_max:
            self._blocked.add(router)
        elif router not in self._blocked:
            self._turns.append(router)
