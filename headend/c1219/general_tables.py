"""Decade 0: what the meter is and how its tables are written."""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from headend.c1219.fields import Formats, TableReader, bit_octets, pack_characters
from headend.c1219.numbers import NumberRangeError
from headend.c1219.tables import (
    MANUFACTURER,
    NUMBER_MASK,
    ST_DEVICE_IDENTIFICATION,
    ST_GENERAL_CONFIGURATION,
    ST_IDENTIFICATION,
    ST_MODE_STATUS,
    TableError,
)
from headend.c1219.times import TimeFieldError

MODEL_OCTETS = 16
"""ST1 without the serial number: what all meters of one make, model and firmware share."""

NO_TABLES: frozenset[int] = frozenset()


class Access(IntEnum):
    """Which partial reads the meter serves (ST0 octet 1, bits 4-3)."""

    FULL_ONLY = 0
    OFFSET = 1
    INDEX = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class GeneralConfiguration:
    """ST0, which all other tables are read by.

    `tables` and `procedures` hold what is used, `writable` the tables that may be written; manufacturer numbers have 0x0800 added.
    Dimensions left at 0 are sized by `encode` to what is used.

    Layout  formats 3 | device class 4 | nameplate, default set, largest parameter, largest response, version, revision: uint8 |
            six dimensions: uint8 | bit sets, lowest bit first
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST0
    """

    formats: Formats
    access: Access
    device_class: bytes
    nameplate: int = 2
    default_set: int = 0
    parameter_octets_max: int = 0
    response_octets_max: int = 0
    standard_version: int = 2
    standard_revision: int = 0
    model_select: int = 0
    manufacturer_status_octets: int = 0
    pending_max: int = 0
    tables: frozenset[int] = field(default=NO_TABLES)
    procedures: frozenset[int] = field(default=NO_TABLES)
    writable: frozenset[int] = field(default=NO_TABLES)
    table_octets: int = 0
    manufacturer_table_octets: int = 0
    procedure_octets: int = 0
    manufacturer_procedure_octets: int = 0

    @classmethod
    def decode(cls, octets: bytes) -> "GeneralConfiguration":
        if len(octets) < 3:
            raise TableError(ST_GENERAL_CONFIGURATION, f"{len(octets)} octets are too few")
        formats = Formats(
            little=not octets[0] & 1,
            time_code=octets[1] & 7,
            int_format=octets[1] >> 6,
            ni1_code=octets[2] & 15,
            ni2_code=octets[2] >> 4,
            id_bcd=bool(octets[1] & 0x20),
            char_format=octets[0] >> 1 & 7,
        )
        _check_formats(formats)
        reader = TableReader(ST_GENERAL_CONFIGURATION, octets, formats, 3)
        device_class = reader.take(4)
        nameplate, default_set, parameter_max, response_max, version, revision = reader.take(6)
        std_tables, mfg_tables, std_procedures, mfg_procedures, status, pending = reader.take(6)
        return cls(
            formats,
            Access(octets[1] >> 3 & 3),
            device_class,
            nameplate,
            default_set,
            parameter_max,
            response_max,
            version,
            revision,
            octets[0] >> 4 & 7,
            status,
            pending,
            reader.bits(std_tables) | _manufacturer(reader.bits(mfg_tables)),
            reader.bits(std_procedures) | _manufacturer(reader.bits(mfg_procedures)),
            reader.bits(std_tables) | _manufacturer(reader.bits(mfg_tables)),
            std_tables,
            mfg_tables,
            std_procedures,
            mfg_procedures,
        )

    def encode(self) -> bytes:
        formats = self.formats
        sizes = (
            self.table_octets or _octets_for(self.tables, 0),
            self.manufacturer_table_octets or _octets_for(self.tables, MANUFACTURER),
            self.procedure_octets or _octets_for(self.procedures, 0),
            self.manufacturer_procedure_octets or _octets_for(self.procedures, MANUFACTURER),
        )
        head = bytes(
            (
                (not formats.little) | formats.char_format << 1 | self.model_select << 4,
                formats.time_code | self.access << 3 | formats.id_bcd << 5 | formats.int_format << 6,
                formats.ni1_code | formats.ni2_code << 4,
                *self.device_class,
                self.nameplate,
                self.default_set,
                self.parameter_octets_max,
                self.response_octets_max,
                self.standard_version,
                self.standard_revision,
                *sizes,
                self.manufacturer_status_octets,
                self.pending_max,
            )
        )
        return head + b"".join(
            _bit_set(numbers, manufacturer, octets)
            for numbers, manufacturer, octets in (
                (self.tables, 0, sizes[0]),
                (self.tables, MANUFACTURER, sizes[1]),
                (self.procedures, 0, sizes[2]),
                (self.procedures, MANUFACTURER, sizes[3]),
                (self.writable, 0, sizes[0]),
                (self.writable, MANUFACTURER, sizes[1]),
            )
        )


