"""What variables say of a router: SNMP's numbers to RouterStatus, pure; whatever is missing or odd is None.

Source  enumerations: IF-MIB (RFC 2863), BATTERY-MIB (RFC 7577); those of Cisco's MIBs from memory, see DECISIONS.md
"""

from collections.abc import Iterable, Mapping

from adapters.snmp_message import Oid, Value, VarBind
from adapters.snmp_objects import (
    AUTHENTICATION_FAILURE,
    COLD_START,
    COLUMNS,
    CONFIG_CHANGED,
    DOOR_TYPE,
    FLASH_COPY_COMPLETED,
    RPL_TABLE_RESET,
    SINGLE,
    TRAP_OID,
    WARM_START,
)
from headend.model.router import Incident, InterfaceKind, InterfaceStatus, RouterStatus

_UP = 1
_WPAN_RUNNING = 1
_MODEM_UP, _MODEM_DOWN = 2, 3
_CONNECTED, _NOT_CONNECTED = frozenset((4, 5, 7, 8)), frozenset((2, 3, 6, 9))
"""c3gConnectionStatus: dormant, connected, idle, active; error, connecting, disconnected, inactive."""
_SUPPLY_WORKS = frozenset((1, 2))
_SUPPLY_FAILED = frozenset((3, 4, 6))
"""CiscoEnvMonState: normal, warning; critical, shutdown, not functioning. Not present is neither."""
_SOURCE_MAINS, _SOURCE_BATTERY = 2, 5
_FRU_FAILED = 8
_MODULE_FAILED = frozenset((7, 11, 14))
_BATTERY_DISCHARGING = 5
_BATTERY_STATES = frozenset((2, 3, 4, 5))
_BBU_FROM_BATTERY = 2
_CELLULAR_TYPES, _ETHERNET_TYPES, _TUNNEL_TYPES = frozenset((243, 244)), frozenset((6, 62, 69, 117)), frozenset((131,))
_KINDS_BY_NAME = (
    ("cellular", InterfaceKind.CELLULAR),
    ("wpan", InterfaceKind.MESH),
    ("tunnel", InterfaceKind.TUNNEL),
    ("ethernet", InterfaceKind.ETHERNET),
)
TEXT_CHARACTERS_MAX = 200
_HUNDREDTHS = 100
_INCIDENTS: Mapping[Oid, Incident] = {
    COLD_START: Incident.RESTARTED,
    WARM_START: Incident.RESTARTED,
    AUTHENTICATION_FAILURE: Incident.AUTHENTICATION_FAILED,
    RPL_TABLE_RESET: Incident.MESH_TABLE_RESET,
    CONFIG_CHANGED: Incident.CONFIGURATION_CHANGED,
    FLASH_COPY_COMPLETED: Incident.IMAGE_COPIED,
}

Rows = Mapping[Oid, Value]
"""Values of a column by what follows the column in their names."""


class Variables:
    """Variables by the names of their objects."""

    def __init__(self, variables: Iterable[VarBind]) -> None:
        self._values = {oid: value for oid, value in variables if value is not None}
        self._columns: dict[str, dict[Oid, Value]] = {name: {} for name in COLUMNS}
        prefixes = {oid: name for name, oid in COLUMNS.items()}
        lengths = sorted({len(oid) for oid in prefixes})
        for oid, value in self._values.items():
            for length in lengths:
                name = prefixes.get(oid[:length])
                if name is not None:
                    self._columns[name][oid[length:]] = value

    def single(self, name: str) -> int | None:
        """The number of an object with one instance."""
        value = self._values.get((*SINGLE[name], 0))
        return value if isinstance(value, int) else None

    def text(self, name: str) -> str | None:
        """The text of an object with one instance."""
        return _text(self._values.get((*SINGLE[name], 0)))

    def rows(self, name: str) -> Rows:
        """All values of a column."""
        return self._columns[name]

    def numbers(self, name: str) -> list[int]:
        """The numbers of a column."""
        return [value for value in self._columns[name].values() if isinstance(value, int)]


