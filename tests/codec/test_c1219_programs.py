"""Meter programs: three that differ in everything are read alike; eras, fingerprints and what is wrong with a program."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.clock import ClockKind, TimeBase
from headend.c1219.load_profile_tables import ProfileDimensions, SetDimensions
from headend.c1219.manufacturer_tables import Era, PhaseCode, StatisticCode, decode_counter
from headend.c1219.profile_blocks import ProfileBlock
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import RAW_TABLES, READ_FIRST, MeterProgram, program_tables
from headend.c1219.register_tables import DatedRegisters, RegisterBlock, RegisterValues, SelfReads
from headend.c1219.source_tables import Direction, UnitCode
from headend.c1219.tables import TableError
from headend.errors import WireError
from headend.model.readings import IntervalFlag
from tests.codec.c1219_programs import DESIGNS, LOCAL_BCD, MINUTES_CHARACTERS, UTC_SECONDS, Design

CHICAGO = ZoneInfo("America/Chicago")
BASES = (TimeBase(ClockKind.UTC, CHICAGO), TimeBase(ClockKind.WALL, CHICAGO), TimeBase(ClockKind.STANDARD, CHICAGO))
METERS = list(zip(DESIGNS, BASES, strict=True))
IDS = ["utc", "wall", "standard"]
MIDNIGHTS = (datetime(2026, 6, 2, 5, tzinfo=UTC), datetime(2026, 3, 9, 5, tzinfo=UTC), datetime(2026, 11, 2, 6, tzinfo=UTC))
END = 1_753_056_000
Reading = tuple[datetime, Fraction, int]


def write_set(
    profile_set: ProfileSet, base: TimeBase, end: datetime, columns: Sequence[Sequence[Fraction]], descending: bool
) -> list[bytes]:
    """Blocks of intervals that end with `end`, as the meter of this set keeps them; the last may be partly filled."""
    length, per_block = timedelta(minutes=profile_set.interval_minutes), profile_set.intervals_per_block
    count = len(columns[0])
    raws = [
        [channel.scaling.raw_of(int(value * 1000), -3) for value in column]
        for channel, column in zip(profile_set.channels, columns, strict=True)
    ]
    octets = []
    for first in range(0, count, per_block):
        last = min(first + per_block, count)
        stamp, dst = base.from_utc(end - (count - last) * length)
        ends = [base.from_utc(end - (count - 1 - i) * length)[1] for i in range(first, last)]
        flags = tuple(int(IntervalFlag.DST) * bit for bit in ends)
        assert flags[-1] == IntervalFlag.DST * dst
        block = ProfileBlock(stamp, tuple(tuple(raw[first:last]) for raw in raws), (flags,) * len(raws))
        octets.append(profile_set.encode_block(block, descending))
    return octets


def read_set(profile_set: ProfileSet, base: TimeBase, octets: Sequence[bytes], count: int, descending: bool) -> list[list[Reading]]:
    """What a head-end makes of the blocks: a list of (end, value, flags) for each channel."""
    length, per_block = timedelta(minutes=profile_set.interval_minutes), profile_set.intervals_per_block
    readings: list[list[Reading]] = [[] for _ in profile_set.channels]
    for i, block_octets in enumerate(octets):
        block = profile_set.decode_block(block_octets, min(per_block, count - i * per_block), descending)
        end = base.to_utc(block.end, block.dst)
        for channel, column, flags, into in zip(profile_set.channels, block.values, block.flags, readings, strict=True):
            values, exponent = channel.scaling.apply(column)
            power = Fraction(10) ** exponent
            ends = [end - k * length for k in reversed(range(len(values)))]
            into += [(e, v * power, f & ~IntervalFlag.DST) for e, v, f in zip(ends, values, flags, strict=True)]
    return readings


@pytest.mark.parametrize("midnight", MIDNIGHTS, ids=["summer", "23 hours", "25 hours"])
@pytest.mark.parametrize(("design", "base"), METERS, ids=IDS)
@pytest.mark.parametrize("descending", [False, True])
def test_meters_that_differ_in_everything_are_read_alike(design: Design, base: TimeBase, midnight: datetime, descending: bool) -> None:
    random = Random(7)
    program = design.program()
    energy, voltage = program.sets
    for profile_set, minutes, unit, kilo in ((energy, 60, UnitCode.WATT, 1), (voltage, 15, UnitCode.VOLT_RMS, 10)):
        start = datetime.combine((midnight - timedelta(hours=12)).astimezone(CHICAGO).date(), datetime.min.time(), CHICAGO)
        count = int((midnight - start.astimezone(UTC)) / timedelta(minutes=minutes))
        truth = [[Fraction(random.randrange(0, 2500), kilo) for _ in range(count)] for _ in profile_set.channels]
        assert profile_set.interval_minutes == minutes
        assert {c.unit.code for c in profile_set.channels if c.unit} == {unit}
        octets = write_set(profile_set, base, midnight, truth, descending)
        read = read_set(profile_set, base, octets, count, descending)
        for column, expected in zip(read, truth, strict=True):
            assert [end for end, _, _ in column] == [midnight - (count - 1 - i) * timedelta(minutes=minutes) for i in range(count)]
            assert [value for _, value, _ in column] == expected
            assert not any(flags for _, _, flags in column)
    assert [(c.statistic, c.phase) for c in voltage.channels] == [
        (StatisticCode.MAXIMUM, PhaseCode.A),
        (StatisticCode.MINIMUM, PhaseCode.A),
        (StatisticCode.AVERAGE, PhaseCode.A),
    ]
    assert energy.channels[0].statistic is StatisticCode.TOTAL
    assert energy.channels[0].unit is not None
    assert energy.channels[0].unit.direction is Direction.DELIVERED


@pytest.mark.parametrize(("design", "base"), METERS, ids=IDS)
def test_midnight_registers_are_read_alike(design: Design, base: TimeBase) -> None:
    registers = design.program().registers
    channel = registers.summations[0]
    exponent = channel.unit.exponent if channel.unit else 0
    kept = []
    for i, midnight in enumerate(MIDNIGHTS):
        stamp, _ = base.from_utc(midnight)
        block = RegisterBlock(((12_345_000 + 1000 * i, -exponent),))
        tiers = (RegisterBlock(((1, 0),)),) * registers.dimensions.tiers
        kept.append(DatedRegisters(RegisterValues(block, tiers), stamp, 0, i))
    newest = 1
    octets = registers.encode_self_reads(SelfReads(3, newest, 2, 3, (kept[1], kept[2], *(kept[0],) * (registers.self_reads - 2))))
    assert len(octets) == registers.self_reads_size
    reads = registers.decode_self_reads(octets).chronological()
    values = []
    for read in reads:
        number = channel.value(read.values.total.summations[0])
        assert number is not None
        assert read.end is not None
        values.append((base.to_utc(read.end), Fraction(number[0]) * Fraction(10) ** number[1]))
    assert values == [(midnight, 12_345_000 + 1000 * i) for i, midnight in enumerate(MIDNIGHTS)]


@pytest.mark.parametrize("design", DESIGNS, ids=IDS)
def test_a_program_persists(design: Design) -> None:
    tables = design.tables()
    program = MeterProgram.decode(tables)
    again = MeterProgram.decode(program.tables)
    assert again == program
    assert hash(again) == hash(program)
    assert again.core is program.core
    assert {READ_FIRST[0], *program_tables(program.general)} == set(program.tables) <= set(RAW_TABLES)
    assert len(program.fingerprint) == 16
    other_serial = tables | {1: tables[1][:16] + bytes(16)}
    assert MeterProgram.decode(other_serial) == program
    assert MeterProgram.decode(tables | {1: b"\x20" + tables[1][1:]}) != program
    assert program.identification.serial_no == ""


def test_programs_that_differ_in_counter_and_eras_share_the_rest() -> None:
    plain = UTC_SECONDS.program()
    grown = replace(UTC_SECONDS, counter=9, eras=(Era(0, 15), Era(50, 60))).program()
    assert grown != plain
    assert grown.core is plain.core
    assert grown.sets[0].layout is plain.sets[0].layout
    assert (grown.configuration_counter, plain.configuration_counter) == (9, 1)
    assert decode_counter(grown.tables[0x802][:2], grown.general.formats) == 9


def test_eras() -> None:
    profile_set = replace(UTC_SECONDS, energy_minutes=5, eras=(Era(12, 60), Era(40, 15), Era(64, 5))).program().sets[0]
    assert [profile_set.interval_minutes_at(seq) for seq in (0, 12, 39, 40, 63, 64, 99)] == [60, 60, 60, 15, 15, 5, 5]
    assert UTC_SECONDS.program().sets[0].interval_minutes_at(3) == 60


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Stretches of a device's life: interval minutes, intervals, and the seconds by which its clock is then set."""
    lengths = draw(st.lists(st.sampled_from((60, 30, 15, 5)), min_size=1, max_size=5))
    return [(minutes, draw(st.integers(1, 60)), draw(st.sampled_from((0, 0, 2220, -1800, 90_000)))) for minutes in lengths]


