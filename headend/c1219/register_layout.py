"""The layout of ST23-26 that ST21 and ST22 describe, compiled, with the meaning of each register."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from struct import Struct, error
from typing import Any

from headend.c1219.fields import Formats, compiled
from headend.c1219.numbers import Number, NumberRangeError
from headend.c1219.register_tables import (
    DatedRegisters,
    DemandValue,
    RegisterBlock,
    RegisterDimensions,
    RegisterFlag,
    RegisterValues,
    SelfReads,
)
from headend.c1219.source_tables import UnitOfMeasure
from headend.c1219.tables import ST_CURRENT_REGISTERS, ST_PREVIOUS_RESET, ST_SELF_READS, TableError, TruncatedTableError
from headend.c1219.times import TimeFieldError
from headend.c1219.values import Scaling

SELF_READ_HEADER_OCTETS = 6
REGISTER_OCTETS_MAX = 65_535
"""Octets of ST23: what a single table-data can count."""


@dataclass(frozen=True, slots=True)
class RegisterChannel:
    """What one register measures; `unit` is None where ST12 has nothing on its source."""

    source: int
    unit: UnitOfMeasure | None
    scaling: Scaling

    def value(self, number: Number | None) -> Number | None:
        """The raw number in the coded unit, exactly."""
        return None if number is None else self.scaling.number(number)


class RegisterLayout:
    """Octets of the register tables ⇄ their values.

    Layout  ST23: [resets: uint8] | total, tiers: block; block: summations: NI1 | demands x {[STIME x occurrences] [cumulative: NI1]
            [continuous: NI1] NI2 x occurrences} | coincidents x NI2 x occurrences.
            ST24, 25: [end: STIME] [season: uint8] ST23. ST26: flags, valid, last element: uint8 | last sequence: uint16 | unread: uint8 |
            entries x {[sequence: uint16] [end: STIME] [season: uint8] ST23}
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST23-ST26
    """

    __slots__ = (
        "_counted",
        "_current",
        "_dated_entries",
        "_entry",
        "_formats",
        "_ni1",
        "_ni2",
        "_prefix",
        "_seasoned",
        "_sequenced",
        "_stamps",
        "coincidents",
        "current_size",
        "demands",
        "dimensions",
        "entry_size",
        "previous_size",
        "self_reads",
        "summations",
    )

    def __init__(
        self,
        formats: Formats,
        dimensions: RegisterDimensions,
        summations: Sequence[RegisterChannel] = (),
        demands: Sequence[RegisterChannel] = (),
        coincidents: Sequence[RegisterChannel] = (),
    ) -> None:
        self._formats = formats
        self._ni1, self._ni2, self._stamps = formats.ni1, formats.ni2, formats.time
        self.dimensions = dimensions
        self.summations = tuple(summations)
        self.demands = tuple(demands)
        self.coincidents = tuple(coincidents)
        self.self_reads = dimensions.self_reads
        self._counted = self._flag(RegisterFlag.RESET_COUNTER)
        self._dated_entries = self._flag(RegisterFlag.DATE_TIME)
        self._seasoned = self._flag(RegisterFlag.SEASON)
        self._sequenced = self._flag(RegisterFlag.SEQUENCE)
        current = self._current_codes()
        prefix = ([f"{formats.time.stime_size}s"] if self._flag(RegisterFlag.DATE_TIME) else []) + (
            ["B"] if self._flag(RegisterFlag.SEASON) else []
        )
        sequence = ["H"] if self._flag(RegisterFlag.SEQUENCE) else []
        self._current = self._struct(current)
        self._prefix = self._struct(prefix)
        self._entry = self._struct(sequence + prefix + current)
        self.current_size = self._current.size
        self.previous_size = self._prefix.size + self.current_size
        self.entry_size = self._entry.size

    def _flag(self, flag: RegisterFlag) -> bool:
        return bool(self.dimensions.flags & flag)

    def _struct(self, codes: list[str]) -> Struct:
        return compiled(("<" if self._formats.little else ">") + "".join(codes))

    def _current_codes(self) -> list[str]:
        d, formats = self.dimensions, self._formats
        demand = [f"{formats.time.stime_size}s"] * d.occurrences if self._flag(RegisterFlag.DATE_TIME) else []
        demand += [formats.ni1.code] * (self._flag(RegisterFlag.CUMULATIVE_DEMAND) + self._flag(RegisterFlag.CONTINUOUS_CUMULATIVE))
        demand += [formats.ni2.code] * d.occurrences
        fields = d.summations + d.demands * len(demand) + d.coincidents * d.occurrences
        if fields * (d.tiers + 1) * 8 > REGISTER_OCTETS_MAX:
            raise TableError(ST_CURRENT_REGISTERS, f"{fields} fields in {d.tiers + 1} blocks are more than a table holds")
        block = [formats.ni1.code] * d.summations + demand * d.demands + [formats.ni2.code] * (d.coincidents * d.occurrences)
        return (["B"] if self._flag(RegisterFlag.RESET_COUNTER) else []) + block * (d.tiers + 1)

    @property
    def self_reads_size(self) -> int:
        """Octets of ST26."""
        return SELF_READ_HEADER_OCTETS + self.self_reads * self.entry_size

    def decode_current(self, octets: bytes) -> RegisterValues:
        """ST23."""
        return self._values(iter(self._unpack(ST_CURRENT_REGISTERS, self._current, octets, 0)), ST_CURRENT_REGISTERS)

    def decode_previous(self, octets: bytes, table: int = ST_PREVIOUS_RESET) -> DatedRegisters:
        """ST24 or ST25."""
        prefix = self._unpack(table, self._prefix, octets, 0)
        current = self._unpack(table, self._current, octets, self._prefix.size)
        return self._dated(iter((*prefix, *current)), table, False)

    def decode_self_read(self, octets: bytes, offset: int = 0) -> DatedRegisters:
        """One entry of ST26."""
        return self._dated(iter(self._unpack(ST_SELF_READS, self._entry, octets, offset)), ST_SELF_READS, self._sequenced)

    def decode_self_reads(self, octets: bytes) -> SelfReads:
        """ST26 whole; an entry beyond the valid ones may hold anything, so its time is not judged."""
        head = self._unpack(ST_SELF_READS, self._formats.struct("BBBHB"), octets, 0)
        flags, valid, last, seq, unread = head
        if last >= max(self.self_reads, 1) or valid > self.self_reads:
            raise TableError(ST_SELF_READS, f"{valid} entries valid, the last at {last}, of {self.self_reads}")
        offsets = range(SELF_READ_HEADER_OCTETS, self.self_reads_size, self.entry_size or 1)
        step = -1 if flags & 1 else 1
        held = {(last - step * back) % self.self_reads for back in range(valid)}
        empty = DatedRegisters(RegisterValues(RegisterBlock()))
        entries = tuple(self.decode_self_read(octets, offset) if i in held else empty for i, offset in enumerate(offsets))
        return SelfReads(valid, last, seq, unread, entries, flags)

    @staticmethod
    def _unpack(table: int, form: Struct, octets: bytes, offset: int) -> tuple[Any, ...]:
        if len(octets) < offset + form.size:
            raise TruncatedTableError(table, offset, form.size, max(0, len(octets) - offset))
        return form.unpack_from(octets, offset)

    def _dated(self, items: Iterator[Any], table: int, sequenced: bool) -> DatedRegisters:
        sequence = next(items) if sequenced else None
        end = self._time(next(items), table) if self._dated_entries else None
        season = next(items) if self._seasoned else 0
        return DatedRegisters(self._values(items, table), end, season, sequence)

    def _time(self, octets: bytes, table: int) -> int | None:
        try:
            return self._stamps.read_stime(octets)
        except TimeFieldError as problem:
            raise TableError(table, str(problem)) from None

    def _values(self, items: Iterator[Any], table: int) -> RegisterValues:
        resets = next(items) if self._counted else 0
        total = self._block(items, table)
        return RegisterValues(total, tuple([self._block(items, table) for _ in range(self.dimensions.tiers)]), resets)

    def _block(self, items: Iterator[Any], table: int) -> RegisterBlock:
        d, ni1 = self.dimensions, self._ni1
        summations = tuple([ni1.to_number(item) for item in islice(items, d.summations)])
        if not (d.demands or d.coincidents):
            return RegisterBlock(summations)
        ni2 = self._ni2
        demands = tuple([self._demand(items, table) for _ in range(d.demands)])
        coincidents = tuple([tuple([ni2.to_number(next(items)) for _ in range(d.occurrences)]) for _ in range(d.coincidents)])
        return RegisterBlock(summations, demands, coincidents)

    def _demand(self, items: Iterator[Any], table: int) -> DemandValue:
        ni1, ni2, occurrences = self._ni1, self._ni2, range(self.dimensions.occurrences)
        times = tuple([self._time(next(items), table) for _ in occurrences]) if self._dated_entries else ()
        cumulative = ni1.to_number(next(items)) if self._flag(RegisterFlag.CUMULATIVE_DEMAND) else None
        continuous = ni1.to_number(next(items)) if self._flag(RegisterFlag.CONTINUOUS_CUMULATIVE) else None
        return DemandValue(tuple([ni2.to_number(next(items)) for _ in occurrences]), times, cumulative, continuous)

    def encode_current(self, values: RegisterValues) -> bytes:
        """ST23. Missing registers are written as zero."""
        return self._pack(ST_CURRENT_REGISTERS, self._current, self._items(values))

    def encode_previous(self, registers: DatedRegisters, table: int = ST_PREVIOUS_RESET) -> bytes:
        """ST24 or ST25."""
        return self._pack(table, self._prefix, self._prefix_items(registers)) + self._pack(
            table, self._current, self._items(registers.values)
        )

    def encode_self_read(self, registers: DatedRegisters) -> bytes:
        """One entry of ST26."""
        sequence = [registers.sequence or 0] if self._flag(RegisterFlag.SEQUENCE) else []
        return self._pack(ST_SELF_READS, self._entry, [*sequence, *self._prefix_items(registers), *self._items(registers.values)])

    def encode_self_reads(self, reads: SelfReads) -> bytes:
        """ST26 whole; entries left out at the end are zero."""
        octets = self._formats.pack(
            ST_SELF_READS, "BBBHB", reads.flags, reads.valid, reads.last_element, reads.last_seq, reads.unread
        ) + b"".join(map(self.encode_self_read, reads.entries))
        return octets.ljust(self.self_reads_size, b"\0")

    @staticmethod
    def _pack(table: int, form: Struct, items: Sequence[Any]) -> bytes:
        try:
            return form.pack(*items)
        except (error, OverflowError) as problem:
            raise TableError(table, str(problem)) from None

    def _prefix_items(self, registers: DatedRegisters) -> list[Any]:
        items: list[Any] = [self._stamps.pack_stime(registers.end)] if self._flag(RegisterFlag.DATE_TIME) else []
        return [*items, registers.season] if self._flag(RegisterFlag.SEASON) else items

    def _items(self, values: RegisterValues) -> list[Any]:
        items: list[Any] = [values.resets] if self._flag(RegisterFlag.RESET_COUNTER) else []
        blocks = [values.total, *values.tiers, *repeat(RegisterBlock(), self.dimensions.tiers - len(values.tiers))]
        try:
            for block in blocks:
                items += self._block_items(block)
        except NumberRangeError as problem:
            raise TableError(ST_CURRENT_REGISTERS, str(problem)) from None
        return items

    def _block_items(self, block: RegisterBlock) -> Iterator[Any]:
        d, ni1, ni2 = self.dimensions, self._ni1, self._ni2
        for i in range(d.summations):
            yield ni1.to_item(*(_at(block.summations, i) or (0, 0)))
        for i in range(d.demands):
            yield from self._demand_items(block.demands[i] if i < len(block.demands) else DemandValue(()))
        for i in range(d.coincidents):
            column = block.coincidents[i] if i < len(block.coincidents) else ()
            for j in range(d.occurrences):
                yield ni2.to_item(*(_at(column, j) or (0, 0)))

    def _demand_items(self, demand: DemandValue) -> Iterator[Any]:
        ni1, ni2, occurrences = self._ni1, self._ni2, range(self.dimensions.occurrences)
        if self._flag(RegisterFlag.DATE_TIME):
            yield from (self._stamps.pack_stime(demand.times[j] if j < len(demand.times) else None) for j in occurrences)
        if self._flag(RegisterFlag.CUMULATIVE_DEMAND):
            yield ni1.to_item(*(demand.cumulative or (0, 0)))
        if self._flag(RegisterFlag.CONTINUOUS_CUMULATIVE):
            yield ni1.to_item(*(demand.continuous or (0, 0)))
        for j in occurrences:
            yield ni2.to_item(*(_at(demand.values, j) or (0, 0)))


def _at(numbers: Sequence[Number | None], index: int) -> Number | None:
    return numbers[index] if index < len(numbers) else None
