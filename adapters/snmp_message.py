"""SNMP messages of versions 2c and 3 as values, read and written with pysnmp's own definitions; no session, no socket, no clock.

Source  RFC 1901 3, RFC 3412 6, RFC 3414 2.4, RFC 3416 3
"""

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pyasn1.codec.ber import decoder, encoder
from pyasn1.error import PyAsn1Error
from pysnmp.proto import rfc1902, rfc1905
from pysnmp.proto.api import v2c
from pysnmp.proto.mpmod.rfc3412 import ScopedPDU, SNMPv3Message
from pysnmp.proto.secmod.rfc3414.service import UsmSecurityParameters

from headend.errors import WireError

Oid = tuple[int, ...]
Value = int | bytes | Oid | None
"""A variable's value; None where there is no such object or instance, and behind the last."""
VarBind = tuple[Oid, Value]

MESSAGE_OCTETS_MAX = 1_400
"""Largest message we say that we take: one datagram that no link on the way has to fragment."""

RECEIVED_OCTETS_MAX = 8_192
"""Largest message read: an agent that sends more than we said we take is not to cost us the time to read it."""

VARIABLES_MAX = 512
"""Variables of one message: as many as fit into the largest read at 16 octets each."""

AUTH, PRIVACY, REPORTABLE = 1, 2, 4
"""Flags of version 3."""
_USM = 3
_V2C, _V3 = 1, 3


class PduKind(Enum):
    """What a PDU asks or tells."""

    GET = v2c.GetRequestPDU
    GET_NEXT = v2c.GetNextRequestPDU
    GET_BULK = v2c.GetBulkRequestPDU
    SET = v2c.SetRequestPDU
    RESPONSE = v2c.ResponsePDU
    INFORM = v2c.InformRequestPDU
    TRAP = v2c.SNMPv2TrapPDU
    REPORT = v2c.ReportPDU


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU. Of a GET_BULK `error_status` holds the non-repeaters and `error_index` the repetitions.

    `engine_id` and `context` say what it is about, in version 3.
    """

    kind: PduKind
    request_id: int
    variables: tuple[VarBind, ...] = ()
    error_status: int = 0
    error_index: int = 0
    engine_id: bytes = b""
    context: bytes = b""
    native: Any = field(default=None, repr=False, compare=False)
    """The library's own, of one that was received: what is sent back must be what came."""

    def acknowledged(self) -> "Pdu":
        """The response to a received inform: the same variables and context, by which its sender knows it."""
        native = v2c.apiPDU.get_response(self.native)
        v2c.apiPDU.set_varbinds(native, v2c.apiPDU.get_varbinds(self.native))
        return replace(self, kind=PduKind.RESPONSE, native=native)


@dataclass(frozen=True, slots=True)
class CommunityMessage:
    """A message of version 2c."""

    community: bytes = field(repr=False)
    pdu: Pdu

    def encode(self) -> bytes:
        """The whole message."""
        message = v2c.Message()
        message[0], message[1] = _V2C, self.community
        _put_pdu(message, self.pdu)
        return _encoded(message)


@dataclass(frozen=True, slots=True)
class SecureMessage:
    """A message of version 3; `scoped` is the encoded scoped PDU, encrypted where the flags say so.

    `boots` and `seconds` are the authoritative engine's. `received` are the octets it came in.
    """

    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    seconds: int
    user: bytes
    scoped: bytes = field(repr=False)
    digest: bytes = b""
    salt: bytes = b""
    received: bytes = field(default=b"", repr=False)

    def encode(self) -> bytes:
        """The whole message, with the digest it holds."""
        security = UsmSecurityParameters()
        for place, value in enumerate((self.engine_id, self.boots, self.seconds, self.user, self.digest, self.salt)):
            security[place] = value
        message = SNMPv3Message()
        message[0] = _V3
        header = message.setComponentByPosition(1)[1]
        for place, value in enumerate((self.message_id, MESSAGE_OCTETS_MAX, bytes((self.flags,)), _USM)):
            header[place] = value
        message[2] = _encoded(security)
        data = message.setComponentByPosition(3)[3]
        if self.flags & PRIVACY:
            data["encryptedPDU"] = self.scoped
        else:
            data["plaintext"] = _decoded(self.scoped, ScopedPDU())
        return _encoded(message)


def encode_scoped(pdu: Pdu) -> bytes:
    """A PDU with its context."""
    scoped = ScopedPDU()
    scoped[0], scoped[1] = pdu.engine_id, pdu.context
    _put_pdu(scoped, pdu)
    return _encoded(scoped)


