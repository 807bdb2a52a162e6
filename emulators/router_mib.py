"""What a router's agent answers: the practical set of MIB objects, made from its facts.

Source  reference/domain-itron-openway.md 6.4; enumerations and the columns around those named there are of the MIBs of those names,
        from memory. The battery's CSMP fields have no OIDs: they stand below experimental(3), see DECISIONS.md.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Final

from emulators.router_device import RouterDevice, RouterFacts
from emulators.snmp_ber import Element, Oid
from emulators.snmp_pdu import END_OF_MIB_VIEW, NO_SUCH_INSTANCE, counter32, counter64, gauge, name, number, text, ticks

MIB_2: Final = (1, 3, 6, 1, 2, 1)
SYSTEM: Final = (*MIB_2, 1)
IF_ENTRY: Final = (*MIB_2, 2, 2, 1)
IF_X_ENTRY: Final = (*MIB_2, 31, 1, 1, 1)
ENTITY_ENTRY: Final = (*MIB_2, 47, 1, 1, 1, 1)
BATTERY_ENTRY: Final = (*MIB_2, 233, 1, 1, 1)
CISCO: Final = (1, 3, 6, 1, 4, 1, 9, 9)
WPAN_ENTRY: Final = (*CISCO, 819, 1, 1, 1, 1)
MODEM_ENTRY: Final = (*CISCO, 661, 1, 1, 1)
RSSI: Final = (*CISCO, 661, 1, 3, 4, 1, 1, 1)
LTE_ENTRY: Final = (*CISCO, 817, 1, 1, 1, 1, 1)
TEMPERATURE_ENTRY: Final = (*CISCO, 13, 1, 3, 1)
SUPPLY_ENTRY: Final = (*CISCO, 13, 1, 5, 1)
ALARM_COUNTS: Final = (*CISCO, 138, 1, 2)
ALARM_LIST: Final = (*CISCO, 138, 1, 2, 5, 1, 3)
FRU_POWER: Final = (*CISCO, 117, 1, 1, 2, 1, 2)
MODULE: Final = (*CISCO, 117, 1, 2, 1, 1, 2)
CPU_5_MINUTES: Final = (*CISCO, 109, 1, 1, 1, 1, 8)
MEMORY_ENTRY: Final = (*CISCO, 48, 1, 1, 1)
RUNNING_LAST_CHANGED: Final = (*CISCO, 43, 1, 1, 1, 0)
BBU: Final = (1, 3, 6, 1, 3, 61628, 200, 1)
"""CSMP's TLV 200 as scalars, below the port and the number it has there."""
RELOAD: Final = (1, 3, 6, 1, 4, 1, 9, 2, 9, 9, 0)
"""tsMsgSend of OLD-CISCO-TS-MIB: 2 reloads."""
DOOR_TYPE: Final = (1, 3, 6, 1, 4, 1, 9, 1, 1998)
PRODUCTS: Final = (1, 3, 6, 1, 4, 1, 9, 1)

ETHERNET, SPARE, CELLULAR, WPAN, TUNNEL = 1, 2, 3, 4, 5
"""Interface indexes."""
CHASSIS, DOOR, MODEM, BATTERY, SUPPLY, RADIO = 1, 2, 3, 4, 5, 6
"""Physical entities."""
UP, DOWN = 1, 2
_NAMES: Final = {
    ETHERNET: "GigabitEthernet2/1",
    SPARE: "FastEthernet2/3",
    CELLULAR: "Cellular3/1",
    WPAN: "Wpan4/1",
    TUNNEL: "Tunnel0",
}
_TYPES: Final = {ETHERNET: 6, SPARE: 6, CELLULAR: 244, WPAN: 1, TUNNEL: 131}
_ENTITIES: Final = {
    CHASSIS: "Chassis",
    DOOR: "Chassis door",
    MODEM: "Cellular modem",
    BATTERY: "Battery backup unit",
    SUPPLY: "AC power supply",
}
_ON_MAINS, _ON_BATTERY_SOURCE = 2, 5
CAPACITY_MAH: Final = 12_000
_HUNDREDTHS = 100

Row = tuple[Oid, Element]


class MibView:
    """The objects of one router at one moment, in order."""

    def __init__(self, device: RouterDevice, octets: tuple[int, int]) -> None:
        self._objects: dict[Oid, Element] = dict(_objects(device, device.facts(), octets))
        self._oids = sorted(self._objects)

    def get(self, oid: Oid) -> Element:
        """The value of an instance, or that there is none."""
        return self._objects.get(oid, NO_SUCH_INSTANCE)

    def after(self, oid: Oid) -> Row:
        """The first instance behind `oid`, or that the view ends."""
        place = bisect_right(self._oids, oid)
        if place == len(self._oids):
            return oid, END_OF_MIB_VIEW
        found = self._oids[place]
        return found, self._objects[found]


def _objects(device: RouterDevice, facts: RouterFacts, octets: tuple[int, int]) -> Iterator[Row]:
    yield from _system(device, facts)
    yield from _interfaces(device, facts, octets)
    yield from _entities(facts)
    yield from _mesh(device, facts)
    yield from _cellular(facts)
    yield from _environment(facts)
    yield from _battery(facts)
    yield from _load(facts)


def _rows(entry: Oid, columns: Mapping[int, Element], *index: int) -> Iterator[Row]:
    for column, value in columns.items():
        yield (*entry, column, *index), value


def _system(device: RouterDevice, facts: RouterFacts) -> Iterator[Row]:
    values = {
        1: text("Connected Grid Router (emulated), 15.9(3)M"),
        2: name(PRODUCTS),
        3: ticks(int(facts.uptime_seconds * _HUNDREDTHS)),
        4: text("operations"),
        5: text(device.name),
        6: text(f"pole {100 + device.number}"),
        7: number(78),
    }
    yield from _rows(SYSTEM, values, 0)


