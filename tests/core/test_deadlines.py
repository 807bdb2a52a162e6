"""Deadlines pass once and in time, and revoked ones keep no timer."""

import gc
from dataclasses import dataclass
from weakref import ref

from twisted.internet.task import Clock

from headend.deadlines import GRAIN_SECONDS, NEVER, REVOKED_MAX, Deadlines


@dataclass(eq=False)
class Item:
    name: str
    deadline: float = NEVER


def test_each_passes_once_in_order_and_what_was_set_anew_later() -> None:
    clock, passed = Clock(), []
    deadlines: Deadlines[Item] = Deadlines(clock, lambda item: passed.append((item.name, clock.seconds())))
    one, two, three = Item("one"), Item("two"), Item("three")
    deadlines.set(two, 2.0)
    deadlines.set(one, 1.0)
    deadlines.set(three, 1.5)
    deadlines.set(three, 3.0)
    clock.pump([0.25] * 20)
    assert [name for name, _ in passed] == ["one", "two", "three"]
    assert all(abs(at - due) <= 0.25 + GRAIN_SECONDS for (_, at), due in zip(passed, (1.0, 2.0, 3.0), strict=True))


def test_revoked_deadlines_keep_no_timer() -> None:
    clock, passed = Clock(), []
    deadlines: Deadlines[Item] = Deadlines(clock, lambda item: passed.append(item.name))
    items = [Item(str(n)) for n in range(50)]
    for n, item in enumerate(items):
        deadlines.set(item, 1.0 + n)
    for item in items[:-1]:
        deadlines.clear(item)
    clock.advance(1.0)
    (call,) = clock.getDelayedCalls()
    assert call.getTime() == 50.0
    clock.advance(60)
    assert passed == ["49"]
    assert clock.getDelayedCalls() == []


def test_nothing_is_kept_of_what_was_revoked_or_has_passed() -> None:
    clock = Clock()
    deadlines: Deadlines[Item] = Deadlines(clock, lambda item: None)
    cleared, passed, kept = Item("cleared"), Item("passed"), Item("kept")
    deadlines.set(cleared, 60)
    deadlines.set(cleared, 90)
    deadlines.clear(cleared)
    deadlines.set(passed, 1)
    deadlines.set(kept, 60)
    clock.advance(2)
    held = [ref(item) for item in (cleared, passed, kept)]
    del cleared, passed, kept
    gc.collect()
    assert [one() is None for one in held] == [True, True, False]


def test_many_that_are_revoked_before_they_pass_take_no_more_room() -> None:
    clock, passed = Clock(), []
    deadlines: Deadlines[Item] = Deadlines(clock, lambda item: passed.append(item.name))
    kept = [Item(str(n)) for n in range(3)]
    for n, item in enumerate(kept):
        deadlines.set(item, 50.0 + n)
    for n in range(5_000):
        item = Item("revoked")
        deadlines.set(item, 40.0 + n / 5_000)
        deadlines.clear(item)
    assert len(deadlines._heap) <= 2 * len(kept) + REVOKED_MAX + 2
    clock.pump([1.0] * 60)
    assert passed == ["0", "1", "2"]


def test_what_one_that_passes_sets_anew_passes_then_and_what_it_revokes_does_not() -> None:
    clock, passed = Clock(), []
    one, two, three = Item("one"), Item("two"), Item("three")

    def on_passed(item: Item) -> None:
        passed.append((item.name, clock.seconds()))
        if item is one:
            deadlines.clear(two)
            deadlines.set(three, 5.0)

    deadlines: Deadlines[Item] = Deadlines(clock, on_passed)
    for item in (one, two, three):
        deadlines.set(item, 1.0)
    clock.pump([1.0] * 8)
    assert passed == [("one", 1.0), ("three", 5.0)]
