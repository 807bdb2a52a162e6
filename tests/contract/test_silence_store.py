"""What a store of silences promises, and what watching it comes to: the real one on both databases, and the one of simulations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.store.work_item_store import change_work_items
from headend.collection.policy import CollectionPolicy
from headend.collection_plan import CollectionPlan, GroupPlan, PlanKind
from headend.model.collection import Collected, Progress
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, ExceptionKind, ExceptionRecord
from headend.model.router import RouterStatus
from headend.model.work_item import Party, WorkItem, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.router_ports import RouterRecord
from headend.silence import SilencePolicy, SilenceState
from headend.silence_watch import Looked, SilenceWatch
from tests.conftest import RunningReactor
from tests.contract.test_router_store import SOUTH
from tests.memory_router_store import MemoryRouterStore
from tests.memory_silence_store import MemorySilenceStore
from tests.memory_store import MemoryEndpoint, MemoryStore
from tests.store.world import FROM, NOW, UTILITY, endpoint_day, opened, shipment

POLICY = SilencePolicy()
RETRIES = CollectionPolicy().retries


class Memory:
    """The stores of simulations, as one."""

    def __init__(self) -> None:
        self.collection = MemoryStore([])
        self.routers = MemoryRouterStore()
        self.silence = MemorySilenceStore(self.collection, self.routers, NOW)

    def __getattr__(self, name: str) -> Any:
        return next(getattr(part, name) for part in (self.silence, self.collection, self.routers) if hasattr(part, name))

    async def import_shipment(self, items: Any, _now: datetime) -> int:
        for number, i in enumerate(items, len(self.collection.endpoints) + 1):
            title = number.to_bytes(4)
            endpoint = MemoryEndpoint(EndpointId(number), i.meter_no, title, i.address, i.router, i.configuration, i.key_id, i.key)
            self.collection.endpoints[endpoint.endpoint_id] = self.collection.titles[title] = endpoint
        return len(items)


class Kept:
    """One of the stores with a watch over it, called from a test's thread; time is hours from NOW."""

    def __init__(self, store: Any, running: RunningReactor) -> None:
        self.store = store
        self._running = running
        self.hours = 0.0
        self.woken = 0
        self.begin()

    def begin(self) -> None:
        """A watch with nothing in memory, as after a restart."""
        self.watch = SilenceWatch(UTILITY, self.store, now=self.now, wake=self._wake, owner="test", policy=POLICY)

    def now(self) -> datetime:
        return NOW + timedelta(hours=self.hours)

    def _wake(self) -> None:
        self.woken += 1

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        return self._running.wait(getattr(self.store, name), *arguments, **named)

    def changed(self, changes: list[WorkItemChange]) -> list[WorkItem | None]:
        """Work items changed in one transaction of a database."""
        after: list[WorkItem | None] = self._running.wait(self.store._database.run, lambda c: change_work_items(c, changes))
        return after

    def look(self, hours: float) -> Looked:
        self.hours = hours
        self.begin()
        looked: Looked = self._running.wait(self.watch.look)
        return looked

    def collected(self, *silent: int, kind: ExceptionKind = ExceptionKind.NO_ANSWER) -> None:
        """All that is due is collected now, but for those that are silent."""
        now = self.now()
        for one in self.call("lease", "test", 100, now, now + timedelta(minutes=5)):
            if one.endpoint_id in silent:
                reason = ExceptionRecord(one.endpoint_id, kind, now, "no answer to 4 transmissions")
                item = Collected(one.endpoint_id, None, one.lease_id, exception=reason)
            else:
                item = replace(endpoint_day(one.endpoint_id, lease_id=one.lease_id), heard=now)
            self.call("record", [item], now, (), RETRIES)

    def scheduled(self, *silent: int) -> None:
        self.call("schedule", self.now(), FROM)
        self.collected(*silent)

    def retried(self, hours: float, *silent: int) -> None:
        """Time passes, what is due meanwhile is collected."""
        while self.hours < hours:
            self.hours += 0.25
            self.collected(*silent)

    def state(self, number: int) -> SilenceState | None:
        entry = self.call("silence_of", f"M{number:06}")
        return None if entry is None else entry.silence.state

    def items(self, **named: Any) -> list[Any]:
        items: list[Any] = self.call("work_items", 100, **named)
        return items


DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)]


@pytest.fixture(params=["memory", *DATABASES])
def kept(request: pytest.FixtureRequest, running: RunningReactor, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        yield Kept(Memory(), running)
        return
    url = f"sqlite:///{tmp_path}/store.sqlite" if request.param == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    store = opened(running, url, tmp_path / "keys")
    yield Kept(store.store, running)
    store.call("close")


def test_a_silent_endpoint_becomes_a_work_item_that_closes_when_it_is_heard(kept: Kept) -> None:
    kept.call("import_shipment", shipment(6), NOW)
    kept.scheduled()
    kept.hours = 6
    kept.scheduled(3)
    assert kept.look(6).changed == 0
    assert kept.state(3) is None
    kept.retried(12.5, 3)
    assert kept.look(12.5).changed == 1
    assert kept.state(3) is SilenceState.LATE
    kept.retried(31, 3)
    kept.look(31)
    assert kept.state(3) is SilenceState.NOT_COMMUNICATING
    kept.retried(79, 3)
    assert (kept.look(79).opened, kept.look(79).opened) == (1, 0)
    (item,) = kept.items()
    assert (item.kind, item.subject, item.state) == (WorkItemKind.SILENT_ENDPOINT, "M000003", WorkItemState.OPEN)
    assert item.diagnosis.startswith("it alone is silent")
    assert "no answer to 4 transmissions" in item.diagnosis
    assert "udp://127.0.0.1:1154" in item.diagnosis
    assert [entry.what.split(":")[0] for entry in item.history] == ["late", "not communicating", "under investigation", "diagnosis"]
    assert kept.call("work_item", item.work_item_id) == item
    (entry,) = kept.call("silences", list(SilenceState)[1:], 10)
    assert (entry.meter_no, entry.router, entry.heard) == ("M000003", "R1", NOW)
    assert kept.call("silences", [SilenceState.LATE], 10) == []
    kept.hours = 80
    kept.call("record", [Collected(EndpointId(3), kept.now())], kept.now(), (), RETRIES)
    looked = kept.look(80.1)
    assert (looked.closed, looked.asked, kept.woken) == (1, 1, 1)
    assert kept.items() == []
    (closed,) = kept.items(closed=True, kind=WorkItemKind.SILENT_ENDPOINT)
    assert (closed.state, closed.closed) == (WorkItemState.CLOSED, kept.now())
    assert closed.history[-1].what == "closed by itself: heard again 2026-07-05 14:00 UTC"
    due = kept.call("lease", "test", 10, kept.now(), kept.now() + timedelta(minutes=5))
    assert [one.meter_no for one in due] == ["M000003"], "what it did not tell meanwhile is asked for at once"
    assert kept.state(3) is SilenceState.OK


def test_one_read_by_a_retry_is_not_asked_once_more(kept: Kept) -> None:
    kept.call("import_shipment", shipment(2), NOW)
    kept.scheduled(1)
    kept.retried(7, 1)
    assert kept.look(7).changed == 1
    kept.retried(13)
    looked = kept.look(13)
    assert (looked.changed, looked.asked, looked.closed) == (1, 0, 0)
    assert kept.items(closed=True) == []


def test_children_of_a_router_that_is_down_get_no_items_and_are_asked_when_it_is_back(kept: Kept) -> None:
    kept.call("import_shipment", shipment(4), NOW)
    kept.call("import_routers", [replace(SOUTH, name="R1")], NOW)
    (case,) = kept.call("router_cases")
    down = replace(case.health, heard=NOW, silent=True, status=RouterStatus(mesh_nodes=2))
    kept.call("record_routers", [RouterRecord(replace(case, health=down))])
    kept.scheduled(1, 3, 4)
    kept.retried(100, 1, 3, 4)
    looked = kept.look(100)
    assert (looked.opened, looked.changed) == (1, 3)
    assert [item.subject for item in kept.items()] == ["M000004"], "which is behind another router"
    assert {kept.state(1), kept.state(3)} == {SilenceState.NOT_COMMUNICATING}
    assert kept.call("silence_of", "M000001").silence.owner == "R1"
    back = replace(down, silent=False, restored=NOW + timedelta(hours=100), heard=NOW + timedelta(hours=100))
    kept.call("record_routers", [RouterRecord(replace(case, health=back))])
    looked = kept.look(100.5)
    assert (looked.asked, looked.opened) == (2, 0)
    kept.collected(3)
    kept.look(101)
    assert (kept.state(1), kept.state(3)) == (SilenceState.OK, SilenceState.NOT_COMMUNICATING)
    kept.retried(171, 3, 4)
    assert kept.look(171).opened == 0
    assert kept.look(173).opened == 1, "three days after its router was back"
    (item,) = kept.items(subject="M000003")
    assert "R1 up" in item.diagnosis


def test_battery_endpoints_are_missed_by_their_wakeups(kept: Kept) -> None:
    kept.call("import_shipment", shipment(3, configuration="gas"), NOW)
    for number in (1, 2, 3):
        kept.call("record", [Collected(EndpointId(number), NOW)], NOW, (), RETRIES)
    assert kept.look(6).changed == 0
    assert kept.look(6.5).changed == 3
    kept.call("record", [Collected(EndpointId(2), NOW + timedelta(hours=7))], NOW + timedelta(hours=7), (), RETRIES)
    kept.look(7)
    assert kept.state(2) is SilenceState.OK
    for number in (2, 3):
        heard = NOW + timedelta(hours=72)
        kept.call("record", [Collected(EndpointId(number), heard)], heard, (), RETRIES)
    assert kept.look(73).opened == 1
    assert [item.subject for item in kept.items()] == ["M000001"]
    told = [x for meter, x in kept.call("exceptions", 100) if meter == "M000001"]
    assert sorted(x.occurred for x in told) == [NOW + timedelta(hours=6 * n, minutes=15) for n in range(1, 13)]
    kept.look(73)
    assert len([x for meter, x in kept.call("exceptions", 100) if meter == "M000001"]) == 12, "each is told once"


def test_a_plan_of_wakeups_says_how_long_one_may_sleep(kept: Kept) -> None:
    kept.call("import_shipment", shipment(2, configuration="gas"), NOW)
    for number in (1, 2):
        kept.call("record", [Collected(EndpointId(number), NOW)], NOW, (), RETRIES)
    plan = CollectionPlan((360, 1_080), 60)
    if isinstance(kept.store, Memory):
        kept.store.silence.plans = [(plan, None)]
    else:
        kept.call("keep_plan", GroupPlan(PlanKind.WAKE_UPS, "", plan), NOW)
    assert kept.look(12).changed == 0
    assert kept.look(12.5).changed == 2
    assert kept.state(1) is SilenceState.LATE


def test_what_an_endpoint_says_of_its_wakeups_counts_before_its_plan(kept: Kept) -> None:
    kept.call("import_shipment", shipment(2, configuration="gas"), NOW)
    daily = Progress(wake_ups=(600,))
    kept.call("record", [Collected(EndpointId(1), NOW, progress=daily), Collected(EndpointId(2), NOW)], NOW, (), RETRIES)
    assert kept.look(23).changed == 1
    assert (kept.state(1), kept.state(2)) == (None, SilenceState.LATE)
    assert kept.look(24.5).changed == 2
    assert kept.state(1) is SilenceState.NOT_COMMUNICATING


def test_what_a_person_does_stays(kept: Kept) -> None:
    kept.call("import_shipment", shipment(1), NOW)
    kept.scheduled(1)
    kept.retried(73, 1)
    kept.look(73)
    (item,) = kept.items()
    assigned = WorkItemEntry(kept.now(), "ann", "assigned to bob")
    change = replace(
        _change(item), at=kept.now(), state=WorkItemState.ACKNOWLEDGED, entries=(assigned,), assigned_to="bob", routed_to=Party.OPERATOR
    )
    after = kept.call("change_work_item", change)
    assert (after.state, after.assigned_to, after.history[-1]) == (WorkItemState.ACKNOWLEDGED, "bob", assigned)
    assert kept.call("work_item", item.work_item_id) == after
    closing = replace(change, state=WorkItemState.CLOSED, assigned_to="", entries=(WorkItemEntry(kept.now(), "ann", "closed: replaced"),))
    assert kept.call("change_work_item", closing).assigned_to == "bob"
    kept.retried(90, 1)
    assert kept.look(90).opened == 0, "closed by a person it is not opened again while the same silence lasts"
    assert kept.items() == []
    assert kept.call("work_item", 4_711) is None


def _change(item: WorkItem) -> WorkItemChange:
    return WorkItemChange(item.kind, item.subject, item.opened, item.state, ())


def test_looks_in_pages_reach_everybody(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("headend.silence_watch.SILENCES_PER_LOOK", 3)
    kept.call("import_shipment", shipment(10), NOW)
    kept.scheduled(*range(1, 8))
    kept.retried(73, *range(1, 8))
    looked = kept.look(73)
    assert (looked.opened, looked.changed) == (7, 7)
    assert len(kept.items()) == 7
    assert all("neighbours silent" in item.diagnosis for item in kept.items())


@pytest.mark.parametrize("kept", DATABASES, indirect=True)
def test_a_last_gasp_is_what_an_outage_is_known_by(kept: Kept) -> None:
    kept.call("import_shipment", shipment(2), NOW)
    kept.scheduled(1, 2)
    gasp = DeviceEvent(EndpointId(1), 1, NOW + timedelta(minutes=1), 1)
    kept.call("record", [Collected(EndpointId(1), NOW + timedelta(minutes=1), events=(gasp,))], NOW + timedelta(minutes=1), (), RETRIES)
    kept.hours = 1
    kept.retried(90, 1, 2)
    kept.look(90)
    first, second = sorted(kept.items(), key=lambda item: item.subject)
    assert first.diagnosis.startswith("it reported an outage")
    assert "outage reported 2026-07-02 06:01 UTC" in first.diagnosis
    assert second.diagnosis.startswith("never heard")


@pytest.mark.parametrize("kept", DATABASES, indirect=True)
def test_changes_of_many_work_items_at_once_are_as_if_made_one_after_the_other(kept: Kept) -> None:
    def change(subject: str, state: WorkItemState, text: str) -> WorkItemChange:
        return WorkItemChange(WorkItemKind.SILENT_ENDPOINT, subject, NOW, state, (WorkItemEntry(NOW, "ann", text),))

    changes = [
        change("M1", WorkItemState.CLOSED, "closed, though none is open"),
        change("M1", WorkItemState.OPEN, "silent"),
        change("M2", WorkItemState.OPEN, "silent"),
        change("M1", WorkItemState.OPEN, "silent"),
        change("M1", WorkItemState.ACKNOWLEDGED, "seen"),
        change("M1", WorkItemState.CLOSED, "heard"),
        change("M1", WorkItemState.OPEN, "silent again"),
    ]
    none, *rest = kept.changed(changes)
    first, second, same, seen, closed, third = [item for item in rest if item is not None]
    assert none is None
    assert same == first
    assert first.work_item_id == seen.work_item_id == closed.work_item_id
    assert [entry.what for entry in closed.history] == ["silent", "seen", "heard"]
    assert [item.work_item_id for item in (first, second, third)] == [1, 2, 3]
    assert kept.items(closed=True) == [third, second, closed]
    (noted,) = kept.changed([change("M2", WorkItemState.CLOSED, "heard")])
    assert kept.items(closed=True) == [third, noted, closed]
