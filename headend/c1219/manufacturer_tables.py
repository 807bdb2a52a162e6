"""Our own tables and procedure, valid where ST0's device class is DEVICE_CLASS; the layouts are in MANUFACTURER_TABLES.md."""

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from headend.c1219.fields import Formats, TableReader
from headend.c1219.tables import MANUFACTURER, MT_PROFILE_MEANING, MT_SWITCH_STATE, MT_WAKE_UPS, TableError

DEVICE_CLASS = b"OAHE"
"""ST0 octets 3-6 of meters that carry these tables."""

MEANING_VERSION = 1
ERAS_MAX = 8
WAKE_UPS_VERSION = 1
WAKE_UPS_MAX = 96
"""Wake-ups of a day: one for each quarter of an hour."""
MINUTES_PER_DAY = 1_440
NOT_MEASURED = 0xFFFF
PROCEDURE_SWITCH = MANUFACTURER | 1


class OwnUnitCode(IntEnum):
    """ID_CODEs of ST12 entries with the NFS bit: units for which no public standard code is known."""

    CUBIC_METRE_WATER = 1
    US_GALLON_WATER = 2


class StatisticCode(IntEnum):
    """What a profile channel keeps of an interval."""

    TOTAL = 0
    MAXIMUM = 1
    MINIMUM = 2
    AVERAGE = 3
    NET = 4


class PhaseCode(IntEnum):
    """Which phase a profile channel measures."""

    ALL = 0
    A = 1
    B = 2
    C = 3


FORCED = 0x80
"""Bit of MP 1's position that has a switch closed although there is voltage on the load side."""


STAY = 0x7F
"""MP 1's position that moves nothing: a question how the switch stands."""


class SwitchPosition(IntEnum):
    """State of the service switch; the first three are what procedure MP 1 asks of it. FAULT: it stands where it should not."""

    OPEN = 0
    ARMED = 1
    CLOSED = 2
    MOVING = 3
    FAULT = 4


@dataclass(frozen=True, slots=True)
class SwitchState:
    """MT1.

    Layout  position: uint8 | load-side voltage: uint16 | last change: LTIME
    Units   tenths of a volt, None where not measured; device seconds
    Raises  TruncatedTableError, TableError
    Source  MANUFACTURER_TABLES.md, MT1
    """

    position: SwitchPosition
    load_side_decivolts: int | None = None
    changed: int | None = None

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "SwitchState":
        reader = TableReader(MT_SWITCH_STATE, octets, formats)
        position, voltage = reader.fields("BH")
        if position > SwitchPosition.FAULT:
            reader.refuse(f"there is no switch position {position}")
        return cls(SwitchPosition(position), None if voltage == NOT_MEASURED else voltage, reader.ltime())

    def encode(self, formats: Formats) -> bytes:
        voltage = NOT_MEASURED if self.load_side_decivolts is None else self.load_side_decivolts
        return formats.pack(MT_SWITCH_STATE, "BH", self.position, voltage) + formats.time.pack_ltime(self.changed)


@dataclass(frozen=True, slots=True)
class Era:
    """From block `first_seq` on, and until the next era, intervals are `minutes` long."""

    first_seq: int
    minutes: int


@dataclass(frozen=True, slots=True)
class SetMeaning:
    """What the channels of one profile set hold, and the lengths its intervals had."""

    channels: tuple[tuple[StatisticCode, PhaseCode], ...]
    eras: tuple[Era, ...] = ()


@dataclass(frozen=True, slots=True)
class ProfileMeaning:
    """MT2.

    Layout  configuration counter: uint16 | version: uint8 | sets: uint8 | sets x {channels: uint8, channels x {statistic, phase: uint8}} |
            sets x {eras: uint8, eras x {first block sequence: uint32, interval minutes: uint8}}
    Raises  TruncatedTableError, TableError
    Source  MANUFACTURER_TABLES.md, MT2
    """

    configuration_counter: int
    sets: tuple[SetMeaning, ...]

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "ProfileMeaning":
        reader = TableReader(MT_PROFILE_MEANING, octets, formats)
        counter, version, sets = reader.fields("HBB")
        if version != MEANING_VERSION:
            reader.refuse(f"version {version} is not known")
        channels = [tuple(_read_channel(reader) for _ in range(reader.uint8())) for _ in range(sets)]
        eras = [_read_eras(reader) for _ in range(sets)]
        return cls(counter, tuple(map(SetMeaning, channels, eras)))

    def encode(self, formats: Formats) -> bytes:
        octets = formats.pack(MT_PROFILE_MEANING, "HBB", self.configuration_counter, MEANING_VERSION, len(self.sets))
        for meaning in self.sets:
            octets += bytes((len(meaning.channels), *(code for channel in meaning.channels for code in channel)))
        for meaning in self.sets:
            if len(meaning.eras) > ERAS_MAX:
                raise TableError(MT_PROFILE_MEANING, f"{len(meaning.eras)} eras are more than {ERAS_MAX}")
            octets += bytes((len(meaning.eras),))
            octets += b"".join(formats.pack(MT_PROFILE_MEANING, "IB", era.first_seq, era.minutes) for era in meaning.eras)
        return octets


