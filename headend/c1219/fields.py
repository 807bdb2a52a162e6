"""Formats of one meter, as its ST0 announces them, and a cursor that takes fields off a table in these formats."""

from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, error
from typing import Any, NoReturn

from headend.c1219.numbers import Number, NumberFormat, NumberRangeError, ni_format
from headend.c1219.tables import TableError, TruncatedTableError
from headend.c1219.times import TimeFieldError, TimeFormat, time_format


@dataclass(frozen=True, slots=True)
class Formats:
    """Data order, time, integer and number formats, character and identifier forms (ST0 octets 0-2)."""

    little: bool
    time_code: int
    int_format: int
    ni1_code: int
    ni2_code: int
    id_bcd: bool = False
    char_format: int = 1

    @property
    def time(self) -> TimeFormat:
        return time_format(self.time_code, self.little)

    @property
    def ni1(self) -> NumberFormat:
        """Registers. Raises NumberRangeError."""
        return ni_format(self.ni1_code, self.little, self.int_format)

    @property
    def ni2(self) -> NumberFormat:
        """Demands. Raises NumberRangeError."""
        return ni_format(self.ni2_code, self.little, self.int_format)

    def struct(self, layout: str) -> Struct:
        """A compiled layout in this data order."""
        return compiled(("<" if self.little else ">") + layout)

    def pack(self, table: int, layout: str, *values: Any) -> bytes:
        """Fields in this data order. Raises TableError where one does not fit."""
        try:
            return self.struct(layout).pack(*values)
        except (error, OverflowError) as problem:
            raise TableError(table, str(problem)) from None

    def pack_number(self, table: int, form: NumberFormat, number: Number) -> bytes:
        """One NI number. Raises TableError."""
        try:
            return self.pack(table, form.code, form.to_item(*number))
        except NumberRangeError as problem:
            raise TableError(table, str(problem)) from None

    def pack_text(self, table: int, text: str, characters: int) -> bytes:
        """An identifier: `characters` characters, or half as many BCD octets when ID_FORM says so."""
        if not self.id_bcd:
            return pack_characters(table, text, characters)
        if not text.isdecimal() or not text.isascii() or len(text) > characters:
            raise TableError(table, f"identifier {text!r} is not up to {characters} digits")
        return bytes.fromhex(text.rjust(characters, "0"))


LAYOUTS_MAX = 512
"""Struct layouts kept compiled: what meters say decides them, so there must be an end."""

compiled = lru_cache(LAYOUTS_MAX)(Struct)


def pack_characters(table: int, text: str, width: int) -> bytes:
    """ISO 7-bit characters, padded with spaces. Raises TableError."""
    if not text.isascii() or len(text) > width:
        raise TableError(table, f"{text!r} is not up to {width} 7-bit characters")
    return text.ljust(width).encode("ascii")


def bits_set(octets: bytes) -> frozenset[int]:
    """Numbers of the bits set; bit n is bit n % 8 of octet n // 8."""
    return frozenset(8 * i + bit for i, octet in enumerate(octets) if octet for bit in range(8) if octet >> bit & 1)


def bit_octets(numbers: frozenset[int], octets: int) -> bytes:
    """The inverse of bits_set; numbers must lie below 8 × octets."""
    whole = 0
    for number in numbers:
        whole |= 1 << number
    return whole.to_bytes(octets, "little")


class TableReader:
    """A position in a table's octets; errors name the table.

    Raises  TruncatedTableError, TableError
    """

    __slots__ = ("formats", "octets", "offset", "table")

    def __init__(self, table: int, octets: bytes, formats: Formats, offset: int = 0) -> None:
        self.table = table
        self.octets = octets
        self.formats = formats
        self.offset = offset

    @property
    def remaining(self) -> int:
        return len(self.octets) - self.offset

    def take(self, count: int) -> bytes:
        start = self.offset
        if start + count > len(self.octets):
            raise TruncatedTableError(self.table, start, count, len(self.octets) - start)
        self.offset = start + count
        return self.octets[start : start + count]

    def fields(self, layout: str) -> tuple[Any, ...]:
        """Several fields by struct layout, in the meter's data order."""
        form = self.formats.struct(layout)
        return form.unpack(self.take(form.size))

    def uint8(self) -> int:
        return self.take(1)[0]

    def uint16(self) -> int:
        return int.from_bytes(self.take(2), "little" if self.formats.little else "big")

    def uint32(self) -> int:
        return int.from_bytes(self.take(4), "little" if self.formats.little else "big")

    def number(self, form: NumberFormat) -> Number | None:
        """One NI number; None where the octets are none."""
        return form.to_number(self.fields(form.code)[0])

    def stime(self) -> int | None:
        """Device seconds; None where never set."""
        return self._time(self.formats.time.stime_size, False)

    def ltime(self) -> int | None:
        return self._time(self.formats.time.ltime_size, True)

    def _time(self, size: int, long: bool) -> int | None:
        octets = self.take(size)
        try:
            return self.formats.time.read_ltime(octets) if long else self.formats.time.read_stime(octets)
        except TimeFieldError as problem:
            self.refuse(f"octet {self.offset - size}: {problem}")

    def text(self, characters: int) -> str:
        """An identifier in the meter's ID_FORM."""
        if self.formats.id_bcd:
            return self.take(characters // 2).hex()
        return self.characters(characters)

    def characters(self, width: int) -> str:
        """ISO 7-bit characters without their padding; an octet above 127 reads as U+FFFD."""
        return self.take(width).rstrip(b" \0").decode("ascii", "replace")

    def bits(self, octets: int) -> frozenset[int]:
        return bits_set(self.take(octets))

    def refuse(self, reason: str) -> NoReturn:
        raise TableError(self.table, reason)
