"""What a store of routers promises, of the real one on both databases and of the one the simulations use."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from headend.errors import StoreError
from headend.model.endpoint import NativeAddress, RouterId, Transport
from headend.model.router import (
    AuthProtocol,
    CommunityAccess,
    InterfaceKind,
    InterfaceStatus,
    PrivacyProtocol,
    RouterPath,
    RouterProfile,
    RouterStatus,
    UserAccess,
)
from headend.model.work_item import WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.router_case import RouterCase
from headend.router_catalogue import RouterCode
from headend.router_health import RouterEvent, RouterState
from headend.router_ports import RouterRecord
from headend.router_troubleshooting import StepOutcome
from tests.conftest import RunningReactor
from tests.core.routers import FINE, START, Watched
from tests.memory_router_store import MemoryRouterStore
from tests.store.world import opened, shipment

USER = UserAccess("ops", AuthProtocol.SHA512, "correct horse", PrivacyProtocol.AES256, "battery staple")
NORTH = RouterProfile(
    "north",
    NativeAddress(Transport.UDP, "10.0.0.1", 161),
    USER,
    NativeAddress(Transport.UDP, "10.9.0.1", 1161),
    500,
    "pole 7",
    41.5,
    -88.25,
)
SOUTH = RouterProfile("south", NativeAddress(Transport.UDP, "south.example", 161), CommunityAccess("open sesame", "close sesame"))


class Kept:
    """One of the stores, called from a test's thread."""

    def __init__(self, store: Any, running: RunningReactor) -> None:
        self.store = store
        self._running = running

    def call(self, name: str, *arguments: Any, **named: Any) -> Any:
        return self._running.wait(getattr(self.store, name), *arguments, **named)


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def kept(request: pytest.FixtureRequest, running: RunningReactor, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "memory":
        yield Kept(MemoryRouterStore(), running)
        return
    url = f"sqlite:///{tmp_path}/store.sqlite" if request.param == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    store = opened(running, url, tmp_path / "keys")
    yield Kept(store.store, running)
    store.call("close")


def records(watched: Watched, case: RouterCase) -> list[RouterRecord]:
    """All that a router told, as of the router the store has."""
    router_id = case.router.router_id
    found = []
    for outcome in watched.outcomes:
        events = tuple(replace(event, router_id=router_id) for event in outcome.events)
        after = RouterCase(case.router, replace(watched.health, router_id=router_id), watched.case.troubleshooting)
        found.append(RouterRecord(after, events, outcome.finished, outcome.work_items))
    return found


def test_routers_are_imported_once_and_changed_by_name(kept: Kept) -> None:
    assert kept.call("import_routers", [NORTH, SOUTH], START) == 2
    assert kept.call("import_routers", [NORTH, SOUTH], START) == 0
    changed = replace(NORTH, access=replace(USER, auth_password="another horse"))
    assert kept.call("import_routers", [changed, replace(SOUTH, expected_nodes=9)], START + timedelta(days=1)) == 2
    cases = kept.call("router_cases")
    assert [case.router.profile for case in cases] == [changed, replace(SOUTH, expected_nodes=9)]
    assert [case.router.created for case in cases] == [START, START]
    assert [case.health.state for case in cases] == [RouterState.UNHEARD, RouterState.UNHEARD]


def test_what_was_recorded_is_there_as_it_was(kept: Kept) -> None:
    kept.call("import_routers", [NORTH], START)
    (case,) = kept.call("router_cases")
    port = InterfaceStatus(3, InterfaceKind.CELLULAR, "Cellular3/1", True, 2**63, 5)
    watched = Watched(second=True).polled(replace(FINE, interfaces=(port,), uptime_seconds=5.25)).polled(RouterStatus(door_open=True))
    watched.after(9).polled(path=RouterPath.SECOND).dies().after(1).probe_missed()
    kept.call("record_routers", records(watched, case))
    (again,) = kept.call("router_cases")
    assert again.health == replace(watched.health, router_id=case.router.router_id)
    assert again.troubleshooting == watched.case.troubleshooting
    entry = kept.call("router_entry", "north")
    assert (entry.profile, entry.health, entry.troubleshooting) == (NORTH, again.health, again.troubleshooting)
    told = kept.call("router_events", "north", 100)
    assert [event.code for event in told] == watched.codes[::-1]
    assert told[0].occurred == watched.events[-1].occurred
    assert len(kept.call("router_events", "north", 2)) == 2
    assert kept.call("router_events", "nowhere", 2) == []
    assert kept.call("router_entry", "nowhere") is None


def test_a_record_twice_changes_nothing(kept: Kept) -> None:
    kept.call("import_routers", [replace(NORTH, second_address=None)], START)
    (case,) = kept.call("router_cases")
    watched = Watched().polled().dies().after(5).probe_missed().after(30).idle().after(5).probe_missed().after(900).idle().probe_missed()
    for _ in range(2):
        kept.call("record_routers", records(watched, case))
    assert len(kept.call("router_events", "north", 100)) == len(watched.events)
    (troubleshooting,) = kept.call("router_troubleshootings", "north", 10)
    assert troubleshooting == watched.outcomes[-1].finished[0]
    (item,) = kept.call("work_items", 10)
    assert (item.kind, item.subject) == (WorkItemKind.ROUTER_DOWN, "north")
    assert len(item.history) == len(watched.work_items[0].entries)
    (again,) = kept.call("router_cases")
    assert again.open_items == {RouterCode.DOWN}


def test_a_work_item_is_acknowledged_by_a_person_and_closed_by_the_routers_return(kept: Kept) -> None:
    kept.call("import_routers", [replace(NORTH, second_address=None)], START)
    (case,) = kept.call("router_cases")
    watched = Watched().polled().dies().after(5).probe_missed().after(30).idle().after(5).probe_missed().after(900).idle().probe_missed()
    kept.call("record_routers", records(watched, case))
    entry = WorkItemEntry(watched.now, "ann", "crew on its way")
    note = WorkItemChange(WorkItemKind.ROUTER_DOWN, "north", watched.now, WorkItemState.ACKNOWLEDGED, (entry,))
    assert kept.call("change_work_item", note).state is WorkItemState.ACKNOWLEDGED
    before = len(watched.outcomes)
    watched.after(600).polled()
    kept.call("record_routers", records(watched, case)[before:])
    assert kept.call("work_items", 10) == []
    (item,) = kept.call("work_items", 10, closed=True)
    assert kept.call("work_items", 10, closed=True, subject="north") == [item]
    assert kept.call("work_items", 10, closed=True, subject="south") == []
    assert (item.state, item.closed) == (WorkItemState.CLOSED, watched.now)
    assert [line.who for line in item.history[-2:]] == ["ann", "head-end"]
    assert kept.call("change_work_item", note) is None, "what is closed is not noted on"
    assert kept.call("router_cases")[0].open_items == frozenset()


def test_one_process_watches_at_a_time(kept: Kept) -> None:
    later, much_later = START + timedelta(seconds=60), START + timedelta(seconds=200)
    assert kept.call("claim_routers", "a", START, later)
    assert not kept.call("claim_routers", "b", START, later)
    assert kept.call("claim_routers", "a", START, later), "it may go on"
    assert kept.call("claim_routers", "b", later, much_later), "a claim that has ended is anybody's"
    assert not kept.call("claim_routers", "a", later, much_later)
    kept.call("release_routers", "a")
    assert not kept.call("claim_routers", "a", later, much_later), "nobody releases another's"
    kept.call("release_routers", "b")
    assert kept.call("claim_routers", "a", later, much_later)


def test_the_oldest_events_make_room(kept: Kept) -> None:
    kept.call("import_routers", [SOUTH], START)
    (case,) = kept.call("router_cases")
    events = tuple(RouterEvent(case.router.router_id, n, RouterCode.CONFIGURATION_CHANGED, START, str(n)) for n in range(1, 1_201))
    for begin in range(0, 1_200, 400):
        kept.call("record_routers", [RouterRecord(case, events[begin : begin + 400])])
    told = kept.call("router_events", "south", 5_000)
    assert (len(told), told[0].sequence, told[-1].sequence) == (1_000, 1_200, 201)


def test_a_router_named_by_a_shipment_is_the_same_by_name(running: RunningReactor, database_url: str, tmp_path: Path) -> None:
    store = opened(running, database_url, tmp_path / "keys")
    store.call("import_shipment", shipment(5), START)
    store.call("import_routers", [replace(NORTH, name="R1")], START)
    entries = store.call("router_entries")
    assert [(entry.name, entry.endpoints, entry.profile is None) for entry in entries] == [("R0", 2, True), ("R1", 3, False)]
    assert [case.router.profile.name for case in store.call("router_cases")] == ["R1"]
    store.call("import_shipment", shipment(6), START)
    assert [entry.endpoints for entry in store.call("router_entries")] == [3, 3]
    store.call("close")


def test_credentials_are_sealed_and_moved_ones_do_not_open(running: RunningReactor, database_url: str, tmp_path: Path) -> None:
    store = opened(running, database_url, tmp_path / "keys")
    store.call("import_routers", [NORTH, SOUTH], START)
    octets = b"".join(bytes(row[0]) for row in store.sql("SELECT sealed FROM router_profile"))
    assert not [word for word in (b"horse", b"staple", b"sesame") if word in octets]
    assert "horse" not in repr(store.call("router_cases"))
    assert "sesame" not in repr(store.call("router_entries"))
    store.sql("UPDATE router_profile SET sealed = (SELECT sealed FROM router_profile WHERE router_id = 1) WHERE router_id = 2")
    with pytest.raises(StoreError, match="credentials of router 'south' are damaged or belong to another") as caught:
        store.call("router_cases")
    assert "sesame" not in str(caught.value)
    store.call("close")


def test_a_damaged_state_is_named_and_shows_nothing(running: RunningReactor, database_url: str, tmp_path: Path) -> None:
    store = opened(running, database_url, tmp_path / "keys")
    store.call("import_routers", [SOUTH], START)
    (case,) = store.call("router_cases")
    watched = Watched().polled().after(1).rebooted(StepOutcome.ACCEPTED)
    store.call("record_routers", records(watched, case))
    nothing = "x'7b7d'" if database_url.startswith("sqlite") else r"'\x7b7d'::bytea"
    store.sql(f"UPDATE router_state SET health = {nothing}")
    with pytest.raises(StoreError, match="a stored RouterHealth cannot be read"):
        store.call("router_cases")
    assert RouterId(1) == case.router.router_id
    store.call("close")
