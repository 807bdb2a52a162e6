"""What SNMP variables say of a router: everything, nothing, and odd things."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.snmp_message import Oid, Value
from adapters.snmp_objects import COLD_START, COLUMNS, DOOR_TYPE, SINGLE, SYS_UP_TIME, TRAP_OID
from adapters.snmp_status import Variables, alarmed_entities, is_door, notification_of, notified_status, polled_status
from headend.model.router import Incident, InterfaceKind, RouterStatus

SUPPLY_STATE, SUPPLY_SOURCE = COLUMNS["ciscoEnvMonSupplyState"], COLUMNS["ciscoEnvMonSupplySource"]
BATTERY_STATE = COLUMNS["batteryChargingOperState"]


def status(*variables: tuple[Oid, Value]) -> RouterStatus:
    return polled_status(Variables(variables), None)


def test_nothing_told_is_nothing_known() -> None:
    assert status() == RouterStatus()
    assert status(*(((*oid, 0), None) for oid in SINGLE.values())) == RouterStatus()
    assert notified_status(Variables([]), None) == RouterStatus()


@pytest.mark.parametrize(
    ("variables", "on_battery"),
    [
        ([((*SUPPLY_SOURCE, 1), 2), ((*SUPPLY_STATE, 1), 1)], False),
        ([((*SUPPLY_SOURCE, 1), 2), ((*SUPPLY_STATE, 1), 6)], True),
        ([((*SUPPLY_SOURCE, 1), 2)], True),
        ([((*SUPPLY_SOURCE, 1), 5), ((*SUPPLY_STATE, 1), 1)], None),
        ([((*BATTERY_STATE, 4), 5)], True),
        ([((*BATTERY_STATE, 4), 3)], False),
        ([((*BATTERY_STATE, 4), 1)], None),
        ([((*SINGLE["bbuPowerSource"], 0), 2)], True),
        ([((*SINGLE["bbuPowerSource"], 0), 1)], False),
    ],
)
def test_the_battery_is_in_use_by_the_best_there_is_to_say(variables: list[tuple[Oid, Value]], on_battery: bool | None) -> None:
    assert status(*variables).on_battery is on_battery


def test_interfaces_are_known_by_name_else_by_type_and_one_switched_off_is_not_down() -> None:
    names, types = COLUMNS["ifDescr"], COLUMNS["ifType"]
    admin, oper, octets = COLUMNS["ifAdminStatus"], COLUMNS["ifOperStatus"], COLUMNS["ifHCInOctets"]
    found = status(
        ((*names, 1), b"GigabitEthernet2/1"),
        ((*types, 1), 6),
        ((*admin, 1), 1),
        ((*oper, 1), 1),
        ((*octets, 1), 2**64 - 1),
        ((*names, 2), b"Cellular3/1"),
        ((*oper, 2), 2),
        ((*types, 3), 131),
        ((*names, 3), b"vpn\x00\xff"),
        ((*admin, 3), 2),
        ((*oper, 3), 2),
        ((*names, 4), b"Null0"),
    ).interfaces
    assert [(i.index, i.kind, i.up) for i in found] == [
        (1, InterfaceKind.ETHERNET, True),
        (2, InterfaceKind.CELLULAR, False),
        (3, InterfaceKind.TUNNEL, None),
        (4, InterfaceKind.OTHER, None),
    ]
    assert found[0].octets_in == 2**64 - 1
    assert found[2].name.isprintable()


@pytest.mark.parametrize(("state", "connected"), [(5, True), (4, True), (6, False), (2, False), (1, None), (99, None)])
def test_the_cellular_connection(state: int, connected: bool | None) -> None:
    assert status(((*COLUMNS["c3gConnectionStatus"], 7), state)).cellular_connected is connected


def test_the_door_is_an_entity_with_an_alarm() -> None:
    alarms = COLUMNS["ceAlarmList"]
    variables = Variables([((*alarms, 1), b"\0\0"), ((*alarms, 2), b"\0\x80"), ((*alarms, 3), 5)])
    assert alarmed_entities(variables) == [2]
    assert is_door(b"Chassis", DOOR_TYPE)
    assert is_door(b"Front Door sensor", None)
    assert not is_door(b"Fan", (1, 3, 6))


def test_meshes_add_up_and_all_have_to_run() -> None:
    nodes, service = COLUMNS["cwpanIfRplTableNodes"], COLUMNS["cwpanIfServiceStatus"]
    found = status(((*nodes, 1), 10), ((*nodes, 2), 20), ((*service, 1), 1), ((*service, 2), 2))
    assert (found.mesh_nodes, found.mesh_running) == (30, False)


def test_a_battery_of_no_capacity_says_nothing() -> None:
    charge, capacity = COLUMNS["batteryActualCharge"], COLUMNS["batteryActualCapacity"]
    assert status(((*charge, 1), 5), ((*capacity, 1), 0)).battery_percent is None
    assert status(((*charge, 1), 700), ((*capacity, 1), 1_000)).battery_percent == 70
    assert status(((*SINGLE["bbuBatteryLevel"], 0), 44)).battery_percent == 44


def test_a_trap_says_when_the_router_started_and_what_concerns_one_thing() -> None:
    variables = [(SYS_UP_TIME, 1_234), (TRAP_OID, COLD_START), ((*COLUMNS["cwpanIfRplTableNodes"], 1), 3)]
    told = notified_status(Variables(variables), notification_of(variables))
    assert told == RouterStatus(uptime_seconds=12.34, incidents=(Incident.RESTARTED,))


ANY = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([*SINGLE.values(), *COLUMNS.values()]), st.just((1, 3))).flatmap(
            lambda oid: st.lists(st.integers(0, 9), max_size=3).map(lambda rest: (*oid, *rest))
        ),
        st.one_of(st.none(), st.integers(-(2**31), 2**64), st.binary(max_size=300), st.just((1, 3, 6))),
    ),
    max_size=80,
)


@given(ANY)
def test_whatever_an_agent_says_is_a_status(variables: list[tuple[Oid, Value]]) -> None:
    found = Variables(variables)
    assert isinstance(polled_status(found, None), RouterStatus)
    assert isinstance(notified_status(found, notification_of(variables)), RouterStatus)
    alarmed_entities(found)
