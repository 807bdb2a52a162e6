"""SNMP PDUs: requests, answers and notifications with their variable bindings.

Source  RFC 3416 3
"""

from dataclasses import dataclass
from enum import IntEnum

from emulators.snmp_ber import Element, Oid, Reader, Tag, element, integer, integer_content, oid_content, parse_oid, sequence
from headend.errors import WireError

VARIABLES_MAX = 256
"""Variable bindings of one request that is looked at."""

VarBind = tuple[Oid, Element]

NULL = Element(Tag.NULL, b"")
NO_SUCH_OBJECT = Element(Tag.NO_SUCH_OBJECT, b"")
NO_SUCH_INSTANCE = Element(Tag.NO_SUCH_INSTANCE, b"")
END_OF_MIB_VIEW = Element(Tag.END_OF_MIB_VIEW, b"")


class ErrorStatus(IntEnum):
    """What a whole answer says of the request."""

    NO_ERROR = 0
    TOO_BIG = 1
    NO_ACCESS = 6
    WRONG_VALUE = 10
    NOT_WRITABLE = 17


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU. Of a GETBULK `error_status` holds non-repeaters and `error_index` max-repetitions."""

    tag: Tag
    request_id: int
    variables: tuple[VarBind, ...]
    error_status: int = 0
    error_index: int = 0

    def encode(self) -> bytes:
        """The PDU with its tag."""
        variables = b"".join(sequence(element(Tag.OID, oid_content(oid)), value.encode()) for oid, value in self.variables)
        head = (integer(self.request_id), integer(self.error_status), integer(self.error_index))
        return sequence(*head, element(Tag.SEQUENCE, variables), tag=self.tag)

    @classmethod
    def take(cls, reader: Reader) -> "Pdu":
        """The next PDU of `reader`. Raises WireError."""
        try:
            tag = Tag(reader.peek())
        except ValueError:
            raise WireError(f"tag {reader.peek():#04x} is no PDU's") from None
        if tag < Tag.GET:
            raise WireError(f"tag {tag:#04x} is no PDU's")
        inside = reader.inside(tag)
        request_id, status, index = inside.integer(), inside.integer(), inside.integer()
        listed = inside.inside(Tag.SEQUENCE)
        variables: list[VarBind] = []
        while not listed.at_end:
            if len(variables) >= VARIABLES_MAX:
                raise WireError(f"more than {VARIABLES_MAX} variable bindings")
            pair = listed.inside(Tag.SEQUENCE)
            variables.append((parse_oid(pair.take(Tag.OID)), pair.any()))
        return cls(tag, request_id, tuple(variables), status, index)


def number(value: int) -> Element:
    """An Integer32."""
    return Element(Tag.INTEGER, integer_content(value))


def text(value: str | bytes) -> Element:
    """An OCTET STRING."""
    return Element(Tag.OCTETS, value.encode() if isinstance(value, str) else value)


def gauge(value: int) -> Element:
    """A Gauge32; it stays at its end."""
    return Element(Tag.GAUGE32, integer_content(min(max(value, 0), 2**32 - 1)))


def ticks(hundredths: int) -> Element:
    """A TimeTicks; it wraps after 497 days."""
    return Element(Tag.TIME_TICKS, integer_content(hundredths % 2**32))


def counter32(value: int) -> Element:
    """A Counter32; it wraps."""
    return Element(Tag.COUNTER32, integer_content(value % 2**32))


def counter64(value: int) -> Element:
    """A Counter64; it wraps."""
    return Element(Tag.COUNTER64, integer_content(value % 2**64))


def name(oid: Oid) -> Element:
    """An OBJECT IDENTIFIER as a value."""
    return Element(Tag.OID, oid_content(oid))
