"""Decade 7: history and event logs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from headend.c1219.fields import Formats, TableReader, bit_octets
from headend.c1219.general_tables import GeneralConfiguration
from headend.c1219.tables import (
    ID_MASK,
    MANUFACTURER,
    NUMBER_MASK,
    ST_EVENT_LOG,
    ST_EVENT_LOG_CONTROL,
    ST_EVENTS_IDENTIFIED,
    ST_HISTORY_LOG,
    ST_LOG_DIMENSIONS,
    TableError,
)
from headend.c1219.times import TimeFieldError

LOG_HEADER_OCTETS = 11
EVENT_NUMBER, HISTORY_TIME, HISTORY_SEQUENCE = 1, 2, 4


class EventCode(IntEnum):
    """Standard event numbers that endpoints log; manufacturer events have 2048 added."""

    POWER_DOWN = 1
    POWER_UP = 2
    TIME_CHANGED_OLD = 3
    TIME_CHANGED_NEW = 4
    PROCEDURE_INVOKED = 9
    TABLE_WRITTEN = 10
    LOG_CLEARED = 18
    DEMAND_RESET = 20
    SELF_READ = 21
    DST_ON = 22
    DST_OFF = 23
    CONFIGURATION_ERROR = 37
    RAM_ERROR = 39
    ROM_ERROR = 40
    NONVOLATILE_ERROR = 41
    CLOCK_ERROR = 42
    LOW_BATTERY = 44
    LOW_POTENTIAL = 45
    TAMPER = 47
    REVERSE_ROTATION = 48
    CONTROL_POINT_COMMAND = 49
    CONTROL_POINT_SCHEDULE = 50
    CONTROL_POINT_CONDITION = 51
    CONTROL_POINT_PREPAYMENT = 52


@dataclass(frozen=True, slots=True)
class LogDimensions:
    """ST71. The extension is there from standard version 2 on; a table that ends before it is taken as it is.

    Layout  flags, standard event octets, manufacturer event octets, history data octets, event data octets: uint8 |
            histories, events: uint16 | [extended flags: uint8 | program tables: uint16]
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST71
    """

    flags: int = 0
    standard_event_octets: int = 0
    manufacturer_event_octets: int = 0
    history_data_octets: int = 0
    event_data_octets: int = 0
    histories: int = 0
    events: int = 0
    extended_flags: int = 0
    program_tables: int = 0

    @classmethod
    def decode(cls, octets: bytes, general: GeneralConfiguration) -> "LogDimensions":
        reader = TableReader(ST_LOG_DIMENSIONS, octets, general.formats)
        fields = reader.fields("5BHH")
        extension = reader.fields("BH") if general.standard_version >= 2 and reader.remaining else (0, 0)
        return cls(*fields, *extension)

    def encode(self, general: GeneralConfiguration) -> bytes:
        octets = general.formats.pack(
            ST_LOG_DIMENSIONS,
            "5BHH",
            self.flags,
            self.standard_event_octets,
            self.manufacturer_event_octets,
            self.history_data_octets,
            self.event_data_octets,
            self.histories,
            self.events,
        )
        if general.standard_version < 2:
            return octets
        return octets + general.formats.pack(ST_LOG_DIMENSIONS, "BH", self.extended_flags, self.program_tables)


class LogStatus(NamedTuple):
    """Head of ST74 and ST76.

    Layout  flags: uint8 | valid entries, last element: uint16 | last sequence: uint32 | unread: uint16
    Source  reference/field-protocol-c1222.md 3, ST74/76
    """

    valid: int = 0
    last_element: int = 0
    last_seq: int = 0
    unread: int = 0
    flags: int = 0b100

    @property
    def descending(self) -> bool:
        return bool(self.flags & 1)

    @property
    def overflow(self) -> bool:
        return bool(self.flags & 2)

    @property
    def first_seq(self) -> int:
        """Sequence number of the oldest entry held."""
        return self.last_seq - self.valid + 1

    def element_of(self, seq: int, entries: int) -> int:
        """Where the entry numbered `seq` stands in a list of `entries`."""
        back = self.last_seq - seq
        return (self.last_element + back if self.descending else self.last_element - back) % entries


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event or history record.

    `code` has 0x0800 added for manufacturer events; `occurred` is in device seconds, None where the octets are no time; `sequence` and
    `number` are None where the log does not keep them.
    """

    code: int
    occurred: int | None = None
    sequence: int | None = 0
    user: int = 0
    argument: bytes = b""
    number: int | None = None
    selector: int = 0


