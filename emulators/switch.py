"""The service switch of a device: what it is told, how it moves, what may be wrong with it.

A switch takes a moment to move, in seconds of the wire; a valve has come to rest when its endpoint next speaks. An armed switch closes
when the customer presses the button, and opens again when nobody does for a day.
"""

from typing import Final

from emulators.device_events import SWITCHED, SWITCHED_BY_CONDITION, LoggedEvent
from emulators.meter import Meter
from emulators.meter_state import Motion
from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH, SwitchCommand, SwitchPosition
from headend.c1219.procedures import ProcedureResult, ResultCode

MOVE_SECONDS: Final = 1.5
"""How long a switch moves, in seconds of the wire."""

ARMED_SECONDS: Final = 86_400
"""How long it stays armed, in seconds of the world."""

LIVE_DECIVOLTS: Final = 300
"""From this on a meter closes its switch only if it is forced to."""


def move_switch(meter: Meter, command: SwitchCommand, sequence: int, wire_now: float) -> ResultCode:
    """What ST8 says at once to MP 1."""
    state = meter.state
    to = command.position
    if to is None:
        return ResultCode.DONE
    if state.motion is not None or (to is SwitchPosition.ARMED and state.switch is SwitchPosition.CLOSED):
        return ResultCode.CONFLICT
    back_feed = state.back_feed_decivolts or 0
    if to is SwitchPosition.CLOSED and back_feed >= LIVE_DECIVOLTS and not command.forced and state.switch is not SwitchPosition.CLOSED:
        return ResultCode.TIMING
    if to is state.switch:
        return ResultCode.DONE
    state.actuations += 1
    starts = max(wire_now, command.not_before)
    state.motion = Motion(to, starts + (0 if meter.kind.battery else MOVE_SECONDS), sequence)
    settle_switch(meter, wire_now)
    return ResultCode.ACCEPTED if state.motion is not None else ResultCode.DONE


def press_button(meter: Meter, wire_now: float) -> bool:
    """The customer presses the button; whether that closes the switch."""
    settle_switch(meter, wire_now)
    if meter.state.switch is not SwitchPosition.ARMED:
        return False
    meter.state.motion = Motion(SwitchPosition.CLOSED, wire_now + MOVE_SECONDS, None)
    meter.changed()
    return True


def settle_switch(meter: Meter, wire_now: float) -> None:
    """Let a switch come to rest whose time has come; to be called before its state is looked at."""
    state = meter.state
    motion = state.motion
    if motion is not None and motion.at <= wire_now:
        state.motion = None
        stands = SwitchPosition.FAULT if state.switch_stuck else motion.to
        _rest(meter, stands, SWITCHED_BY_CONDITION if motion.sequence is None else SWITCHED)
        if motion.sequence is not None:
            _say_done(meter, motion.sequence)
    armed_since = state.switched
    if state.switch is SwitchPosition.ARMED and armed_since is not None and meter.device_now >= armed_since + ARMED_SECONDS:
        _rest(meter, SwitchPosition.OPEN, SWITCHED_BY_CONDITION)


def _rest(meter: Meter, position: SwitchPosition, event: int) -> None:
    state = meter.state
    state.switch = position
    state.switched = meter.device_now
    state.log(LoggedEvent(meter.now, event, int(position)))
    meter.changed()


def _say_done(meter: Meter, sequence: int) -> None:
    """ST8 says so, where it still speaks of the procedure that set the switch off."""
    formats = meter.kind.form.formats
    octets = meter.state.procedure_result
    if not octets:
        return
    result = ProcedureResult.decode(octets, formats)
    if (result.procedure, result.sequence) == (PROCEDURE_SWITCH, sequence):
        meter.state.procedure_result = ProcedureResult(PROCEDURE_SWITCH, sequence, ResultCode.DONE, b"", result.reply).encode(formats)
