"""Decade 6: dimensions, channel selection and state of the load-profile sets."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import NamedTuple

from headend.c1219.fields import Formats, TableReader
from headend.c1219.profile_blocks import EXTENDED_STATUS
from headend.c1219.tables import (
    ST_PROFILE_CONTROL,
    ST_PROFILE_DIMENSIONS,
    ST_PROFILE_SET_1,
    ST_PROFILE_STATUS,
    TableError,
    TruncatedTableError,
)

SCALAR_DIVISOR_SHIFT = 6
STATUS_OCTETS = 13
"""Octets of one set's state in ST63."""


@dataclass(frozen=True, slots=True)
class SetDimensions:
    """One set of ST61; `number` is 1-4. Units: interval minutes."""

    number: int
    blocks: int
    intervals: int
    channels: int
    interval_minutes: int


@dataclass(frozen=True, slots=True)
class ProfileDimensions:
    """ST61: one entry for each of ST64-67 that ST0 says is used.

    Layout  memory: uint32 | flags: uint16 | formats: uint8 | sets x {blocks, intervals a block: uint16, channels, minutes: uint8}
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST61
    """

    sets: tuple[SetDimensions, ...]
    flags: int = EXTENDED_STATUS
    formats_used: int = 0
    memory_octets: int = 0

    @classmethod
    def decode(cls, octets: bytes, formats: Formats, numbers: Sequence[int]) -> "ProfileDimensions":
        """`numbers` are those of the sets in use."""
        reader = TableReader(ST_PROFILE_DIMENSIONS, octets, formats)
        memory, flags, used = reader.fields("IHB")
        return cls(tuple(SetDimensions(number, *reader.fields("HHBB")) for number in numbers), flags, used, memory)

    def encode(self, formats: Formats) -> bytes:
        octets = formats.pack(ST_PROFILE_DIMENSIONS, "IHB", self.memory_octets, self.flags, self.formats_used)
        return octets + b"".join(
            formats.pack(ST_PROFILE_DIMENSIONS, "HHBB", s.blocks, s.intervals, s.channels, s.interval_minutes) for s in self.sets
        )

    def scaled(self, number: int) -> bool:
        """Whether ST62 has scalars and divisors for this set."""
        return bool(self.flags >> (SCALAR_DIVISOR_SHIFT + number - 1) & 1)


@dataclass(frozen=True, slots=True)
class ChannelSelection:
    """One channel of ST62: what it measures, whether a block keeps its end reading, and how its values scale."""

    source: int
    has_end_reading: bool = False
    end_source: int = 0
    scalar: int = 1
    divisor: int = 1
    flags: int = 0
    """The other bits of the channel's flag octet."""


@dataclass(frozen=True, slots=True)
class SetControl:
    """One set of ST62: its channels and INT_FMT_CDE."""

    channels: tuple[ChannelSelection, ...]
    format_code: int


@dataclass(frozen=True, slots=True)
class ProfileControl:
    """ST62.

    Layout  per set: channels x {flags, source, end-reading source: uint8} | interval format: uint8 |
            [scalars: uint16 a channel, divisors: uint16 a channel]
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST62
    """

    sets: tuple[SetControl, ...]

    @classmethod
    def decode(cls, octets: bytes, formats: Formats, dimensions: ProfileDimensions) -> "ProfileControl":
        reader = TableReader(ST_PROFILE_CONTROL, octets, formats)
        return cls(tuple(_read_control(reader, s.channels, dimensions.scaled(s.number)) for s in dimensions.sets))

    def encode(self, formats: Formats, dimensions: ProfileDimensions) -> bytes:
        octets = b""
        for size, control in zip(dimensions.sets, self.sets, strict=True):
            for c in control.channels:
                octets += formats.pack(ST_PROFILE_CONTROL, "3B", c.flags | c.has_end_reading, c.source, c.end_source)
            octets += bytes((control.format_code,))
            if dimensions.scaled(size.number):
                factors = [c.scalar for c in control.channels] + [c.divisor for c in control.channels]
                octets += formats.pack(ST_PROFILE_CONTROL, f"{len(factors)}H", *factors)
        return octets