class EventLogLayout:
    """ST74 and ST76 as ST71 shapes them.

    Layout  LogStatus | entries; ST76 entry: LTIME | [event number: uint16] | sequence, user, code: uint16 | argument.
            ST74 entry: [LTIME] | [event number] | [sequence] | user, code: uint16 | argument
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST74/76; vector notification_power_down
    """

    __slots__ = ("dimensions", "entry_size", "formats", "history_entry_size")

    def __init__(self, formats: Formats, dimensions: LogDimensions) -> None:
        self.formats = formats
        self.dimensions = dimensions
        self.entry_size = self._size(ST_EVENT_LOG)
        self.history_entry_size = self._size(ST_HISTORY_LOG)

    def _parts(self, table: int) -> tuple[bool, bool, bool, int]:
        """Whether an entry has a time, a number, a sequence; octets of its argument."""
        flags, d = self.dimensions.flags, self.dimensions
        numbered = bool(flags & EVENT_NUMBER)
        if table == ST_EVENT_LOG:
            return True, numbered, True, d.event_data_octets
        return bool(flags & HISTORY_TIME), numbered, bool(flags & HISTORY_SEQUENCE), d.history_data_octets

    def _size(self, table: int) -> int:
        timed, numbered, sequenced, argument = self._parts(table)
        return self.formats.time.ltime_size * timed + 2 * numbered + 2 * sequenced + 4 + argument

    def entries(self, table: int = ST_EVENT_LOG) -> int:
        return self.dimensions.events if table == ST_EVENT_LOG else self.dimensions.histories

    def table_size(self, table: int = ST_EVENT_LOG) -> int:
        return LOG_HEADER_OCTETS + self.entries(table) * self._size(table)

    def entry_range(self, element: int, count: int = 1, table: int = ST_EVENT_LOG) -> range:
        """Octets of `count` entries from `element` on."""
        size = self._size(table)
        return range(LOG_HEADER_OCTETS + element * size, LOG_HEADER_OCTETS + (element + count) * size)

    def decode_status(self, octets: bytes, table: int = ST_EVENT_LOG) -> LogStatus:
        flags, valid, last, seq, unread = TableReader(table, octets, self.formats).fields("BHHIH")
        if valid > self.entries(table) or last >= max(self.entries(table), 1):
            raise TableError(table, f"{valid} entries valid, the last at {last}, of {self.entries(table)}")
        return LogStatus(valid, last, seq, unread, flags)

    def encode_status(self, status: LogStatus, table: int = ST_EVENT_LOG) -> bytes:
        return self.formats.pack(table, "BHHIH", status.flags, status.valid, status.last_element, status.last_seq, status.unread)

    def decode_entries(self, octets: bytes, table: int = ST_EVENT_LOG) -> list[LogEntry]:
        """Consecutive entries, without the list's head; also the single entry that a notification writes."""
        reader = TableReader(table, octets, self.formats)
        entries = []
        while reader.remaining:
            entries.append(self._read(reader, table))
        return entries

    def decode_log(self, octets: bytes, table: int = ST_EVENT_LOG) -> tuple[LogStatus, list[LogEntry]]:
        """A whole table: its state and the valid entries, oldest first."""
        status = self.decode_status(octets, table)
        size, count, log = self._size(table), self.entries(table), []
        for seq in range(status.first_seq, status.last_seq + 1):
            offset = LOG_HEADER_OCTETS + status.element_of(seq, count) * size
            log.append(self._read(TableReader(table, octets, self.formats, offset), table))
        return status, log

    def _read(self, reader: TableReader, table: int) -> LogEntry:
        timed, numbered, sequenced, argument = self._parts(table)
        occurred = self._time(reader.take(self.formats.time.ltime_size)) if timed else None
        number = reader.uint16() if numbered else None
        sequence = reader.uint16() if sequenced else None
        user, code = reader.fields("HH")
        return LogEntry(code & ID_MASK, occurred, sequence, user, reader.take(argument), number, code >> 12)

    def _time(self, octets: bytes) -> int | None:
        try:
            return self.formats.time.read_ltime(octets)
        except TimeFieldError:
            return None  # an event with a broken time is still an event

    def encode_entry(self, entry: LogEntry, table: int = ST_EVENT_LOG) -> bytes:
        timed, numbered, sequenced, argument = self._parts(table)
        octets = self.formats.time.pack_ltime(entry.occurred) if timed else b""
        words = ([entry.number or 0] if numbered else []) + ([entry.sequence or 0] if sequenced else [])
        words += [entry.user, entry.code | entry.selector << 12]
        if len(entry.argument) > argument:
            raise TableError(table, f"an argument of {len(entry.argument)} octets is longer than {argument}")
        return octets + self.formats.pack(table, f"{len(words)}H", *words) + entry.argument.ljust(argument, b"\0")

    def encode_log(self, status: LogStatus, entries: Sequence[LogEntry], table: int = ST_EVENT_LOG) -> bytes:
        """A whole table from entries in table order."""
        octets = self.encode_status(status, table) + b"".join(self.encode_entry(entry, table) for entry in entries)
        return octets.ljust(self.table_size(table), b"\0")