def decode_scoped(octets: bytes) -> Pdu:
    """The PDU of a scoped PDU. Raises WireError; what was decrypted with a wrong key rarely is one."""
    scoped = _decoded(octets, ScopedPDU())
    return replace(_pdu(scoped[2]), engine_id=bytes(scoped[0]), context=bytes(scoped[1]))


def decode_message(octets: bytes) -> CommunityMessage | SecureMessage:
    """The message a datagram holds. Raises WireError."""
    if len(octets) > RECEIVED_OCTETS_MAX:
        raise WireError(f"{len(octets)} octets are more than {RECEIVED_OCTETS_MAX}")
    version = _version(octets)
    if version == _V2C:
        message = _decoded(octets, v2c.Message())
        return CommunityMessage(bytes(message[1]), _pdu(message[2]))
    if version != _V3:
        raise WireError(f"version {version} of SNMP is not spoken here")
    message = _decoded(octets, SNMPv3Message())
    header, data = message[1], message[3]
    security = _decoded(bytes(message[2]), UsmSecurityParameters())
    if int(header[3]) != _USM:
        raise WireError(f"security model {int(header[3])} is not spoken here")
    flags = bytes(header[2])[0]
    if (data.getName() == "encryptedPDU") != bool(flags & PRIVACY):
        raise WireError("the flags say otherwise than the message is")
    scoped = bytes(data["encryptedPDU"]) if flags & PRIVACY else _encoded(data["plaintext"])
    engine_id, user, digest, salt = (bytes(security[place]) for place in (0, 3, 4, 5))
    boots, seconds = int(security[1]), int(security[2])
    return SecureMessage(int(header[0]), flags, engine_id, boots, seconds, user, scoped, digest, salt, octets)


def _version(octets: bytes) -> int:
    """The version of a message, read before anything costly: tag, length, INTEGER of one octet."""
    if len(octets) < 5 or octets[0] != 0x30:
        raise WireError("it is no SNMP message")
    begin = 2 + (octets[1] & 0x7F if octets[1] & 0x80 else 0)
    if octets[begin : begin + 2] != b"\x02\x01" or len(octets) < begin + 3:
        raise WireError("it has no version of SNMP")
    return octets[begin + 2]


def _put_pdu(parent: Any, pdu: Pdu) -> None:
    native = _native(pdu) if pdu.native is None else pdu.native
    parent.setComponentByPosition(2)
    checks = {"verifyConstraints": False, "matchTags": False, "matchConstraints": False}
    parent[2].setComponentByType(native.tagSet, native, **checks)


def _native(pdu: Pdu) -> Any:
    native = pdu.kind.value()
    native[0], native[1], native[2] = pdu.request_id, pdu.error_status, pdu.error_index
    v2c.apiPDU.set_varbinds(native, [(oid, v2c.null if value is None else _NATIVE[type(value)](value)) for oid, value in pdu.variables])
    return native


_NATIVE = {int: rfc1902.Integer32, bytes: rfc1902.OctetString, tuple: rfc1902.ObjectName}
_ABSENT = (rfc1905.NoSuchObject, rfc1905.NoSuchInstance, rfc1905.EndOfMibView, v2c.Null)
_KINDS = {kind.value.tagSet: kind for kind in PduKind}


def _pdu(choice: Any) -> Pdu:
    native = choice.getComponent()
    listed = v2c.apiPDU.get_varbinds(native)
    if len(listed) > VARIABLES_MAX:
        raise WireError(f"{len(listed)} variables are more than {VARIABLES_MAX}")
    variables = tuple((tuple(name), _value(value)) for name, value in listed)
    return Pdu(_KINDS[native.tagSet], int(native[0]), variables, int(native[1]), int(native[2]), native=native)


def _value(native: Any) -> Value:
    if isinstance(native, _ABSENT):
        return None
    if isinstance(native, v2c.ObjectIdentifier):
        return tuple(native)
    return bytes(native) if isinstance(native, v2c.OctetString | v2c.IpAddress) else int(native)


def _decoded(octets: bytes, spec: Any) -> Any:
    try:
        value, rest = decoder.decode(octets, asn1Spec=spec)
    except (PyAsn1Error, IndexError, ValueError, TypeError, RecursionError) as error:
        raise WireError(f"it is no {type(spec).__name__}: {type(error).__name__}") from None
    if rest and not isinstance(spec, ScopedPDU):
        raise WireError(f"{len(rest)} octets follow the {type(spec).__name__}")
    return value


def _encoded(value: Any) -> bytes:
    return bytes(encoder.encode(value))
