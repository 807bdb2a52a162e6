"""Decade 5: the meter's clock and what it says of its own zone."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from headend.c1219.fields import Formats, TableReader
from headend.c1219.tables import ST_CLOCK, ST_CLOCK_STATE


@dataclass(frozen=True, slots=True)
class ClockQualifier:
    """TIME_DATE_QUAL: weekday (Sunday 0), whether DST is in effect, and which corrections the clock has applied.

    Layout  uint8: weekday 3 | DST | GMT | zone applied | DST applied | DST supported
    Source  reference/field-protocol-c1222.md 3, ST52
    """

    weekday: int = 0
    dst: bool = False
    gmt: bool = False
    zone_applied: bool = False
    dst_applied: bool = False
    dst_supported: bool = False

    @classmethod
    @lru_cache(maxsize=256)
    def from_bits(cls, bits: int) -> "ClockQualifier":
        """The qualifier an octet stands for."""
        return cls(bits & 7, bool(bits & 8), bool(bits & 16), bool(bits & 32), bool(bits & 64), bool(bits & 128))

    def to_bits(self) -> int:
        return (
            self.weekday | self.dst << 3 | self.gmt << 4 | self.zone_applied << 5 | self.dst_applied << 6 | self.dst_supported << 7
        )


class MeterClock(NamedTuple):
    """ST52. `device_seconds` is None while the clock has not been set.

    Layout  LTIME | qualifier: uint8
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST52
    """

    device_seconds: int | None
    qualifier: ClockQualifier

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "MeterClock":
        return cls.read(TableReader(ST_CLOCK, octets, formats))

    @classmethod
    def read(cls, reader: TableReader) -> "MeterClock":
        return cls(reader.ltime(), ClockQualifier.from_bits(reader.uint8()))

    def encode(self, formats: Formats) -> bytes:
        return formats.time.pack_ltime(self.device_seconds) + bytes((self.qualifier.to_bits(),))


@dataclass(frozen=True, slots=True)
class ClockState:
    """ST55: the clock and its status word; bits 2-0 are the summation tier in force.

    Layout  ST52 | status: uint16
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST55
    """

    clock: MeterClock
    status: int = 0

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "ClockState":
        reader = TableReader(ST_CLOCK_STATE, octets, formats)
        return cls(MeterClock.read(reader), reader.uint16())

    def encode(self, formats: Formats) -> bytes:
        return self.clock.encode(formats) + formats.pack(ST_CLOCK_STATE, "H", self.status)

    @property
    def summation_tier(self) -> int:
        return self.status & 7
