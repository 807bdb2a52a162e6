"""Interval status: C12.19's extended and simple status octets ⇄ IntervalFlag bits, whole columns at a time.

An extended status is channels // 2 + 1 octets: high nibble of the first the bits common to all channels, its low nibble channel 1's
code; then two channels an octet, the even one high. A simple status is one bit an interval, set where the interval is valid.
A code that the standard does not define reads as PARTIAL: the value is there, and doubtful.
Source  reference/field-protocol-c1222.md 3, load-profile block; the sense of the simple bit from memory of the standard
"""

from collections.abc import Sequence
from functools import lru_cache

from headend.model.readings import IntervalFlag

CODES = (
    IntervalFlag(0),
    IntervalFlag.OVERFLOW,
    IntervalFlag.PARTIAL,
    IntervalFlag.LONG,
    IntervalFlag.SKIPPED,
    IntervalFlag.TEST_MODE,
    IntervalFlag.CONFIG_CHANGED,
    IntervalFlag.STOPPED,
)
COMMON = (IntervalFlag.DST, IntervalFlag.POWER_FAIL, IntervalFlag.CLOCK_FORWARD, IntervalFlag.CLOCK_BACK)
CODE_PRECEDENCE = (4, 7, 6, 5, 1, 2, 3)
"""Codes by how much they say of the value: one nibble holds one code, so a skipped interval is not also called partial."""

MISSING = int(IntervalFlag.MISSING)
_CODE_OF_NIBBLE = tuple(int(CODES[n]) if n < len(CODES) else int(IntervalFlag.PARTIAL) for n in range(16))
_COMMON_OF_NIBBLE = tuple(sum(int(flag) for bit, flag in enumerate(COMMON) if n >> bit & 1) for n in range(16))
COMMON_FLAGS = tuple(_COMMON_OF_NIBBLE[octet >> 4] for octet in range(256))
LOW_FLAGS = tuple(_CODE_OF_NIBBLE[octet & 15] for octet in range(256))
HIGH_FLAGS = tuple(_CODE_OF_NIBBLE[octet >> 4] for octet in range(256))
FIRST_FLAGS = tuple(common | code for common, code in zip(COMMON_FLAGS, LOW_FLAGS, strict=True))


def status_octets(channels: int) -> int:
    """Octets of one extended status."""
    return channels // 2 + 1


def uniform(column: Sequence[int]) -> bool:
    """Whether all entries are the same; the usual case: nothing to say, or daylight saving all day."""
    return column.count(column[0]) == len(column)


def decode_column(common: bytes, codes: bytes, channel: int) -> tuple[int, ...]:
    """Flags of channel number `channel` (0-based): `common` is the column of first octets, `codes` that of the octet with its code."""
    table = HIGH_FLAGS if channel % 2 else LOW_FLAGS
    if uniform(common) and uniform(codes):
        return (COMMON_FLAGS[common[0]] | table[codes[0]],) * len(common)
    if channel == 0:
        return tuple([FIRST_FLAGS[octet] for octet in common])
    return tuple([COMMON_FLAGS[first] | table[octet] for first, octet in zip(common, codes, strict=True)])


def encode_columns(flags: Sequence[Sequence[int]], intervals: int) -> list[bytes]:
    """The columns of an extended status, first octets first; an empty flag list is one without flags."""
    columns = [bytearray(intervals) for _ in range(status_octets(len(flags)))]
    first = columns[0]
    for channel, column in enumerate(flags):
        target, shift = columns[(channel + 1) // 2], 4 * (channel % 2)
        for i, flag in enumerate(column):
            if flag:
                common, code = _nibbles(flag)
                first[i] |= common
                target[i] |= code << shift
    return [bytes(column) for column in columns]


@lru_cache(1024)
def _nibbles(flag: int) -> tuple[int, int]:
    """The common bits of a flag, already in the high nibble, and its code."""
    common = sum(16 << bit for bit, known in enumerate(COMMON) if flag & known)
    return common, next((code for code in CODE_PRECEDENCE if flag & CODES[code]), 0)


def decode_simple(octets: bytes, intervals: int) -> tuple[int, ...]:
    """Flags of all channels: MISSING where the bit is clear."""
    whole = int.from_bytes(octets, "little")
    if whole + 1 >> intervals and whole & ((1 << intervals) - 1) == (1 << intervals) - 1:
        return (0,) * intervals
    return tuple([0 if whole >> i & 1 else MISSING for i in range(intervals)])


def encode_simple(flags: Sequence[Sequence[int]], intervals: int, valid: int) -> bytes:
    """One bit for each interval that no channel calls missing."""
    whole = (1 << valid) - 1
    for column in flags:
        for i, flag in enumerate(column):
            if flag & MISSING:
                whole &= ~(1 << i)
    return whole.to_bytes((intervals + 7) // 8, "little")
