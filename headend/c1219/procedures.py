"""ST7 and ST8: start a procedure, read its result; the parameters of procedures 0-10 and of our own MP 1."""

from dataclasses import dataclass
from enum import IntEnum

from headend.c1219.clock_tables import ClockQualifier
from headend.c1219.fields import Formats, TableReader
from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH, SwitchCommand
from headend.c1219.tables import ID_MASK, ST_PROCEDURE_INITIATE, ST_PROCEDURE_RESPONSE


class Procedure(IntEnum):
    """Standard procedure numbers."""

    COLD_START = 0
    WARM_START = 1
    SAVE_CONFIGURATION = 2
    CLEAR_DATA = 3
    RESET_LIST_POINTERS = 4
    UPDATE_LAST_READ = 5
    CHANGE_MODE = 6
    CLEAR_STANDARD_STATUS = 7
    CLEAR_MANUFACTURER_STATUS = 8
    REMOTE_RESET = 9
    SET_DATE_TIME = 10


class ResultCode(IntEnum):
    """ST8 result."""

    DONE = 0
    ACCEPTED = 1
    BAD_PARAMETER = 2
    CONFLICT = 3
    TIMING = 4
    NOT_AUTHORIZED = 5
    UNKNOWN = 6


class ListCode(IntEnum):
    """Lists that procedures 4 and 5 name."""

    EVENT_LOG = 1
    SELF_READS = 2
    PROFILE_SET_1 = 3
    PROFILE_SET_2 = 4
    PROFILE_SET_3 = 5
    PROFILE_SET_4 = 6
    ALL_PROFILES = 7
    HISTORY_LOG = 8
    ALL_BUT_EVENTS = 255


class Reply(IntEnum):
    """ST7 selector: when the meter is to say what came of it."""

    ON_COMPLETION = 0
    ON_EXCEPTION = 1
    NEVER = 2
    AT_ONCE_AND_ON_COMPLETION = 3


@dataclass(frozen=True, slots=True)
class NoParameters:
    """Procedures 0-3, 7 and 8."""

    def encode(self, _formats: Formats) -> bytes:
        return b""


@dataclass(frozen=True, slots=True)
class ResetListPointers:
    """Procedure 4. Layout  list: uint8"""

    lists: int

    def encode(self, formats: Formats) -> bytes:
        return formats.pack(ST_PROCEDURE_INITIATE, "B", self.lists)


@dataclass(frozen=True, slots=True)
class UpdateLastRead:
    """Procedure 5: `count` entries of a list have been read. Layout  list: uint8 | count: uint16"""

    lists: int
    count: int

    def encode(self, formats: Formats) -> bytes:
        return formats.pack(ST_PROCEDURE_INITIATE, "BH", self.lists, self.count)


@dataclass(frozen=True, slots=True)
class ChangeMode:
    """Procedure 6. Layout  mode: uint8, as ST3's"""

    mode: int

    def encode(self, formats: Formats) -> bytes:
        return formats.pack(ST_PROCEDURE_INITIATE, "B", self.mode)


@dataclass(frozen=True, slots=True)
class RemoteReset:
    """Procedure 9. Layout  uint8: demand reset b0 | self read b1"""

    demand_reset: bool = False
    self_read: bool = False

    def encode(self, _formats: Formats) -> bytes:
        return bytes((self.demand_reset | self.self_read << 1,))


@dataclass(frozen=True, slots=True)
class SetDateTime:
    """Procedure 10. Layout  uint8: time b0, date b1, qualifier b2 | LTIME | qualifier: uint8"""

    device_seconds: int
    qualifier: ClockQualifier
    mask: int = 7

    def encode(self, formats: Formats) -> bytes:
        return bytes((self.mask,)) + formats.time.pack_ltime(self.device_seconds) + bytes((self.qualifier.to_bits(),))


@dataclass(frozen=True, slots=True)
class SwitchService:
    """MP 1 of our own: open, arm or close the service switch."""

    command: SwitchCommand

    def encode(self, formats: Formats) -> bytes:
        return self.command.encode(formats, ST_PROCEDURE_INITIATE)


@dataclass(frozen=True, slots=True)
class RawParameters:
    """Parameters of a procedure that is not known here."""

    octets: bytes

    def encode(self, _formats: Formats) -> bytes:
        return self.octets


Parameters = (
    NoParameters | ResetListPointers | UpdateLastRead | ChangeMode | RemoteReset | SetDateTime | SwitchService | RawParameters
)


@dataclass(frozen=True, slots=True)
class ProcedureRequest:
    """ST7.

    Layout  procedure, manufacturer and selector bits: uint16 | sequence: uint8 | parameters
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST7 and standard procedures; vector write_st7_proc10_settime_and_read_st8_request
    """

    procedure: int
    sequence: int
    parameters: Parameters = NoParameters()
    reply: Reply = Reply.ON_COMPLETION

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "ProcedureRequest":
        reader = TableReader(ST_PROCEDURE_INITIATE, octets, formats)
        bits, sequence = reader.fields("HB")
        procedure = bits & ID_MASK
        return cls(procedure, sequence, _read_parameters(procedure, reader), Reply(bits >> 12 & 3))

    def encode(self, formats: Formats) -> bytes:
        head = formats.pack(ST_PROCEDURE_INITIATE, "HB", self.procedure | self.reply << 12, self.sequence)
        return head + self.parameters.encode(formats)


def _read_parameters(procedure: int, reader: TableReader) -> Parameters:
    match procedure:
        case 0 | 1 | 2 | 3 | 7 | 8:
            return NoParameters()
        case Procedure.RESET_LIST_POINTERS:
            return ResetListPointers(reader.uint8())
        case Procedure.UPDATE_LAST_READ:
            return UpdateLastRead(*reader.fields("BH"))
        case Procedure.CHANGE_MODE:
            return ChangeMode(reader.uint8())
        case Procedure.REMOTE_RESET:
            actions = reader.uint8()
            return RemoteReset(bool(actions & 1), bool(actions & 2))
        case Procedure.SET_DATE_TIME:
            mask, seconds = reader.uint8(), reader.ltime()
            return SetDateTime(seconds or 0, ClockQualifier.from_bits(reader.uint8()), mask)
        case _ if procedure == PROCEDURE_SWITCH:
            return SwitchService(SwitchCommand.read(reader))
        case _:
            return RawParameters(reader.take(reader.remaining))


@dataclass(frozen=True, slots=True)
class ProcedureResult:
    """ST8. `result` is a ResultCode where the standard knows it.

    Layout  procedure bits as in ST7: uint16 | sequence: uint8 | result: uint8 | response data
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST8; vector write_st7_reply
    """

    procedure: int
    sequence: int
    result: int
    data: bytes = b""
    reply: Reply = Reply.ON_COMPLETION

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "ProcedureResult":
        reader = TableReader(ST_PROCEDURE_RESPONSE, octets, formats)
        bits, sequence, result = reader.fields("HBB")
        return cls(bits & ID_MASK, sequence, result, reader.take(reader.remaining), Reply(bits >> 12 & 3))

    def encode(self, formats: Formats) -> bytes:
        return formats.pack(ST_PROCEDURE_RESPONSE, "HBB", self.procedure | self.reply << 12, self.sequence, self.result) + self.data
