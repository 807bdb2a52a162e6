"""Routers over hours, on a hand-turned clock: every SNMP datagram is real, only the net and the time are not."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from emulators.router_device import RouterFaults, faults_from_json
from headend.errors import RequestError, StoreError
from headend.model.router import InterfaceKind, RouterPath
from headend.model.work_item import WorkItemKind, WorkItemState
from headend.router_catalogue import RouterCode
from headend.router_health import RouterState
from headend.router_silence import silence_owner
from headend.router_troubleshooting import Ending, StepKind, StepOutcome
from tests.simulation.routers import RouterField, quick

ALL = range(4)


@pytest.fixture
def field() -> RouterField:
    """Four routers, two of version 3 and two of 2c, two that inform and two that trap, all heard."""
    field = RouterField(policy=quick(may_reboot=False))
    field.start()
    field.run(6)
    return field


def test_all_are_up_and_say_all_there_is(field: RouterField) -> None:
    for number in ALL:
        health, device = field.case(number).health, field.devices[number]
        assert health.state is RouterState.UP, health.alarms
        status = health.status
        assert (status.mesh_nodes, status.mesh_running, status.door_open, status.battery_percent) == (100, True, False, 100)
        assert status.uplinks == ((InterfaceKind.CELLULAR, InterfaceKind.ETHERNET) if device.has_second_path else (InterfaceKind.CELLULAR,))
        facts = device.facts()
        assert (status.rssi_dbm, status.temperature_c, status.cpu_percent) == (facts.rssi_dbm, facts.temperature_c, facts.cpu_percent)
        assert status.interfaces[2].octets_in == 10**12
        assert status.on_battery is False
        assert health.booted is not None
        assert abs(health.booted.timestamp() - (field.seconds() - device.uptime_seconds)) < 1
        assert field.codes(number) == [RouterCode.REGISTERED]
    field.stop()


def test_every_router_is_polled_every_five_minutes(field: RouterField) -> None:
    before = field.watch.counters.polls
    field.run(60)
    assert 4 * 11 <= field.watch.counters.polls - before <= 4 * 13
    assert field.watch.counters.missed == 0


@pytest.mark.parametrize("number", ALL)
def test_a_notification_tells_within_seconds(field: RouterField, number: int) -> None:
    field.faults(number, door_open=True)
    field.run(0.2)
    assert field.case(number).health.holds(RouterCode.DOOR_OPEN)
    field.faults(number, door_open=False, on_battery=True)
    field.run(0.5)
    assert field.case(number).health.holds(RouterCode.ON_BATTERY)
    assert field.codes(number)[1:3] == [RouterCode.DOOR_OPEN, RouterCode.ON_BATTERY]
    assert not field.receiver.dropped
    assert field.fleet.router(field.devices[number].name).notifier.lost == 0
    field.stop()


def test_the_mains_fail_the_battery_runs_down_and_all_comes_back() -> None:
    field = RouterField(1, quick())
    field.start()
    field.run(6)
    field.faults(0, on_battery=True)
    field.run(6 * 60)
    health = field.case(0).health
    assert (health.state, health.status.battery_percent) == (RouterState.DEGRADED, 25)
    assert health.holds(RouterCode.BATTERY_LOW)
    field.run(3 * 60)
    assert field.case(0).health.state is RouterState.DOWN
    assert [(item.kind, item.subject) for item in field.items()] == [(WorkItemKind.ROUTER_DOWN, "router-001")]
    field.faults(0, on_battery=False)
    field.run(10)
    assert field.case(0).health.state is RouterState.DEGRADED, "its battery is still low"
    (item,) = field.items(closed=True)
    assert item.state is WorkItemState.CLOSED
    field.run(10 * 60)
    assert field.case(0).health.state is RouterState.UP
    told = field.codes(0)
    assert told[1:5] == [RouterCode.ON_BATTERY, RouterCode.ENTITY_ALARM_MAJOR, RouterCode.BATTERY_LOW, RouterCode.DOWN]
    assert set(told[5:]) == {
        RouterCode.UP,
        RouterCode.REBOOT_UNEXPECTED,
        RouterCode.MESH_TABLE_RESET,
        RouterCode.MAINS_RESTORED,
        RouterCode.ENTITY_ALARM_MAJOR_CLEARED,
        RouterCode.BATTERY_NORMAL,
    }
    field.stop()


def test_an_uplink_fails_and_the_router_is_heard_over_the_second(field: RouterField) -> None:
    field.faults(2, primary_lost=True)
    field.run(1)
    assert field.case(2).health.holds(RouterCode.CELLULAR_LOST), "told by an inform over the other uplink"
    field.run(25)
    health = field.case(2).health
    assert (health.state, health.path) == (RouterState.DEGRADED, RouterPath.SECOND)
    (tried,) = field.wait(field.store.router_troubleshootings("router-003", 10))
    assert [(step.kind, step.outcome) for step in tried.steps] == [
        (StepKind.RETRY, StepOutcome.NO_ANSWER),
        (StepKind.SECOND_PATH, StepOutcome.RECOVERED),
    ]
    field.run(60)
    assert field.case(2).health.path is RouterPath.SECOND
    assert field.items(closed=True) == []
    field.faults(2, primary_lost=False)
    field.run(6)
    assert field.case(2).health.state is RouterState.UP
    assert set(field.codes(2)[-2:]) == {RouterCode.CELLULAR_RESTORED, RouterCode.PRIMARY_PATH_RESTORED}
    field.stop()


def test_a_router_without_a_second_path_that_loses_its_uplink_becomes_a_work_item(field: RouterField) -> None:
    field.faults(1, primary_lost=True)
    field.run(40)
    assert field.case(1).health.state is RouterState.DOWN
    (item,) = field.items()
    assert "second path: skipped (there is no second path)" in item.diagnosis
    assert "reboot request: skipped (the utility does not allow reboots)" in item.diagnosis
    field.stop()


def test_silent_death_is_found_by_polls_alone_and_opens_one_item(field: RouterField) -> None:
    field.faults(3, down=True)
    field.run(90)
    (tried,) = field.wait(field.store.router_troubleshootings("router-004", 10))
    assert tried.ending is Ending.ROUTED
    assert field.codes(3) == [RouterCode.REGISTERED, RouterCode.DOWN]
    assert len(field.items(closed=True)) == 1
    assert all(field.case(number).health.state is RouterState.UP for number in (0, 1, 2))
    field.stop()


@pytest.mark.parametrize("number", ALL)
def test_a_hung_mesh_is_rebooted_where_the_utility_allows_it(number: int) -> None:
    field = RouterField(policy=quick(may_reboot=True))
    field.start()
    field.run(6)
    field.faults(number, hung=True)
    field.run(15)
    device = field.devices[number]
    assert device.facts().mesh_running
    assert device.uptime_seconds < 900
    assert field.case(number).health.state is RouterState.UP
    told = field.codes(number)
    assert RouterCode.REBOOT_REQUESTED in told
    assert RouterCode.REBOOTED in told
    assert RouterCode.REBOOT_UNEXPECTED not in told
    assert field.items(closed=True) == []
    field.stop()


def test_a_hung_mesh_that_no_reboot_helps_becomes_a_work_item() -> None:
    field = RouterField(policy=quick(may_reboot=True))
    field.start()
    field.run(6)
    field.faults(0, hung=True, ignores_reload=True)
    field.run(30)
    (item,) = field.items()
    assert (item.kind, item.state) == (WorkItemKind.ROUTER_MESH, WorkItemState.OPEN)
    assert "reboot request: accepted" in item.diagnosis
    assert field.case(0).health.state is RouterState.DEGRADED
    field.stop()


def test_a_reboot_nobody_asked_for_is_unexpected_and_told_once(field: RouterField) -> None:
    field.fleet.reboot("router-001", 45)
    field.run(20)
    assert Counter(field.codes(0))[RouterCode.REBOOT_UNEXPECTED] == 1
    assert field.case(0).health.state is RouterState.UP
    field.stop()


def test_flapping_is_few_events_and_one_alarm_at_its_end() -> None:
    field = RouterField(1, quick())
    field.start()
    field.run(6)
    for _ in range(30):
        field.faults(0, primary_lost=True)
        field.run(1)
        field.faults(0, primary_lost=False)
        field.run(1)
    told = Counter(field.codes(0))
    assert told[RouterCode.CELLULAR_LOST] == 3
    assert field.case(0).health.state is RouterState.DEGRADED
    field.run(40)
    assert field.case(0).health.state is RouterState.UP
    assert Counter(field.codes(0))[RouterCode.CELLULAR_RESTORED] == 3
    assert field.items(closed=True) == []
    field.stop()


def test_children_of_a_dead_router_are_its_own_and_nobody_elses(field: RouterField) -> None:
    field.faults(1, down=True)
    field.run(30)
    health = {name: case.health for name, case in field.watch.cases.items()}
    since = field.now() - timedelta(days=3)
    owners = {name: silence_owner(name, since, health, field.now()).router for name in health}
    assert owners == {name: "router-002" if name == "router-002" else None for name in health}
    field.stop()


def test_lost_datagrams_are_sent_again() -> None:
    field = RouterField(policy=quick())
    chance = Random(7)
    field.net.lost = lambda _octets: chance.random() < 0.15
    field.start()
    field.run(60)
    assert all(field.case(number).health.heard is not None for number in ALL)
    assert all(RouterCode.DOWN not in field.codes(number) for number in ALL)
    field.stop()


def test_wrong_credentials_are_silence_and_change_what_is_known_as_soon_as_they_are_put_right() -> None:
    field = RouterField(policy=quick())
    right = field.profiles[0]
    field.profiles[0] = replace(right, access=field.devices[2].access)
    field.start()
    field.run(20)
    assert field.case(0).health.state is RouterState.UNHEARD
    field.wait(field.store.import_routers([right], field.now()))
    field.run(8)
    assert field.case(0).health.state is RouterState.UP
    field.stop()


def test_a_restart_goes_on_where_the_last_one_was(field: RouterField) -> None:
    field.faults(3, down=True)
    field.run(18)
    assert field.case(3).troubleshooting is not None
    field.wait(field.watch.stop(field.link.close))
    field.wait(field.receiver.close())
    field.begin()
    field.wait(field.watch.start())
    assert field.case(3).troubleshooting is not None
    field.run(30)
    (tried,) = field.wait(field.store.router_troubleshootings("router-004", 10))
    assert tried.ending is Ending.ROUTED
    assert field.codes(3) == [RouterCode.REGISTERED, RouterCode.DOWN]
    assert [field.codes(number) for number in (0, 1, 2)] == [[RouterCode.REGISTERED]] * 3
    field.stop()


def test_a_store_that_fails_costs_no_event(field: RouterField) -> None:
    field.store.failures = [StoreError("the disk is full")] * 60
    field.faults(0, door_open=True)
    field.run(3)
    field.faults(0, door_open=False)
    field.run(6)
    assert field.store.failures == []
    assert field.codes(0) == [RouterCode.REGISTERED, RouterCode.DOOR_OPEN, RouterCode.DOOR_CLOSED]
    field.stop()


def test_the_second_process_waits_until_the_first_is_gone(field: RouterField) -> None:
    first, first_link = field.watch, field.link
    field.wait(field.receiver.close())
    field.begin(owner="other")
    field.wait(field.watch.start())
    field.run(5)
    assert field.watch.cases == {}
    field.wait(first.stop(first_link.close))
    field.run(2)
    assert len(field.watch.cases) == 4
    field.stop()


def test_a_router_taken_off_the_list_is_watched_no_more(field: RouterField) -> None:
    del field.store.routers["router-002"]
    field.wait(field.watch.refresh())
    assert set(field.watch.cases) == {"router-001", "router-003", "router-004"}
    field.run(10)
    field.stop()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"dwon": True}, "unknown field 'dwon'"),
        ({"down": 1}, "down: 1 is neither true nor false"),
        ({"rssi_dbm": 5}, "rssi_dbm: 5 is neither null nor a whole number within -150 and 0"),
        ({"mesh_nodes": True}, "mesh_nodes: True"),
    ],
)
def test_a_fault_that_is_none_is_named(body: dict[str, object], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        faults_from_json(body, RouterFaults())
