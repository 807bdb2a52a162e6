"""Which conditions a router's status shows: one rule for each raising event of the catalogue, pure and tolerant of what is not told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headend.model.router import InterfaceKind, RouterStatus
from headend.router_catalogue import RouterCode
from headend.router_policy import Limit, RouterThresholds


@dataclass(frozen=True, slots=True)
class Finding:
    """Whether a condition holds, and the value that says so, in words."""

    holds: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule looks at: the latest status, the limits, the nodes expected, and whether its condition held before."""

    status: RouterStatus
    limits: RouterThresholds
    expected_nodes: int | None
    held: bool


Rule = Callable[[Look], Finding | None]
"""None: the status does not say."""


def findings(status: RouterStatus, limits: RouterThresholds, expected_nodes: int | None, held: frozenset[int]) -> dict[RouterCode, Finding]:
    """What `status` says of every condition that it says anything of; `held` are the codes of those that hold now."""
    found = {code: rule(Look(status, limits, expected_nodes, code in held)) for code, rule in RULES.items()}
    return {code: finding for code, finding in found.items() if finding is not None}


def _said(value: bool | None, detail: str = "") -> Finding | None:
    return None if value is None else Finding(value, detail if value else "")


def _not(value: bool | None) -> bool | None:
    return None if value is None else not value


def _counted(number: int | None, what: str) -> Finding | None:
    return None if number is None else Finding(number > 0, f"{number} {what}" if number else "")


def _below(value: float | None, limit: Limit, held: bool, unit: str) -> Finding | None:
    if value is None:
        return None
    return Finding(value < limit.at + (limit.slack if held else 0), f"{value:g} {unit}")


def _above(value: float | None, limit: Limit, held: bool, unit: str) -> Finding | None:
    if value is None:
        return None
    return Finding(value > limit.at - (limit.slack if held else 0), f"{value:g} {unit}")


def _mesh(look: Look, limit: Limit) -> Finding | None:
    nodes, expected = look.status.mesh_nodes, look.expected_nodes
    if nodes is None or not expected:
        return None
    percent = 100 * nodes / expected
    return Finding(percent < limit.at + (limit.slack if look.held else 0), f"{nodes} of {expected} nodes")


def _battery(look: Look) -> Finding | None:
    return _below(look.status.battery_percent, look.limits.battery_percent, look.held, "%")


RULES: Mapping[RouterCode, Rule] = {
    RouterCode.ON_BATTERY: lambda look: _said(look.status.on_battery),
    RouterCode.BATTERY_LOW: _battery,
    RouterCode.BATTERY_FAILURE: lambda look: _said(look.status.battery_failed),
    RouterCode.DOOR_OPEN: lambda look: _said(look.status.door_open),
    RouterCode.SUPPLY_FAILURE: lambda look: _counted(look.status.supplies_failed, "failed"),
    RouterCode.CELLULAR_LOST: lambda look: _said(_not(look.status.cellular_connected)),
    RouterCode.ETHERNET_DOWN: lambda look: _said(_not(look.status.interface_up(InterfaceKind.ETHERNET))),
    RouterCode.TUNNEL_DOWN: lambda look: _said(_not(look.status.interface_up(InterfaceKind.TUNNEL))),
    RouterCode.RSSI_LOW: lambda look: _below(look.status.rssi_dbm, look.limits.rssi_dbm, look.held, "dBm"),
    RouterCode.RSRP_LOW: lambda look: _below(look.status.rsrp_dbm, look.limits.rsrp_dbm, look.held, "dBm"),
    RouterCode.MODEM_DOWN: lambda look: _said(_not(look.status.modem_up)),
    RouterCode.MESH_STOPPED: lambda look: _said(_not(look.status.mesh_running)),
    RouterCode.MESH_COUNT_LOW: lambda look: _mesh(look, look.limits.mesh_minor_percent),
    RouterCode.MESH_COUNT_VERY_LOW: lambda look: _mesh(look, look.limits.mesh_major_percent),
    RouterCode.STANDBY_LOST: lambda look: _said(look.status.standby_lost),
    RouterCode.TEMPERATURE_MINOR: lambda look: _above(look.status.temperature_c, look.limits.temperature_minor_c, look.held, "°C"),
    RouterCode.TEMPERATURE_MAJOR: lambda look: _above(look.status.temperature_c, look.limits.temperature_major_c, look.held, "°C"),
    RouterCode.MODEM_TEMPERATURE: lambda look: _above(look.status.modem_temperature_c, look.limits.modem_temperature_c, look.held, "°C"),
    RouterCode.MODULE_FAILURE: lambda look: _counted(look.status.modules_failed, "failed"),
    RouterCode.CPU_HIGH: lambda look: _above(look.status.cpu_percent, look.limits.cpu_percent, look.held, "%"),
    RouterCode.ENTITY_ALARM_CRITICAL: lambda look: _counted(look.status.alarms_critical, "active"),
    RouterCode.ENTITY_ALARM_MAJOR: lambda look: _counted(look.status.alarms_major, "active"),
}
"""The conditions that a status alone shows; silence, paths and reboots are `router_health`'s."""
