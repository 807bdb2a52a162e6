"""Meter programs for tests: three that differ in everything, and a way to make any other."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from headend.c1219.event_log_tables import EVENT_NUMBER, HISTORY_SEQUENCE, HISTORY_TIME, LogDimensions
from headend.c1219.fields import Formats
from headend.c1219.general_tables import Access, GeneralConfiguration, Identification
from headend.c1219.load_profile_tables import ChannelSelection, ProfileControl, ProfileDimensions, SetControl, SetDimensions
from headend.c1219.manufacturer_tables import DEVICE_CLASS, Era, PhaseCode, ProfileMeaning, SetMeaning, StatisticCode
from headend.c1219.profile_blocks import END_PULSES, END_READINGS, EXTENDED_STATUS, SIMPLE_STATUS
from headend.c1219.program import MeterProgram
from headend.c1219.register_tables import RegisterDimensions, RegisterFlag, RegisterSelection
from headend.c1219.source_tables import (
    ElectricConstants,
    SourceDimensions,
    SourceFlag,
    TimeBase,
    UnitCode,
    UnitOfMeasure,
    encode_constants,
    encode_sources,
    encode_units,
)

DELIVERED = UnitOfMeasure(UnitCode.WATT, TimeBase.BULK, 0, quadrants=0b1001)
VOLTAGE = UnitOfMeasure(UnitCode.VOLT_RMS, TimeBase.INSTANTANEOUS)
VOLTAGE_CHANNELS = tuple(
    (statistic, PhaseCode.A) for statistic in (StatisticCode.MAXIMUM, StatisticCode.MINIMUM, StatisticCode.AVERAGE)
)
ENERGY_CHANNELS = ((StatisticCode.TOTAL, PhaseCode.ALL),)
STANDARD_TABLES = frozenset((0, 1, 3, 5, 7, 8, 11, 12, 16, 21, 22, 23, 25, 26, 52, 55, 61, 62, 63, 64, 65, 71, 72, 75, 76))


HOURLY = SetControl((ChannelSelection(0),), 4)
QUARTER_HOURLY = SetControl((ChannelSelection(1),) * 3, 2)
DAILY_REGISTER = RegisterDimensions(RegisterFlag.DATE_TIME | RegisterFlag.SEQUENCE, self_reads=26, summations=1)
EVENT_LOG = LogDimensions(0, 7, 1, 0, 0, 0, 420)


@dataclass(frozen=True)
class Design:
    """A program in terms of what differs; source 0 is energy, source 1 voltage."""

    formats: Formats
    access: Access = Access.BOTH
    units: Sequence[UnitOfMeasure] = (DELIVERED, VOLTAGE)
    flags: int = EXTENDED_STATUS
    energy: SetControl = HOURLY
    voltage: SetControl = QUARTER_HOURLY
    energy_intervals: int = 24
    voltage_intervals: int = 96
    energy_minutes: int = 60
    blocks: int = 40
    scaled: Sequence[int] = ()
    registers: RegisterDimensions = DAILY_REGISTER
    constants: Sequence[ElectricConstants] = ()
    source_flags: Sequence[int] = (SourceFlag.UNIT, SourceFlag.UNIT)
    log: LogDimensions = EVENT_LOG
    version: int = 2
    device_class: bytes = DEVICE_CLASS
    eras: tuple[Era, ...] = ()
    counter: int = 1
    manufacturer: str = "TEST"

    @property
    def general(self) -> GeneralConfiguration:
        tables = STANDARD_TABLES | ({15} if self.constants else set()) | {0x801, 0x802}
        general = GeneralConfiguration(
            self.formats,
            self.access,
            self.device_class,
            standard_version=self.version,
            tables=tables,
            procedures=frozenset((4, 5, 9, 10, 0x801)),
            writable=frozenset((7,)),
        )
        return GeneralConfiguration.decode(general.encode())

    def tables(self) -> dict[int, bytes]:
        f = self.formats
        flags = self.flags | sum(1 << 5 + number for number in self.scaled)
        sizes = (
            SetDimensions(1, self.blocks, self.energy_intervals, len(self.energy.channels), self.energy_minutes),
            SetDimensions(2, self.blocks, self.voltage_intervals, len(self.voltage.channels), 15),
        )
        profile = ProfileDimensions(sizes, flags)
        sources = SourceDimensions(0, len(self.units), 0, 0, 0, len(self.constants), 2, len(self.source_flags))
        r = self.registers
        energy = ENERGY_CHANNELS * len(self.energy.channels)
        meaning = ProfileMeaning(self.counter, (SetMeaning(energy, self.eras), SetMeaning(VOLTAGE_CHANNELS)))
        tables = {
            0: self.general.encode(),
            1: Identification(self.manufacturer, "MODEL", (1, 0), (2, 7), "8437").encode(f),
            11: sources.encode(f),
            12: encode_units(self.units, f),
            16: encode_sources([SourceFlag(flag) for flag in self.source_flags]),
            21: r.encode(f),
            22: RegisterSelection(
                (0,) * r.summations, (0,) * r.demands, frozenset(range(r.demands)), (0,) * r.coincidents, (0,) * r.coincidents
            ).encode(),
            61: profile.encode(f),
            62: ProfileControl((self.energy, self.voltage)).encode(f, profile),
            71: self.log.encode(self.general),
            0x802: meaning.encode(f),
        }
        return tables | ({15: encode_constants(self.constants, f)} if self.constants else {})

    def program(self) -> MeterProgram:
        return MeterProgram.decode(self.tables())


UTC_SECONDS = Design(
    Formats(little=True, time_code=4, int_format=0, ni1_code=0, ni2_code=8),
    voltage=SetControl((ChannelSelection(1, False, 0, 1, 10),) * 3, 2),
    scaled=(2,),
)
"""Least significant octet first, UTC seconds, floats, read by offset or index."""

LOCAL_BCD = Design(
    Formats(little=False, time_code=1, int_format=1, ni1_code=5, ni2_code=7, id_bcd=True),
    access=Access.FULL_ONLY,
    units=(replace(DELIVERED, exponent=3), replace(VOLTAGE, exponent=-3)),
    flags=EXTENDED_STATUS | SIMPLE_STATUS | END_READINGS,
    energy=SetControl((ChannelSelection(0, True, 0, 1, 1000),), 64),
    voltage=SetControl((ChannelSelection(1, False, 0, 100, 1),) * 3, 32),
    energy_intervals=48,
    voltage_intervals=48,
    blocks=20,
    scaled=(1, 2),
    registers=RegisterDimensions(
        RegisterFlag.DATE_TIME | RegisterFlag.SEASON | RegisterFlag.RESET_COUNTER | RegisterFlag.CUMULATIVE_DEMAND,
        self_reads=35,
        summations=1,
        demands=1,
        occurrences=1,
        tiers=2,
    ),
    constants=(ElectricConstants((1000, 0)),),
    source_flags=(SourceFlag.UNIT, SourceFlag.UNIT | SourceFlag.CONSTANTS),
    log=LogDimensions(EVENT_NUMBER, 10, 0, 0, 2, 0, 100),
    version=1,
    manufacturer="LOCL",
)
"""Most significant octet first, wall-clock BCD, kWh in BCD registers, full reads only, one's complement, both kinds of status."""

MINUTES_CHARACTERS = Design(
    Formats(little=True, time_code=3, int_format=2, ni1_code=2, ni2_code=1),
    access=Access.INDEX,
    units=(replace(DELIVERED, exponent=3), VOLTAGE),
    flags=EXTENDED_STATUS | END_PULSES,
    energy=SetControl((ChannelSelection(0),), 128),
    voltage=SetControl((ChannelSelection(1, False, 0, 1, 4),) * 3, 16),
    energy_intervals=24,
    voltage_intervals=24,
    blocks=160,
    scaled=(2,),
    registers=RegisterDimensions(RegisterFlag.DATE_TIME, self_reads=8, summations=1),
    constants=(ElectricConstants((4, -1)),),
    source_flags=(SourceFlag.UNIT, SourceFlag.UNIT | SourceFlag.CONSTANTS | SourceFlag.CONSTANT_TO_APPLY),
    log=LogDimensions(HISTORY_TIME | HISTORY_SEQUENCE, 7, 2, 3, 1, 50, 200),
    manufacturer="MINS",
)
"""Standard-time minutes, registers as characters, float intervals, constants still to apply, read by index."""

DESIGNS = (UTC_SECONDS, LOCAL_BCD, MINUTES_CHARACTERS)
