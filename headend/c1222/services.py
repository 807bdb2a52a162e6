"""Services: every request as a value, requests and responses to octets and back.

A request whose parameters are not known is kept as it is, for a device to answer *sns*.
Source  reference/field-protocol-c1222.md 1.4
"""

from collections.abc import Callable
from dataclasses import dataclass

from headend.c1222.cursor import Cursor
from headend.c1222.errors import ReservedValueError
from headend.c1222.network_services import Deregister, Register, Resolve, Trace
from headend.c1222.responses import (
    REQUEST_CODE_MIN,
    IdentifyReply,
    RegisterReply,
    Response,
    ResponseCode,
    decode_logon_reply,
    decode_resolve_reply,
    decode_response,
    decode_trace_reply,
    encode_response,
)
from headend.c1222.session_services import Authenticate, Disconnect, Identify, Logoff, Logon, Security, Terminate, Wait
from headend.c1222.table_services import (
    INDICES_MAX,
    DefaultRead,
    DefaultWrite,
    FullRead,
    FullWrite,
    PartialReadIndex,
    PartialReadOffset,
    PartialWriteIndex,
    PartialWriteOffset,
)

__all__ = [
    "Authenticate",
    "DefaultRead",
    "DefaultWrite",
    "Deregister",
    "Disconnect",
    "FullRead",
    "FullWrite",
    "Identify",
    "IdentifyReply",
    "Logoff",
    "Logon",
    "PartialReadIndex",
    "PartialReadOffset",
    "PartialWriteIndex",
    "PartialWriteOffset",
    "RawService",
    "Register",
    "RegisterReply",
    "Resolve",
    "Response",
    "ResponseCode",
    "Security",
    "Service",
    "Terminate",
    "Trace",
    "Wait",
    "decode_logon_reply",
    "decode_request",
    "decode_resolve_reply",
    "decode_response",
    "decode_trace_reply",
    "encode_request",
    "encode_response",
    "service_name",
]


@dataclass(frozen=True, slots=True)
class RawService:
    """A request we give no meaning to: point-to-point negotiation and timing (60-6B, 71) and codes nobody named."""

    code: int
    parameters: bytes = b""

    def encode(self) -> bytes:
        return bytes((self.code,)) + self.parameters


Service = (
    Identify
    | Terminate
    | Disconnect
    | Deregister
    | Resolve
    | Trace
    | Register
    | FullRead
    | PartialReadIndex
    | DefaultRead
    | PartialReadOffset
    | FullWrite
    | PartialWriteIndex
    | DefaultWrite
    | PartialWriteOffset
    | Logon
    | Security
    | Logoff
    | Authenticate
    | Wait
    | RawService
)

_TAKE: dict[int, Callable[[int, Cursor], Service]] = {
    Identify.CODE: Identify.take,
    Terminate.CODE: Terminate.take,
    Disconnect.CODE: Disconnect.take,
    Deregister.CODE: Deregister.take,
    Resolve.CODE: Resolve.take,
    Trace.CODE: Trace.take,
    Register.CODE: Register.take,
    FullRead.CODE: FullRead.take,
    DefaultRead.CODE: DefaultRead.take,
    PartialReadOffset.CODE: PartialReadOffset.take,
    FullWrite.CODE: FullWrite.take,
    DefaultWrite.CODE: DefaultWrite.take,
    PartialWriteOffset.CODE: PartialWriteOffset.take,
    Logon.CODE: Logon.take,
    Security.CODE: Security.take,
    Logoff.CODE: Logoff.take,
    Authenticate.CODE: Authenticate.take,
    Wait.CODE: Wait.take,
    **dict.fromkeys(range(0x31, 0x31 + INDICES_MAX), PartialReadIndex.take),
    **dict.fromkeys(range(0x41, 0x41 + INDICES_MAX), PartialWriteIndex.take),
}

_NAMES = {
    0x20: "identification",
    0x21: "terminate",
    0x22: "disconnect",
    0x24: "deregister",
    0x25: "resolve",
    0x26: "trace",
    0x27: "register",
    0x30: "full read",
    0x3E: "default read",
    0x3F: "partial read by offset",
    0x40: "full write",
    0x4E: "default write",
    0x4F: "partial write by offset",
    0x50: "logon",
    0x51: "security",
    0x52: "logoff",
    0x53: "authenticate",
    0x70: "wait",
    0x71: "timing setup",
    **dict.fromkeys(range(0x31, 0x31 + INDICES_MAX), "partial read by index"),
    **dict.fromkeys(range(0x41, 0x41 + INDICES_MAX), "partial write by index"),
    **dict.fromkeys(range(0x60, 0x6C), "negotiate"),
}


def encode_request(service: Service) -> bytes:
    """The body of a request. Raises RequestError."""
    return service.encode()


def decode_request(octets: bytes) -> Service:
    """From a body; one whose code has no parameters known comes back as a RawService. Raises WireError."""
    cursor = Cursor(octets)
    code = cursor.uint8()
    if code < REQUEST_CODE_MIN:
        raise ReservedValueError("request code", code)
    take = _TAKE.get(code)
    if take is None:
        return RawService(code, octets[1:])
    service = take(code, cursor)
    cursor.finish()
    return service


def service_name(code: int) -> str:
    """What a request code asks for, in words."""
    return _NAMES.get(code, f"service {code:02X}")
