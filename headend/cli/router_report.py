"""Routers as people read them: tables of all of them and of one, and the same as JSON; never a credential."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table

from headend.cli.work_report import work_history, work_item_json
from headend.model.router import RouterStatus
from headend.model.work_item import WorkItem
from headend.router_catalogue import ROUTER_EVENTS
from headend.router_health import Alarm, RouterEvent, RouterHealth
from headend.router_ports import RouterEntry
from headend.router_troubleshooting import Step, Troubleshooting

UNMANAGED = "unmanaged"
"""The state of a router that endpoints name and nobody has told us how to reach."""

_STYLES = {"up": "green", "degraded": "yellow", "down": "red", "unheard": "magenta"}


@dataclass(frozen=True, slots=True)
class RouterStory:
    """One router with what it has been through, newest first."""

    entry: RouterEntry
    events: Sequence[RouterEvent]
    troubleshootings: Sequence[Troubleshooting]
    work_items: Sequence[WorkItem]


def router_table(entries: Sequence[RouterEntry], zone: ZoneInfo, title: str | None = None) -> Table:
    """All routers: state, uplink, nodes, battery, door, last heard."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0, show_edge=False)
    for heading in ("router", "state", "uplink", "nodes", "battery", "door", "alarms", "last heard"):
        # On a narrow screen an uplink takes two lines, so that the rest stays readable.
        table.add_column(heading, justify="right" if heading in {"nodes", "alarms"} else "left", no_wrap=heading != "uplink")
    for entry in entries:
        state = state_of(entry)
        health = entry.health or RouterHealth(entry.router_id)
        table.add_row(
            entry.name,
            f"[{_STYLES.get(state, 'dim')}]{state}[/]",
            _uplink(health.status),
            _nodes(entry),
            _battery(health.status),
            _door(health.status),
            str(len(health.alarms)),
            "" if health.heard is None else f"{health.heard.astimezone(zone):%m-%d %H:%M}",
        )
    return table


def router_story(story: RouterStory, zone: ZoneInfo) -> RenderableType:
    """One router: what is known of it, its alarms, troubleshooting log, work items and events."""
    entry, parts = story.entry, []
    parts.append(_facts(entry, zone))
    if entry.health is not None and entry.health.alarms:
        parts.append(_alarms(entry.health.alarms, zone))
    running = () if entry.troubleshooting is None else (entry.troubleshooting,)
    parts += [_troubleshooting(one, zone) for one in (*running, *story.troubleshootings)]
    parts += [_work_item(item, zone) for item in story.work_items]
    parts.append(_events(story.events, zone))
    return Group(*parts)


def router_json(entry: RouterEntry) -> dict[str, Any]:
    """One router for programs."""
    profile, health = entry.profile, entry.health
    status = RouterStatus() if health is None else health.status
    return {
        "name": entry.name,
        "state": state_of(entry),
        "endpoints": entry.endpoints,
        "address": None if profile is None else str(profile.address),
        "second_address": None if profile is None or profile.second_address is None else str(profile.second_address),
        "location": None if profile is None else profile.location,
        "path": None if health is None else health.path.value,
        "uplinks": [kind.value for kind in status.uplinks],
        "nodes": status.mesh_nodes,
        "expected_nodes": None if profile is None else profile.expected_nodes,
        "on_battery": status.on_battery,
        "battery_percent": status.battery_percent,
        "door_open": status.door_open,
        "temperature_c": status.temperature_c,
        "rssi_dbm": status.rssi_dbm,
        "heard": None if health is None or health.heard is None else health.heard.isoformat(),
        "booted": None if health is None or health.booted is None else health.booted.isoformat(),
        "alarms": [] if health is None else [_alarm_json(alarm) for alarm in health.alarms],
        "troubleshooting": None if entry.troubleshooting is None else _troubleshooting_json(entry.troubleshooting),
    }


def story_json(story: RouterStory) -> dict[str, Any]:
    """One router with its history for programs."""
    return {
        **router_json(story.entry),
        "events": [_event_json(event) for event in story.events],
        "troubleshootings": [_troubleshooting_json(one) for one in story.troubleshootings],
        "work_items": [work_item_json(item) for item in story.work_items],
    }


def state_of(entry: RouterEntry) -> str:
    """The state, for a router that nobody watches too."""
    if entry.profile is None:
        return UNMANAGED
    return (entry.health or RouterHealth(entry.router_id)).state.value


