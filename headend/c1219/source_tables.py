"""Decade 1: the sources that registers and profile channels measure, their units and constants."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag

from headend.c1219.fields import Formats, TableReader
from headend.c1219.numbers import Number
from headend.c1219.tables import (
    ST_CONSTANTS,
    ST_DEMAND_CONTROL,
    ST_SOURCE_DIMENSIONS,
    ST_SOURCES,
    ST_UNITS,
    TableError,
)

UNIT_EXPONENTS = (0, 2, 3, 6, 9, -2, -3, -6)
ELECTRIC_CONSTANTS = 2


class UnitCode(IntEnum):
    """UOM ID_CODEs that residential and commercial endpoints use."""

    WATT = 0
    VAR = 1
    VOLT_AMPERE = 2
    VOLT_RMS = 8
    AMPERE_RMS = 12
    POWER_FACTOR = 24
    HERTZ = 33
    GAS_M3 = 64
    GAS_M3_CORRECTED = 65
    GAS_FT3 = 67
    GAS_FT3_CORRECTED = 68


class TimeBase(IntEnum):
    """UOM TIME_BASE: how a source relates to time."""

    BULK = 0
    INSTANTANEOUS = 1
    SUB_BLOCK = 3
    BLOCK = 4
    NET_BULK = 5


class Direction(IntEnum):
    """Direction of energy that the quadrants say, seen from the utility."""

    NONE = 0
    DELIVERED = 1
    RECEIVED = 2
    NET = 3


_DIRECTIONS = {
    UnitCode.WATT: {0b1001: Direction.DELIVERED, 0b0110: Direction.RECEIVED},
    UnitCode.VAR: {0b0011: Direction.DELIVERED, 0b1100: Direction.RECEIVED},
    UnitCode.VOLT_AMPERE: {0b1001: Direction.DELIVERED, 0b0110: Direction.RECEIVED},
}


@dataclass(frozen=True, slots=True)
class UnitOfMeasure:
    """One ST12 entry. `quadrants` has bit 0 for quadrant 1; `own_code` is NFS: the code is not the standard's but the maker's.

    Layout  uint32: code 8 | time base 3 | multiplier 3 | quadrants 4 | net flow | segmentation 3 | harmonic | reserved 8 | NFS
    Units   value = raw × 10^exponent of the coded unit
    Source  reference/field-protocol-c1222.md 3, ST12
    """

    code: int
    time_base: int = TimeBase.BULK
    exponent: int = 0
    quadrants: int = 0
    net_flow: bool = False
    segmentation: int = 0
    harmonic: bool = False
    own_code: bool = False

    @classmethod
    def from_bits(cls, bits: int) -> "UnitOfMeasure":
        return cls(
            bits & 0xFF,
            bits >> 8 & 7,
            UNIT_EXPONENTS[bits >> 11 & 7],
            bits >> 14 & 15,
            bool(bits >> 18 & 1),
            bits >> 19 & 7,
            bool(bits >> 22 & 1),
            bool(bits >> 31),
        )

    def to_bits(self) -> int:
        if self.exponent not in UNIT_EXPONENTS:
            raise TableError(ST_UNITS, f"there is no multiplier 10^{self.exponent}")
        return (
            self.code
            | self.time_base << 8
            | UNIT_EXPONENTS.index(self.exponent) << 11
            | self.quadrants << 14
            | self.net_flow << 18
            | self.segmentation << 19
            | self.harmonic << 22
            | self.own_code << 31
        )

    @property
    def direction(self) -> Direction:
        """Delivered, received or net energy, by quadrants and flow; NONE for what has no direction."""
        if self.own_code:
            return Direction.NONE
        known = _DIRECTIONS.get(UnitCode(self.code)) if self.code in _DIRECTIONS else None
        if known is None:
            return Direction.NONE
        if self.net_flow or self.time_base == TimeBase.NET_BULK:
            return Direction.NET
        return known.get(self.quadrants, Direction.NONE)


class SourceFlag(IntFlag):
    """ST16: which lists a source has an entry in; the k-th source with a bit owns the k-th entry of that list."""

    UNIT = 1
    DEMAND_CONTROL = 2
    DATA_CONTROL = 4
    CONSTANTS = 8
    ENGINEERING_UNITS = 16
    CONSTANT_TO_APPLY = 32


@dataclass(frozen=True, slots=True)
class SourceDimensions:
    """ST11.

    Layout  flags, units, demand controls, data control octets, data controls, constants, constant kind, sources: uint8
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST11
    """

    flags: int = 0
    units: int = 0
    demand_controls: int = 0
    data_control_octets: int = 0
    data_controls: int = 0
    constants: int = 0
    constant_kind: int = ELECTRIC_CONSTANTS
    sources: int = 0

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "SourceDimensions":
        return cls(*TableReader(ST_SOURCE_DIMENSIONS, octets, formats).take(8))

    def encode(self, formats: Formats) -> bytes:
        return formats.pack(
            ST_SOURCE_DIMENSIONS,
            "8B",
            self.flags,
            self.units,
            self.demand_controls,
            self.data_control_octets,
            self.data_controls,
            self.constants,
            self.constant_kind,
            self.sources,
        )

    @property
    def sliding_demand(self) -> bool:
        return bool(self.flags & 8)


def decode_units(octets: bytes, formats: Formats, dimensions: SourceDimensions) -> tuple[UnitOfMeasure, ...]:
    """ST12. Raises TruncatedTableError."""
    reader = TableReader(ST_UNITS, octets, formats)
    return tuple(map(UnitOfMeasure.from_bits, reader.fields(f"{dimensions.units}I")))


def encode_units(units: Sequence[UnitOfMeasure], formats: Formats) -> bytes:
    """ST12. Raises TableError."""
    return formats.pack(ST_UNITS, f"{len(units)}I", *(unit.to_bits() for unit in units))


def decode_sources(octets: bytes, formats: Formats, dimensions: SourceDimensions) -> tuple[SourceFlag, ...]:
    """ST16, one flag set for each source. Raises TruncatedTableError."""
    return tuple(map(SourceFlag, TableReader(ST_SOURCES, octets, formats).take(dimensions.sources)))


def encode_sources(sources: Sequence[SourceFlag]) -> bytes:
    """ST16."""
    return bytes(sources)


@dataclass(frozen=True, slots=True)
class ElectricConstants:
    """One ST15 entry: value = raw × multiplier + offset. The ratios are those of the transformers, already within the multiplier.

    Layout  multiplier, offset: NI1 | [set 1 if ST11 flag b5: flags uint8, current ratio, potential ratio: NI1] | [set 2 if b6]
    Source  reference/field-protocol-c1222.md 3, ST15
    """

    multiplier: Number = (1, 0)
    offset: Number = (0, 0)
    ratios: tuple[tuple[int, Number, Number], ...] = ()


def decode_constants(octets: bytes, formats: Formats, dimensions: SourceDimensions) -> tuple[ElectricConstants, ...]:
    """ST15. Raises TruncatedTableError; TableError for gas constants, whose layout no source gave."""
    if dimensions.constants and dimensions.constant_kind != ELECTRIC_CONSTANTS:
        raise TableError(ST_CONSTANTS, f"constants of kind {dimensions.constant_kind} are not known")
    reader = TableReader(ST_CONSTANTS, octets, formats)
    return tuple(_read_constants(reader, dimensions) for _ in range(dimensions.constants))


def _read_constants(reader: TableReader, dimensions: SourceDimensions) -> ElectricConstants:
    multiplier, offset = _number(reader), _number(reader)
    sets = (dimensions.flags >> 5 & 1) + (dimensions.flags >> 6 & 1)
    return ElectricConstants(multiplier, offset, tuple((reader.uint8(), _number(reader), _number(reader)) for _ in range(sets)))


def _number(reader: TableReader) -> Number:
    start = reader.offset
    number = reader.number(reader.formats.ni1)
    if number is None:
        reader.refuse(f"octet {start} is no number")
    return number


def encode_constants(constants: Sequence[ElectricConstants], formats: Formats) -> bytes:
    """ST15; every entry has as many ratio sets as ST11 announces. Raises TableError."""
    octets = b""
    for entry in constants:
        for number in (entry.multiplier, entry.offset):
            octets += formats.pack_number(ST_CONSTANTS, formats.ni1, number)
        for flags, current, potential in entry.ratios:
            octets += bytes((flags,))
            octets += formats.pack_number(ST_CONSTANTS, formats.ni1, current)
            octets += formats.pack_number(ST_CONSTANTS, formats.ni1, potential)
    return octets


@dataclass(frozen=True, slots=True)
class DemandControl:
    """ST13: exclusions, and per demand source the sub-interval minutes and their count (1 where demand does not slide).

    Layout  [reset exclusion: uint8 if ST11 b1] | [3 power-fail fields: uint8 if b0] | entries: {minutes, count: uint8} sliding, or
            minutes: uint16
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST13
    """

    intervals: tuple[tuple[int, int], ...]
    reset_exclusion: int = 0
    power_fail: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def decode(cls, octets: bytes, formats: Formats, dimensions: SourceDimensions) -> "DemandControl":
        reader = TableReader(ST_DEMAND_CONTROL, octets, formats)
        reset = reader.uint8() if dimensions.flags & 2 else 0
        power_fail = (reader.uint8(), reader.uint8(), reader.uint8()) if dimensions.flags & 1 else (0, 0, 0)
        sliding = dimensions.sliding_demand
        intervals = tuple((reader.uint8(), reader.uint8()) if sliding else (reader.uint16(), 1) for _ in range(dimensions.demand_controls))
        return cls(intervals, reset, power_fail)

    def encode(self, formats: Formats, dimensions: SourceDimensions) -> bytes:
        head = bytes((self.reset_exclusion,)) if dimensions.flags & 2 else b""
        head += bytes(self.power_fail) if dimensions.flags & 1 else b""
        if dimensions.sliding_demand:
            return head + b"".join(formats.pack(ST_DEMAND_CONTROL, "BB", *entry) for entry in self.intervals)
        return head + formats.pack(ST_DEMAND_CONTROL, f"{len(self.intervals)}H", *(minutes for minutes, _ in self.intervals))