def live(design: Design, history: list[tuple[int, int, int]]) -> tuple[list[bytes], list[Era], list[tuple[int, int, int]]]:
    """Blocks, eras and intervals (end, seconds, value) of a device that cuts a block at every change; the last block stays open."""
    profile_set, slots = design.program().sets[0], design.energy_intervals
    now, value, octets, eras, truth = END, 0, list[bytes](), list[Era](), list[tuple[int, int, int]]()
    skipped = int(IntervalFlag.SKIPPED)
    for stretch, (minutes, count, set_by) in enumerate(history):
        if not eras or eras[-1].minutes != minutes:
            eras.append(Era(len(octets), minutes))
        for first in range(0, count, slots):
            filled = min(slots, count - first)
            values = tuple(range(value, value + filled))
            truth += [(now + (i + 1) * 60 * minutes, 60 * minutes, value + i) for i in range(filled)]
            now, value = now + filled * 60 * minutes, value + filled
            unused = 0 if stretch == len(history) - 1 else slots - filled
            flags = (0,) * filled + (skipped,) * unused
            octets.append(profile_set.encode_block(ProfileBlock(now + unused * 60 * minutes, (values + (0,) * unused,), (flags,))))
        now += set_by
    return octets, eras, truth


@given(histories())
def test_changes_of_length_and_clock_leave_every_interval_where_it_was(history: list[tuple[int, int, int]]) -> None:
    octets, eras, truth = live(UTC_SECONDS, history)
    profile_set = replace(UTC_SECONDS, energy_minutes=history[-1][0], eras=tuple(eras)).program().sets[0]
    valid = (history[-1][1] - 1) % profile_set.intervals_per_block + 1
    read = []
    for seq, block_octets in enumerate(octets):
        seconds = 60 * profile_set.interval_minutes_at(seq)
        block = profile_set.decode_block(block_octets, valid if seq == len(octets) - 1 else None)
        block = block.without_tail(block.cut_short, seconds)
        count = block.intervals
        read += [(block.end - (count - 1 - i) * seconds, seconds, value) for i, value in enumerate(block.values[0])]
    assert read == truth


