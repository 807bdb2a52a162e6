"""Meter programs: a model set up for a configuration, as the octets of its constant tables; shared by all endpoints that are alike."""

from dataclasses import dataclass
from typing import Final

from emulators.device_events import EVENT_OCTETS_MANUFACTURER, EVENT_OCTETS_STANDARD
from emulators.models import ModelForm, SetForm, profile_specs, quantity_exponent
from emulators.profile import ProfileSpec, StatusForm
from emulators.timeline import ClockPiece, Run, Timeline
from headend.c1219.event_log_tables import EVENT_NUMBER, EventLogLayout, LogDimensions
from headend.c1219.general_tables import GeneralConfiguration, Identification
from headend.c1219.load_profile_tables import ChannelSelection, ProfileControl, ProfileDimensions, SetControl, SetDimensions
from headend.c1219.manufacturer_tables import (
    DEVICE_CLASS,
    PROCEDURE_SWITCH,
    Era,
    OwnUnitCode,
    PhaseCode,
    ProfileMeaning,
    SetMeaning,
    StatisticCode,
)
from headend.c1219.profile_blocks import END_READINGS, EXTENDED_STATUS, SIMPLE_STATUS
from headend.c1219.program import MeterProgram
from headend.c1219.register_layout import RegisterChannel, RegisterLayout
from headend.c1219.register_tables import RegisterDimensions, RegisterSelection
from headend.c1219.source_tables import SourceDimensions, SourceFlag, TimeBase, UnitCode, UnitOfMeasure, encode_sources, encode_units
from headend.c1219.tables import MT_PROFILE_MEANING, MT_SWITCH_STATE, MT_WAKE_UPS
from headend.c1219.values import Scaling
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import CONFIGURATIONS, Commodity

DAY: Final = 86_400
EVENT_ARGUMENT_OCTETS: Final = 2
PROGRAM_TABLES: Final = (0, 1, 11, 12, 16, 21, 22, 61, 62, 71, MT_PROFILE_MEANING)
PROCEDURES: Final = frozenset({0, 1, 4, 5, 6, 9, 10})

_NAMEPLATE = {Commodity.GAS: 0, Commodity.WATER: 1, Commodity.ELECTRIC: 2}
_FORMAT_CODES = {"u1": 1, "u2": 2, "u4": 4, "i1": 8, "i2": 16, "i4": 32}
_STATUS_FLAGS = {StatusForm.NONE: 0, StatusForm.SIMPLE: SIMPLE_STATUS, StatusForm.EXTENDED: EXTENDED_STATUS}
_PHASES = {"a": PhaseCode.A, "b": PhaseCode.B, "c": PhaseCode.C}


@dataclass(frozen=True, slots=True)
class MeterKind:
    """One program and all that endpoints which run it share; `timeline` is that of a device whose clock is true.

    `tiers` is 2 where it has registers of a time-of-use rate, else 0.
    """

    form: ModelForm
    configuration: str
    general: GeneralConfiguration
    tables: dict[int, bytes]
    specs: tuple[ProfileSpec, ...]
    registers: RegisterLayout
    register_channel: str
    tiers: int
    register_exponent: int
    timeline: Timeline
    events: EventLogLayout
    program: MeterProgram

    @property
    def battery(self) -> bool:
        """Whether it sleeps and pushes."""
        return CONFIGURATIONS[self.configuration].battery

    @property
    def has_switch(self) -> bool:
        """Whether it can disconnect."""
        return CONFIGURATIONS[self.configuration].has_switch


