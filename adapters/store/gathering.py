"""Look-ups that come while one is under way go together in the next: one transaction for all who ask at the same time.

Nobody is told of a state older than his question, since what answers it begins after it.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

LookUp = Callable[[Sequence[K]], Deferred[Mapping[K, V]]]
"""Finds what is behind each of some names; names without anything are left out."""


class Gathering(Generic[K, V]):
    """One kind of look-up by name. `asked_max` names go together at most; whoever comes later waits for the one after."""

    def __init__(self, look_up: LookUp[K, V], nothing: V, asked_max: int) -> None:
        self._look_up = look_up
        self._nothing = nothing
        self._asked_max = asked_max
        self._waiting: dict[K, list[Deferred[V]]] = {}
        self._is_asking = False

    def ask(self, name: K) -> Deferred[V]:
        """What is behind a name. Fails as the look-up does."""
        answer: Deferred[V] = Deferred()
        self._waiting.setdefault(name, []).append(answer)
        if not self._is_asking:
            self._begin()
        return answer

    def _begin(self) -> None:
        names = list(self._waiting)[: self._asked_max]
        asked = {name: self._waiting.pop(name) for name in names}
        self._is_asking = True
        try:
            found = self._look_up(names)
        except Exception:  # noqa: BLE001 - told to everyone who asked
            self._fail(Failure(), asked)
        else:
            found.addCallbacks(self._tell, self._fail, (asked,), errbackArgs=(asked,))

    def _tell(self, found: Mapping[K, V], asked: Mapping[K, Sequence[Deferred[V]]]) -> None:
        self._go_on()
        for name, answers in asked.items():
            for answer in answers:
                answer.callback(found.get(name, self._nothing))

    def _fail(self, failure: Failure, asked: Mapping[K, Sequence[Deferred[V]]]) -> None:
        self._go_on()
        for answers in asked.values():
            for answer in answers:
                answer.errback(failure)

    def _go_on(self) -> None:
        self._is_asking = False
        if self._waiting:
            self._begin()