@dataclass(frozen=True, slots=True)
class WakeUps:
    """MT3: when a battery endpoint wakes up.

    Layout  version: uint8 | count: uint8 | count x {minute of the day: uint16}, ascending
    Units   minutes after midnight of the clock that ST52 shows
    Raises  TruncatedTableError, TableError
    Source  MANUFACTURER_TABLES.md, MT3
    """

    minutes: tuple[int, ...]

    @classmethod
    def decode(cls, octets: bytes, formats: Formats) -> "WakeUps":
        reader = TableReader(MT_WAKE_UPS, octets, formats)
        version, count = reader.fields("BB")
        if version != WAKE_UPS_VERSION or not 0 < count <= WAKE_UPS_MAX:
            reader.refuse(f"version {version} with {count} wake-ups is not known")
        minutes = tuple(reader.uint16() for _ in range(count))
        if minutes[-1] >= MINUTES_PER_DAY or any(b <= a for a, b in pairwise(minutes)):
            reader.refuse("wake-ups past the day's end or out of order")
        return cls(minutes)

    def encode(self, formats: Formats) -> bytes:
        head = formats.pack(MT_WAKE_UPS, "BB", WAKE_UPS_VERSION, len(self.minutes))
        return head + b"".join(formats.pack(MT_WAKE_UPS, "H", minute) for minute in self.minutes)


def decode_counter(octets: bytes, formats: Formats) -> int:
    """The configuration counter: the first two octets of MT2, which is all that needs reading to see whether a program still holds."""
    return TableReader(MT_PROFILE_MEANING, octets, formats).uint16()


def _read_channel(reader: TableReader) -> tuple[StatisticCode, PhaseCode]:
    statistic, phase = reader.uint8(), reader.uint8()
    if statistic > StatisticCode.NET or phase > PhaseCode.C:
        reader.refuse(f"statistic {statistic} or phase {phase} is not known")
    return StatisticCode(statistic), PhaseCode(phase)


def _read_eras(reader: TableReader) -> tuple[Era, ...]:
    count = reader.uint8()
    if count > ERAS_MAX:
        reader.refuse(f"{count} eras are more than {ERAS_MAX}")
    eras = tuple(Era(*reader.fields("IB")) for _ in range(count))
    if any(era.minutes == 0 for era in eras) or any(b.first_seq <= a.first_seq for a, b in pairwise(eras)):
        reader.refuse("eras without length or out of order")
    return eras


@dataclass(frozen=True, slots=True)
class SwitchCommand:
    """Parameters of procedure MP 1. `not_before` is a UNIX second, 0 for at once; `forced` closes whatever the load side says.

    Without a position nothing is moved: it asks how the switch stands.

    Layout  forced: b7, position: b6-0 of uint8 | not before: uint32
    Raises  TruncatedTableError, TableError
    Source  MANUFACTURER_TABLES.md, MP 1
    """

    position: SwitchPosition | None
    not_before: int = 0
    forced: bool = False

    @classmethod
    def read(cls, reader: TableReader) -> "SwitchCommand":
        octet, not_before = reader.fields("BI")
        position = octet & ~FORCED
        if octet == STAY:
            return cls(None, not_before)
        if position > SwitchPosition.CLOSED:
            reader.refuse(f"there is no switch position {position} to go to")
        return cls(SwitchPosition(position), not_before, bool(octet & FORCED))

    def encode(self, formats: Formats, table: int) -> bytes:
        octet = STAY if self.position is None else self.position | FORCED * self.forced
        return formats.pack(table, "BI", octet, self.not_before)
