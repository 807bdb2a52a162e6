"""BER as C12.22 uses it: definite, minimal lengths of at most two octets, unsigned integers.

Layout  length < 80 one octet; 81 xx; 82 xx xx
Source  reference/field-protocol-c1222.md 1.1
"""

from headend.c1222.errors import BoundError, ElementError, LengthError
from headend.c1222.limits import APDU_OCTETS_MAX
from headend.errors import TruncatedError

_SHORT = tuple(bytes((length,)) for length in range(0x80)) + tuple(bytes((0x81, length)) for length in range(0x80, 0x100))


def length_octets(length: int) -> bytes:
    """The length field for `length` octets of content. Raises BoundError past two octets."""
    if length < 0x100:
        return _SHORT[length]
    if length > 0xFFFF:
        raise BoundError("octets of content", length, 0xFFFF)
    return b"\x82" + length.to_bytes(2)


def read_length(octets: bytes | bytearray, offset: int, end: int) -> tuple[int, int]:
    """The length field at `offset`: (content length, content offset). Raises LengthError, TruncatedError.

    The content may reach past `end`: whoever reads it looks.
    """
    if offset >= end:
        raise TruncatedError(offset, 1, 0)
    first = octets[offset]
    if first < 0x80:
        return first, offset + 1
    size = first & 0x7F
    if size == 0 or size > 2:
        raise LengthError(offset, "indefinite" if size == 0 else f"{size} octets long")
    start = offset + 1 + size
    if start > end:
        raise TruncatedError(offset, 1 + size, end - offset)
    length = octets[start - 1] if size == 1 else octets[start - 2] << 8 | octets[start - 1]
    if length < (0x80 if size == 1 else 0x100):
        raise LengthError(offset, f"{length} in {size + 1} octets is not minimal")
    return length, start


def content_bounds(octets: bytes, offset: int, end: int) -> tuple[int, int]:
    """Where the content of the element at `offset` (one tag octet, then its length) begins and ends. Raises as `read_length`."""
    length, start = read_length(octets, offset + 1, end)
    if start + length > end:
        raise TruncatedError(start, length, end - start)
    return start, start + length


def element(tag: int, content: bytes) -> bytes:
    """Tag, length, content."""
    return bytes((tag,)) + length_octets(len(content)) + content


def unsigned_element(tag: int, value: int) -> bytes:
    """`tag` around an INTEGER, with a zero octet before a set sign bit as strict BER wants it."""
    if value < 0x80:
        return bytes((tag, 3, 2, 1, value))
    if value < 0x8000:
        return bytes((tag, 4, 2, 2, value >> 8, value & 0xFF))
    size = value.bit_length() // 8 + 1
    return bytes((tag, size + 2, 2, size)) + value.to_bytes(size)


def read_unsigned(octets: bytes, offset: int, start: int, end: int, limit: int = APDU_OCTETS_MAX) -> int:
    """The INTEGER that fills octets[start:end], read as unsigned whether or not its sign octet is there.

    `offset` is that of the enclosing element, for the error. Raises ElementError, BoundError.
    """
    tag = octets[offset]
    size = end - start - 2
    if size < 1 or octets[start] != 2 or octets[start + 1] != size:
        raise ElementError(offset, tag, "content is not one INTEGER")
    if size > 1 and octets[start + 2] == 0 and octets[start + 3] < 0x80:
        raise ElementError(offset, tag, "INTEGER is not minimal")
    if size > 5:
        raise ElementError(offset, tag, f"INTEGER of {size} octets")
    value = int.from_bytes(octets[start + 2 : end])
    if value > limit:
        raise BoundError(f"as INTEGER of element {tag:02X}", value, limit)
    return value
