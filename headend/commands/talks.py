"""The talk of each kind of command, and the dialogue that runs one. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from headend.c1219.procedures import Procedure, RemoteReset, ResultCode, SetDateTime
from headend.c1219.tables import ST_CLOCK, ST_CURRENT_REGISTERS, ST_MODE_STATUS, ST_PROCEDURE_RESPONSE
from headend.c1222.services import FullRead
from headend.commands.switch_talk import move_talk, state_talk, voltage_talk
from headend.commands.talk import (
    FailedError,
    Meter,
    Talk,
    UnansweredError,
    WithdrawnError,
    ask,
    clock_of,
    next_sequence,
    read_whole,
    registers_of,
    result_of,
    tell,
)
from headend.errors import WireError
from headend.model.command import FailureCode, Found, Outcome, Told
from headend.model.deferred import DeferredKind, TargetState


@dataclass(frozen=True, slots=True)
class TalkEnded:
    """A talk is over: with an outcome, or with what was met instead of an answer; with neither where it was withdrawn."""

    outcome: Outcome | None = None
    unanswered: str = ""


class Conversing:
    """A talk as a Dialogue."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self._talk = _talk_of(meter)

    def begin(self) -> object:
        """The first action."""
        return self._advance(None)

    def step(self, event: Any, now: datetime) -> tuple["Conversing", object]:
        """See Dialogue."""
        self.meter.now = now
        return self, self._advance(event)

    def _advance(self, event: Any) -> object:
        try:
            return self._talk.send(event)
        except StopIteration as stopped:
            return TalkEnded(Outcome(TargetState.SUCCEEDED, stopped.value))
        except FailedError as failed:
            return TalkEnded(failed.outcome)
        except UnansweredError as unanswered:
            return TalkEnded(unanswered=unanswered.reason)
        except WithdrawnError:
            return TalkEnded()
        except WireError as error:
            return TalkEnded(Outcome(TargetState.FAILED, code=FailureCode.NOT_UNDERSTOOD, reason=str(error)))


def _talk_of(meter: Meter) -> Talk[Found]:
    command = meter.command
    match command.kind:
        case DeferredKind.SWITCH:
            assert command.action is not None, "a switch is told something"
            return move_talk(meter, command.action)
        case DeferredKind.SWITCH_STATE:
            return state_talk(meter)
        case DeferredKind.VOLTAGE:
            return voltage_talk(meter)
        case DeferredKind.DEMAND_RESET:
            return reset_talk(meter)
        case DeferredKind.CLOCK_SET:
            return clock_talk(meter)
        case DeferredKind.PING | DeferredKind.MONITORING:
            return ping_talk(meter)
    return register_talk(meter)


def ping_talk(meter: Meter) -> Talk[Found]:
    """Whether the endpoint answers, whatever it answers: one that does has power."""
    yield from ask(meter, [FullRead(ST_MODE_STATUS).encode()])
    return Found(powered=True)


def register_talk(meter: Meter) -> Talk[Found]:
    """The present registers."""
    images = yield from read_whole(meter, (ST_CLOCK, ST_CURRENT_REGISTERS))
    registers = registers_of(meter, images, meter.now)
    if not registers:
        raise FailedError(FailureCode.UNSUPPORTED, "the meter tells no register that is known here")
    return Found(registers=registers, powered=True)


def reset_talk(meter: Meter) -> Talk[Found]:
    """Reset the demand, and read the registers after it."""
    result = yield from _done(meter, Procedure.REMOTE_RESET, RemoteReset(demand_reset=True))
    if result is not ResultCode.DONE:
        said = "ST8 speaks of another procedure" if result is None else f"ST8 says {result.name.lower().replace('_', ' ')}"
        raise FailedError(FailureCode.NOT_CARRIED_OUT, f"the demand was not reset: {said}")
    images = yield from read_whole(meter, (ST_CLOCK, ST_CURRENT_REGISTERS))
    return Found(registers=registers_of(meter, images, meter.now), powered=True)


def clock_talk(meter: Meter) -> Talk[Found]:
    """Set the clock to ours, and look whether it is right then."""
    images = yield from read_whole(meter, (ST_CLOCK, ST_PROCEDURE_RESPONSE))
    base, _ = clock_of(meter, images, meter.now)
    if images.whole(ST_CLOCK) is None:
        raise FailedError(FailureCode.UNSUPPORTED, "the meter has no clock that it tells of")
    seconds, _ = base.from_utc(meter.now)
    result = yield from _done(meter, Procedure.SET_DATE_TIME, SetDateTime(seconds, base.qualifier(meter.now)))
    images = yield from read_whole(meter, (ST_CLOCK,))
    _, off = clock_of(meter, images, meter.now)
    found = Found(clock_off_seconds=off, powered=True)
    if off is None or abs(off) > meter.policy.clock_off_seconds_max:
        said = "" if result is None else f"; ST8 says {result.name.lower().replace('_', ' ')}"
        raise FailedError(FailureCode.NOT_CARRIED_OUT, f"the clock is {'not set' if off is None else f'{off:.0f} s off'}{said}", found)
    return found


def _done(meter: Meter, procedure: Procedure, parameters: RemoteReset | SetDateTime) -> Talk[ResultCode | None]:
    """What ST8 says of a procedure that is told now, or was told in an earlier talk."""
    told = meter.command.told
    if told is not None:
        return result_of(meter, (yield from read_whole(meter, (ST_PROCEDURE_RESPONSE,))), told)
    before = yield from read_whole(meter, (ST_PROCEDURE_RESPONSE,))
    if procedure not in meter.known.general.procedures:
        raise FailedError(FailureCode.UNSUPPORTED, "the meter has no such procedure")
    sequence = next_sequence(meter, before)
    told = Told(procedure, sequence, meter.now)
    return result_of(meter, (yield from tell(meter, procedure, sequence, parameters)), told)