def test_without_our_device_class_the_standard_tables_speak() -> None:
    design = replace(UTC_SECONDS, device_class=b"ELSE")
    program = MeterProgram.decode({t: octets for t, octets in design.tables().items() if t != 0x802})
    assert [c.statistic for s in program.sets for c in s.channels] == [StatisticCode.TOTAL, *[StatisticCode.AVERAGE] * 3]
    assert program.configuration_counter == 0
    assert 0x802 not in program_tables(program.general)


def test_a_set_without_dimensions_is_in_use_and_empty() -> None:
    tables = UTC_SECONDS.tables()
    formats = UTC_SECONDS.formats
    sizes = (SetDimensions(1, 0, 0, 1, 0), SetDimensions(2, 40, 96, 3, 15))
    program = MeterProgram.decode(tables | {61: ProfileDimensions(sizes, 1 << 10 | 1 << 7).encode(formats)})
    assert [(s.index, s.table_id) for s in program.sets] == [(1, 65)]
    assert len(program.decode_profile_status(bytes(26)).sets) == 2


@pytest.mark.parametrize("table", [0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802])
def test_a_missing_table_is_named(table: int) -> None:
    tables = LOCAL_BCD.tables()
    del tables[table]
    with pytest.raises(TableError) as caught:
        MeterProgram.decode(tables)
    assert caught.value.table == table
    assert "given" in caught.value.reason