def alarmed_entities(variables: Variables) -> list[int]:
    """Physical entities that have an alarm: any bit of their list is set."""
    rows = variables.rows("ceAlarmList")
    return [index[0] for index, bits in rows.items() if len(index) == 1 and isinstance(bits, bytes) and any(bits)]


def is_door(name: Value, vendor_type: Value) -> bool:
    """Whether an entity is a door, by its type or what it is called."""
    return vendor_type == DOOR_TYPE or "door" in (_text(name) or "").lower()


def polled_status(variables: Variables, door_open: bool | None) -> RouterStatus:
    """What a whole poll says. `door_open` is found out by asking what the entities with alarms are."""
    uptime, temperatures = variables.single("sysUpTime"), variables.numbers("ciscoEnvMonTemperatureStatusValue")
    nodes, memory, load = (variables.numbers(name) for name in ("cwpanIfRplTableNodes", "ciscoMemoryPoolFree", "cpmCPUTotal5minRev"))
    running = variables.numbers("cwpanIfServiceStatus")
    return RouterStatus(
        description=variables.text("sysDescr"),
        uptime_seconds=None if uptime is None else uptime / _HUNDREDTHS,
        interfaces=_interfaces(variables),
        mesh_nodes=sum(nodes) if nodes else None,
        mesh_running=all(status == _WPAN_RUNNING for status in running) if running else None,
        cellular_connected=_connected(variables),
        modem_up=_modem_up(variables),
        rssi_dbm=max(variables.numbers("c3gCurrentGsmRssi"), default=None),
        rsrp_dbm=max(variables.numbers("cwceLteCurrRsrp"), default=None),
        modem_temperature_c=max(variables.numbers("c3gModemTemperature"), default=None),
        temperature_c=max(temperatures, default=None),
        on_battery=_on_battery(variables),
        battery_percent=_battery_percent(variables),
        battery_failed=_battery_failed(variables),
        door_open=door_open,
        supplies_failed=_supplies_failed(variables),
        modules_failed=_count(variables.numbers("cefcModuleOperStatus"), _MODULE_FAILED),
        alarms_critical=variables.single("ceAlarmCriticalCount"),
        alarms_major=variables.single("ceAlarmMajorCount"),
        cpu_percent=max(load, default=None),
        memory_free_octets=sum(memory) if memory else None,
        configuration_changed=variables.single("ccmHistoryRunningLastChanged"),
    )


def notified_status(variables: Variables, notification: Value) -> RouterStatus:
    """What a trap or inform says by itself: of one interface, the modem, the battery, and when the router started.

    What is summed over several (supplies, sensors, alarms) a single trap does not tell; a poll that follows it does.
    """
    uptime = variables.single("sysUpTime")
    incident = _INCIDENTS.get(notification) if isinstance(notification, tuple) else None
    return RouterStatus(
        uptime_seconds=None if uptime is None else uptime / _HUNDREDTHS,
        interfaces=_interfaces(variables),
        cellular_connected=_connected(variables),
        modem_up=_modem_up(variables),
        on_battery=_discharging(variables),
        battery_percent=_battery_percent(variables),
        incidents=() if incident is None else (incident,),
    )


def notification_of(variables: Iterable[VarBind]) -> Value:
    """Which notification it is; None where it does not say."""
    return next((value for oid, value in variables if oid == TRAP_OID), None)


def _interfaces(variables: Variables) -> tuple[InterfaceStatus, ...]:
    names, types = variables.rows("ifDescr"), variables.rows("ifType")
    admin, oper = variables.rows("ifAdminStatus"), variables.rows("ifOperStatus")
    octets_in, octets_out = variables.rows("ifHCInOctets"), variables.rows("ifHCOutOctets")
    return tuple(
        InterfaceStatus(
            index[0],
            _kind(_text(names.get(index)), types.get(index)),
            _text(names.get(index)) or "",
            oper[index] == _UP if index in oper and admin.get(index, _UP) == _UP else None,
            _number(octets_in.get(index)),
            _number(octets_out.get(index)),
        )
        for index in sorted(names.keys() | oper.keys() | octets_in.keys())
        if len(index) == 1
    )


