"""What to ask of a meter for part of a table, by the access it grants, and what a meter answers to it.

An index path names a field of the table, then an element of an array, a field of the element, and so on, all counted from 0, fields
that the meter's flags leave out included. ST64-67 are nothing but their array, so there a path begins with the block. The element count
counts the named thing and those after it on the same level; a path that ends at an array stands for its first element. So {b} count n
is n blocks of ST64 from element b, {b, 3, k} count n are n intervals (with their status) of block b, {b, 0} count 3 is what stands
before them, and {5, e} count n are n entries of ST26, ST74 or ST76.
Source  vector partial_read_index_st64_request ({0, 3, 0} count 24: 24 intervals of block 0); the numbers of the fields are those of
        the fields in order of their layouts
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from headend.c1219.general_tables import Access
from headend.c1219.program import MeterProgram
from headend.c1219.table_shapes import Array, Leaf, Record, located, table_shape
from headend.c1219.tables import TableError, table_name
from headend.c1222.responses import ResponseCode
from headend.c1222.services import FullRead, PartialReadIndex, PartialReadOffset
from headend.errors import WireError

ReadRequest = FullRead | PartialReadOffset | PartialReadIndex

COUNT_MAX = 0xFFFF
"""Octets or elements that one request can count."""

TABLE_DATA_OVERHEAD = 4
"""Octets of a read response beside the data: response code, count, checksum."""


@dataclass(frozen=True, slots=True)
class ReadPiece:
    """One request, and the octets of the table that its answer holds: from `offset` on, `count` of them (None: all there are)."""

    request: ReadRequest
    offset: int
    count: int | None


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """Requests whose answers hold `wanted` of a table (None: all of it)."""

    table: int
    wanted: range | None
    pieces: tuple[ReadPiece, ...]

    @property
    def requests(self) -> list[ReadRequest]:
        return [piece.request for piece in self.pieces]

    def assemble(self, answers: Sequence[bytes]) -> bytes:
        """The octets wanted, from the answers in order. Raises TableError for an answer of a wrong length."""
        if self.wanted is None:
            return b"".join(answers)
        octets = bytearray(len(self.wanted))
        for piece, answer in zip(self.pieces, answers, strict=True):
            self._place(piece, answer, octets, self.wanted.start)
        return bytes(octets)

    def _place(self, piece: ReadPiece, answer: bytes, octets: bytearray, start: int) -> None:
        if piece.count is None:
            if len(answer) < start + len(octets):
                raise TableError(self.table, f"{len(answer)} octets where {start + len(octets)} were due")
        elif len(answer) != piece.count:
            raise TableError(self.table, f"{len(answer)} octets at {piece.offset} where {piece.count} were asked for")
        first = max(piece.offset, start)
        last = min(piece.offset + len(answer), start + len(octets))
        octets[first - start : last - start] = answer[first - piece.offset : last - piece.offset]


def read_plan(program: MeterProgram, table: int, wanted: range | None, octets_max: int) -> ReadPlan:
    """How to read octets `wanted` of a table (None: all) in answers of at most `octets_max` octets of data each.

    A meter that serves full reads only is asked for the whole table whatever its size; by index, what cannot be divided further comes
    in one piece even above the limit.
    """
    access, shape = program.general.access, table_shape(program, table)
    if octets_max < 1:
        raise ValueError(f"{octets_max} octets hold nothing")
    size = None if shape is None else shape.size
    whole = wanted is None or (size is not None and len(wanted) == size)
    if access is Access.FULL_ONLY or (whole and (size is None or size <= octets_max)):
        return ReadPlan(table, wanted, (ReadPiece(FullRead(table), 0, None),))
    target = range(size or 0) if wanted is None else wanted
    if access is not Access.INDEX:
        return ReadPlan(table, target, tuple(_offset_pieces(table, target, min(octets_max, COUNT_MAX))))
    if shape is None:
        return ReadPlan(table, target, (ReadPiece(FullRead(table), 0, None),))
    return ReadPlan(table, target, tuple(_IndexPlanner(table, target, octets_max).pieces(shape, (), 0)))


def _offset_pieces(table: int, wanted: range, octets_max: int) -> list[ReadPiece]:
    pieces = []
    for start in range(wanted.start, wanted.stop, octets_max):
        count = min(octets_max, wanted.stop - start)
        pieces.append(ReadPiece(PartialReadOffset(table, start, count), start, count))
    return pieces


@dataclass(frozen=True, slots=True)
class _IndexPlanner:
    """Covers a range of octets with runs of elements, as few as fit the limit; a container reached only in part is gone into."""

    table: int
    wanted: range
    octets_max: int

    def pieces(self, node: Record | Array, path: tuple[int, ...], start: int) -> list[ReadPiece]:
        made: list[ReadPiece] = []
        run: list[tuple[int, int, int]] = []  # index, offset, size of siblings read together
        for index, child, offset in node.children(self.wanted, start):
            if isinstance(child, Leaf) or (isinstance(child, Record) and self._whole(offset, child.size)):
                if run and (offset + child.size - run[0][1] > self.octets_max or len(run) == COUNT_MAX):
                    made.append(self._piece(path, run))
                    run = []
                run.append((index, offset, child.size))
                continue
            if run:
                made.append(self._piece(path, run))
                run = []
            made += self.pieces(child, (*path, index), offset)
        return [*made, self._piece(path, run)] if run else made

    def _whole(self, offset: int, size: int) -> bool:
        return size <= self.octets_max and offset >= self.wanted.start and offset + size <= self.wanted.stop

    def _piece(self, path: tuple[int, ...], run: list[tuple[int, int, int]]) -> ReadPiece:
        (first, offset, _), (last, last_offset, last_size) = run[0], run[-1]
        request = PartialReadIndex(self.table, (*path, first), last - first + 1)
        return ReadPiece(request, offset, last_offset + last_size - offset)


class TableImage(Protocol):
    """The octets of a meter's tables."""

    def size(self, table: int) -> int | None:
        """Octets of a table; None where the meter has none of this number."""

    def read(self, table: int, offset: int, count: int) -> bytes:
        """Part of a table that lies within its size."""


