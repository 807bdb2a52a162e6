"""Requests that read and write tables.

Source  reference/field-protocol-c1222.md 1.4
"""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from headend.c1222.cursor import Cursor
from headend.c1222.table_data import encode_table_data, take_table_data
from headend.errors import RequestError

INDICES_MAX = 9

_TABLE = Struct(">BH")
_OFFSET_READ = Struct(">BHBHH")
_OFFSET_WRITE = Struct(">BHBH")


@dataclass(frozen=True, slots=True)
class FullRead:
    """The whole of a table. Layout  table: uint16"""

    CODE: ClassVar[int] = 0x30
    table: int

    def encode(self) -> bytes:
        return _TABLE.pack(0x30, self.table)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16())


@dataclass(frozen=True, slots=True)
class PartialReadIndex:
    """`count` elements of a table from the one at `indices`. Layout  code 30 + number of indices | table, indices, count: uint16 each"""

    table: int
    indices: tuple[int, ...]
    count: int

    def encode(self) -> bytes:
        return _indexed(0x30, self.table, self.indices) + self.count.to_bytes(2)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16(), _take_indices(code, cursor), cursor.uint16())


@dataclass(frozen=True, slots=True)
class DefaultRead:
    """The device's default set of tables."""

    CODE: ClassVar[int] = 0x3E

    def encode(self) -> bytes:
        return b"\x3e"

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class PartialReadOffset:
    """`count` octets of a table from `offset`. Layout  table: uint16 | offset: uint24 | count: uint16"""

    CODE: ClassVar[int] = 0x3F
    table: int
    offset: int
    count: int

    def encode(self) -> bytes:
        return _OFFSET_READ.pack(0x3F, self.table, self.offset >> 16, self.offset & 0xFFFF, self.count)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16(), cursor.uint24(), cursor.uint16())


@dataclass(frozen=True, slots=True)
class FullWrite:
    """All octets of a table. Layout  table: uint16 | table data"""

    CODE: ClassVar[int] = 0x40
    table: int
    data: bytes

    def encode(self) -> bytes:
        return _TABLE.pack(0x40, self.table) + encode_table_data(self.data)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16(), take_table_data(cursor))


@dataclass(frozen=True, slots=True)
class PartialWriteIndex:
    """Elements of a table from the one at `indices`. Layout  code 40 + number of indices | table, indices: uint16 each | table data"""

    table: int
    indices: tuple[int, ...]
    data: bytes

    def encode(self) -> bytes:
        return _indexed(0x40, self.table, self.indices) + encode_table_data(self.data)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16(), _take_indices(code, cursor), take_table_data(cursor))


@dataclass(frozen=True, slots=True)
class DefaultWrite:
    """The device's default set of tables. Layout  table data (the reference is not sure)"""

    CODE: ClassVar[int] = 0x4E
    data: bytes

    def encode(self) -> bytes:
        return b"\x4e" + encode_table_data(self.data)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(take_table_data(cursor))


@dataclass(frozen=True, slots=True)
class PartialWriteOffset:
    """Octets of a table from `offset`. Layout  table: uint16 | offset: uint24 | table data"""

    CODE: ClassVar[int] = 0x4F
    table: int
    offset: int
    data: bytes

    def encode(self) -> bytes:
        return _OFFSET_WRITE.pack(0x4F, self.table, self.offset >> 16, self.offset & 0xFFFF) + encode_table_data(self.data)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16(), cursor.uint24(), take_table_data(cursor))


def _indexed(base: int, table: int, indices: tuple[int, ...]) -> bytes:
    if not 1 <= len(indices) <= INDICES_MAX:
        raise RequestError(f"{len(indices)} indices into table {table}: 1 to {INDICES_MAX} can be sent")
    return _TABLE.pack(base + len(indices), table) + b"".join([index.to_bytes(2) for index in indices])


def _take_indices(code: int, cursor: Cursor) -> tuple[int, ...]:
    return tuple([cursor.uint16() for _ in range(code & 0x0F)])
