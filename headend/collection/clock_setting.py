"""Setting a device's clock right over the wire: when that is allowed, and the requests that do it."""

from datetime import datetime

from headend.c1219.clock import TimeBase
from headend.c1219.procedures import Procedure, ProcedureRequest, ProcedureResult, ResultCode, SetDateTime
from headend.c1219.program import MeterProgram
from headend.c1219.tables import ST_PROCEDURE_INITIATE, ST_PROCEDURE_RESPONSE
from headend.c1222.epsem import split_services
from headend.c1222.services import FullRead, FullWrite
from headend.c1222.table_data import decode_table_data
from headend.collection.policy import CollectionPolicy
from headend.errors import WireError


def is_set_right(drift_seconds: float | None, policy: CollectionPolicy) -> bool:
    """Whether a clock that is so far ahead (or behind, where negative) is corrected: neither too little off to matter nor too much."""
    return drift_seconds is not None and policy.clock_set_seconds < abs(drift_seconds) <= policy.clock_set_seconds_max


def may_set_clock(program: MeterProgram) -> bool:
    """Whether a meter has the procedure."""
    return Procedure.SET_DATE_TIME in program.general.procedures and ST_PROCEDURE_INITIATE in program.general.tables


def clock_correction(program: MeterProgram, base: TimeBase, now: datetime) -> bytes:
    """The request that sets a device's clock right."""
    seconds, _ = base.from_utc(now)
    request = ProcedureRequest(Procedure.SET_DATE_TIME, _number(now), SetDateTime(seconds, base.qualifier(now)))
    return FullWrite(ST_PROCEDURE_INITIATE, request.encode(program.general.formats)).encode()


def correction_requests(program: MeterProgram, base: TimeBase, now: datetime) -> tuple[bytes, ...]:
    """The same, and the read of what comes of it."""
    return clock_correction(program, base, now), FullRead(ST_PROCEDURE_RESPONSE).encode()


def correction_outcome(program: MeterProgram, reply: bytes) -> str:
    """What a meter answered to `correction_requests`, in words: empty where it did as asked."""
    try:
        written, result = split_services(reply)
        for response in (written, result):
            if response[:1] != b"\x00":
                return f"refused with response code {response[:1].hex()}"
        told = ProcedureResult.decode(decode_table_data(result, 1), program.general.formats)
    except (WireError, ValueError) as error:
        return f"an answer that is not understood: {error}"
    if told.procedure != Procedure.SET_DATE_TIME:
        return f"the result of procedure {told.procedure}"
    return "" if told.result in {ResultCode.DONE, ResultCode.ACCEPTED} else f"procedure result {ResultCode(told.result).name.lower()}"


def drift_text(drift_seconds: float) -> str:
    """`12 s ahead`."""
    return f"{abs(drift_seconds):.0f} s {'ahead' if drift_seconds > 0 else 'behind'}"


def _number(now: datetime) -> int:
    return int(now.timestamp()) & 0xFF
