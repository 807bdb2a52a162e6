"""What ST11, 12, 15 and 16 together say of each source: its unit, and how its raw numbers become values."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from headend.c1219.fields import Formats
from headend.c1219.register_layout import RegisterChannel
from headend.c1219.source_tables import (
    ElectricConstants,
    SourceDimensions,
    SourceFlag,
    UnitOfMeasure,
    decode_constants,
    decode_sources,
    decode_units,
)
from headend.c1219.tables import ST_CONSTANTS, ST_SOURCE_DIMENSIONS, ST_SOURCES, ST_UNITS, TableError
from headend.c1219.values import Scaling, fraction


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `constants` is there where they are still to be applied to what the meter reports."""

    unit: UnitOfMeasure | None
    constants: ElectricConstants | None

    def scaling(self, factor: Fraction = Fraction(1), raw_exponent: int = 0) -> Scaling:
        """From raw numbers of 10^raw_exponent, times factor, to values of the coded unit."""
        offset = Fraction(0)
        if self.constants is not None:
            factor *= fraction(self.constants.multiplier)
            offset = fraction(self.constants.offset) / Fraction(10) ** raw_exponent
        return Scaling.of(factor, raw_exponent + (self.unit.exponent if self.unit else 0), offset)


@dataclass(frozen=True, slots=True)
class SourceMap:
    """All sources of a meter; empty where it has no ST11."""

    sources: tuple[Source, ...]

    @classmethod
    def decode(cls, tables: Mapping[int, bytes], formats: Formats) -> "SourceMap":
        """Raises TableError, TruncatedTableError."""
        if ST_SOURCE_DIMENSIONS not in tables:
            return cls(())
        dimensions = SourceDimensions.decode(tables[ST_SOURCE_DIMENSIONS], formats)
        units = decode_units(tables[ST_UNITS], formats, dimensions) if ST_UNITS in tables else ()
        constants = decode_constants(tables[ST_CONSTANTS], formats, dimensions) if ST_CONSTANTS in tables else ()
        flags: tuple[SourceFlag, ...] = (SourceFlag.UNIT,) * dimensions.sources
        if ST_SOURCES in tables:
            flags = decode_sources(tables[ST_SOURCES], formats, dimensions)
        return cls(tuple(_allot(flags, units, constants)))

    def source(self, number: int, table: int) -> Source:
        """Source `number`, as `table` names it. Raises TableError."""
        if number >= len(self.sources):
            raise TableError(table, f"source {number} of {len(self.sources)}")
        return self.sources[number]

    def register(self, number: int, table: int) -> RegisterChannel:
        """A register's channel. Raises TableError."""
        source = self.source(number, table)
        return RegisterChannel(number, source.unit, source.scaling())


def _allot(
    flags: tuple[SourceFlag, ...], units: tuple[UnitOfMeasure, ...], constants: tuple[ElectricConstants, ...]
) -> list[Source]:
    """The k-th source with a flag owns the k-th entry of that flag's list."""
    next_unit, next_constants = iter(units), iter(constants)
    sources = []
    for flag in flags:
        unit = next(next_unit, None) if flag & SourceFlag.UNIT else None
        own = next(next_constants, None) if flag & SourceFlag.CONSTANTS else None
        pending = own if flag & SourceFlag.CONSTANT_TO_APPLY else None
        if pending is not None and pending.multiplier[0] == 0:
            raise TableError(ST_CONSTANTS, "a multiplier of zero is to be applied")
        sources.append(Source(unit, pending))
    return sources