def make_kind(form: ModelForm, configuration: str, history_start: int, world_start: int) -> MeterKind:
    """The program of a model set up for a configuration. `history_start` is a UTC midnight (unix seconds)."""
    specs = profile_specs(form, configuration, form.phase_seconds)
    channel = CONFIGURATIONS[configuration].registers[0]
    # Decoded again, so that it knows the dimensions that its octets have.
    general = GeneralConfiguration.decode(_general(form, configuration, len(specs)).encode())
    tiers = sum(bool(CHANNEL_BY_NAME[name].tier) for name in CONFIGURATIONS[configuration].registers)
    registers = _register_layout(form, tiers)
    timeline = _timeline(form, specs, history_start, world_start)
    tables = _tables(form, general, specs, timeline, registers)
    return MeterKind(
        form=form,
        configuration=configuration,
        general=general,
        tables=tables,
        specs=specs,
        registers=registers,
        register_channel=channel,
        tiers=tiers,
        register_exponent=quantity_exponent(channel) - form.register_exponent,
        timeline=timeline,
        events=EventLogLayout(form.formats, _log_dimensions(form)),
        program=MeterProgram.decode({**tables, 1: identification(form, "0")}),
    )


def _general(form: ModelForm, configuration: str, sets: int) -> GeneralConfiguration:
    kind = CONFIGURATIONS[configuration]
    used = {0, 1, 3, 5, 7, 8, 11, 12, 16, 21, 22, 23, 26, 52, 55, 61, 62, 63, *range(64, 64 + sets), 71, 72, 75, 76, MT_PROFILE_MEANING}
    used |= {MT_SWITCH_STATE} if kind.has_switch else set()
    used |= {MT_WAKE_UPS} if kind.battery else set()
    return GeneralConfiguration(
        formats=form.formats,
        access=form.access,
        device_class=DEVICE_CLASS,
        nameplate=_NAMEPLATE[kind.commodity],
        parameter_octets_max=32,
        response_octets_max=16,
        tables=frozenset(used),
        procedures=PROCEDURES | ({PROCEDURE_SWITCH} if kind.has_switch else frozenset()),
        writable=frozenset({7, MT_WAKE_UPS} if kind.battery else {7}),
    )


def _register_layout(form: ModelForm, tiers: int) -> RegisterLayout:
    dimensions = RegisterDimensions(form.register_flags, form.self_reads, summations=1, tiers=tiers)
    return RegisterLayout(form.formats, dimensions, [RegisterChannel(0, None, Scaling())])


