"""Talks about a service switch: moving it, and asking how it stands. Pure.

Whatever the meter says of a command, what counts is where the switch is found to stand afterwards.
"""

from dataclasses import replace
from decimal import Decimal

from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH, SwitchCommand, SwitchPosition
from headend.c1219.manufacturer_tables import SwitchState as SwitchTable
from headend.c1219.procedures import ResultCode, SwitchService
from headend.c1219.tables import MT_SWITCH_STATE, ST_CLOCK, ST_CURRENT_REGISTERS, ST_PROCEDURE_RESPONSE
from headend.collection.images import TableImages
from headend.commands.talk import (
    FailedError,
    Meter,
    Taken,
    Talk,
    UnansweredError,
    next_sequence,
    read_whole,
    registers_of,
    result_of,
    tell,
)
from headend.dialogue import Pause
from headend.model.command import FailureCode, Found, Told
from headend.model.deferred import SwitchAction
from headend.model.endpoint import Commodity
from headend.switches import SwitchState

POSITIONS = {
    SwitchAction.CONNECT: SwitchPosition.CLOSED,
    SwitchAction.DISCONNECT: SwitchPosition.OPEN,
    SwitchAction.ARM: SwitchPosition.ARMED,
}
STATES = {
    SwitchPosition.OPEN: SwitchState.DISCONNECTED,
    SwitchPosition.ARMED: SwitchState.ARMED,
    SwitchPosition.CLOSED: SwitchState.CONNECTED,
}
"""Where a switch stands, in our words; in between and out of order are no state that anyone could rely on."""

DECIVOLT = Decimal("0.1")
_BEFORE = (ST_CLOCK, MT_SWITCH_STATE, ST_PROCEDURE_RESPONSE)
_AFTER = (ST_CLOCK, MT_SWITCH_STATE, ST_CURRENT_REGISTERS, ST_PROCEDURE_RESPONSE)
REFUSALS = {
    ResultCode.BAD_PARAMETER: (FailureCode.REFUSED, "the meter does not know such a position"),
    ResultCode.CONFLICT: (FailureCode.IMPOSSIBLE, "the meter cannot go there from where it stands"),
    ResultCode.TIMING: (FailureCode.LOAD_SIDE_VOLTAGE, "the meter measures voltage on the load side"),
    ResultCode.NOT_AUTHORIZED: (FailureCode.REFUSED, "the meter takes it for not authorized"),
    ResultCode.UNKNOWN: (FailureCode.UNSUPPORTED, "the meter does not know the procedure"),
}


def state_talk(meter: Meter) -> Talk[Found]:
    """How the switch stands, once it is not in motion, with the registers then."""
    return found_of(meter, (yield from _settled(meter, _AFTER)))


def voltage_talk(meter: Meter) -> Talk[Found]:
    """The voltage on the load side. Raises FailedError where the meter does not measure it."""
    images = yield from read_whole(meter, _BEFORE)
    found = found_of(meter, images)
    if found.load_side_volts is None:
        raise FailedError(FailureCode.LOAD_SIDE_UNKNOWN, "the meter does not measure it", found)
    return found


def move_talk(meter: Meter, action: SwitchAction) -> Talk[Found]:
    """Have the switch moved and find out where it stands then; or only that, where it may have been told already."""
    position, told = POSITIONS[action], meter.command.told
    if told is not None:
        return (yield from _verified(meter, position, told, None))
    before = yield from _settled(meter, _BEFORE)
    stands = switch_of(meter, before)
    if stands.position is position:
        return (yield from state_talk(meter))
    _check(meter, action, stands)
    sequence = next_sequence(meter, before)
    forced = bool(meter.command.override) and position is SwitchPosition.CLOSED
    told = Told(PROCEDURE_SWITCH, sequence, meter.now)
    after = yield from tell(meter, PROCEDURE_SWITCH, sequence, SwitchService(SwitchCommand(position, forced=forced)), _BEFORE[:2])
    if after.whole(MT_SWITCH_STATE) is not None and switch_of(meter, after).position is SwitchPosition.MOVING:
        yield Pause(meter.policy.look_seconds)
    return (yield from _verified(meter, position, told, result_of(meter, after, told)))