def _read_control(reader: TableReader, channels: int, scaled: bool) -> SetControl:
    selections = [reader.fields("3B") for _ in range(channels)]
    format_code = reader.uint8()
    scalars = reader.fields(f"{channels}H") if scaled else (1,) * channels
    divisors = reader.fields(f"{channels}H") if scaled else (1,) * channels
    if 0 in scalars or 0 in divisors:
        raise TableError(ST_PROFILE_CONTROL, f"scalars {scalars} or divisors {divisors} with a zero")
    return SetControl(
        tuple(
            ChannelSelection(source, bool(flags & 1), end_source, scalar, divisor, flags & 0xFE)
            for (flags, source, end_source), scalar, divisor in zip(selections, scalars, divisors, strict=True)
        ),
        format_code,
    )


_STATUS = {True: Struct("<BHHIHH"), False: Struct(">BHHIHH")}
"""One set of ST63, in either data order."""


class SetStatus(NamedTuple):
    """One set of ST63.

    `last_element` is the newest block's place in the table and `last_seq` its sequence number; `valid_intervals` are those of the newest
    block. `extra_flags` keeps the overflow, circular, inhibit, active and test bits as they stand.
    """

    valid_blocks: int = 0
    last_element: int = 0
    last_seq: int = 0
    unread: int = 0
    valid_intervals: int = 0
    blocks_descending: bool = False
    intervals_descending: bool = False
    extra_flags: int = 0b100100

    @classmethod
    def of(cls, flags: int, valid: int, element: int, seq: int, unread: int, intervals: int) -> "SetStatus":
        """From the fields as they stand in the table."""
        return cls(valid, element, seq, unread, intervals, bool(flags & 1), bool(flags & 16), flags & ~17)

    @property
    def flags(self) -> int:
        return self.extra_flags | self.blocks_descending | self.intervals_descending << 4

    @property
    def overflow(self) -> bool:
        return bool(self.extra_flags & 2)

    @property
    def first_seq(self) -> int:
        """Sequence number of the oldest block held; above `last_seq` when none is."""
        return self.last_seq - self.valid_blocks + 1

    def holds(self, seq: int) -> bool:
        return self.first_seq <= seq <= self.last_seq

    def element_of(self, seq: int, blocks: int) -> int:
        """Where block `seq` stands in a table of `blocks`; ask only for what it `holds`."""
        back = self.last_seq - seq
        return (self.last_element + back if self.blocks_descending else self.last_element - back) % blocks

    def seq_at(self, element: int, blocks: int) -> int:
        """Sequence number of the block at `element`."""
        back = element - self.last_element if self.blocks_descending else self.last_element - element
        return self.last_seq - back % blocks


@dataclass(frozen=True, slots=True)
class ProfileStatus:
    """ST63: the state of every set in use, in order of their numbers.

    Layout  per set: flags: uint8 | valid blocks, last element: uint16 | last sequence: uint32 | unread, valid intervals: uint16
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST63
    """

    sets: tuple[SetStatus, ...] = field(default=())

    @classmethod
    def decode(cls, octets: bytes, formats: Formats, sets: int) -> "ProfileStatus":
        """`sets` is how many are in use."""
        layout = _STATUS[formats.little]
        size = layout.size * sets
        if len(octets) < size:
            start = len(octets) // layout.size * layout.size
            raise TruncatedTableError(ST_PROFILE_STATUS, start, layout.size, len(octets) - start)
        return cls(tuple([SetStatus.of(*fields) for fields in layout.iter_unpack(octets[:size])]))

    def encode(self, formats: Formats) -> bytes:
        return b"".join(
            formats.pack(
                ST_PROFILE_STATUS, "BHHIHH", s.flags, s.valid_blocks, s.last_element, s.last_seq, s.unread, s.valid_intervals
            )
            for s in self.sets
        )


def set_table(number: int) -> int:
    """ST64 for set 1 … ST67 for set 4."""
    return ST_PROFILE_SET_1 + number - 1
