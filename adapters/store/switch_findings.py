"""Switches that commands found to stand otherwise than they were known to: events of our own, for whoever watches switches."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from adapters.store import schema
from adapters.store.bulk import fetch
from headend.event_catalogue import SWITCH_ARMED, SWITCH_CLOSED, SWITCH_OPENED
from headend.model.command import CommandId, CommandUpdate
from headend.model.events import DeviceEvent, EventPath
from headend.switches import SwitchState

_CODES = {SwitchState.CONNECTED: SWITCH_CLOSED, SwitchState.DISCONNECTED: SWITCH_OPENED, SwitchState.ARMED: SWITCH_ARMED}


def switch_events(connection: Connection, updates: Sequence[CommandUpdate], now: datetime) -> dict[CommandId, DeviceEvent]:
    """By command the event that its switch has another state; a state that is only read and was not known before is none."""
    found = {
        each.command.command_id: (each, each.outcome.found.switch)
        for each in updates
        if each.outcome is not None and each.outcome.found.switch in _CODES
    }
    if not found:
        return {}
    endpoint_ids = sorted({command_id.endpoint_id for command_id in found})
    known = {row[0]: row[2] for row in fetch(connection, schema.switch_state, ("endpoint_id",), [(one,) for one in endpoint_ids])}
    events = {}
    for command_id, (each, state) in found.items():
        before = known.get(command_id.endpoint_id, SwitchState.UNKNOWN.value)
        if state is None or state.value == before or (before == SwitchState.UNKNOWN.value and not each.command.actuates):
            continue
        known[command_id.endpoint_id] = state.value
        sequence = command_id.request_id & 0x7FFFFFFF
        events[command_id] = DeviceEvent(command_id.endpoint_id, _CODES[state], now, sequence, path=EventPath.FOUND)
    return events
