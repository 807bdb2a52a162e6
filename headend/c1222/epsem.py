"""EPSEM: the control octet and the list of services.

Layout  control | ED class: 4 octets, where bit 4 says so | (BER length, service)… | [MAC: 4 octets]
        control: 7 always set, 6 recovery session, 5 proxy service used, 4 ED class included, 3-2 security mode, 1-0 response control
Source  reference/field-protocol-c1222.md 1.2
"""

from collections.abc import Sequence
from enum import IntEnum

from headend.c1222.ber import length_octets, read_length
from headend.c1222.errors import BoundError, ReservedValueError, TrailingOctetsError
from headend.c1222.limits import SERVICES_MAX
from headend.errors import TruncatedError

CONTROL = 0x80
RECOVERY = 0x40
PROXY = 0x20
ED_CLASS_INCLUDED = 0x10
SECURITY_MODE_MASK = 0x0C
RESPONSE_CONTROL_MASK = 0x03
ED_CLASS_OCTETS = 4
CONTROLS = frozenset(bytes((c,)) for c in range(CONTROL, 0x100) if c & 0x0C != 0x0C and c & 0x03 != 0x03)
"""Every control octet a message can have."""


class ResponseControl(IntEnum):
    """When the sender wants to be answered."""

    ALWAYS = 0
    ON_EXCEPTION = 1
    NEVER = 2


def check_control(control: int, offset: int = 0) -> None:
    """Raises ReservedValueError for a control octet no message can have; `offset` is where it stands."""
    if control < CONTROL:
        raise ReservedValueError(f"EPSEM control at octet {offset}", control)
    if control & SECURITY_MODE_MASK == SECURITY_MODE_MASK:
        raise ReservedValueError("security mode", 3)
    if control & RESPONSE_CONTROL_MASK == RESPONSE_CONTROL_MASK:
        raise ReservedValueError("response control", 3)


def join_services(services: Sequence[bytes]) -> bytes:
    """The list of bodies (code and parameters), each behind its length. Raises BoundError."""
    if len(services) == 1:
        return length_octets(len(services[0])) + services[0]
    if len(services) > SERVICES_MAX:
        raise BoundError("services in one message", len(services), SERVICES_MAX)
    return b"".join([length_octets(len(body)) + body for body in services])


def split_services(octets: bytes, offset: int = 0) -> tuple[bytes, ...]:
    """The bodies in `octets` from `offset`; a length of zero ends them and only zeros may follow. Raises WireError."""
    end = len(octets)
    if offset < end and octets[offset] == end - offset - 1 < 0x80:
        return (octets[offset + 1 :],) if end - offset > 1 else ()
    bodies = []
    while offset < end:
        length = octets[offset]
        if 0 < length < 0x80:
            start = offset + 1
        else:
            length, start = read_length(octets, offset, end)
        if length == 0:
            padding = octets[start:]
            if padding.strip(b"\x00"):
                raise TrailingOctetsError(start, len(padding))
            break
        offset = start + length
        if offset > end:
            raise TruncatedError(start, length, end - start)
        bodies.append(octets[start:offset])
    if len(bodies) > SERVICES_MAX:
        raise BoundError("services in one message", len(bodies), SERVICES_MAX)
    return tuple(bodies)