def _interfaces(device: RouterDevice, facts: RouterFacts, octets: tuple[int, int]) -> Iterator[Row]:
    up = {
        ETHERNET: facts.ethernet_up,
        SPARE: False,
        CELLULAR: facts.cellular_up,
        WPAN: facts.mesh_running,
        TUNNEL: facts.cellular_up or facts.ethernet_up,
    }
    used = {CELLULAR: octets, WPAN: octets[::-1], TUNNEL: octets}
    yield (*MIB_2, 2, 1, 0), number(len(_NAMES))
    for index, label in _NAMES.items():
        switched_on = index != SPARE and (index != ETHERNET or device.has_second_path)
        inward, outward = used.get(index, (0, 0))
        mac = device.mac[:-1] + bytes((device.mac[-1] + index & 0xFF,))
        columns = {
            1: number(index),
            2: text(label),
            3: number(_TYPES[index]),
            4: number(1_280 if index == WPAN else 1_500),
            5: gauge(10_000_000),
            6: text(mac),
            7: number(UP if switched_on else DOWN),
            8: number(UP if up[index] and switched_on else DOWN),
            9: ticks(0),
            10: counter32(inward),
            16: counter32(outward),
        }
        yield from _rows(IF_ENTRY, columns, index)
        yield from _rows(IF_X_ENTRY, {1: text(label), 6: counter64(inward), 10: counter64(outward), 15: gauge(10), 18: text("")}, index)


def _entities(facts: RouterFacts) -> Iterator[Row]:
    for index, label in _ENTITIES.items():
        yield (*ENTITY_ENTRY, 2, index), text(label)
        yield (*ENTITY_ENTRY, 3, index), name(DOOR_TYPE if index == DOOR else PRODUCTS)
    yield (*FRU_POWER, SUPPLY), number(5 if facts.on_battery else 2)
    yield (*MODULE, MODEM), number(2)
    yield (*MODULE, RADIO), number(2 if facts.mesh_running else 7)
    yield (*ALARM_COUNTS, 1, 0), gauge(int(facts.battery_failed))
    yield (*ALARM_COUNTS, 2, 0), gauge(int(facts.on_battery))
    yield (*ALARM_COUNTS, 3, 0), gauge(int(facts.door_open))
    for index, raised in ((DOOR, facts.door_open), (BATTERY, facts.battery_failed), (SUPPLY, facts.on_battery)):
        yield (*ALARM_LIST, index), text(b"\x80" if raised else b"\0")


def _mesh(device: RouterDevice, facts: RouterFacts) -> Iterator[Row]:
    columns = {
        1: number(UP if facts.mesh_running else DOWN),
        2: number(1),
        3: number(1),
        4: gauge(facts.mesh_nodes),
        5: gauge(device.nodes * 9 // 10),
        6: gauge(device.nodes // 2),
        7: number(1),
    }
    yield from _rows(WPAN_ENTRY, columns, WPAN)


def _cellular(facts: RouterFacts) -> Iterator[Row]:
    connected = {3: number(2), 5: number(10), 6: number(3), 8: number(5 if facts.cellular_up else 6), 12: number(facts.modem_temperature_c)}
    yield from _rows(MODEM_ENTRY, connected, MODEM)
    yield (*RSSI, MODEM), number(facts.rssi_dbm)
    yield from _rows(LTE_ENTRY, {1: number(facts.rssi_dbm - 25), 2: number(-11), 3: number(14)}, MODEM)


def _environment(facts: RouterFacts) -> Iterator[Row]:
    state = 3 if facts.temperature_c > 70 else 2 if facts.temperature_c > 60 else 1
    sensor = {2: text("Chassis"), 3: gauge(facts.temperature_c), 4: number(60), 5: number(0), 6: number(state)}
    yield from _rows(TEMPERATURE_ENTRY, sensor, 1)
    yield from _rows(SUPPLY_ENTRY, {2: text("AC"), 3: number(6 if facts.on_battery else 1), 4: number(_ON_MAINS)}, 1)
    yield from _rows(SUPPLY_ENTRY, {2: text("Battery"), 3: number(6 if facts.battery_failed else 1), 4: number(_ON_BATTERY_SOURCE)}, 2)


def _battery(facts: RouterFacts) -> Iterator[Row]:
    charge = CAPACITY_MAH * facts.battery_percent // 100
    charging = 5 if facts.on_battery else 3 if facts.battery_percent == 100 else 2
    values = {
        3: number(2),
        5: gauge(12_000),
        10: gauge(CAPACITY_MAH),
        13: number(charging),
        15: gauge(charge),
        16: gauge(11_000 + charge // 8),
    }
    yield from _rows(BATTERY_ENTRY, values, BATTERY)
    source, to_empty = 2 if facts.on_battery else 1, facts.battery_percent * 480 // 100
    fields = (1, 1, int(not facts.battery_failed), source, charging, facts.battery_percent, 960 - 2 * to_empty, to_empty)
    for place, value in enumerate(fields, 1):
        yield (*BBU, place, 0), number(value)


def _load(facts: RouterFacts) -> Iterator[Row]:
    yield (*CPU_5_MINUTES, 1), gauge(facts.cpu_percent)
    yield from _rows(MEMORY_ENTRY, {2: text("Processor"), 5: gauge(210_000_000), 6: gauge(310_000_000 - 1_000_000 * facts.cpu_percent)}, 1)
    yield RUNNING_LAST_CHANGED, ticks(3_000)