@pytest.mark.parametrize("design", DESIGNS, ids=IDS)
@pytest.mark.parametrize("table", [0, 1, 11, 12, 16, 21, 22, 61, 62, 71, 0x802])
def test_a_cut_table_is_named(design: Design, table: int) -> None:
    tables = design.tables()
    name = "MT2" if table == 0x802 else f"ST{table}"
    for end in range(len(tables[table])):
        if (table == 1 and end >= 16) or (table, end) == (71, 9):
            continue  # the model part is enough; the first edition's table ends here
        with pytest.raises(WireError, match=rf"^{name}: "):
            MeterProgram.decode(tables | {table: tables[table][:end]})


@pytest.mark.parametrize(
    ("design", "table", "patch", "reason"),
    [
        (UTC_SECONDS, 0, {1: 0x1D}, "time format 5 does not exist"),
        (UTC_SECONDS, 0, {2: 0x8E}, "number format code 14 does not exist"),
        (UTC_SECONDS, 0, {1: 0xDC}, "integer format 3 does not exist"),
        (UTC_SECONDS, 22, {0: 7}, "ST22: source 7 of 2"),
        (UTC_SECONDS, 61, {12: 0}, "set 1 has intervals of 0 minutes"),
        (UTC_SECONDS, 62, {1: 9}, "ST62: source 9 of 2"),
        (UTC_SECONDS, 62, {3: 3}, "ST64: interval format code 3 does not exist"),
        (LOCAL_BCD, 62, {6: 0, 7: 0}, "with a zero"),
        (UTC_SECONDS, 0x802, {2: 9}, "version 9 is not known"),
        (UTC_SECONDS, 0x802, {3: 0}, "0 sets where ST61 has 2"),
        (UTC_SECONDS, 0x802, {5: 7}, "statistic 7 or phase 0 is not known"),
        (MINUTES_CHARACTERS, 15, {10: 0x58}, "ST15: octet 0 is no number"),
        (MINUTES_CHARACTERS, 11, {6: 1}, "ST15: constants of kind 1 are not known"),
    ],
)
def test_what_is_wrong_is_said(design: Design, table: int, patch: dict[int, int], reason: str) -> None:
    tables = design.tables()
    octets = bytearray(tables[table])
    for offset, octet in patch.items():
        octets[offset] = octet
    with pytest.raises(TableError, match=reason):
        MeterProgram.decode(tables | {table: bytes(octets)})


def test_eras_that_contradict() -> None:
    with pytest.raises(TableError, match=r"MT2: set 1 ends with 15 minutes where ST61 says 60"):
        replace(UTC_SECONDS, eras=(Era(0, 60), Era(9, 15))).program()
    with pytest.raises(TableError, match=r"eras without length or out of order"):
        replace(UTC_SECONDS, eras=(Era(9, 15), Era(9, 60))).program()
    with pytest.raises(TableError, match=r"9 eras are more than 8"):
        replace(UTC_SECONDS, eras=tuple(Era(i, 60) for i in range(9))).program()


@given(st.sampled_from(DESIGNS), st.sampled_from([t for t in RAW_TABLES if t != 15]), st.data())
def test_a_broken_program_decodes_or_raises_wire_error(design: Design, table: int, data: st.DataObject) -> None:
    tables = design.tables()
    octets = bytearray(tables[table])
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    try:
        program = MeterProgram.decode(tables | {table: bytes(octets)})
    except WireError:
        return
    assert MeterProgram.decode(program.tables) == program
