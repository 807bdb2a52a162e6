"""Decade 2: how many registers there are, what they measure, and their values (current, previous, self reads)."""

from dataclasses import dataclass, field
from enum import IntFlag
from typing import NamedTuple

from headend.c1219.fields import Formats, TableReader, bit_octets
from headend.c1219.numbers import Number
from headend.c1219.tables import ST_REGISTER_DIMENSIONS, ST_REGISTER_SELECTION


class RegisterFlag(IntFlag):
    """ST21: both flag octets, the second shifted by 8."""

    SEASON = 1 << 0
    DATE_TIME = 1 << 1
    RESET_COUNTER = 1 << 2
    RESET_LOCK = 1 << 3
    CUMULATIVE_DEMAND = 1 << 4
    CONTINUOUS_CUMULATIVE = 1 << 5
    TIME_REMAINING = 1 << 6
    INHIBIT_OVERFLOW = 1 << 8
    SEQUENCE = 1 << 9
    DAILY_SELF_READ = 1 << 10
    WEEKLY_SELF_READ = 1 << 11


NO_FLAGS = RegisterFlag(0)


@dataclass(frozen=True, slots=True)
class RegisterDimensions:
    """ST21.

    Layout  two flag octets | self reads, summations, demands, coincidents, occurrences, tiers, present demands, present values: uint8
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST21
    """

    flags: RegisterFlag = NO_FLAGS
    self_reads: int = 0
    summations: int = 0
    demands: int = 0
    coincidents: int = 0
    occurrences: int = 0
    tiers: int = 0
    present_demands: int = 0
    present_values: int = 0

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "RegisterDimensions":
        first, second, *counts = TableReader(ST_REGISTER_DIMENSIONS, octets, formats).take(10)
        return cls(RegisterFlag(first | second << 8), *counts)

    def encode(self, formats: Formats) -> bytes:
        return formats.pack(
            ST_REGISTER_DIMENSIONS,
            "10B",
            self.flags & 0xFF,
            self.flags >> 8,
            self.self_reads,
            self.summations,
            self.demands,
            self.coincidents,
            self.occurrences,
            self.tiers,
            self.present_demands,
            self.present_values,
        )


@dataclass(frozen=True, slots=True)
class RegisterSelection:
    """ST22: the source of each register; `maxima` are the demands that keep their maximum, the others their minimum.

    Layout  summation sources | demand sources | maxima: a bit a demand | coincident sources | their demands: uint8 each
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST22
    """

    summations: tuple[int, ...] = ()
    demands: tuple[int, ...] = ()
    maxima: frozenset[int] = field(default=frozenset())
    coincidents: tuple[int, ...] = ()
    coincident_demands: tuple[int, ...] = ()

    @classmethod
    def decode(cls, octets: bytes, formats: Formats, dimensions: RegisterDimensions) -> "RegisterSelection":
        reader = TableReader(ST_REGISTER_SELECTION, octets, formats)
        demands = dimensions.demands
        return cls(
            tuple(reader.take(dimensions.summations)),
            tuple(reader.take(demands)),
            reader.bits((demands + 7) // 8),
            tuple(reader.take(dimensions.coincidents)),
            tuple(reader.take(dimensions.coincidents)),
        )

    def encode(self) -> bytes:
        maxima = bit_octets(self.maxima, (len(self.demands) + 7) // 8)
        return bytes(self.summations) + bytes(self.demands) + maxima + bytes(self.coincidents) + bytes(self.coincident_demands)


@dataclass(frozen=True, slots=True)
class DemandValue:
    """One demand register: value and time a remembered occurrence, and the cumulative demands where the meter keeps them."""

    values: tuple[Number | None, ...]
    times: tuple[int | None, ...] = ()
    cumulative: Number | None = None
    continuous: Number | None = None


class RegisterBlock(NamedTuple):
    """The registers in total, or of one tier."""

    summations: tuple[Number | None, ...] = ()
    demands: tuple[DemandValue, ...] = ()
    coincidents: tuple[tuple[Number | None, ...], ...] = ()


class RegisterValues(NamedTuple):
    """ST23, or what ST24-26 copy of it; raw numbers, None where the octets are no number."""

    total: RegisterBlock
    tiers: tuple[RegisterBlock, ...] = ()
    resets: int = 0


class DatedRegisters(NamedTuple):
    """ST24, ST25 and one entry of ST26: register values with the device second they were taken at, where the meter notes it."""

    values: RegisterValues
    end: int | None = None
    season: int = 0
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class SelfReads:
    """ST26 whole: the list's state and its entries in table order, unused ones too.

    `last_element` is the newest entry's place, `last_seq` its sequence number.
    """

    valid: int
    last_element: int
    last_seq: int
    unread: int
    entries: tuple[DatedRegisters, ...]
    flags: int = 0b100

    def chronological(self) -> tuple[DatedRegisters, ...]:
        """The valid entries, oldest first."""
        count = len(self.entries)
        if not count:
            return ()
        step = -1 if self.flags & 1 else 1
        return tuple(self.entries[(self.last_element - step * back) % count] for back in reversed(range(min(self.valid, count))))
