"""Interval values and flags of a day as compact octets: a form for storing, exact both ways.

Layout  uint8: version 1
        uint8: form: bits 0-2 octets per offset (0, 1, 2, 4 or 8 as 0..4) | bits 4-5 presence (0 all, 1 one run, 2 bitmap) |
               bit 6 flags follow
        int8: exponent | uint16: number of intervals
        presence: run = uint16 first, uint16 number; bitmap = one bit per interval, lowest first
        int64: smallest value, where any is present
        offsets of the values present from the smallest
        flags, to the end: runs of uint16 number, uint16 flags, covering every interval
        Integers little-endian.
Raises  PackingError
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from adapters.store.limits import INTERVALS_PER_DAY_MAX
from headend.errors import StoreError

_VERSION = 1
_HEAD = struct.Struct("<BBbH")
_RUN = struct.Struct("<HH")
_SMALLEST = struct.Struct("<q")
_WIDTHS = (0, 1, 2, 4, 8)
_CODES = "xBHIQ"
_ALL, _ONE_RUN, _BITMAP = range(3)
_FLAGS_FOLLOW = 0x40

Values = Sequence[int | None]
Unpacked = tuple[Values, Sequence[int], int]
"""Values, flags, exponent."""


class PackingError(StoreError):
    """Values that cannot be packed, or octets that no packing made."""


def pack(values: Values, flags: Sequence[int], exponent: int) -> bytes:
    """Octets of one block. Raises PackingError for values or flags outside 64 and 16 bits."""
    count = len(values)
    if count != len(flags) or not 0 < count <= INTERVALS_PER_DAY_MAX:
        raise PackingError(f"{count} values with {len(flags)} flags; 1 to {INTERVALS_PER_DAY_MAX} of each are wanted")
    present, presence, presence_octets = _presence(values)
    try:
        width, body = _offsets(present) if present else (0, b"")
        flag_octets = b"".join([_RUN.pack(sum(1 for _ in run), flag) for flag, run in groupby(flags)]) if any(flags) else b""
        head = _HEAD.pack(_VERSION, width | presence << 4 | (_FLAGS_FOLLOW if flag_octets else 0), exponent, count)
    except (struct.error, OverflowError):
        raise PackingError("a value beyond 64 bits, a flag beyond 16, or an exponent beyond 8") from None
    return head + presence_octets + body + flag_octets


def unpack(octets: bytes) -> Unpacked:
    """What `pack` was given. Raises PackingError."""
    try:
        return _unpack(octets)
    except (struct.error, IndexError, OverflowError):
        raise PackingError(f"{len(octets)} octets that are no packed block") from None


def intervals_of(octets: bytes) -> int:
    """How many intervals a packed block's day has."""
    try:
        _, _, _, count = _HEAD.unpack_from(octets)
    except struct.error:
        raise PackingError(f"{len(octets)} octets that are no packed block") from None
    if not 0 < count <= INTERVALS_PER_DAY_MAX:
        raise PackingError(f"a packed block of {count} intervals")
    return int(count)