class ReadRefusedError(WireError):
    """A read that the meter does not serve; `code` is the response code to answer with."""

    def __init__(self, code: ResponseCode, table: int, reason: str) -> None:
        self.code = code
        self.table = table
        super().__init__(f"{table_name(table)}: {reason}")


def serve_read(program: MeterProgram, image: TableImage, request: ReadRequest, octets_max: int = COUNT_MAX) -> bytes:
    """What a meter of this program answers. Raises ReadRefusedError: iar, onp, or rstl above `octets_max`."""
    table = request.table
    size = image.size(table)
    if size is None:
        raise ReadRefusedError(ResponseCode.IAR, table, "not used by this meter")
    offset, count = _requested(program, request, size)
    if offset + count > size:
        raise ReadRefusedError(ResponseCode.ONP, table, f"octets {offset}-{offset + count} of {size}")
    if count > octets_max:
        raise ReadRefusedError(ResponseCode.RSTL, table, f"{count} octets in one answer")
    return image.read(table, offset, count)


def _requested(program: MeterProgram, request: ReadRequest, size: int) -> tuple[int, int]:
    """Offset and count of what is asked for."""
    access = program.general.access
    if isinstance(request, FullRead):
        return 0, size
    if isinstance(request, PartialReadOffset):
        if access not in {Access.OFFSET, Access.BOTH}:
            raise ReadRefusedError(ResponseCode.IAR, request.table, "not readable by offset")
        return request.offset, request.count
    shape = table_shape(program, request.table)
    if access not in {Access.INDEX, Access.BOTH} or shape is None:
        raise ReadRefusedError(ResponseCode.IAR, request.table, "not readable by index")
    place = located(shape, request.indices, request.count)
    if place is None:
        raise ReadRefusedError(ResponseCode.ONP, request.table, f"no {request.count} elements at {request.indices}")
    return place


def element_octets(program: MeterProgram, table: int, indices: Sequence[int], count: int = 1) -> range:
    """The octets that `count` elements from an index path on take. Raises TableError where there are none such."""
    shape = table_shape(program, table)
    place = None if shape is None else located(shape, indices, count)
    if place is None:
        raise TableError(table, f"no {count} elements at {tuple(indices)}")
    return range(place[0], place[0] + place[1])


