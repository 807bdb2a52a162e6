"""Regular work of two processes on one database: each piece of it is done by one of them, and by the other when that one is gone."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults

from headend import day_review
from headend.day_review import DayReview
from headend.gas_day import GasDayRule
from headend.gas_days import GasDayDriver
from headend.model.endpoint import EndpointId
from headend.model.instants import to_us
from headend.regular_work import RegularWork
from tests.conftest import RunningReactor
from tests.store.world import OpenStore, endpoint_day, opened, shipment

DAY = date(2026, 7, 1)
RULE = GasDayRule()
END = RULE.bounds(DAY).end


class Process:
    """One of two processes: its own store on their database, a clock set by hand, and the names of the calls that write."""

    def __init__(self, name: str, store: OpenStore) -> None:
        self.name = name
        self.store = store
        self.now = END
        self.done: list[str] = []
        self.held_up: Callable[..., Awaitable[object]] | None = None
        self.review = DayReview(store.store.utility, self, lambda: self.now, self._pause, name)
        self.gas = GasDayDriver(store.store.utility, self, lambda: self.now, RULE, name)

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.store.store, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            if name == "take_gas" and self.held_up is not None:
                return self.held_up()
            if name.startswith(("keep_", "take_gas")):
                self.done.append(name)
            return call(*arguments, **named)

        return counted

    async def _pause(self) -> None:
        if self.held_up is not None:
            await self.held_up()


@pytest.fixture
def two(running: RunningReactor, migrated_url: str, tmp_path: Path) -> Iterator[tuple[Process, Process]]:
    stores = [opened(running, migrated_url, tmp_path / "keys") for _ in range(2)]
    start = END - timedelta(days=9)
    stores[0].call("import_shipment", [*shipment(3), *shipment(3, first=4, configuration="gas")], start)
    for n in range(-6, 1):
        stores[0].call("record", [endpoint_day(1, DAY + timedelta(days=n))], END)
    yield Process("one", stores[0]), Process("two", stores[1])
    for store in stores:
        store.call("close")


def together(running: RunningReactor, *looks: Callable[[], Awaitable[object]]) -> None:
    """Both look at once."""

    def all_of_them() -> Deferred[Any]:
        return gatherResults([Deferred.fromCoroutine(look()) for look in looks])  # type: ignore[arg-type]

    running.wait(all_of_them)


def test_a_day_is_reviewed_by_one_of_two(two: tuple[Process, Process]) -> None:
    one, other = two
    one.now = other.now = END + timedelta(days=2)
    together(one.store.running, one.review.look, other.review.look)
    worked = [process for process in two if process.done]
    assert len(worked) == 1
    idle = one if worked == [other] else other
    assert worked[0].store.call("reviewed") == DAY + timedelta(days=1)
    for process in two:
        process.now += timedelta(days=1)
    one.store.running.wait(idle.review.look)  # the other's claim is over
    assert idle.done
    assert idle.store.call("reviewed") == DAY + timedelta(days=2)


def test_a_gas_day_is_taken_and_closed_by_one_of_two(two: tuple[Process, Process]) -> None:
    one, other = two
    for hours in (0, 2):
        for process in two:
            process.now = END + timedelta(hours=hours)
            process.done.clear()
        together(one.store.running, one.gas.look, other.gas.look)
        assert [bool(process.done) for process in two].count(True) == 1
    assert len(one.store.call("gas_takes", DAY, EndpointId(0), 100)) == 3


@pytest.mark.parametrize("work", ["review", "gas days"])
def test_who_lost_its_turn_goes_no_further(two: tuple[Process, Process], work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One process is held up in its work for longer than its claim; the other has taken over when it goes on."""
    one, other = two
    monkeypatch.setattr(day_review, "REVIEWED_AT_ONCE", 1)
    one.now += timedelta(days=2)
    turns = RegularWork(other.store.store, work, "two", lambda: one.now, 100_000)

    async def held_up(*_: object) -> object:
        one.now += timedelta(seconds=10_000)
        assert await turns.is_ours()
        return 1

    one.held_up = held_up
    one.store.running.wait(one.review.look if work == "review" else one.gas.look)
    assert one.done == []
    assert one.store.call("reviewed") is None
    assert one.store.call("gas_mark")[0] is None


def test_a_turn_lasts_while_it_is_asked_for(two: tuple[Process, Process]) -> None:
    one, other = two
    works = [RegularWork(p.store.store, "any", p.name, lambda p=p: p.now, 100) for p in two]  # type: ignore[misc]
    wait = one.store.running.wait
    assert wait(works[0].is_ours)
    assert not wait(works[1].is_ours)
    for _ in range(8):
        one.now += timedelta(seconds=60)
        other.now = one.now
        assert wait(works[0].lasts)
        assert not wait(works[1].is_ours)
    other.now += timedelta(seconds=101)
    one.now = other.now
    assert wait(works[1].is_ours)
    assert not wait(works[0].lasts)
    assert not wait(works[0].is_ours)
    assert wait(works[1].is_done) is None
    assert one.store.sql("SELECT owner, done_us FROM regular_work WHERE work = 'any'") == [("two", to_us(other.now))]
    assert not wait(works[0].is_ours), "what was done once may be kept for the next time"

