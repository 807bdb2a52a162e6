"""What a meter does when a procedure is started by a write to ST7, and what ST8 then says."""

from emulators.device_events import CLOCK_NEW, CLOCK_OLD, PROCEDURE, LoggedEvent
from emulators.meter import Meter
from emulators.switch import move_switch
from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH
from headend.c1219.procedures import (
    ChangeMode,
    ListCode,
    NoParameters,
    Procedure,
    ProcedureRequest,
    ProcedureResult,
    RemoteReset,
    ResetListPointers,
    ResultCode,
    SetDateTime,
    SwitchService,
    UpdateLastRead,
)
from headend.c1219.tables import MT_SWITCH_STATE
from headend.errors import WireError

DEMAND_RESET_EVENT = 20
REBOOT_SECONDS = 5.0
"""How long a device does not answer after a start, in seconds of the wire."""


def start_procedure(meter: Meter, octets: bytes, wire_now: float) -> bool:
    """Execute what was written to ST7; False when the octets are no procedure at all. ST8 is in the device's state after it."""
    formats = meter.kind.form.formats
    try:
        request = ProcedureRequest.decode(octets, formats)
    except WireError:
        return _malformed(meter, octets)
    known = request.procedure in meter.kind.general.procedures
    code = _execute(meter, request, wire_now) if known else ResultCode.UNKNOWN
    if code in {ResultCode.DONE, ResultCode.ACCEPTED}:
        meter.state.log(LoggedEvent(meter.now, PROCEDURE, request.procedure & 0xFFFF))
    meter.changed()
    # One that sleeps cannot be asked afterwards how its valve stands.
    data = meter.table(MT_SWITCH_STATE) if request.procedure == PROCEDURE_SWITCH and meter.kind.battery and known else b""
    result = ProcedureResult(request.procedure, request.sequence, code, data, request.reply)
    meter.state.procedure_result = result.encode(formats)
    meter.changed()
    return True


def _malformed(meter: Meter, octets: bytes) -> bool:
    if len(octets) < 3:
        return False
    little = meter.kind.form.formats.little
    number = int.from_bytes(octets[:2], "little" if little else "big")
    result = ProcedureResult(number & 0x0FFF, octets[2], ResultCode.BAD_PARAMETER)
    meter.state.procedure_result = result.encode(meter.kind.form.formats)
    meter.changed()
    return True


def _execute(meter: Meter, request: ProcedureRequest, wire_now: float) -> ResultCode:
    state = meter.state
    match request.parameters:
        case SetDateTime() as wanted:
            return _set_clock(meter, wanted)
        case RemoteReset(demand_reset=True):
            state.resets = (state.resets + 1) % 256
            state.log(LoggedEvent(meter.now, DEMAND_RESET_EVENT))
        case RemoteReset() | ChangeMode():
            pass
        case ResetListPointers(lists):
            return _mark_read(meter, lists, 0)
        case UpdateLastRead(lists, count):
            return _mark_read(meter, lists, count)
        case SwitchService(command):
            return move_switch(meter, command, request.sequence, wire_now)
        case NoParameters() if request.procedure in {Procedure.COLD_START, Procedure.WARM_START}:
            state.silent_until = wire_now + REBOOT_SECONDS
    return ResultCode.DONE


def _set_clock(meter: Meter, wanted: SetDateTime) -> ResultCode:
    if wanted.mask & 3 != 3:
        return ResultCode.BAD_PARAMETER
    try:
        target = int(meter.time_base.to_utc(wanted.device_seconds, wanted.qualifier.dst).timestamp())
    except WireError:
        return ResultCode.BAD_PARAMETER
    set_device_clock(meter, target)
    return ResultCode.DONE


def set_device_clock(meter: Meter, target: int) -> None:
    """Set the device's clock to `target` (device UTC), with what its profile and its log make of that."""
    if target == meter.device_now:
        return
    state = meter.state
    state.log(LoggedEvent(meter.now, CLOCK_OLD))
    state.timeline = meter.timeline.set_clock(meter.now, target)
    meter.changed()
    state.log(LoggedEvent(meter.now, CLOCK_NEW))


def _mark_read(meter: Meter, lists: int, count: int) -> ResultCode:
    """`count` more entries of a list are read; 0 is all of it (procedure 4)."""
    state = meter.state
    known = set(ListCode)
    if lists not in known:
        return ResultCode.BAD_PARAMETER
    if lists == ListCode.EVENT_LOG:
        held = len(meter.events())
        state.events_read = min(held, state.events_read + count) if count else held
    if lists in {ListCode.SELF_READS, ListCode.ALL_BUT_EVENTS}:
        held = meter.self_read_count()
        state.self_reads_read = min(held, state.self_reads_read + count) if count else held
    state.profile_read = tuple(_blocks_read(meter, number, lists, count) for number in range(len(meter.kind.specs)))
    return ResultCode.DONE


def _blocks_read(meter: Meter, number: int, lists: int, count: int) -> int:
    before = meter.state.blocks_read(number)
    if lists not in {ListCode.PROFILE_SET_1 + number, ListCode.ALL_PROFILES, ListCode.ALL_BUT_EVENTS}:
        return before
    place = meter.place(number)
    held = place.blocks if place else 0
    return min(held, before + count) if count else held


