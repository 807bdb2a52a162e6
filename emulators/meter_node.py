"""The C12.22 side of a meter: what it answers to the services of one message that has been opened.

Policy  in security mode 0 it says who it is and nothing else: reads of other tables and every write are answered *sme*.
"""

from dataclasses import dataclass
from typing import Final

from emulators.meter import Meter
from emulators.meter_procedures import start_procedure
from emulators.switch import settle_switch
from headend.c1219.access import ReadRefusedError, serve_read
from headend.c1219.manufacturer_tables import WakeUps
from headend.c1219.tables import MT_WAKE_UPS
from headend.c1222.identifiers import C1222_MECHANISM
from headend.c1222.message import SecurityMode
from headend.c1222.services import (
    FullRead,
    FullWrite,
    Identify,
    IdentifyReply,
    Logoff,
    Logon,
    PartialReadIndex,
    PartialReadOffset,
    PartialWriteIndex,
    PartialWriteOffset,
    ResponseCode,
    Security,
    Service,
    Terminate,
    Wait,
    decode_request,
)
from headend.c1222.table_data import encode_table_data
from headend.errors import WireError

OPEN_TABLES: Final = frozenset({0, 1, 3, 5})
"""Tables that anyone may read: what the device is."""

SERVICE_OVERHEAD: Final = 8
"""Octets of a response beside its table: length, code, count, checksum."""

_OK: Final = bytes((ResponseCode.OK,))


@dataclass(frozen=True, slots=True)
class MeterNode:
    """Answers the services of one message for one device; `wire_now` is the wire's clock in unix seconds."""

    meter: Meter
    mode: SecurityMode
    wire_now: float

    def answer(self, services: tuple[bytes, ...]) -> list[bytes]:
        """A response body for each service, in order; a refused one does not stop the next."""
        settle_switch(self.meter, self.wire_now)
        room = self.meter.kind.form.reply_octets
        answers = []
        for body in services:
            answer = self._answer(body, room)
            room -= len(answer) + 3
            answers.append(answer)
        return answers

    def _answer(self, body: bytes, room: int) -> bytes:
        try:
            service = decode_request(body)
        except WireError:
            return bytes((ResponseCode.ERR,))
        match service:
            case FullRead() | PartialReadOffset() | PartialReadIndex():
                return self._read(service, room)
            case FullWrite():
                return self._write(service)
            case PartialWriteOffset() | PartialWriteIndex():
                return bytes((ResponseCode.SME if self.mode == SecurityMode.CLEAR else ResponseCode.IAR,))
        return self._session(service)

    def _read(self, request: FullRead | PartialReadOffset | PartialReadIndex, room: int) -> bytes:
        if self.mode == SecurityMode.CLEAR and request.table not in OPEN_TABLES:
            return bytes((ResponseCode.SME,))
        try:
            octets = serve_read(self.meter.kind.program, self.meter, request, max(0, room - SERVICE_OVERHEAD))
        except ReadRefusedError as refused:
            if refused.code is ResponseCode.RSTL:
                return bytes((refused.code,)) + self.meter.kind.form.reply_octets.to_bytes(4)
            return bytes((refused.code,))
        return _OK + encode_table_data(octets)

    def _write(self, request: FullWrite) -> bytes:
        if self.mode == SecurityMode.CLEAR:
            return bytes((ResponseCode.SME,))
        if request.table == MT_WAKE_UPS and MT_WAKE_UPS in self.meter.kind.general.writable:
            return self._set_wake_ups(request.data)
        if request.table != 7:
            return bytes((ResponseCode.IAR,))
        done = start_procedure(self.meter, request.data, self.wire_now)
        return _OK if done else bytes((ResponseCode.ERR,))

    def _set_wake_ups(self, octets: bytes) -> bytes:
        try:
            self.meter.state.wake_ups = WakeUps.decode(octets, self.meter.kind.form.formats).minutes
        except WireError:
            return bytes((ResponseCode.ERR,))
        self.meter.changed()
        return _OK

    def _session(self, service: Service) -> bytes:
        match service:
            case Identify():
                identity = self.meter.identity.meter_no.encode("ascii").ljust(20)
                return _OK + IdentifyReply(3, 1, 0, C1222_MECHANISM, 0x80, None, identity).encode()
            case Logon(timeout_seconds=seconds):
                return _OK + min(seconds, 300).to_bytes(2)
            case Security() | Logoff() | Terminate() | Wait():
                return _OK
        return bytes((ResponseCode.SNS,))
