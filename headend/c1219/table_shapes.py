"""Tables as trees of records and arrays with their sizes: what index paths walk over."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from headend.c1219.event_log_tables import EventLogLayout
from headend.c1219.load_profile_tables import STATUS_OCTETS
from headend.c1219.profile_blocks import BlockLayout
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import RegisterLayout
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    ST_CURRENT_REGISTERS,
    ST_EVENT_LOG,
    ST_HISTORY_LOG,
    ST_PREVIOUS_RESET,
    ST_PREVIOUS_SEASON,
    ST_PROFILE_STATUS,
    ST_SELF_READS,
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """Octets that indices do not divide; 0 of them for a field the meter leaves out."""

    size: int


class Record:
    """Fields in order."""

    __slots__ = ("fields", "size")

    def __init__(self, *fields: "Node") -> None:
        self.fields = fields
        self.size: int = sum(field.size for field in fields)

    def place(self, index: int, count: int) -> tuple[int, int] | None:
        """Offset and octets of `count` fields from `index` on."""
        if index + count > len(self.fields):
            return None
        sizes = [field.size for field in self.fields]
        return sum(sizes[:index]), sum(sizes[index : index + count])

    def child(self, index: int) -> "Node":
        return self.fields[index]

    def children(self, wanted: range, start: int) -> Iterator[tuple[int, "Node", int]]:
        """Index, node and offset of the fields that have octets in `wanted`, this record beginning at `start`."""
        for index, field in enumerate(self.fields):
            if field.size and start < wanted.stop and start + field.size > wanted.start:
                yield index, field, start
            start += field.size


class Array:
    """Equal elements."""

    __slots__ = ("count", "element", "size")

    def __init__(self, count: int, element: "Node") -> None:
        self.count = count
        self.element = element
        self.size: int = count * element.size

    def place(self, index: int, count: int) -> tuple[int, int] | None:
        """Offset and octets of `count` elements from `index` on."""
        return None if index + count > self.count else (index * self.element.size, count * self.element.size)

    def child(self, _index: int) -> "Node":
        return self.element

    def children(self, wanted: range, start: int) -> Iterator[tuple[int, "Node", int]]:
        """Index, node and offset of the elements that have octets in `wanted`, this array beginning at `start`."""
        size = self.element.size
        if size and wanted:
            first, last = max(0, (wanted.start - start) // size), min(self.count, -((start - wanted.stop) // size))
            for index in range(first, last):
                yield index, self.element, start + index * size


Node = Leaf | Record | Array


def located(node: Record | Array, indices: Sequence[int], count: int) -> tuple[int, int] | None:
    """Offset and octets of `count` elements at an index path; None where there are none such."""
    offset = 0
    if not indices or count < 1:
        return None
    for index in indices[:-1]:
        place = node.place(index, 1)
        child = node.child(index) if place else None
        if place is None or child is None or isinstance(child, Leaf):
            return None
        offset, node = offset + place[0], child
    return _last(node, indices[-1], count, offset)


def _last(node: Record | Array, index: int, count: int, offset: int) -> tuple[int, int] | None:
    single = node.place(index, 1)
    child = node.child(index) if single else None
    if single is not None and isinstance(child, Array):
        offset, node, index = offset + single[0], child, 0
    place = node.place(index, count)
    return None if place is None else (offset + place[0], place[1])


def table_shape(program: MeterProgram, table: int) -> Record | Array | None:
    """The tree of a table that can be long; None for those that are read whole or that the program says nothing of."""
    if not program.uses(table):
        return None
    profile_set = program.profile_set(table)
    if profile_set is not None:
        return Array(profile_set.blocks, _block(profile_set.layout))
    if table in {ST_CURRENT_REGISTERS, ST_PREVIOUS_SEASON, ST_PREVIOUS_RESET, ST_SELF_READS}:
        return _registers(program.registers, table)
    if table in {ST_EVENT_LOG, ST_HISTORY_LOG}:
        return _log(program.event_log, table)
    if table == ST_PROFILE_STATUS:
        return Record(*(Leaf(STATUS_OCTETS),) * program.core.sets_in_use)
    if table == MT_PROFILE_MEANING and table in program.tables:
        return Record(Leaf(2), Leaf(1), Leaf(1), Leaf(len(program.tables[table]) - 4))
    return None


def _block(layout: BlockLayout) -> Record:
    stime = layout.formats.time.stime_size
    ends = layout.header_size - stime - layout.simple
    return Record(Leaf(stime), Leaf(ends), Leaf(layout.simple), Array(layout.intervals, Leaf(layout.row_size)))


def _registers(registers: RegisterLayout, table: int) -> Record:
    if table == ST_CURRENT_REGISTERS:
        return Record(Leaf(registers.current_size))
    if table == ST_SELF_READS:
        header = (Leaf(1), Leaf(1), Leaf(1), Leaf(2), Leaf(1))
        return Record(*header, Array(registers.self_reads, Leaf(registers.entry_size)))
    return Record(Leaf(registers.previous_size - registers.current_size), Leaf(registers.current_size))


def _log(log: EventLogLayout, table: int) -> Record:
    entries = log.entries(table)
    size = len(log.entry_range(0, 1, table))
    return Record(Leaf(1), Leaf(2), Leaf(2), Leaf(4), Leaf(2), Array(entries, Leaf(size)))
