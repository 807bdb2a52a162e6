"""A router's health: states, thresholds with slack, reboots and wraps, damping; and that no alarm is ever left uncleared."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.model.router import Incident, InterfaceKind, InterfaceStatus, RouterPath, RouterStatus
from headend.router_catalogue import CODE_FIRST, CODE_LAST, ROUTER_EVENTS, RouterCode, Severity
from headend.router_conditions import RULES
from headend.router_health import UPTIME_WRAP_SECONDS, RouterState
from headend.router_policy import RouterPolicy
from tests.core.routers import FINE, Watched


def test_every_code_is_catalogued_once_in_its_range_and_its_end_is_no_alarm() -> None:
    assert set(ROUTER_EVENTS) == set(RouterCode)
    assert all(CODE_FIRST <= code <= CODE_LAST for code in RouterCode)
    assert len({kind.name for kind in ROUTER_EVENTS.values()}) == len(ROUTER_EVENTS)
    ends = [kind.cleared_by for kind in ROUTER_EVENTS.values() if kind.cleared_by is not None]
    assert len(set(ends)) == len(ends)
    assert {ROUTER_EVENTS[end].severity for end in ends} == {Severity.INFO}
    assert {ROUTER_EVENTS[end].cleared_by for end in ends} == {None}
    assert all(ROUTER_EVENTS[code].cleared_by for code in RULES)


def test_a_new_router_is_unheard_until_it_answers() -> None:
    router = Watched()
    assert router.missed().health.state is RouterState.UNHEARD
    assert router.after(600).polled().health.state is RouterState.UP
    assert router.codes == [RouterCode.REGISTERED]


def test_a_router_unheard_for_a_day_is_told_once_and_cleared_by_its_first_word() -> None:
    router = Watched()
    for _ in range(300):
        router.after(300).missed()
    assert router.health.state is RouterState.UNHEARD
    router.polled()
    assert router.codes == [RouterCode.UNHEARD, RouterCode.REGISTERED]


def test_down_takes_three_missed_polls_and_fifteen_minutes_without_a_trap() -> None:
    router = Watched().polled()
    router.after(300).missed().after(300).missed()
    assert router.health.state is RouterState.UP
    assert router.after(300).missed().health.state is RouterState.DOWN
    assert router.events[-1].detail == "3 polls missed, last heard 2026-07-02 06:00:00 UTC"


def test_a_trap_keeps_a_router_up_whose_polls_are_lost() -> None:
    router = Watched().polled()
    for _ in range(4):
        router.after(240).missed().trapped(RouterStatus())
    assert router.health.state is RouterState.UP
    assert router.after(300).missed().after(300).missed().after(300).missed().health.state is RouterState.DOWN


def test_quick_misses_are_not_yet_silence() -> None:
    router = Watched().polled()
    for _ in range(5):
        router.after(60).missed()
    assert router.health.state is RouterState.UP
    assert router.after(600).idle().health.state is RouterState.DOWN, "time alone tells it then"


def test_a_router_that_is_heard_is_up_at_once() -> None:
    router = Watched().polled().dies()
    restored = router.after(20).trapped(RouterStatus()).health
    assert (restored.state, restored.restored) == (RouterState.UP, router.now)
    assert router.codes == [RouterCode.REGISTERED, RouterCode.DOWN, RouterCode.UP]


@pytest.mark.parametrize(
    ("bad", "begin", "end"),
    [
        ({"on_battery": True}, RouterCode.ON_BATTERY, RouterCode.MAINS_RESTORED),
        ({"battery_percent": 20}, RouterCode.BATTERY_LOW, RouterCode.BATTERY_NORMAL),
        ({"door_open": True}, RouterCode.DOOR_OPEN, RouterCode.DOOR_CLOSED),
        ({"cellular_connected": False}, RouterCode.CELLULAR_LOST, RouterCode.CELLULAR_RESTORED),
        ({"rssi_dbm": -110}, RouterCode.RSSI_LOW, RouterCode.RSSI_NORMAL),
        ({"mesh_nodes": 440}, RouterCode.MESH_COUNT_LOW, RouterCode.MESH_COUNT_NORMAL),
        ({"mesh_running": False}, RouterCode.MESH_STOPPED, RouterCode.MESH_STARTED),
    ],
)
def test_a_condition_degrades_and_its_end_restores(bad: dict[str, object], begin: RouterCode, end: RouterCode) -> None:
    router = Watched().polled().after(300).polled(replace(FINE, **bad))  # type: ignore[arg-type]
    assert router.health.state is RouterState.DEGRADED
    router.after(300).polled(replace(FINE, **bad))  # type: ignore[arg-type]
    assert router.after(300).polled().health.state is RouterState.UP
    assert router.codes == [RouterCode.REGISTERED, begin, end]


def test_what_is_not_told_changes_nothing() -> None:
    router = Watched().polled(replace(FINE, door_open=True))
    router.after(300).polled(RouterStatus()).after(300).trapped(RouterStatus(rssi_dbm=-80))
    assert [alarm.code for alarm in router.health.alarms] == [RouterCode.DOOR_OPEN]
    assert router.health.status == replace(FINE, door_open=True, rssi_dbm=-80)


def test_a_threshold_has_slack() -> None:
    router = Watched()
    for rssi in (-104, -106, -104, -101, -100, -104):
        router.after(300).polled(RouterStatus(rssi_dbm=rssi))
    assert router.codes == [RouterCode.REGISTERED, RouterCode.RSSI_LOW, RouterCode.RSSI_NORMAL]
    assert [event.detail for event in router.events] == ["", "-106 dBm", "-100 dBm"]


def test_a_mesh_far_below_its_number_is_two_alarms_and_one_without_a_number_none() -> None:
    router = Watched().polled(RouterStatus(mesh_nodes=200))
    assert router.codes[1:] == [RouterCode.MESH_COUNT_LOW, RouterCode.MESH_COUNT_VERY_LOW]
    assert router.events[-1].detail == "200 of 500 nodes"
    unknown = Watched(router=replace(router.router, profile=replace(router.router.profile, expected_nodes=None)))
    assert unknown.polled(RouterStatus(mesh_nodes=0)).health.state is RouterState.UP


def test_an_answer_over_the_second_path_is_a_condition() -> None:
    router = Watched(second=True).polled().after(300).polled(path=RouterPath.SECOND)
    assert (router.health.state, router.health.path) == (RouterState.DEGRADED, RouterPath.SECOND)
    router.after(300).polled()
    assert router.codes[1:] == [RouterCode.SECOND_PATH_USED, RouterCode.PRIMARY_PATH_RESTORED]


def interface(index: int, up: bool | None, kind: InterfaceKind | None = InterfaceKind.ETHERNET) -> InterfaceStatus:
    return InterfaceStatus(index, kind, f"port {index}", up)


def test_one_port_of_two_is_enough_and_a_trap_of_one_is_seen_with_the_other() -> None:
    router = Watched().polled(RouterStatus(interfaces=(interface(1, True), interface(2, None))))
    router.after(9).trapped(RouterStatus(interfaces=(interface(1, False, None),)))
    assert router.codes[1:] == [RouterCode.ETHERNET_DOWN]
    assert router.health.status.uplinks == ()
    router.after(9).trapped(RouterStatus(interfaces=(interface(2, True, None),)))
    assert router.codes[1:] == [RouterCode.ETHERNET_DOWN, RouterCode.ETHERNET_UP]
    assert router.health.status.interfaces[0].name == "port 1"


def test_an_interface_that_is_gone_from_a_poll_is_forgotten() -> None:
    router = Watched().polled(RouterStatus(interfaces=(interface(1, True), interface(2, False, InterfaceKind.TUNNEL))))
    assert router.health.holds(RouterCode.TUNNEL_DOWN)
    router.after(300).polled(RouterStatus(interfaces=(interface(1, True),)))
    assert [i.index for i in router.health.status.interfaces] == [1]


def test_a_reboot_is_seen_in_the_uptime() -> None:
    router = Watched().polled(RouterStatus(uptime_seconds=90_000)).after(300).polled(RouterStatus(uptime_seconds=90_299))
    router.after(300).polled(RouterStatus(uptime_seconds=60))
    assert router.codes == [RouterCode.REGISTERED, RouterCode.REBOOT_UNEXPECTED]
    assert router.events[-1].detail == "started 2026-07-02 06:09:00 UTC"


def test_the_same_reboot_told_by_trap_and_poll_is_one() -> None:
    router = Watched().polled(RouterStatus(uptime_seconds=90_000)).after(200)
    router.trapped(RouterStatus(uptime_seconds=5, incidents=(Incident.RESTARTED,)))
    router.after(100).polled(RouterStatus(uptime_seconds=104))
    assert router.codes == [RouterCode.REGISTERED, RouterCode.REBOOT_UNEXPECTED]


def test_a_cold_start_without_an_uptime_is_a_reboot() -> None:
    router = Watched().polled(RouterStatus(uptime_seconds=90_000)).after(200).trapped(RouterStatus(incidents=(Incident.RESTARTED,)))
    assert router.codes == [RouterCode.REGISTERED, RouterCode.REBOOT_UNEXPECTED]


def test_an_uptime_that_wraps_is_no_reboot() -> None:
    router = Watched().polled(RouterStatus(uptime_seconds=UPTIME_WRAP_SECONDS - 100))
    router.after(300).polled(RouterStatus(uptime_seconds=200)).after(300).polled(RouterStatus(uptime_seconds=501))
    assert router.codes == [RouterCode.REGISTERED]


def test_an_incident_repeated_at_once_is_one() -> None:
    router = Watched().polled()
    for seconds in (1, 1, 1, 100):
        router.after(seconds).trapped(RouterStatus(incidents=(Incident.CONFIGURATION_CHANGED,)))
    assert router.codes == [RouterCode.REGISTERED, RouterCode.CONFIGURATION_CHANGED, RouterCode.CONFIGURATION_CHANGED]


def test_flapping_is_told_three_times_and_then_as_one_alarm_until_it_is_over() -> None:
    router = Watched().polled()
    for _ in range(20):
        router.after(60).trapped(RouterStatus(cellular_connected=False)).after(60).trapped(RouterStatus(cellular_connected=True))
    told = Counter(router.codes)
    assert (told[RouterCode.CELLULAR_LOST], told[RouterCode.CELLULAR_RESTORED]) == (3, 2)
    assert router.health.state is RouterState.DEGRADED
    for _ in range(7):
        router.after(300).polled()
    assert router.health.state is RouterState.UP
    assert router.codes[-1] is RouterCode.CELLULAR_RESTORED
    assert router.events[-1].detail == "flapping is over"


def test_a_router_that_flaps_between_down_and_up_is_down_while_it_is_silent() -> None:
    router = Watched(RouterPolicy(flap_seconds=7_200)).polled()
    for _ in range(4):
        router.dies()
        assert router.health.state is RouterState.DOWN
        router.after(60).polled()
    assert router.health.state is RouterState.DEGRADED
    assert Counter(router.codes)[RouterCode.DOWN] == 3


PORTS = st.lists(st.builds(interface, st.integers(1, 3), st.none() | st.booleans()), max_size=2, unique_by=lambda port: port.index)
STATUSES = st.builds(
    RouterStatus,
    uptime_seconds=st.none() | st.floats(0, 9_000),
    interfaces=PORTS.map(tuple),
    mesh_nodes=st.none() | st.integers(0, 600),
    mesh_running=st.none() | st.booleans(),
    cellular_connected=st.none() | st.booleans(),
    rssi_dbm=st.none() | st.integers(-120, -60),
    temperature_c=st.none() | st.integers(20, 90),
    on_battery=st.none() | st.booleans(),
    door_open=st.none() | st.booleans(),
    alarms_major=st.none() | st.integers(0, 2),
    incidents=st.just(()) | st.sampled_from(Incident).map(lambda incident: (incident,)),
)
HAPPENINGS = st.lists(
    st.tuples(
        st.floats(0, 2_000),
        st.one_of(
            st.sampled_from(["missed", "idle"]),
            st.tuples(st.just("polled"), STATUSES, st.sampled_from(RouterPath)),
            st.tuples(st.just("trapped"), STATUSES),
        ),
    ),
    max_size=60,
)


def happen(router: Watched, happenings: list[tuple[float, object]]) -> None:
    for seconds, what in happenings:
        router.after(seconds)
        match what:
            case ("polled", status, path):
                router.polled(status, path)
            case ("trapped", status):
                router.trapped(status)
            case str():
                getattr(router, what)()


@given(HAPPENINGS)
def test_every_alarm_is_told_once_before_its_end_and_ends_once(happenings: list[tuple[float, object]]) -> None:
    router = Watched(second=True)
    happen(router, happenings)
    uncleared: set[RouterCode] = set()
    for event in router.events:
        kind = ROUTER_EVENTS[event.code]
        begun = next((k.code for k in ROUTER_EVENTS.values() if k.cleared_by is event.code), None)
        if kind.cleared_by is not None:
            assert event.code not in uncleared, "told twice"
            uncleared.add(event.code)
        elif begun is not None and event.code is not RouterCode.REGISTERED:
            assert begun in uncleared, "an end without a beginning"
            uncleared.discard(begun)
        else:
            uncleared.discard(RouterCode.UNHEARD)
    assert {alarm.code for alarm in router.health.alarms} == uncleared
    assert [event.sequence for event in router.events] == list(range(1, len(router.events) + 1))
    assert (router.health.state is RouterState.DEGRADED) == bool(uncleared and router.health.heard and not router.health.silent)


@given(HAPPENINGS)
def test_once_all_is_well_for_long_enough_nothing_is_left_open(happenings: list[tuple[float, object]]) -> None:
    router = Watched(second=True)
    happen(router, happenings)
    well = replace(FINE, temperature_c=20, alarms_major=0, interfaces=(interface(1, True),))
    for _ in range(8):
        router.after(300).polled(well)
    assert router.health.state is RouterState.UP
    assert router.health.alarms == ()