def _check_formats(formats: Formats) -> None:
    try:
        _ = formats.time, formats.ni1, formats.ni2
    except (NumberRangeError, TimeFieldError) as problem:
        raise TableError(ST_GENERAL_CONFIGURATION, str(problem)) from None
    if formats.int_format == 3:
        raise TableError(ST_GENERAL_CONFIGURATION, "integer format 3 does not exist")


def _manufacturer(numbers: frozenset[int]) -> frozenset[int]:
    return frozenset(MANUFACTURER | n for n in numbers)


def _of(numbers: frozenset[int], manufacturer: int) -> frozenset[int]:
    return frozenset(n & NUMBER_MASK for n in numbers if n & MANUFACTURER == manufacturer)


def _octets_for(numbers: frozenset[int], manufacturer: int) -> int:
    return max(_of(numbers, manufacturer), default=-1) // 8 + 1


def _bit_set(numbers: frozenset[int], manufacturer: int, octets: int) -> bytes:
    try:
        return bit_octets(_of(numbers, manufacturer), octets)
    except OverflowError:
        raise TableError(ST_GENERAL_CONFIGURATION, f"a bit set of {octets} octets is too short") from None


@dataclass(frozen=True, slots=True)
class Identification:
    """ST1.

    Layout  manufacturer 4 | model 8 | hardware version, revision, firmware version, revision: uint8 | serial number 16, or BCD 8
    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST1
    """

    manufacturer: str
    model: str
    hardware: tuple[int, int]
    firmware: tuple[int, int]
    serial_no: str = ""

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "Identification":
        """The model part alone (16 octets) gives an empty serial number."""
        reader = TableReader(ST_IDENTIFICATION, octets, formats)
        manufacturer, model = reader.characters(4), reader.characters(8)
        hardware, firmware = (reader.uint8(), reader.uint8()), (reader.uint8(), reader.uint8())
        return cls(manufacturer, model, hardware, firmware, reader.text(16) if reader.remaining else "")

    def encode(self, formats: Formats) -> bytes:
        head = pack_characters(ST_IDENTIFICATION, self.manufacturer, 4) + pack_characters(ST_IDENTIFICATION, self.model, 8)
        return head + bytes((*self.hardware, *self.firmware)) + formats.pack_text(ST_IDENTIFICATION, self.serial_no, 16)


class MeterMode(IntFlag):
    """ST3 ED_MODE."""

    METERING = 1
    TEST = 2
    SHOP = 4
    FACTORY = 8


class MeterStatus(IntFlag):
    """ST3 ED_STD_STATUS1."""

    UNPROGRAMMED = 1 << 0
    CONFIGURATION_ERROR = 1 << 1
    SELF_CHECK_ERROR = 1 << 2
    RAM_ERROR = 1 << 3
    ROM_ERROR = 1 << 4
    NONVOLATILE_ERROR = 1 << 5
    CLOCK_ERROR = 1 << 6
    MEASUREMENT_ERROR = 1 << 7
    LOW_BATTERY = 1 << 8
    LOW_LOSS_POTENTIAL = 1 << 9
    DEMAND_OVERLOAD = 1 << 10
    POWER_FAILURE = 1 << 11
    TAMPER = 1 << 12
    REVERSE_ROTATION = 1 << 13


NO_STATUS = MeterStatus(0)


@dataclass(frozen=True, slots=True)
class ModeStatus:
    """ST3.

    Layout  mode: uint8 | status 1: uint16 | status 2: uint8 | manufacturer status: as many octets as ST0 says
    Raises  TruncatedTableError
    Source  reference/field-protocol-c1222.md 3, ST3
    """

    mode: MeterMode = MeterMode.METERING
    status: MeterStatus = NO_STATUS
    status_2: int = 0
    manufacturer_status: bytes = b""

    @classmethod
    def decode(cls, octets: bytes, general: GeneralConfiguration) -> "ModeStatus":
        reader = TableReader(ST_MODE_STATUS, octets, general.formats)
        mode, status, status_2 = reader.fields("BHB")
        return cls(MeterMode(mode), MeterStatus(status), status_2, reader.take(general.manufacturer_status_octets))

    def encode(self, general: GeneralConfiguration) -> bytes:
        head = general.formats.pack(ST_MODE_STATUS, "BHB", self.mode, self.status, self.status_2)
        return head + self.manufacturer_status.ljust(general.manufacturer_status_octets, b"\0")


@dataclass(frozen=True, slots=True)
class DeviceIdentification:
    """ST5: the utility's number of the device, 20 characters or BCD 10.

    Raises  TruncatedTableError, TableError
    Source  reference/field-protocol-c1222.md 3, ST5
    """

    identification: str

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "DeviceIdentification":
        return cls(TableReader(ST_DEVICE_IDENTIFICATION, octets, formats).text(20))

    def encode(self, formats: Formats) -> bytes:
        return formats.pack_text(ST_DEVICE_IDENTIFICATION, self.identification, 20)