def _timeline(form: ModelForm, specs: tuple[ProfileSpec, ...], start: int, world_start: int) -> Timeline:
    piece = ClockPiece(start)
    runs = []
    for number, spec in enumerate(specs):
        at = start + spec.phase_seconds
        found = [Run(0, at, spec.interval_seconds, at, (piece,))]
        for days, minutes in form.eras if number == 0 else ():
            change = (world_start // DAY - days) * DAY + spec.phase_seconds
            old = found[-1]
            if change > old.start:
                blocks = -(-(change - old.start) // (old.length * spec.intervals))
                found[-1] = Run(old.first_seq, old.start, old.length, old.began, old.pieces, ended=change)
                found.append(Run(old.first_seq + blocks, change, minutes * 60, change, (piece,)))
        runs.append(tuple(found))
    return Timeline((piece,), tuple(runs), tuple(spec.intervals for spec in specs))


def unit_of(channel: str, exponent: int) -> UnitOfMeasure:
    """ST12's entry for a channel of the catalogue that counts 10^`exponent` of its unit."""
    match channel.split("_")[:2]:
        case ["energy", "net"]:
            return UnitOfMeasure(UnitCode.WATT, TimeBase.NET_BULK, exponent, 0b1111, net_flow=True)
        case ["energy", flow]:
            return UnitOfMeasure(UnitCode.WATT, TimeBase.BULK, exponent, 0b1001 if flow == "delivered" else 0b0110)
        case ["reactive", flow]:
            return UnitOfMeasure(UnitCode.VAR, TimeBase.BULK, exponent, 0b0011 if flow == "delivered" else 0b1100)
        case ["voltage", _]:
            return UnitOfMeasure(UnitCode.VOLT_RMS, TimeBase.INSTANTANEOUS, exponent)
        case ["gas", _]:
            return UnitOfMeasure(UnitCode.GAS_M3, TimeBase.BULK, exponent)
    return UnitOfMeasure(OwnUnitCode.CUBIC_METRE_WATER, TimeBase.BULK, exponent, own_code=True)


def meaning_of(channel: str) -> tuple[StatisticCode, PhaseCode]:
    """MT2's entry for a channel."""
    words = channel.split("_")
    if words[0] == "voltage":
        return StatisticCode[words[1].upper()], _PHASES[words[2]]
    return (StatisticCode.NET if words[1] == "net" else StatisticCode.TOTAL), PhaseCode.ALL


def _tables(
    form: ModelForm,
    general: GeneralConfiguration,
    specs: tuple[ProfileSpec, ...],
    timeline: Timeline,
    registers: RegisterLayout,
) -> dict[int, bytes]:
    formats = form.formats
    set_forms = (form.energy, form.voltage or form.energy)
    sources = [unit_of(c, s.exponent) for spec, s in zip(specs, set_forms, strict=False) for c in spec.channels]
    register_source = len(sources)
    sources.append(unit_of(specs[0].channels[0], form.register_exponent))
    profile = ProfileDimensions(
        tuple(
            SetDimensions(n + 1, spec.blocks, spec.intervals, len(spec.channels), timeline.runs[n][-1].length // 60)
            for n, spec in enumerate(specs)
        ),
        flags=_profile_flags(form, len(specs)),
        formats_used=0,
        memory_octets=sum(spec.blocks * spec.block_octets for spec in specs),
    )
    return {
        0: general.encode(),
        11: SourceDimensions(units=len(sources), sources=len(sources)).encode(formats),
        12: encode_units(sources, formats),
        16: encode_sources([SourceFlag.UNIT] * len(sources)),
        21: registers.dimensions.encode(formats),
        22: RegisterSelection(summations=(register_source,)).encode(),
        61: profile.encode(formats),
        62: _control(specs, set_forms, register_source).encode(formats, profile),
        71: _log_dimensions(form).encode(general),
        MT_PROFILE_MEANING: _meaning(specs, timeline).encode(formats),
    }


def _profile_flags(form: ModelForm, sets: int) -> int:
    scaled = sum(1 << (6 + n) for n in range(sets))
    return scaled | _STATUS_FLAGS[form.status] | (END_READINGS if form.end_readings else 0)


def _control(specs: tuple[ProfileSpec, ...], forms: tuple[SetForm, ...], register_source: int) -> ProfileControl:
    controls = []
    first = 0
    for spec, kept in zip(specs, forms, strict=False):
        divisor = kept.divisor
        ends = spec.end_readings
        channels = tuple(ChannelSelection(first + n, ends, register_source if ends else 0, 1, divisor) for n in range(len(spec.channels)))
        controls.append(SetControl(channels, _FORMAT_CODES[spec.value[1:]]))
        first += len(channels)
    return ProfileControl(tuple(controls))


def _meaning(specs: tuple[ProfileSpec, ...], timeline: Timeline) -> ProfileMeaning:
    sets = []
    for spec, runs in zip(specs, timeline.runs, strict=True):
        eras = tuple(Era(run.first_seq, run.length // 60) for run in runs) if len(runs) > 1 else ()
        sets.append(SetMeaning(tuple(meaning_of(c) for c in spec.channels), eras))
    return ProfileMeaning(1 + len(timeline.runs[0]), tuple(sets))


def _log_dimensions(form: ModelForm) -> LogDimensions:
    return LogDimensions(
        flags=EVENT_NUMBER if form.event_number else 0,
        standard_event_octets=EVENT_OCTETS_STANDARD,
        manufacturer_event_octets=EVENT_OCTETS_MANUFACTURER,
        event_data_octets=EVENT_ARGUMENT_OCTETS,
        events=form.events,
    )


def identification(form: ModelForm, serial_no: str) -> bytes:
    """ST1 of one device."""
    firmware = (1, sum(form.name.encode()) % 100)
    return Identification("OAHE", form.name, (2, 0), firmware, serial_no).encode(form.formats)

