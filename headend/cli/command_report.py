"""Commands for people and programs: one line while they are under way, a table or JSON at their end."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from rich.table import Table

from headend.model.channels import CHANNELS, Unit
from headend.model.command import CommandView
from headend.model.deferred import TargetState
from headend.model.readings import RegisterRead

_STYLES = {TargetState.SUCCEEDED: "green", TargetState.FAILED: "red", TargetState.TIMED_OUT: "red", TargetState.EXPIRED: "yellow"}

_IN_THOUSANDS = {Unit.WATT_HOUR, Unit.VAR_HOUR}


def view_line(view: CommandView) -> str:
    """`M000001 disconnect: sent`."""
    what = view.kind.value if view.action is None else view.action.value
    return f"{view.meter_no} {what}: {view.state.value}"


def view_table(views: Sequence[CommandView], zone: ZoneInfo) -> Table:
    """One row a meter."""
    table = Table(box=None, pad_edge=False)
    for heading in ("meter", "outcome", "switch", "load side", "registers", "at", "reason"):
        table.add_column(heading, overflow="fold")
    for view in views:
        found = view.found
        registers = "\n".join(f"{CHANNELS[r.channel_id].name} {amount(r)}" for r in found.registers)
        table.add_row(
            view.meter_no,
            f"[{_STYLES.get(view.state, 'none')}]{view.state.value}[/]",
            "" if found.switch is None else found.switch.value,
            "" if found.load_side_volts is None else f"{found.load_side_volts} V",
            registers or _otherwise(view),
            f"{view.changed.astimezone(zone):%m-%d %H:%M:%S}",
            view.reason,
        )
    return table


def amount(read: RegisterRead) -> str:
    """A register as people write it: `12345.678 kWh`, `12.3 m3`."""
    unit = CHANNELS[read.channel_id].unit
    return f"{read.quantity.scaleb(-3):f} k{unit}" if unit in _IN_THOUSANDS else f"{read.quantity:f} {unit}"


def _otherwise(view: CommandView) -> str:
    found = view.found
    if found.clock_off_seconds is not None:
        return f"clock {found.clock_off_seconds:+.0f} s"
    return "answers" if found.powered and found.switch is None else ""


def view_json(view: CommandView) -> dict[str, Any]:
    """All that is known of a command."""
    found = view.found
    return {
        "meter": view.meter_no,
        "command": view.kind.value if view.action is None else view.action.value,
        "state": view.state.value,
        "code": None if view.code is None else view.code.value,
        "reason": view.reason,
        "at": view.changed.isoformat(),
        "switch": None if found.switch is None else found.switch.value,
        "load_side_volts": None if found.load_side_volts is None else str(found.load_side_volts),
        "answers": found.powered,
        "clock_off_seconds": found.clock_off_seconds,
        "registers": [
            {
                "channel": CHANNELS[read.channel_id].name,
                "quantity": str(read.quantity),
                "unit": CHANNELS[read.channel_id].unit,
                "instant": read.instant.isoformat(),
                "flags": read.flags,
            }
            for read in found.registers
        ],
    }
