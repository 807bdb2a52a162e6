"""A segment: consecutive intervals, of one or several channels, as compact octets; exact both ways.

It is kept with a UTC day, from whose beginning its intervals are counted; it may reach into the next day, or lie in it.

Layout  uint16: intervals of a day | uint16: first of them | uint16: how many | uint8: channels |
        uint8: flags (0 none, 1 one list for all channels, 2 one list for each)
        for each channel: uint16 channel | int8 exponent | uint8 form: low half octets of an offset (0, 1, 2, 4 or 8), high half octets
        of the smallest value (2, 4 or 8; 0 where no value is known, flags alone)
        for each channel: smallest value, signed | for each channel: offsets of its values from the smallest
        where there are flags: uint16 octets that follow | lists, each of runs of uint16 number, uint16 flags, covering every interval
        Integers little-endian.
Raises  PackingError
"""

import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from adapters.store.limits import INTERVALS_PER_DAY_MAX
from headend.errors import StoreError

HEAD = struct.Struct("<3H2B")
CHANNEL = struct.Struct("<HbB")
FLAGS_SIZE = struct.Struct("<H")
RUN = struct.Struct("<HH")
NO_FLAGS, FLAGS_FOR_ALL, FLAGS_FOR_EACH = range(3)
SIGNED = {2: "h", 4: "i", 8: "q"}
OFFSETS = {1: "B", 2: "H", 4: "I", 8: "Q"}
_FORMS = frozenset(smallest << 4 | offset for smallest in SIGNED for offset in (0, *OFFSETS)) | {0}


CHANNELS_AT, CHANNELS_MAX = 6, 255
"""Octet of a head that counts the channels, and how many it can count."""


HEADS_MAX = 4_096
"""Heads remembered: those of like endpoints collected at one time are the same."""


class PackingError(StoreError):
    """Values that cannot be packed, or octets that no packing made."""


