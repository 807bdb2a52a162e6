"""BER as SNMP uses it: definite lengths, integers, octets, OIDs and the tags of SMIv2; both ways.

Source  RFC 3417 8 (the restrictions), RFC 2578 7.1 (application tags), RFC 3416 3 (PDU and exception tags)
"""

from enum import IntEnum
from typing import NamedTuple

from headend.errors import TruncatedError, WireError

Oid = tuple[int, ...]

SUBIDENTIFIERS_MAX = 128
SUBIDENTIFIER_MAX = 2**32 - 1
"""RFC 2578 3.5."""


class Tag(IntEnum):
    """First octets of elements."""

    INTEGER = 0x02
    OCTETS = 0x04
    NULL = 0x05
    OID = 0x06
    SEQUENCE = 0x30
    IP_ADDRESS = 0x40
    COUNTER32 = 0x41
    GAUGE32 = 0x42
    TIME_TICKS = 0x43
    COUNTER64 = 0x46
    NO_SUCH_OBJECT = 0x80
    NO_SUCH_INSTANCE = 0x81
    END_OF_MIB_VIEW = 0x82
    GET = 0xA0
    GET_NEXT = 0xA1
    RESPONSE = 0xA2
    SET = 0xA3
    GET_BULK = 0xA5
    INFORM = 0xA6
    TRAP = 0xA7
    REPORT = 0xA8


class Element(NamedTuple):
    """A tag and its content, as it stands between tag, length and what follows."""

    tag: int
    content: bytes

    def encode(self) -> bytes:
        """The whole element."""
        return element(self.tag, self.content)


def element(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes, tag: int = Tag.SEQUENCE) -> bytes:
    """Encoded parts under one tag."""
    return element(tag, b"".join(parts))


def integer_content(number: int) -> bytes:
    """Two's complement in as few octets as it takes."""
    bits = (number if number >= 0 else ~number).bit_length()
    return number.to_bytes(bits // 8 + 1, signed=True)


def integer(number: int) -> bytes:
    """An INTEGER."""
    return element(Tag.INTEGER, integer_content(number))


def oid_content(oid: Oid) -> bytes:
    """Sub-identifiers in base 128, the first two in one."""
    encoded = bytearray()
    for number in (40 * oid[0] + oid[1], *oid[2:]):
        octets = [number & 0x7F]
        while number := number >> 7:
            octets.append(0x80 | number & 0x7F)
        encoded += bytes(reversed(octets))
    return bytes(encoded)


def parse_oid(content: bytes) -> Oid:
    """The OID of a content. Raises WireError."""
    numbers: list[int] = []
    number = 0
    for octet in content:
        number = number << 7 | octet & 0x7F
        if number > SUBIDENTIFIER_MAX:
            raise WireError("a sub-identifier is larger than 32 bits")
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    if not content or content[-1] & 0x80 or len(numbers) >= SUBIDENTIFIERS_MAX:
        raise WireError("an OID is empty, cut off or too long")
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - 40 * first, *numbers[1:])


class Reader:
    """Takes elements off octets; `offset` is where the next one begins."""

    __slots__ = ("_end", "octets", "offset")

    def __init__(self, octets: bytes, offset: int = 0, end: int | None = None) -> None:
        self.octets = octets
        self.offset = offset
        self._end = len(octets) if end is None else end

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.offset >= self._end

    def peek(self) -> int:
        """The next tag. Raises TruncatedError."""
        if self.at_end:
            raise TruncatedError(self.offset, 1, 0)
        return self.octets[self.offset]

    def take(self, tag: int) -> bytes:
        """The content of the next element, which must have this tag. Raises WireError."""
        found = self.any()
        if found.tag != tag:
            raise WireError(f"tag {found.tag:#04x} where {tag:#04x} is wanted")
        return found.content

    def any(self) -> Element:
        """The next element, whatever it is. Raises WireError."""
        begin, end = self._bounds()
        tag = self.octets[self.offset]
        self.offset = end
        return Element(tag, self.octets[begin:end])

    def inside(self, tag: int) -> "Reader":
        """A reader of the next element's content; this one goes on behind it. Raises WireError."""
        if self.peek() != tag:
            raise WireError(f"tag {self.peek():#04x} where {tag:#04x} is wanted")
        begin, end = self._bounds()
        self.offset = end
        return Reader(self.octets, begin, end)

    def integer(self) -> int:
        """The next element as INTEGER of at most 8 octets. Raises WireError."""
        content = self.take(Tag.INTEGER)
        if not 1 <= len(content) <= 8:
            raise WireError(f"an INTEGER of {len(content)} octets")
        return int.from_bytes(content, signed=True)

    def _bounds(self) -> tuple[int, int]:
        """Where the content of the next element begins and ends."""
        at = self.offset + 2
        if at > self._end:
            raise TruncatedError(self.offset, 2, self._end - self.offset)
        length = self.octets[at - 1]
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4:
                raise WireError("a length that is indefinite or longer than 32 bits")
            length = int.from_bytes(self.octets[at : at + count])
            at += count
        if at + length > self._end:
            raise TruncatedError(self.offset, at + length - self.offset, self._end - self.offset)
        return at, at + length
