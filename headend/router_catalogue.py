"""The catalogue of router events: code, name, severity, and which event ends which; data only, codes in a range of their own.

Source  reference/domain-itron-openway.md 6.2 (names and severities); the numbers are ours.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum

CODE_FIRST, CODE_LAST = 40_000, 40_999
"""Codes of router events: above all that endpoints use (C12.19 with its manufacturers' range ends at 4,095, OpenWay at 18,002)."""


class Severity(StrEnum):
    """How bad an event is; `info` also stands for the good ones."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class RouterCode(IntEnum):
    """Codes of router events."""

    UNHEARD, REGISTERED = 40_000, 40_001
    DOWN, UP = 40_002, 40_003
    ON_BATTERY, MAINS_RESTORED = 40_010, 40_011
    BATTERY_LOW, BATTERY_NORMAL = 40_012, 40_013
    BATTERY_FAILURE, BATTERY_REPLACED = 40_014, 40_015
    DOOR_OPEN, DOOR_CLOSED = 40_016, 40_017
    SUPPLY_FAILURE, SUPPLY_NORMAL = 40_018, 40_019
    CELLULAR_LOST, CELLULAR_RESTORED = 40_020, 40_021
    ETHERNET_DOWN, ETHERNET_UP = 40_022, 40_023
    TUNNEL_DOWN, TUNNEL_UP = 40_024, 40_025
    SECOND_PATH_USED, PRIMARY_PATH_RESTORED = 40_026, 40_027
    RSSI_LOW, RSSI_NORMAL = 40_028, 40_029
    RSRP_LOW, RSRP_NORMAL = 40_030, 40_031
    MODEM_DOWN, MODEM_UP = 40_032, 40_033
    MESH_STOPPED, MESH_STARTED = 40_040, 40_041
    MESH_COUNT_LOW, MESH_COUNT_NORMAL = 40_042, 40_043
    MESH_COUNT_VERY_LOW, MESH_COUNT_RECOVERED = 40_044, 40_045
    STANDBY_LOST, STANDBY_READY = 40_046, 40_047
    TEMPERATURE_MINOR, TEMPERATURE_MINOR_NORMAL = 40_050, 40_051
    TEMPERATURE_MAJOR, TEMPERATURE_MAJOR_NORMAL = 40_052, 40_053
    MODEM_TEMPERATURE, MODEM_TEMPERATURE_NORMAL = 40_054, 40_055
    MODULE_FAILURE, MODULE_NORMAL = 40_056, 40_057
    CPU_HIGH, CPU_NORMAL = 40_058, 40_059
    ENTITY_ALARM_CRITICAL, ENTITY_ALARM_CRITICAL_CLEARED = 40_060, 40_061
    ENTITY_ALARM_MAJOR, ENTITY_ALARM_MAJOR_CLEARED = 40_062, 40_063
    REBOOT_UNEXPECTED = 40_080
    REBOOTED = 40_081
    MESH_TABLE_RESET = 40_082
    CONFIGURATION_CHANGED = 40_083
    IMAGE_COPIED = 40_084
    AUTHENTICATION_FAILED = 40_085
    REBOOT_REQUESTED = 40_086


@dataclass(frozen=True, slots=True)
class RouterEventKind:
    """One entry. `cleared_by` is the event that ends it; None for what has no end, and for what is an end itself."""

    code: RouterCode
    name: str
    severity: Severity
    cleared_by: RouterCode | None = None


_C, _S = RouterCode, Severity
_PAIRS: tuple[tuple[RouterCode, str, Severity, RouterCode, str], ...] = (
    (_C.UNHEARD, "router unheard", _S.MAJOR, _C.REGISTERED, "router heard for the first time"),
    (_C.DOWN, "router down", _S.MAJOR, _C.UP, "router up"),
    (_C.ON_BATTERY, "on battery", _S.MAJOR, _C.MAINS_RESTORED, "mains restored"),
    (_C.BATTERY_LOW, "battery low", _S.MAJOR, _C.BATTERY_NORMAL, "battery normal"),
    (_C.BATTERY_FAILURE, "battery failure", _S.CRITICAL, _C.BATTERY_REPLACED, "battery works again"),
    (_C.DOOR_OPEN, "door open", _S.MAJOR, _C.DOOR_CLOSED, "door closed"),
    (_C.SUPPLY_FAILURE, "power supply failure", _S.MAJOR, _C.SUPPLY_NORMAL, "power supply normal"),
    (_C.CELLULAR_LOST, "cellular lost", _S.MAJOR, _C.CELLULAR_RESTORED, "cellular restored"),
    (_C.ETHERNET_DOWN, "Ethernet port down", _S.MAJOR, _C.ETHERNET_UP, "Ethernet port up"),
    (_C.TUNNEL_DOWN, "tunnel down", _S.MAJOR, _C.TUNNEL_UP, "tunnel up"),
    (_C.SECOND_PATH_USED, "second path used", _S.MINOR, _C.PRIMARY_PATH_RESTORED, "primary path restored"),
    (_C.RSSI_LOW, "RSSI low", _S.MINOR, _C.RSSI_NORMAL, "RSSI normal"),
    (_C.RSRP_LOW, "RSRP low", _S.MINOR, _C.RSRP_NORMAL, "RSRP normal"),
    (_C.MODEM_DOWN, "modem down", _S.MAJOR, _C.MODEM_UP, "modem up"),
    (_C.MESH_STOPPED, "mesh service stopped", _S.CRITICAL, _C.MESH_STARTED, "mesh service started"),
    (_C.MESH_COUNT_LOW, "mesh node count low", _S.MINOR, _C.MESH_COUNT_NORMAL, "mesh node count normal"),
    (_C.MESH_COUNT_VERY_LOW, "mesh node count very low", _S.MAJOR, _C.MESH_COUNT_RECOVERED, "mesh node count recovered"),
    (_C.STANDBY_LOST, "standby lost", _S.MINOR, _C.STANDBY_READY, "standby ready"),
    (_C.TEMPERATURE_MINOR, "temperature high", _S.MINOR, _C.TEMPERATURE_MINOR_NORMAL, "temperature normal"),
    (_C.TEMPERATURE_MAJOR, "temperature very high", _S.MAJOR, _C.TEMPERATURE_MAJOR_NORMAL, "temperature no longer very high"),
    (_C.MODEM_TEMPERATURE, "modem temperature high", _S.MINOR, _C.MODEM_TEMPERATURE_NORMAL, "modem temperature normal"),
    (_C.MODULE_FAILURE, "module failure", _S.MAJOR, _C.MODULE_NORMAL, "modules normal"),
    (_C.CPU_HIGH, "CPU load high", _S.MINOR, _C.CPU_NORMAL, "CPU load normal"),
    (_C.ENTITY_ALARM_CRITICAL, "critical alarm of the router", _S.CRITICAL, _C.ENTITY_ALARM_CRITICAL_CLEARED, "critical alarms over"),
    (_C.ENTITY_ALARM_MAJOR, "major alarm of the router", _S.MAJOR, _C.ENTITY_ALARM_MAJOR_CLEARED, "major alarms over"),
)
_SINGLE: tuple[tuple[RouterCode, str, Severity], ...] = (
    (_C.REBOOT_UNEXPECTED, "unexpected reboot", _S.MAJOR),
    (_C.REBOOTED, "rebooted as requested", _S.INFO),
    (_C.MESH_TABLE_RESET, "mesh routing table reset", _S.MINOR),
    (_C.CONFIGURATION_CHANGED, "configuration changed", _S.INFO),
    (_C.IMAGE_COPIED, "image copied", _S.INFO),
    (_C.AUTHENTICATION_FAILED, "somebody asked with wrong credentials", _S.MINOR),
    (_C.REBOOT_REQUESTED, "reboot requested", _S.INFO),
)

ROUTER_EVENTS: dict[RouterCode, RouterEventKind] = {
    kind.code: kind
    for kind in (
        *(RouterEventKind(code, name, severity, end) for code, name, severity, end, _ in _PAIRS),
        *(RouterEventKind(end, name, Severity.INFO) for _, _, _, end, name in _PAIRS),
        *(RouterEventKind(code, name, severity) for code, name, severity in _SINGLE),
    )
}