def _facts(entry: RouterEntry, zone: ZoneInfo) -> Table:
    health = entry.health or RouterHealth(entry.router_id)
    status, profile = health.status, entry.profile
    table = Table(title=f"router {entry.name}", show_header=False)
    rows = {
        "state": state_of(entry),
        "endpoints": str(entry.endpoints),
        "address": "" if profile is None else str(profile.address),
        "second path": "" if profile is None or profile.second_address is None else str(profile.second_address),
        "location": "" if profile is None else profile.location,
        "path in use": health.path.value,
        "uplink": _uplink(status),
        "nodes": _nodes(entry),
        "battery": _battery(status),
        "door": _door(status),
        "temperature": "" if status.temperature_c is None else f"{status.temperature_c} °C",
        "RSSI": "" if status.rssi_dbm is None else f"{status.rssi_dbm} dBm",
        "last heard": _local(health.heard, zone),
        "started": _local(health.booted, zone),
        "software": status.description or "",
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table


def _alarms(alarms: Sequence[Alarm], zone: ZoneInfo) -> Table:
    table = Table("since", "severity", "alarm", "", title="alarms")
    for alarm in alarms:
        kind = ROUTER_EVENTS[alarm.code]
        table.add_row(_local(alarm.since, zone), kind.severity.value, kind.name, alarm.detail)
    return table


def _troubleshooting(one: Troubleshooting, zone: ZoneInfo) -> Table:
    ending = "under way" if one.ending is None else one.ending.value
    table = Table("began", "step", "why", "outcome", title=f"troubleshooting {ROUTER_EVENTS[one.code].name}: {ending}")
    for step in one.steps:
        table.add_row(_local(step.began, zone), step.kind.value, step.reason, step.outcome.value)
    return table


def _work_item(item: WorkItem, zone: ZoneInfo) -> Table:
    return work_history(item, zone, f"work item {item.work_item_id}: {item.kind.value}, {item.state.value}, {item.routed_to.value}'s turn")


def _events(events: Sequence[RouterEvent], zone: ZoneInfo) -> Table:
    table = Table("when", "severity", "event", "", title="events, newest first")
    for event in events:
        kind = ROUTER_EVENTS[event.code]
        table.add_row(_local(event.occurred, zone), kind.severity.value, kind.name, event.detail)
    return table


def _uplink(status: RouterStatus) -> str:
    if not status.interfaces:
        return ""
    return "+".join(kind.value for kind in status.uplinks) or "none"


def _nodes(entry: RouterEntry) -> str:
    nodes = None if entry.health is None else entry.health.status.mesh_nodes
    expected = None if entry.profile is None else entry.profile.expected_nodes
    return f"{'?' if nodes is None else nodes}/{'?' if expected is None else expected}"


def _battery(status: RouterStatus) -> str:
    parts = ["failed" if status.battery_failed else "", "in use" if status.on_battery else ""]
    parts.append("" if status.battery_percent is None else f"{status.battery_percent} %")
    return ", ".join(part for part in parts if part)


def _door(status: RouterStatus) -> str:
    return {True: "open", False: "closed", None: ""}[status.door_open]


def _local(instant: datetime | None, zone: ZoneInfo) -> str:
    return "" if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _alarm_json(alarm: Alarm) -> dict[str, Any]:
    kind = ROUTER_EVENTS[alarm.code]
    return {"code": alarm.code, "name": kind.name, "severity": kind.severity, "since": alarm.since.isoformat(), "detail": alarm.detail}


def _event_json(event: RouterEvent) -> dict[str, Any]:
    kind = ROUTER_EVENTS[event.code]
    occurred = event.occurred.isoformat()
    return {"code": event.code, "name": kind.name, "severity": kind.severity, "occurred": occurred, "detail": event.detail}


def _troubleshooting_json(one: Troubleshooting) -> dict[str, Any]:
    return {
        "trouble": ROUTER_EVENTS[one.code].name,
        "began": one.began.isoformat(),
        "ending": None if one.ending is None else one.ending.value,
        "ended": None if one.ended is None else one.ended.isoformat(),
        "steps": [_step_json(step) for step in one.steps],
    }


def _step_json(step: Step) -> dict[str, Any]:
    ended = None if step.ended is None else step.ended.isoformat()
    return {"step": step.kind, "why": step.reason, "outcome": step.outcome, "began": step.began.isoformat(), "ended": ended}

