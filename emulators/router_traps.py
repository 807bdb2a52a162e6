"""Which notifications a router sends when something about it has changed: the difference of two moments, pure.

Source  reference/domain-itron-openway.md 6.4 (names); the numbers below each MIB's notifications are from memory
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from emulators.router_device import RouterFacts
from emulators.router_mib import (
    BATTERY,
    BATTERY_ENTRY,
    CELLULAR,
    CISCO,
    DOOR,
    ETHERNET,
    IF_ENTRY,
    MIB_2,
    MODEM,
    MODEM_ENTRY,
    RSSI,
    SUPPLY,
    SUPPLY_ENTRY,
    TEMPERATURE_ENTRY,
    TUNNEL,
    WPAN,
    WPAN_ENTRY,
    MibView,
)
from emulators.snmp_ber import Element, Oid
from emulators.snmp_pdu import VarBind, name, number

SYS_UP_TIME: Final = (*MIB_2, 1, 3, 0)
TRAP_OID: Final = (1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0)
_STANDARD: Final = (1, 3, 6, 1, 6, 3, 1, 1, 5)
COLD_START, LINK_DOWN, LINK_UP = (*_STANDARD, 1), (*_STANDARD, 3), (*_STANDARD, 4)
_WPAN, _MODEM = (*CISCO, 819, 0), (*CISCO, 661, 0)
WPAN_SERVICE_STATUS, RPL_TABLE_RESET, NODES_RISING, NODES_FALLING = (*_WPAN, 1), (*_WPAN, 2), (*_WPAN, 3), (*_WPAN, 4)
MODEM_CONNECTION, RSSI_ONSET, RSSI_ABATE = (*_MODEM, 5), (*_MODEM, 6), (*_MODEM, 8)
TEMPERATURE_STATUS, SUPPLY_STATUS = (*CISCO, 13, 3, 0, 7), (*CISCO, 13, 3, 0, 9)
ALARM_ASSERTED, ALARM_CLEARED = (*CISCO, 138, 2, 0, 1), (*CISCO, 138, 2, 0, 2)
_ALARM_HISTORY: Final = (*CISCO, 138, 1, 3, 3, 1)
TUNNEL_START, TUNNEL_STOP = (*CISCO, 171, 2, 0, 7), (*CISCO, 171, 2, 0, 8)
BATTERY_STATE, BATTERY_LOW = (*MIB_2, 233, 0, 1), (*MIB_2, 233, 0, 2)

RSSI_LOW_DBM, TEMPERATURES_C, BATTERY_LOW_PERCENT = -105, (60, 70), 30
"""Where the router's own thresholds are."""


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification: what it is and which of the router's objects it carries, beside those that stand for themselves."""

    oid: Oid
    objects: tuple[Oid, ...] = ()
    further: tuple[VarBind, ...] = ()

    def variables(self, view: MibView) -> tuple[VarBind, ...]:
        """All of its variables, with their values at this moment."""
        carried: list[tuple[Oid, Element]] = [(SYS_UP_TIME, view.get(SYS_UP_TIME)), (TRAP_OID, name(self.oid))]
        carried += [(oid, view.get(oid)) for oid in self.objects]
        return (*carried, *self.further)


def notifications(before: RouterFacts, after: RouterFacts, nodes: int) -> Iterator[Notification]:
    """What a router whose mesh has `nodes` sends, its facts having been `before`."""
    if after.boots != before.boots:
        yield Notification(COLD_START)
        yield Notification(RPL_TABLE_RESET)
    yield from _links(before, after)
    yield from _mesh(before, after, nodes)
    yield from _environment(before, after)


def _links(before: RouterFacts, after: RouterFacts) -> Iterator[Notification]:
    if after.ethernet_up != before.ethernet_up:
        yield _link(ETHERNET, after.ethernet_up)
    if after.cellular_up != before.cellular_up:
        yield Notification(MODEM_CONNECTION, ((*MODEM_ENTRY, 8, MODEM),))
        yield _link(CELLULAR, after.cellular_up)
    was_online, is_online = before.cellular_up or before.ethernet_up, after.cellular_up or after.ethernet_up
    if was_online != is_online:
        yield Notification(TUNNEL_START if is_online else TUNNEL_STOP)
        yield _link(TUNNEL, is_online)
    if (after.rssi_dbm < RSSI_LOW_DBM) != (before.rssi_dbm < RSSI_LOW_DBM):
        yield Notification(RSSI_ONSET if after.rssi_dbm < RSSI_LOW_DBM else RSSI_ABATE, ((*RSSI, MODEM),))


def _link(index: int, up: bool) -> Notification:
    return Notification(LINK_UP if up else LINK_DOWN, tuple((*IF_ENTRY, column, index) for column in (1, 2, 7, 8)))


def _mesh(before: RouterFacts, after: RouterFacts, nodes: int) -> Iterator[Notification]:
    if after.mesh_running != before.mesh_running:
        yield Notification(WPAN_SERVICE_STATUS, ((*WPAN_ENTRY, 1, WPAN), (*WPAN_ENTRY, 2, WPAN)))
        yield _link(WPAN, after.mesh_running)
    for threshold in (nodes * 9 // 10, nodes // 2):
        if (after.mesh_nodes < threshold) != (before.mesh_nodes < threshold):
            yield Notification(NODES_FALLING if after.mesh_nodes < threshold else NODES_RISING, ((*WPAN_ENTRY, 4, WPAN),))


def _environment(before: RouterFacts, after: RouterFacts) -> Iterator[Notification]:
    for threshold in TEMPERATURES_C:
        if (after.temperature_c > threshold) != (before.temperature_c > threshold):
            yield Notification(TEMPERATURE_STATUS, tuple((*TEMPERATURE_ENTRY, column, 1) for column in (2, 3, 6)))
    if after.on_battery != before.on_battery:
        yield Notification(SUPPLY_STATUS, tuple((*SUPPLY_ENTRY, column, 1) for column in (2, 3)))
        yield Notification(BATTERY_STATE, ((*BATTERY_ENTRY, 13, BATTERY),))
        yield _alarm(SUPPLY, after.on_battery)
    if after.battery_percent < BATTERY_LOW_PERCENT <= before.battery_percent:
        yield Notification(BATTERY_LOW, ((*BATTERY_ENTRY, 10, BATTERY), (*BATTERY_ENTRY, 15, BATTERY)))
    if after.door_open != before.door_open:
        yield _alarm(DOOR, after.door_open)
    if after.battery_failed != before.battery_failed:
        yield _alarm(BATTERY, after.battery_failed)


def _alarm(entity: int, asserted: bool) -> Notification:
    history = (((*_ALARM_HISTORY, 3, 1), number(entity)), ((*_ALARM_HISTORY, 4, 1), number(1)))
    return Notification(ALARM_ASSERTED if asserted else ALARM_CLEARED, (), history)
