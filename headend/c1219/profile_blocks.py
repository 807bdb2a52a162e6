"""A load-profile block: the octets of one element of ST64-67 ⇄ columns of raw integers with their flags.

A decoded block is always in time order and holds valid intervals only, however the meter orders and fills its own. Its `end` is the
end of its last slot; slot k of n ends at end - (n - 1 - k) × interval length, in elapsed time. A block that was cut short (the clock
was set, the interval length was changed) keeps this arithmetic: `end` is where its last slot would have ended had it gone on, and the
slots that were never filled are SKIPPED. `cut_short` tells how many these are at the end of a block.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from struct import error

from headend.c1219.fields import Formats, compiled
from headend.c1219.interval_status import (
    MISSING,
    decode_column,
    decode_simple,
    encode_columns,
    encode_simple,
    status_octets,
)
from headend.c1219.numbers import INTERVAL_CODES, Number, NumberFormat, NumberRangeError, integer_format
from headend.c1219.tables import TableError, TruncatedTableError
from headend.c1219.times import TimeFieldError
from headend.model.readings import IntervalFlag

NI1_INTERVALS, NI2_INTERVALS = 64, 128
BLOCK_OCTETS_MAX = 65_535
"""Octets of one block: what a single table-data can count."""

LAYOUTS_MAX = 256
"""Block layouts kept compiled; a utility has a few for each meter model."""

SKIPPED = int(IntervalFlag.SKIPPED)
POWER_FAIL = int(IntervalFlag.POWER_FAIL)
DST = int(IntervalFlag.DST)


END_READINGS, END_PULSES, EXTENDED_STATUS, SIMPLE_STATUS = 1 << 4, 1 << 5, 1 << 10, 1 << 11
"""LP_FLAGS bits (ST61) that shape a block."""

SHAPE_FLAGS = END_READINGS | END_PULSES | EXTENDED_STATUS | SIMPLE_STATUS


@dataclass(frozen=True, slots=True)
class BlockShape:
    """What ST61 and ST62 say of the blocks of one set: `flags` is LP_FLAGS, `format_code` INT_FMT_CDE."""

    intervals: int
    channels: int
    format_code: int
    flags: int


@dataclass(frozen=True, slots=True)
class ProfileBlock:
    """The valid intervals of one block, oldest first.

    `end` is the end of the last one, in device seconds; `dst` what its status says of daylight saving, None where the meter has no such
    status. `values` has one column of raw integers a channel, `flags` one parallel column of IntervalFlag bits.
    `end_readings` and `end_pulses` belong to `end`, one a channel; empty where the meter keeps none.
    """

    end: int
    values: tuple[Sequence[int], ...]
    flags: tuple[Sequence[int], ...]
    dst: bool | None = None
    end_readings: tuple[Number | None, ...] = ()
    end_pulses: tuple[int, ...] = ()

    @property
    def intervals(self) -> int:
        return len(self.values[0])

    @property
    def cut_short(self) -> int:
        """Slots at the end that no time belongs to: skipped in every channel, and not for want of power."""
        slots = 0
        for marks in zip(*map(reversed, self.flags), strict=True):
            if not all(mark & SKIPPED and not mark & POWER_FAIL for mark in marks):
                break
            slots += 1
        return slots

    def without_tail(self, slots: int, interval_seconds: int) -> "ProfileBlock":
        """This block without its last `slots`; end readings stay those of the block."""
        if not slots:
            return self
        return ProfileBlock(
            self.end - slots * interval_seconds,
            tuple(column[:-slots] for column in self.values),
            tuple(column[:-slots] for column in self.flags),
            self.dst,
            self.end_readings,
            self.end_pulses,
        )


class BlockLayout:
    """Where everything stands in one block, compiled once and shared by all meters alike.

    Layout  end: STIME | channels x {[end reading: NI1] [end pulses: UINT32]} | [simple status: a bit an interval] |
            intervals x {[extended status] values: one a channel}
    Raises  TableError, TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, load-profile block; vector tables_minimal_meter
    """

    __slots__ = (
        "_ends",
        "_rows",
        "channels",
        "end_pulses",
        "end_readings",
        "extended",
        "formats",
        "header_size",
        "intervals",
        "number",
        "row_size",
        "simple",
        "size",
        "status_size",
        "table",
    )

    def __init__(self, table: int, formats: Formats, shape: BlockShape) -> None:
        intervals, channels, flags = shape.intervals, shape.channels, shape.flags
        number = _interval_number(table, formats, shape.format_code)
        self.table = table
        self.formats = formats
        self.intervals = intervals
        self.channels = channels
        self.number = number
        self.end_readings = bool(flags & END_READINGS)
        self.end_pulses = bool(flags & END_PULSES)
        self.extended = bool(flags & EXTENDED_STATUS)
        self.simple = (intervals + 7) // 8 if flags & SIMPLE_STATUS else 0
        self.status_size = status_octets(channels) if self.extended else 0
        self.row_size = self.status_size + channels * number.size
        ends = (formats.ni1.code if self.end_readings else "") + ("I" if self.end_pulses else "")
        self._ends = formats.struct(ends * channels)
        self.header_size = formats.time.stime_size + self._ends.size + self.simple
        self.size = self.header_size + intervals * self.row_size
        if self.size > BLOCK_OCTETS_MAX:
            raise TableError(table, f"blocks of {self.size} octets are longer than {BLOCK_OCTETS_MAX}")
        code = number.code
        if not self.extended:
            rows = f"{channels * intervals}{code}" if len(code) == 1 else code * (channels * intervals)
        else:
            rows = (f"{self.status_size}x" + (f"{channels}{code}" if len(code) == 1 else code * channels)) * intervals
        self._rows = compiled(("<" if formats.little else ">") + rows)

    def row_ranges(self, element: int, first: int, valid: int, descending: bool = False) -> Sequence[range]:
        """Octets of one block that hold its header and, in time order, slots `first` … `valid` - 1: what a block grown since has news in.

        Joined they decode with `valid - first` valid intervals. A simple status counts from the first row, so such a block comes whole.
        """
        start = element * self.size
        rows = start + self.header_size
        if self.simple or first == 0:
            return (range(start, rows + valid * self.row_size),)
        if descending:
            return (range(start, rows + (valid - first) * self.row_size),)
        return (range(start, rows), range(rows + first * self.row_size, rows + valid * self.row_size))

    def decode(self, octets: bytes, valid: int | None = None, descending: bool = False) -> ProfileBlock:
        """A block, or its header and the first `valid` rows of it; `descending` is ST63's interval order.

        An ascending block may also come as its header and any later run of rows that ends with the newest: the run is then what is
        decoded, and `valid` its length. (Not where it has a simple status, which counts from the first row.)
        """
        count = self.intervals if valid is None else valid
        if not 0 <= count <= self.intervals:
            raise TableError(self.table, f"{count} valid intervals in a block of {self.intervals}")
        wanted = self.header_size + count * self.row_size
        if len(octets) < wanted:
            raise TruncatedTableError(self.table, 0, wanted, len(octets))
        if len(octets) != self.size:
            octets = self._whole(octets)
        end = self._end(octets)
        values = self._columns(octets, count)
        flags, dst = self._flags(octets, count, descending)
        if self.number.read is not None:
            values, flags = self._integers(values, flags)
        if descending:
            values, flags = tuple(c[::-1] for c in values), tuple(c[::-1] for c in flags)
        if end is None:
            if count:
                raise TableError(self.table, f"a block of {count} intervals has no end time")
            end = 0
        readings, pulses = self._read_ends(octets)
        return ProfileBlock(end, values, flags, dst, readings, pulses)

    def _whole(self, octets: bytes) -> bytes:
        if len(octets) > self.size:
            raise TableError(self.table, f"{len(octets)} octets for a block of {self.size}")
        return octets + bytes(self.size - len(octets))

    def _end(self, octets: bytes) -> int | None:
        try:
            return self.formats.time.read_stime(octets)
        except TimeFieldError as problem:
            raise TableError(self.table, f"block end: {problem}") from None

    def _columns(self, octets: bytes, count: int) -> tuple[Sequence[int], ...]:
        flat = self._rows.unpack_from(octets, self.header_size)
        channels = self.channels
        stop = count * channels
        return tuple([flat[channel:stop:channels] for channel in range(channels)])

    def _flags(self, octets: bytes, count: int, descending: bool) -> tuple[tuple[Sequence[int], ...], bool | None]:
        flags: tuple[Sequence[int], ...] = ((0,) * count,) * self.channels
        dst = None
        if self.extended and count:
            first, size, stop = self.header_size, self.row_size, self.header_size + count * self.row_size
            columns = [octets[first + j : stop : size] for j in range(self.status_size)]
            if b"".join(columns).strip(b"\0"):
                flags = tuple([decode_column(columns[0], columns[(c + 1) // 2], c) for c in range(self.channels)])
            dst = bool(flags[0][0 if descending else -1] & DST)
        if self.simple and count:
            missing = decode_simple(octets[self.header_size - self.simple : self.header_size], count)
            if any(missing):
                flags = tuple([tuple([a | b for a, b in zip(column, missing, strict=True)]) for column in flags])
        return flags, dst

    def _integers(
        self, columns: tuple[Sequence[int], ...], flags: tuple[Sequence[int], ...]
    ) -> tuple[tuple[Sequence[int], ...], tuple[Sequence[int], ...]]:
        """Converted columns; what is no number is 0 and MISSING."""
        read = self.number.read
        assert read is not None
        integers = [tuple(map(read, column)) for column in columns]
        marks = list(flags)
        for channel, column in enumerate(integers):
            if None in column:
                marks[channel] = tuple([f if v is not None else f | MISSING for v, f in zip(column, marks[channel], strict=True)])
        return tuple([tuple([v or 0 for v in column]) for column in integers]), tuple(marks)

    def _read_ends(self, octets: bytes) -> tuple[tuple[Number | None, ...], tuple[int, ...]]:
        if not self._ends.size:
            return (), ()
        items = self._ends.unpack_from(octets, self.formats.time.stime_size)
        step = self.end_readings + self.end_pulses
        readings = tuple(map(self.formats.ni1.to_number, items[::step])) if self.end_readings else ()
        return readings, items[step - 1 :: step] if self.end_pulses else ()

    def encode(self, block: ProfileBlock, descending: bool = False) -> bytes:
        """The whole block; slots beyond the block's intervals are zero. An empty flag column says there are none."""
        count = block.intervals
        if len(block.values) != self.channels or count > self.intervals:
            raise TableError(self.table, f"{len(block.values)} channels of {count} intervals do not fit this set")
        values, flags = block.values, block.flags or ((),) * self.channels
        if descending:
            values, flags = tuple(c[::-1] for c in values), tuple(c[::-1] for c in flags)
        try:
            head = self._encode_header(block, flags, count)
            rows = self._encode_rows(values, count)
        except (error, OverflowError, NumberRangeError, TimeFieldError) as problem:
            raise TableError(self.table, str(problem)) from None
        if not self.extended or not any(map(any, flags)):
            return head + rows
        whole = bytearray(rows)
        for j, column in enumerate(encode_columns(flags, self.intervals)):
            whole[j :: self.row_size] = column
        return head + bytes(whole)

    def _encode_rows(self, values: Sequence[Sequence[int]], count: int) -> bytes:
        flat = values[0] if self.channels == 1 else chain.from_iterable(zip(*values, strict=True))
        unused = (self.intervals - count) * self.channels
        write = self.number.write
        if write is not None:
            return self._rows.pack(*map(write, chain(flat, (0,) * unused)))
        return self._rows.pack(*flat, *((0,) * unused))

    def _encode_header(self, block: ProfileBlock, flags: Sequence[Sequence[int]], count: int) -> bytes:
        head = self.formats.time.pack_stime(block.end)
        if self._ends.size:
            readings = [self.formats.ni1.to_item(*(number or (0, 0))) for number in block.end_readings or ((0, 0),) * self.channels]
            pulses = block.end_pulses or (0,) * self.channels
            parts = ([readings] if self.end_readings else []) + ([list(pulses)] if self.end_pulses else [])
            head += self._ends.pack(*chain.from_iterable(zip(*parts, strict=True)))
        return head + (encode_simple(flags, self.intervals, count) if self.simple else b"")


def _interval_number(table: int, formats: Formats, format_code: int) -> NumberFormat:
    if format_code == NI1_INTERVALS:
        return formats.ni1
    if format_code == NI2_INTERVALS:
        return formats.ni2
    if format_code not in INTERVAL_CODES:
        raise TableError(table, f"interval format code {format_code} does not exist")
    octets, signed = INTERVAL_CODES[format_code]
    return integer_format(octets, signed, formats.little, formats.int_format)


@lru_cache(LAYOUTS_MAX)
def block_layout(table: int, formats: Formats, shape: BlockShape) -> BlockLayout:
    """The shared layout of blocks of this shape. Raises TableError."""
    return BlockLayout(table, formats, shape)