def _kind(name: str | None, if_type: Value) -> InterfaceKind | None:
    if name is None and if_type is None:
        return None
    lowered = (name or "").lower()
    by_name = next((kind for part, kind in _KINDS_BY_NAME if part in lowered), None)
    if by_name is not None:
        return by_name
    by_type = ((_CELLULAR_TYPES, InterfaceKind.CELLULAR), (_ETHERNET_TYPES, InterfaceKind.ETHERNET), (_TUNNEL_TYPES, InterfaceKind.TUNNEL))
    return next((kind for types, kind in by_type if if_type in types), InterfaceKind.OTHER)


def _connected(variables: Variables) -> bool | None:
    states = variables.numbers("c3gConnectionStatus")
    if any(state in _CONNECTED for state in states):
        return True
    return False if any(state in _NOT_CONNECTED for state in states) else None


def _modem_up(variables: Variables) -> bool | None:
    states = variables.numbers("c3gModemState")
    if _MODEM_UP in states:
        return True
    return False if _MODEM_DOWN in states else None


def _on_battery(variables: Variables) -> bool | None:
    """By the supplies where there is one for the mains, else by the battery."""
    states, sources = variables.rows("ciscoEnvMonSupplyState"), variables.rows("ciscoEnvMonSupplySource")
    mains = [states.get(index) for index, source in sources.items() if source == _SOURCE_MAINS]
    if mains:
        return not any(state in _SUPPLY_WORKS for state in mains)
    discharging = _discharging(variables)
    if discharging is not None:
        return discharging
    source = variables.single("bbuPowerSource")
    return None if source is None else source == _BBU_FROM_BATTERY


def _discharging(variables: Variables) -> bool | None:
    states = [state for state in variables.numbers("batteryChargingOperState") if state in _BATTERY_STATES]
    return any(state == _BATTERY_DISCHARGING for state in states) if states else None


def _battery_percent(variables: Variables) -> int | None:
    charges, capacities = variables.rows("batteryActualCharge"), variables.rows("batteryActualCapacity")
    pairs = [(_number(charge), _number(capacities.get(index))) for index, charge in charges.items()]
    percents = [min(100, 100 * charge // capacity) for charge, capacity in pairs if charge is not None and capacity]
    return min(percents) if percents else variables.single("bbuBatteryLevel")


def _battery_failed(variables: Variables) -> bool | None:
    is_present, is_ready = variables.single("bbuIsPresent"), variables.single("bbuIsReady")
    if is_present and is_ready is not None:
        return not is_ready
    states, sources = variables.rows("ciscoEnvMonSupplyState"), variables.rows("ciscoEnvMonSupplySource")
    batteries = [states.get(index) for index, source in sources.items() if source == _SOURCE_BATTERY]
    return any(state in _SUPPLY_FAILED for state in batteries) if batteries else None


def _supplies_failed(variables: Variables) -> int | None:
    """Units that have failed by themselves: that the mains are out is no failure of a supply."""
    return _count(variables.numbers("cefcFRUPowerOperStatus"), frozenset((_FRU_FAILED,)))


def _count(states: list[int], failed: frozenset[int]) -> int | None:
    return sum(state in failed for state in states) if states else None


def _number(value: Value) -> int | None:
    return value if isinstance(value, int) else None


def _text(value: Value) -> str | None:
    """Printable text; what an agent says is shown to people."""
    if not isinstance(value, bytes):
        return None
    text = value.decode("utf-8", "replace")[:TEXT_CHARACTERS_MAX]
    return "".join(character if character.isprintable() else " " for character in text).strip()
