"""Deadlines pass once and in time, and revoked ones keep no timer."""

from dataclasses import dataclass

from twisted.internet.task import Clock

from headend.deadlines import GRAIN_SECONDS, NEVER, Deadlines


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