def decode_events_identified(octets: bytes, general: GeneralConfiguration, dimensions: LogDimensions) -> frozenset[int]:
    """ST72: the events the meter can log. Raises TruncatedTableError."""
    return _read_pair(TableReader(ST_EVENTS_IDENTIFIED, octets, general.formats), *_event_octets(dimensions))


def encode_events_identified(events: frozenset[int], dimensions: LogDimensions) -> bytes:
    """ST72."""
    return _pair(ST_EVENTS_IDENTIFIED, events, *_event_octets(dimensions))


def _event_octets(dimensions: LogDimensions) -> tuple[int, int]:
    return dimensions.standard_event_octets, dimensions.manufacturer_event_octets


@dataclass(frozen=True, slots=True)
class LogControl:
    """ST73 and ST75: which events are logged, and for which tables and procedures.

    Layout  standard events, manufacturer events (octets by ST71) | standard tables, manufacturer tables, standard procedures,
            manufacturer procedures (octets by ST0); bit sets, lowest bit first
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST73/75
    """

    events: frozenset[int] = field(default=frozenset())
    tables: frozenset[int] = field(default=frozenset())
    procedures: frozenset[int] = field(default=frozenset())

    @classmethod
    def decode(cls, octets: bytes, general: GeneralConfiguration, dimensions: LogDimensions) -> "LogControl":
        reader = TableReader(ST_EVENT_LOG_CONTROL, octets, general.formats)
        return cls(
            _read_pair(reader, *_event_octets(dimensions)),
            _read_pair(reader, general.table_octets, general.manufacturer_table_octets),
            _read_pair(reader, general.procedure_octets, general.manufacturer_procedure_octets),
        )

    def encode(self, general: GeneralConfiguration, dimensions: LogDimensions) -> bytes:
        """`general` as decoded, so that it knows its dimensions."""
        return (
            _pair(ST_EVENT_LOG_CONTROL, self.events, *_event_octets(dimensions))
            + _pair(ST_EVENT_LOG_CONTROL, self.tables, general.table_octets, general.manufacturer_table_octets)
            + _pair(ST_EVENT_LOG_CONTROL, self.procedures, general.procedure_octets, general.manufacturer_procedure_octets)
        )


def _read_pair(reader: TableReader, standard: int, manufacturer: int) -> frozenset[int]:
    return reader.bits(standard) | frozenset(MANUFACTURER | n for n in reader.bits(manufacturer))


def _pair(table: int, numbers: frozenset[int], standard: int, manufacturer: int) -> bytes:
    halves = (frozenset(n & NUMBER_MASK for n in numbers if n & MANUFACTURER == half) for half in (0, MANUFACTURER))
    try:
        return b"".join(bit_octets(half, octets) for half, octets in zip(halves, (standard, manufacturer), strict=True))
    except OverflowError:
        raise TableError(table, f"{sorted(numbers)} do not fit {standard} and {manufacturer} octets") from None