class Head(NamedTuple):
    """What a segment is of: intervals `first` … `end` - 1, of `per_day` a day; channels with their exponents and forms.

    `size` is octets up to the flags, or to the end where there are none.
    """

    per_day: int
    first: int
    end: int
    channels: tuple[tuple[int, int, int], ...]
    flags_form: int
    size: int
    known: int
    """Values in it."""

    @property
    def days(self) -> range:
        """The days it is of: 0 is the one it is kept with, 1 the next."""
        return range(self.first // self.per_day, (self.end - 1) // self.per_day + 1)

    def overlaps(self, other: "Head", later: int = 0) -> bool:
        """Whether both have the same intervals of the same channel, known or not; `other` is kept with a day that is so much later."""
        shift = later * other.per_day
        return (
            self.first < other.end + shift
            and other.first + shift < self.end
            and self.per_day == other.per_day
            and not {channel[0] for channel in self.channels}.isdisjoint(channel[0] for channel in other.channels)
        )


class Segment(NamedTuple):
    """A segment and what it is of."""

    head: Head
    octets: bytes


class Column(NamedTuple):
    """One channel of a segment: `values` × 10^`exponent`, None where none is known; its flags run parallel."""

    channel: int
    exponent: int
    values: Sequence[int] | None
    flags: Sequence[int]


def pack_segment(per_day: int, first: int, columns: Sequence[Column]) -> Segment:
    """A segment of columns that are equally long. Raises PackingError for what does not fit."""
    count = len(columns[0].flags)
    forms, smallest, offsets = [], b"", b""
    try:
        for column in columns:
            form, least, rest = _packed(column.values)
            forms.append(form)
            smallest += least
            offsets += rest
        flags_form, flags = packed_flags([column.flags for column in columns])
        channels = [(column.channel, column.exponent, form) for column, form in zip(columns, forms, strict=True)]
        head = head_octets(per_day, first, count, channels, flags_form)
    except (struct.error, OverflowError):
        raise PackingError("a value beyond 64 bits, a flag or channel beyond 16, or an exponent beyond 8") from None
    return Segment(head_of(head), head + smallest + offsets + flags)


def head_octets(per_day: int, first: int, count: int, channels: Sequence[tuple[int, int, int]], flags_form: int) -> bytes:
    """The octets before the values; channels with exponents and forms. Raises struct.error."""
    return HEAD.pack(per_day, first, count, len(channels), flags_form) + b"".join([CHANNEL.pack(*channel) for channel in channels])


def packed_flags(lists: Sequence[Sequence[int]]) -> tuple[int, bytes]:
    """How the flags of all channels stand in a segment, and their octets with their size. Raises struct.error."""
    if not any(map(any, lists)):
        return NO_FLAGS, b""
    first = list(lists[0])
    alike = all(list(flags) == first for flags in lists[1:])
    octets = b"".join([RUN.pack(sum(1 for _ in run), flag) for flags in (lists[:1] if alike else lists) for flag, run in groupby(flags)])
    return FLAGS_FOR_ALL if alike else FLAGS_FOR_EACH, FLAGS_SIZE.pack(len(octets)) + octets


def heads(octets: bytes, offset: int) -> Iterator[tuple[int, Head]]:
    """Where each segment begins, and what it is of, from `offset` to the end. Raises PackingError."""
    while offset < len(octets):
        if offset + HEAD.size > len(octets):
            raise PackingError(f"a segment at octet {offset} ends within its head")
        head = head_of(octets[offset : offset + HEAD.size + octets[offset + CHANNELS_AT] * CHANNEL.size])
        end = offset + head.size
        if head.flags_form:
            if end + FLAGS_SIZE.size > len(octets):
                raise PackingError(f"a segment at octet {offset} ends before its flags")
            end += FLAGS_SIZE.size + FLAGS_SIZE.unpack_from(octets, end)[0]
        if end > len(octets):
            raise PackingError(f"a segment at octet {offset} ends at {end}, of {len(octets)}")
        yield offset, head
        offset = end


@lru_cache(maxsize=HEADS_MAX)
def head_of(octets: bytes) -> Head:
    """What a segment that begins with these octets is of. Raises PackingError."""
    per_day, first, count, number, flags_form = HEAD.unpack_from(octets)
    channels = tuple(CHANNEL.iter_unpack(octets[HEAD.size :])) if len(octets) == HEAD.size + number * CHANNEL.size else ()
    if (
        not channels
        or not 0 < per_day <= INTERVALS_PER_DAY_MAX
        or not 0 < count <= per_day
        or first + count > 2 * per_day
        or flags_form > FLAGS_FOR_EACH
        or not all(form in _FORMS for _, _, form in channels)
    ):
        raise PackingError(f"a segment that begins with {octets[:12].hex()} is not known")
    size = len(octets) + sum((form >> 4) + (form & 15) * count for _, _, form in channels)
    known = count * sum(form > 0 for _, _, form in channels)
    return Head(per_day, first, first + count, channels, flags_form, size, known)


def unpack_segment(octets: bytes, offset: int, head: Head) -> Iterator[Column]:
    """The columns of the segment that begins at `offset` and lies within `octets`. Raises PackingError."""
    count = head.end - head.first
    lists = _flags(octets, offset + head.size, count, head)
    at = offset + HEAD.size + CHANNEL.size * len(head.channels)
    body = at + sum(form >> 4 for _, _, form in head.channels)
    for (channel, exponent, form), flags in zip(head.channels, lists, strict=True):
        if not form:
            yield Column(channel, exponent, None, flags)
            continue
        (smallest,) = _struct(SIGNED[form >> 4], 1).unpack_from(octets, at)
        width = form & 15
        if not width:
            values = [smallest] * count
        elif width == 1:
            values = [smallest + octet for octet in octets[body : body + count]]
        else:
            values = [smallest + item for item in _struct(OFFSETS[width], count).unpack_from(octets, body)]
        at += form >> 4
        body += width * count
        yield Column(channel, exponent, values, flags)


def _packed(values: Sequence[int] | None) -> tuple[int, bytes, bytes]:
    """Form, smallest value and offsets. Raises struct.error, OverflowError."""
    if values is None:
        return 0, b"", b""
    smallest, largest = min(values), max(values)
    size = 2 if -0x8000 <= smallest < 0x8000 else 4 if -0x8000_0000 <= smallest < 0x8000_0000 else 8
    least = smallest.to_bytes(size, "little", signed=True)
    spread = largest - smallest
    if not spread:
        return size << 4, least, b""
    width = 1 if spread < 0x100 else 2 if spread < 0x1_0000 else 4 if spread < 0x1_0000_0000 else 8
    if largest >= 1 << 63:
        raise OverflowError
    return size << 4 | width, least, _struct(OFFSETS[width], len(values)).pack(*[value - smallest for value in values])


def _flags(octets: bytes, offset: int, count: int, head: Head) -> list[list[int]]:
    """The flags of every channel."""
    channels = len(head.channels)
    if not head.flags_form:
        return [[0] * count] * channels
    start = offset + FLAGS_SIZE.size
    runs = octets[start : start + FLAGS_SIZE.unpack_from(octets, offset)[0]]
    wanted = count * (channels if head.flags_form == FLAGS_FOR_EACH else 1)
    flags: list[int] = []
    if len(runs) % RUN.size == 0:
        for number, flag in RUN.iter_unpack(runs):
            if number > wanted - len(flags):
                break
            flags += [flag] * number
    if len(flags) != wanted or len(runs) % RUN.size:
        raise PackingError(f"{len(runs)} octets of flags for {wanted} intervals")
    if head.flags_form == FLAGS_FOR_ALL:
        return [flags] * channels
    return [flags[start : start + count] for start in range(0, wanted, count)]


@lru_cache(maxsize=1_024)
def _struct(code: str, count: int) -> struct.Struct:
    return struct.Struct(f"<{count}{code}")
