"""Responses: their codes, and what follows an OK for the services that return something.

Source  reference/field-protocol-c1222.md 1.4
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from headend.c1222.ber import element
from headend.c1222.cursor import Cursor
from headend.c1222.errors import ReservedValueError
from headend.c1222.identifiers import ABSOLUTE_TAG, RELATIVE_SERVICE_TAG, RELATIVE_TAG, ApTitle
from headend.c1222.network_services import take_titles
from headend.errors import TruncatedError, WireError

REQUEST_CODE_MIN = 0x20
"""Codes below are responses, all others requests."""


class ResponseCode(IntEnum):
    """Why a service was or was not done."""

    OK = 0x00
    ERR = 0x01
    SNS = 0x02
    ISC = 0x03
    ONP = 0x04
    IAR = 0x05
    BSY = 0x06
    DNR = 0x07
    DLK = 0x08
    RNO = 0x09
    ISSS = 0x0A
    SME = 0x0B
    UAT = 0x0C
    NETT = 0x0D
    NETR = 0x0E
    RQTL = 0x0F
    RSTL = 0x10
    SGNP = 0x11
    SGERR = 0x12

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS = {
    ResponseCode.OK: "done",
    ResponseCode.ERR: "refused without a reason",
    ResponseCode.SNS: "service not supported",
    ResponseCode.ISC: "insufficient security clearance",
    ResponseCode.ONP: "operation not possible",
    ResponseCode.IAR: "inappropriate action requested",
    ResponseCode.BSY: "device busy",
    ResponseCode.DNR: "data not ready",
    ResponseCode.DLK: "data locked",
    ResponseCode.RNO: "renegotiate",
    ResponseCode.ISSS: "invalid service sequence state",
    ResponseCode.SME: "security mechanism error",
    ResponseCode.UAT: "unknown or invalid called title",
    ResponseCode.NETT: "network timeout",
    ResponseCode.NETR: "network not reachable",
    ResponseCode.RQTL: "request too large",
    ResponseCode.RSTL: "response too large",
    ResponseCode.SGNP: "segmentation not possible",
    ResponseCode.SGERR: "segmentation error",
}


@dataclass(frozen=True, slots=True)
class Response:
    """One response: a code (those below 20 that nobody named are kept) and what follows it."""

    code: int
    parameters: bytes = b""

    @property
    def ok(self) -> bool:
        return self.code == ResponseCode.OK

    @property
    def octets_max(self) -> int | None:
        """The largest request or response, in octets, that *rqtl* or *rstl* offers; None where it says nothing."""
        if self.code in {ResponseCode.RQTL, ResponseCode.RSTL} and len(self.parameters) == 4:
            return int.from_bytes(self.parameters)
        return None

    @property
    def name(self) -> str:
        """The code as the trade writes it: `ok`, `isss`, `0x1f`."""
        return ResponseCode(self.code).name.lower() if self.code in _MEANINGS else f"{self.code:#04x}"


def encode_response(response: Response) -> bytes:
    """The body of a response."""
    return bytes((response.code,)) + response.parameters


def decode_response(octets: bytes) -> Response:
    """From a body. Raises TruncatedError, ReservedValueError for the code of a request."""
    if not octets:
        raise TruncatedError(0, 1, 0)
    if octets[0] >= REQUEST_CODE_MIN:
        raise ReservedValueError("response code", octets[0])
    return Response(octets[0], octets[1:])


@dataclass(frozen=True, slots=True)
class IdentifyReply:
    """What a device says of itself.

    Layout  standard (3: C12.22), version, revision: uint8 | features | 00
            features: 04 security mechanism (06 L oid) | 05 session control: uint8 | 06 device class (0D or 80, L, relative oid) |
            07 identity: L, format (1: 7-bit), octets
    """

    standard: int
    version: int
    revision: int
    mechanism: bytes | None = None
    session_control: int | None = None
    device_class: bytes | None = None
    identity: bytes | None = None
    identity_format: int = 1

    def encode(self) -> bytes:
        octets = bytes((self.standard, self.version, self.revision))
        if self.mechanism is not None:
            octets += b"\x04" + element(ABSOLUTE_TAG, self.mechanism)
        if self.session_control is not None:
            octets += bytes((0x05, self.session_control))
        if self.device_class is not None:
            octets += b"\x06" + element(RELATIVE_SERVICE_TAG, self.device_class)
        if self.identity is not None:
            octets += bytes((0x07, len(self.identity) + 1, self.identity_format)) + self.identity
        return octets + b"\x00"

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """Raises WireError, for a feature that is not known too: its length is not."""
        cursor = Cursor(octets)
        standard, version, revision = cursor.uint8(), cursor.uint8(), cursor.uint8()
        mechanism = device_class = identity = None
        session_control, identity_format = None, 1
        while feature := cursor.uint8():
            match feature:
                case 0x04:
                    mechanism = _tagged(cursor, {ABSOLUTE_TAG})
                case 0x05:
                    session_control = cursor.uint8()
                case 0x06:
                    device_class = _tagged(cursor, {RELATIVE_TAG, RELATIVE_SERVICE_TAG})
                case 0x07:
                    length = cursor.uint8()
                    if length == 0:
                        raise TruncatedError(cursor.offset, 1, 0)
                    identity_format = cursor.uint8()
                    identity = cursor.take(length - 1)
                case _:
                    raise ReservedValueError(f"feature at octet {cursor.offset - 1}", feature)
        cursor.finish()
        return cls(standard, version, revision, mechanism, session_control, device_class, identity, identity_format)


@dataclass(frozen=True, slots=True)
class RegisterReply:
    """A registration accepted. Layout  title | delay in seconds: uint16 | period in seconds: uint24 | information: uint8"""

    ap_title: ApTitle
    delay_seconds: int
    period_seconds: int
    information: int

    def encode(self) -> bytes:
        return self.ap_title.element + self.delay_seconds.to_bytes(2) + self.period_seconds.to_bytes(3) + bytes((self.information,))

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        cursor = Cursor(octets)
        reply = cls(ApTitle.take(cursor), cursor.uint16(), cursor.uint24(), cursor.uint8())
        cursor.finish()
        return reply


def decode_resolve_reply(octets: bytes) -> bytes:
    """The native address. Layout  length: uint8 | octets. Raises WireError."""
    cursor = Cursor(octets)
    address = cursor.take(cursor.uint8())
    cursor.finish()
    return address


def decode_trace_reply(octets: bytes) -> tuple[ApTitle, ...]:
    """The relays on the way. Raises WireError."""
    return take_titles(Cursor(octets))


def decode_logon_reply(octets: bytes) -> int:
    """The idle timeout granted, in seconds. Layout  uint16. Raises WireError."""
    cursor = Cursor(octets)
    seconds = cursor.uint16()
    cursor.finish()
    return seconds


def _tagged(cursor: Cursor, tags: set[int]) -> bytes:
    offset, tag = cursor.offset, cursor.uint8()
    if tag not in tags:
        raise WireError(f"octet {offset}: tag {tag:02X} where one of {', '.join(f'{t:02X}' for t in sorted(tags))} belongs")
    return cursor.take(cursor.length())