def intervals_known(octets: bytes) -> int:
    """How many values a block holds, without unpacking them."""
    _, form, _, count = _HEAD.unpack_from(octets)
    match form >> 4 & 3:
        case 0:
            return int(count)
        case 1:
            return int(_RUN.unpack_from(octets, _HEAD.size)[1])
        case _:
            return octets[_HEAD.size : _HEAD.size + (count + 7) // 8].hex().translate(_NIBBLE_BITS).count("1")


_NIBBLE_BITS = {ord(f"{nibble:x}"): "1" * nibble.bit_count() for nibble in range(16)}


def _presence(values: Values) -> tuple[Sequence[int], int, bytes]:
    """The values there are, and which they are. Most days with gaps lack their beginning or their end only."""
    missing, count = values.count(None), len(values)
    if not missing:
        return values, _ALL, b""  # type: ignore[return-value]
    first = missing if values[:missing].count(None) == missing else 0
    if values[first : first + count - missing].count(None) == 0:
        return values[first : first + count - missing], _ONE_RUN, _RUN.pack(first, count - missing)  # type: ignore[return-value]
    bits = sum([1 << i for i, value in enumerate(values) if value is not None])
    return [value for value in values if value is not None], _BITMAP, bits.to_bytes((count + 7) // 8, "little")


def _offsets(values: Sequence[int]) -> tuple[int, bytes]:
    smallest = min(values)
    smallest_octets = _SMALLEST.pack(smallest)
    if values.count(smallest) == len(values):
        return 0, smallest_octets
    offsets = [value - smallest for value in values]
    try:
        return 1, smallest_octets + bytes(offsets)
    except ValueError:
        largest_octets = (max(offsets).bit_length() + 7) // 8
    code = 2 if largest_octets == 2 else 3 if largest_octets <= 4 else 4
    return code, smallest_octets + _array(code, len(values)).pack(*offsets)


@lru_cache(maxsize=256)
def _array(code: int, count: int) -> struct.Struct:
    return struct.Struct(f"<{count}{_CODES[code]}")


def _unpack(octets: bytes) -> Unpacked:
    version, form, exponent, count = _HEAD.unpack_from(octets)
    code, presence = form & 7, form >> 4 & 3
    if version != _VERSION or code >= len(_WIDTHS) or presence > _BITMAP or form & 0x88 or not 0 < count <= INTERVALS_PER_DAY_MAX:
        raise PackingError(f"a packed block that begins with {octets[:5].hex()} is not known")
    places, offset = _places(octets, presence, count)
    present, offset = _present(octets, offset, code, count if places is None else len(places))
    values: list[int | None] = present  # type: ignore[assignment]
    if places is not None:
        values = [None] * count
        if isinstance(places, range):
            values[places.start : places.stop] = present
        else:
            for place, value in zip(places, present, strict=True):
                values[place] = value
    return values, _flags(octets, offset, count, follow=bool(form & _FLAGS_FOLLOW)), exponent


def _places(octets: bytes, presence: int, count: int) -> tuple[Sequence[int] | None, int]:
    if presence == _ALL:
        return None, _HEAD.size
    if presence == _ONE_RUN:
        first, number = _RUN.unpack_from(octets, _HEAD.size)
        if first + number > count:
            raise PackingError(f"a run of {number} intervals from {first} in a day of {count}")
        return range(first, first + number), _HEAD.size + _RUN.size
    end = _HEAD.size + (count + 7) // 8
    bits = int.from_bytes(octets[_HEAD.size : end], "little")
    if bits >> count or end > len(octets):
        raise PackingError(f"a bitmap that does not fit a day of {count} intervals")
    return [i for i in range(count) if bits >> i & 1], end


def _present(octets: bytes, offset: int, code: int, number: int) -> tuple[list[int], int]:
    if number == 0:
        return [], offset
    (smallest,) = _SMALLEST.unpack_from(octets, offset)
    offset += _SMALLEST.size
    width = _WIDTHS[code]
    body = octets[offset : offset + width * number]
    if len(body) != width * number:
        raise PackingError(f"{len(body)} octets of offsets where {width * number} are wanted")
    if code == 0:
        return [smallest] * number, offset
    if code == 1:
        return [smallest + octet for octet in body], offset + number
    return [smallest + value for value in _array(code, number).unpack(body)], offset + len(body)


def _flags(octets: bytes, offset: int, count: int, *, follow: bool) -> list[int]:
    if not follow:
        if offset != len(octets):
            raise PackingError(f"{len(octets) - offset} octets after the end of a packed block")
        return [0] * count
    flags: list[int] = []
    for number, flag in _RUN.iter_unpack(octets[offset:]):
        if number > count - len(flags):
            raise PackingError(f"flags for more than {count} intervals")
        flags += [flag] * number
    if len(flags) != count:
        raise PackingError(f"flags for {len(flags)} of {count} intervals")
    return flags
