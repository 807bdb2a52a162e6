"""Look-ups that go together: who asks while one is under way is answered by the next, by nothing older than the question."""

from collections.abc import Mapping, Sequence

import pytest
from twisted.internet.defer import Deferred

from adapters.store.gathering import Gathering
from headend.errors import StoreError


class Slow:
    """A look-up that is answered by hand."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.under_way: list[Deferred[Mapping[str, int]]] = []

    def look_up(self, names: Sequence[str]) -> Deferred[Mapping[str, int]]:
        self.asked.append(names)
        self.under_way.append(Deferred())
        return self.under_way[-1]

    def answer(self, **found: int) -> None:
        self.under_way.pop(0).callback(found)


def results(asked: Sequence[Deferred[int]]) -> list[object]:
    told: list[object] = []
    for one in asked:
        one.addBoth(told.append)
    return told


def test_who_comes_while_one_is_under_way_goes_with_the_next() -> None:
    slow = Slow()
    gathering = Gathering(slow.look_up, 0, 3)
    told = results([gathering.ask(name) for name in ("a", "a", "b", "a", "c", "d", "e")])
    assert slow.asked == [["a"]]
    slow.answer(a=1)
    assert (told, slow.asked[1:]) == ([1], [["a", "b", "c"]])
    slow.answer(a=2, b=3)
    assert (told, slow.asked[2:]) == ([1, 2, 2, 3, 0], [["d", "e"]])
    slow.answer(d=4)
    assert told == [1, 2, 2, 3, 0, 4, 0]
    assert not slow.under_way


def test_a_failure_is_that_of_those_who_asked_together_and_of_nobody_else() -> None:
    slow = Slow()
    gathering = Gathering(slow.look_up, 0, 10)
    first, second, third = (gathering.ask(name) for name in ("a", "b", "c"))
    slow.under_way.pop(0).errback(StoreError("gone"))
    slow.answer(b=1, c=2)
    with pytest.raises(StoreError):
        raise results([first])[0].value  # type: ignore[attr-defined]
    assert results([second, third]) == [1, 2]


def test_a_look_up_that_does_not_even_begin_fails_those_who_asked() -> None:
    def overloaded(names: Sequence[str]) -> Deferred[Mapping[str, int]]:
        raise StoreError("overloaded")

    gathering = Gathering(overloaded, 0, 10)
    for _ in range(2):
        (failure,) = results([gathering.ask("a")])
        assert failure.check(StoreError)  # type: ignore[attr-defined]


def test_an_answer_may_ask_again() -> None:
    slow = Slow()
    gathering = Gathering(slow.look_up, 0, 10)
    again: list[Deferred[int]] = []
    gathering.ask("a").addCallback(lambda _: again.append(gathering.ask("a")))
    slow.answer(a=1)
    slow.answer(a=2)
    assert results(again) == [2]