def _check(meter: Meter, action: SwitchAction, stands: SwitchTable) -> None:
    """Raises FailedError where the switch must not be told that."""
    found = Found(switch=STATES.get(stands.position), load_side_volts=_volts(stands))
    if stands.position is SwitchPosition.FAULT:
        raise FailedError(FailureCode.SWITCH_ERROR, "the meter reports that its switch does not follow", found)
    if action is SwitchAction.ARM and stands.position is SwitchPosition.CLOSED:
        raise FailedError(FailureCode.IMPOSSIBLE, "it is connected; only one that is disconnected can be armed", found)
    if action is SwitchAction.CONNECT and meter.commodity is Commodity.ELECTRIC and not meter.command.override:
        if found.load_side_volts is None:
            reason = "the meter does not measure the load side, and without that nothing is connected"
            raise FailedError(FailureCode.LOAD_SIDE_UNKNOWN, reason, found)
        if found.load_side_volts >= meter.policy.dead_side_volts:
            reason = f"{found.load_side_volts} V on the load side of an open switch; it is left open"
            raise FailedError(FailureCode.LOAD_SIDE_VOLTAGE, reason, found)


def _settled(meter: Meter, tables: tuple[int, ...]) -> Talk[TableImages]:
    """Tables of a meter whose switch is not in motion, or has been for as long as one may be."""
    until = meter.now.timestamp() + meter.policy.switch_seconds
    while True:
        images = yield from read_whole(meter, tables)
        if switch_of(meter, images).position is not SwitchPosition.MOVING or meter.now.timestamp() >= until:
            return images
        yield Pause(meter.policy.look_seconds)


def _verified(meter: Meter, position: SwitchPosition, told: Told, result: ResultCode | None) -> Talk[Found]:
    """Where the switch stands after it was told. `result` is what ST8 said of that, None where it is not known yet."""
    if result in REFUSALS:
        code, reason = REFUSALS[result]
        raise FailedError(code, reason, found_of(meter, (yield from _settled(meter, _AFTER))))
    yield Taken()
    until = meter.now.timestamp() + meter.policy.switch_seconds
    while True:
        images = yield from _settled(meter, _AFTER)
        found, stands = found_of(meter, images), switch_of(meter, images).position
        if stands is position:
            return found
        result = result_of(meter, images, told)
        if result in REFUSALS:
            code, reason = REFUSALS[result]
            raise FailedError(code, reason, found)
        if stands is SwitchPosition.MOVING:
            raise UnansweredError("its switch is in motion still")
        if stands is SwitchPosition.FAULT or result is ResultCode.DONE:
            raise FailedError(FailureCode.SWITCH_ERROR, f"the meter was told and its switch is {stands.name.lower()}", found)
        # What was sent may still be on its way to a meter that has not heard of it.
        if meter.now.timestamp() >= (until if result is not None else told.at.timestamp() + meter.policy.late_seconds):
            raise FailedError(FailureCode.NOT_CARRIED_OUT, f"the meter was told and has not done it; it is {stands.name.lower()}", found)
        yield Pause(meter.policy.look_seconds if result is not None else 3 * meter.policy.look_seconds)


def switch_of(meter: Meter, images: TableImages) -> SwitchTable:
    """MT1. Raises FailedError where there is none."""
    octets = images.whole(MT_SWITCH_STATE)
    if octets is None or not meter.known.uses(MT_SWITCH_STATE):
        raise FailedError(FailureCode.UNSUPPORTED, "the meter has no switch that it tells of")
    return SwitchTable.decode(octets, meter.known.general.formats)


def found_of(meter: Meter, images: TableImages) -> Found:
    """How the switch stands, the voltage behind it, and the registers, where they were read."""
    stands = switch_of(meter, images)
    found = Found(switch=STATES.get(stands.position, SwitchState.UNKNOWN), load_side_volts=_volts(stands), powered=True)
    return replace(found, registers=registers_of(meter, images, meter.now))


def _volts(stands: SwitchTable) -> Decimal | None:
    return None if stands.load_side_decivolts is None else stands.load_side_decivolts * DECIVOLT
