"""A meter program: everything about a meter that only reprogramming changes, decoded once and shared by all meters that have it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from headend.c1219.event_log_tables import EventLogLayout, LogDimensions
from headend.c1219.general_tables import MODEL_OCTETS, GeneralConfiguration, Identification
from headend.c1219.load_profile_tables import ProfileDimensions, ProfileStatus
from headend.c1219.manufacturer_tables import DEVICE_CLASS, Era, ProfileMeaning
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program_sets import profile_sets
from headend.c1219.program_sources import SourceMap
from headend.c1219.register_layout import RegisterLayout
from headend.c1219.register_tables import RegisterDimensions, RegisterSelection
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    ST_CONSTANTS,
    ST_GENERAL_CONFIGURATION,
    ST_IDENTIFICATION,
    ST_LOG_DIMENSIONS,
    ST_PROFILE_CONTROL,
    ST_PROFILE_DIMENSIONS,
    ST_PROFILE_SET_1,
    ST_PROFILE_SET_4,
    ST_REGISTER_DIMENSIONS,
    ST_REGISTER_SELECTION,
    ST_SOURCE_DIMENSIONS,
    ST_SOURCES,
    ST_UNITS,
    TableError,
)

READ_FIRST = (ST_GENERAL_CONFIGURATION,)
"""What to read of a meter of which nothing is known; `program_tables` says what next. Full reads need no sizes, so that is all."""

RAW_TABLES = (
    ST_GENERAL_CONFIGURATION,
    ST_IDENTIFICATION,
    ST_SOURCE_DIMENSIONS,
    ST_UNITS,
    ST_CONSTANTS,
    ST_SOURCES,
    ST_REGISTER_DIMENSIONS,
    ST_REGISTER_SELECTION,
    ST_PROFILE_DIMENSIONS,
    ST_PROFILE_CONTROL,
    ST_LOG_DIMENSIONS,
    MT_PROFILE_MEANING,
)
"""Tables that make a program, those of them that ST0 says are used."""

CORES_MAX = 1024
"""Programs kept decoded but for their counters and eras; a utility has a few for each meter model and firmware."""

FINGERPRINT_OCTETS = 16


def program_tables(general: GeneralConfiguration) -> tuple[int, ...]:
    """The tables to read after ST0, in full: those of RAW_TABLES that this meter uses. MT2 is read where the device class is ours."""
    own = general.device_class == DEVICE_CLASS
    return tuple(t for t in RAW_TABLES[1:] if t in general.tables and (own or t != MT_PROFILE_MEANING))


@dataclass(frozen=True, slots=True)
class ProgramCore:
    """A program without what differs between meters of one make-up: counter and eras."""

    general: GeneralConfiguration
    identification: Identification
    registers: RegisterLayout
    event_log: EventLogLayout
    sets: tuple[ProfileSet, ...]
    sets_in_use: int


@dataclass(frozen=True, slots=True)
class MeterProgram:
    """What the tables of a meter say that only reprogramming changes; immutable, equal where the fingerprints are.

    `tables` are the raw octets to keep and decode again (ST1 without the serial number), `fingerprint` the first 16 octets of their
    SHA-256.
    """

    fingerprint: bytes
    tables: Mapping[int, bytes]
    core: ProgramCore
    sets: tuple[ProfileSet, ...]
    configuration_counter: int

    @classmethod
    def decode(cls, tables: Mapping[int, bytes]) -> "MeterProgram":
        """From raw octets by table id (manufacturer tables with 0x0800 added). Tables that are no part of a program are ignored.

        Raises  TableError, TruncatedTableError: name the table that is missing or does not fit
        """
        if ST_GENERAL_CONFIGURATION not in tables:
            raise TableError(ST_GENERAL_CONFIGURATION, "not given")
        general = GeneralConfiguration.decode(tables[ST_GENERAL_CONFIGURATION])
        kept = _kept_tables(tables, general)
        meaning = ProfileMeaning.decode(kept[MT_PROFILE_MEANING], general.formats) if MT_PROFILE_MEANING in kept else None
        core = _decode_core(tuple(_core_tables(kept, meaning, general)))
        sets = core.sets if meaning is None else _with_eras(core.sets, [m.eras for m in meaning.sets])
        counter = 0 if meaning is None else meaning.configuration_counter
        return cls(_fingerprint(kept), MappingProxyType(kept), core, sets, counter)

    @property
    def general(self) -> GeneralConfiguration:
        return self.core.general

    @property
    def identification(self) -> Identification:
        """Make, model and firmware; no serial number."""
        return self.core.identification

    @property
    def registers(self) -> RegisterLayout:
        return self.core.registers

    @property
    def event_log(self) -> EventLogLayout:
        return self.core.event_log

    def uses(self, table: int) -> bool:
        return table in self.general.tables

    def profile_set(self, table: int) -> ProfileSet | None:
        """The set of ST64-67, None where it is not in use."""
        return next((s for s in self.sets if s.table_id == table), None)

    def decode_profile_status(self, octets: bytes) -> ProfileStatus:
        """ST63; `ProfileSet.index` finds the set. Raises TruncatedTableError."""
        return ProfileStatus.decode(octets, self.general.formats, self.core.sets_in_use)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MeterProgram) and other.fingerprint == self.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)


def _kept_tables(tables: Mapping[int, bytes], general: GeneralConfiguration) -> dict[int, bytes]:
    kept = {ST_GENERAL_CONFIGURATION: bytes(tables[ST_GENERAL_CONFIGURATION])}
    for table in program_tables(general):
        if table not in tables:
            raise TableError(table, "used by the meter, but not given")
        kept[table] = bytes(tables[table])
    if ST_IDENTIFICATION in kept:
        kept[ST_IDENTIFICATION] = kept[ST_IDENTIFICATION][:MODEL_OCTETS]
    return kept


def _core_tables(
    kept: Mapping[int, bytes], meaning: ProfileMeaning | None, general: GeneralConfiguration
) -> Iterable[tuple[int, bytes]]:
    for table, octets in kept.items():
        if table == MT_PROFILE_MEANING and meaning is not None:
            plain = ProfileMeaning(0, tuple(replace(m, eras=()) for m in meaning.sets))
            yield table, plain.encode(general.formats)
        else:
            yield table, octets


def _fingerprint(tables: Mapping[int, bytes]) -> bytes:
    digest = sha256()
    for table in sorted(tables):
        digest.update(table.to_bytes(2) + len(tables[table]).to_bytes(4) + tables[table])
    return digest.digest()[:FINGERPRINT_OCTETS]


def _with_eras(sets: tuple[ProfileSet, ...], eras: list[tuple[Era, ...]]) -> tuple[ProfileSet, ...]:
    for profile_set in sets:
        known = eras[profile_set.index]
        if known and known[-1].minutes != profile_set.interval_minutes:
            raise TableError(
                MT_PROFILE_MEANING,
                f"set {profile_set.number} ends with {known[-1].minutes} minutes where ST61 says {profile_set.interval_minutes}",
            )
    if not any(eras):
        return sets
    return tuple(replace(s, eras=eras[s.index]) if eras[s.index] else s for s in sets)


@lru_cache(CORES_MAX)
def _decode_core(items: tuple[tuple[int, bytes], ...]) -> ProgramCore:
    tables = dict(items)
    general = GeneralConfiguration.decode(tables[ST_GENERAL_CONFIGURATION])
    formats = general.formats
    sources = SourceMap.decode(tables, formats)
    numbers = [t - ST_PROFILE_SET_1 + 1 for t in range(ST_PROFILE_SET_1, ST_PROFILE_SET_4 + 1) if t in general.tables]
    dimensions = ProfileDimensions(())
    if ST_PROFILE_DIMENSIONS in tables:
        dimensions = ProfileDimensions.decode(tables[ST_PROFILE_DIMENSIONS], formats, numbers)
        if ST_PROFILE_CONTROL not in tables:
            raise TableError(ST_PROFILE_CONTROL, "not used by the meter, though ST61 is")
    identification = Identification("", "", (0, 0), (0, 0))
    if ST_IDENTIFICATION in tables:
        identification = Identification.decode(tables[ST_IDENTIFICATION], formats)
    log = LogDimensions.decode(tables[ST_LOG_DIMENSIONS], general) if ST_LOG_DIMENSIONS in tables else LogDimensions()
    return ProgramCore(
        general,
        identification,
        _registers(tables, general, sources),
        EventLogLayout(formats, log),
        profile_sets(tables, formats, dimensions, sources) if dimensions.sets else (),
        len(dimensions.sets),
    )


def _registers(tables: Mapping[int, bytes], general: GeneralConfiguration, sources: SourceMap) -> RegisterLayout:
    formats = general.formats
    if ST_REGISTER_DIMENSIONS not in tables:
        return RegisterLayout(formats, RegisterDimensions())
    dimensions = RegisterDimensions.decode(tables[ST_REGISTER_DIMENSIONS], formats)
    if ST_REGISTER_SELECTION not in tables:
        raise TableError(ST_REGISTER_SELECTION, "not used by the meter, though ST21 is")
    selection = RegisterSelection.decode(tables[ST_REGISTER_SELECTION], formats, dimensions)
    kinds = (selection.summations, selection.demands, selection.coincidents)
    return RegisterLayout(
        formats, dimensions, *([sources.register(s, ST_REGISTER_SELECTION) for s in kind] for kind in kinds)
    )
