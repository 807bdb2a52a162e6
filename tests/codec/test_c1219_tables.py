"""Every other table and procedure both ways, in every format, and cut at every octet."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.clock_tables import ClockQualifier
from headend.c1219.event_log_tables import (
    EVENT_NUMBER,
    HISTORY_SEQUENCE,
    HISTORY_TIME,
    EventLogLayout,
    LogControl,
    LogDimensions,
    LogEntry,
    LogStatus,
    decode_events_identified,
    encode_events_identified,
)
from headend.c1219.fields import Formats
from headend.c1219.general_tables import (
    Access,
    DeviceIdentification,
    GeneralConfiguration,
    Identification,
    MeterMode,
    MeterStatus,
    ModeStatus,
)
from headend.c1219.load_profile_tables import ProfileStatus, SetStatus
from headend.c1219.manufacturer_tables import PROCEDURE_SWITCH, SwitchCommand, SwitchPosition, SwitchState
from headend.c1219.procedures import (
    ChangeMode,
    NoParameters,
    ProcedureRequest,
    ProcedureResult,
    RawParameters,
    RemoteReset,
    Reply,
    ResetListPointers,
    SetDateTime,
    SwitchService,
    UpdateLastRead,
)
from headend.c1219.register_layout import RegisterLayout
from headend.c1219.register_tables import (
    DatedRegisters,
    DemandValue,
    RegisterBlock,
    RegisterDimensions,
    RegisterFlag,
    RegisterSelection,
    RegisterValues,
)
from headend.c1219.source_tables import (
    DemandControl,
    Direction,
    ElectricConstants,
    SourceDimensions,
    UnitOfMeasure,
    decode_constants,
    decode_units,
    encode_constants,
    encode_units,
)
from headend.c1219.tables import ST_HISTORY_LOG, TableError
from headend.errors import TruncatedError, WireError
from tests.codec.c1219_programs import DESIGNS

NOON = 1_772_280_900 // 60 * 60
FORMATS = st.builds(
    Formats,
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from((0, 4, 8, 10, 13)),
    st.sampled_from((0, 2, 8)),
    st.booleans(),
)
U8, U16, U32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)
NUMBERS = st.tuples(st.integers(1, 9999).filter(lambda n: n % 10), st.just(0))
IDS = st.frozensets(st.one_of(st.integers(0, 79), st.integers(0x800, 0x80F)))


def general(formats: Formats, version: int = 2) -> GeneralConfiguration:
    return GeneralConfiguration(
        formats,
        Access.BOTH,
        b"OAHE",
        standard_version=version,
        manufacturer_status_octets=2,
        table_octets=10,
        manufacturer_table_octets=2,
        procedure_octets=10,
        manufacturer_procedure_octets=2,
    )


def holds(value: Any, encode: Callable[[Any], bytes], decode: Callable[[bytes], Any]) -> None:
    """The value survives, and no shorter octets are taken for a table."""
    octets = encode(value)
    assert decode(octets) == value
    for end in range(len(octets)):
        with pytest.raises(TruncatedError, match=r"^[SM]T\d+: truncated at octet"):
            decode(octets[:end])


@given(FORMATS, st.integers(1, 2), IDS, IDS, st.sampled_from(Access), st.binary(min_size=4, max_size=4), U8)
def test_general_configuration(
    formats: Formats, version: int, tables: frozenset[int], procedures: frozenset[int], access: Access, device_class: bytes, octet: int
) -> None:
    sizes = {"table_octets": 11, "manufacturer_table_octets": 3, "procedure_octets": 10, "manufacturer_procedure_octets": 2}
    value = GeneralConfiguration(
        formats, access, device_class, 2, octet, 16, octet, version, 0, 3, 1, 2, tables, procedures, frozenset(list(tables)[:2]), **sizes
    )
    octets = value.encode()
    assert len(octets) == 19 + 2 * 11 + 2 * 3 + 10 + 2
    assert GeneralConfiguration.decode(octets) == value
    for end in range(len(octets)):
        with pytest.raises(WireError, match=r"^ST0: "):
            GeneralConfiguration.decode(octets[:end])


@given(FORMATS, st.integers(0, 10**16 - 1), st.binary(min_size=4, max_size=4))
def test_identification(formats: Formats, serial: int, versions: bytes) -> None:
    value = Identification("OPEN", "MODEL 1", (versions[0], versions[1]), (versions[2], versions[3]), f"{serial:016d}")
    octets = value.encode(formats)
    assert len(octets) == (24 if formats.id_bcd else 32)
    assert Identification.decode(octets, formats) == value
    device = DeviceIdentification(f"{serial:020d}")
    holds(device, lambda d: d.encode(formats), lambda o: DeviceIdentification.decode(o, formats))


def test_identifiers_that_do_not_fit() -> None:
    bcd, text = Formats(True, 4, 0, 0, 8, id_bcd=True), Formats(True, 4, 0, 0, 8)
    for formats, name in ((bcd, "12A4"), (bcd, "1" * 21), (text, "x" * 21), (text, "Zähler")):
        with pytest.raises(TableError, match=r"^ST5: "):
            DeviceIdentification(name).encode(formats)


@given(FORMATS, U8, U16, U8, st.binary(min_size=2, max_size=2))
def test_mode_status(formats: Formats, mode: int, status: int, status_2: int, own: bytes) -> None:
    value = ModeStatus(MeterMode(mode), MeterStatus(status), status_2, own)
    holds(value, lambda v: v.encode(general(formats)), lambda o: ModeStatus.decode(o, general(formats)))


@given(FORMATS, st.lists(U32.map(lambda bits: bits & 0x807FFFFF), min_size=1, max_size=9))
def test_units(formats: Formats, bits: list[int]) -> None:
    units = tuple(map(UnitOfMeasure.from_bits, bits))
    assert [unit.to_bits() for unit in units] == bits
    dimensions = SourceDimensions(units=len(units))
    holds(units, lambda v: encode_units(v, formats), lambda o: decode_units(o, formats, dimensions))
    assert all(unit.direction in Direction for unit in units)


@pytest.mark.parametrize(
    ("unit", "direction"),
    [
        (UnitOfMeasure(0, quadrants=0b1001), Direction.DELIVERED),
        (UnitOfMeasure(0, quadrants=0b0110), Direction.RECEIVED),
        (UnitOfMeasure(1, quadrants=0b0011), Direction.DELIVERED),
        (UnitOfMeasure(1, quadrants=0b1100), Direction.RECEIVED),
        (UnitOfMeasure(0, quadrants=0b1111, net_flow=True), Direction.NET),
        (UnitOfMeasure(0, time_base=5, quadrants=0b1111), Direction.NET),
        (UnitOfMeasure(8), Direction.NONE),
        (UnitOfMeasure(0, quadrants=0b1001, own_code=True), Direction.NONE),
    ],
)
def test_directions(unit: UnitOfMeasure, direction: Direction) -> None:
    assert unit.direction is direction


def test_a_multiplier_that_is_none() -> None:
    with pytest.raises(TableError, match=r"ST12: there is no multiplier 10\^1"):
        UnitOfMeasure(0, exponent=1).to_bits()


@given(FORMATS, st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4), st.integers(0, 2))
def test_constants(formats: Formats, pairs: list[Any], sets: int) -> None:
    dimensions = SourceDimensions((0, 32, 96)[sets], constants=len(pairs))
    entries = tuple(ElectricConstants((m, -4) if formats.ni1_code == 4 else (m, e), offset_of(formats), ()) for (m, e), _ in pairs)
    entries = tuple(ElectricConstants(e.multiplier, e.offset, ((1, e.multiplier, e.multiplier),) * sets) for e in entries)
    holds(entries, lambda v: encode_constants(v, formats), lambda o: decode_constants(o, formats, dimensions))


def offset_of(formats: Formats) -> tuple[int, int]:
    return (0, -4) if formats.ni1_code == 4 else (0, 0)


@given(FORMATS, U8, st.lists(st.tuples(st.integers(1, 60), st.integers(1, 15)), min_size=1, max_size=5))
def test_demand_control(formats: Formats, flags: int, intervals: list[tuple[int, int]]) -> None:
    dimensions = SourceDimensions(flags, demand_controls=len(intervals))
    value = DemandControl(
        tuple(pair if flags & 8 else (pair[0], 1) for pair in intervals), 5 if flags & 2 else 0, (1, 2, 3) if flags & 1 else (0, 0, 0)
    )
    holds(value, lambda v: v.encode(formats, dimensions), lambda o: DemandControl.decode(o, formats, dimensions))


@st.composite
def register_layouts(draw: st.DrawFn, formats: Formats) -> RegisterLayout:
    flags = RegisterFlag(draw(st.integers(0, 0x3FF)))
    counts = [draw(st.integers(0, 3)) for _ in range(5)]
    return RegisterLayout(formats, RegisterDimensions(flags, draw(st.integers(0, 5)), *counts[:4], counts[4]))


@st.composite
def register_values(draw: st.DrawFn, layout: RegisterLayout, formats: Formats) -> RegisterValues:
    d = layout.dimensions
    ni1, ni2 = (st.just((7, -4 if code == 4 else 0)) if code == 4 else NUMBERS for code in (formats.ni1_code, formats.ni2_code))

    def demand() -> DemandValue:
        return DemandValue(
            tuple(draw(ni2) for _ in range(d.occurrences)),
            (NOON,) * d.occurrences if d.flags & RegisterFlag.DATE_TIME else (),
            draw(ni1) if d.flags & RegisterFlag.CUMULATIVE_DEMAND else None,
            draw(ni1) if d.flags & RegisterFlag.CONTINUOUS_CUMULATIVE else None,
        )

    def block() -> RegisterBlock:
        coincidents = tuple(tuple(draw(ni2) for _ in range(d.occurrences)) for _ in range(d.coincidents))
        return RegisterBlock(tuple(draw(ni1) for _ in range(d.summations)), tuple(demand() for _ in range(d.demands)), coincidents)

    resets = draw(U8) if d.flags & RegisterFlag.RESET_COUNTER else 0
    return RegisterValues(block(), tuple(block() for _ in range(d.tiers)), resets)


@given(FORMATS, st.data())
def test_registers(formats: Formats, data: st.DataObject) -> None:
    layout = data.draw(register_layouts(formats))
    values = data.draw(register_values(layout, formats))
    flags = layout.dimensions.flags
    octets = layout.encode_current(values)
    assert len(octets) == layout.current_size
    assert layout.decode_current(octets) == values
    end = NOON if flags & RegisterFlag.DATE_TIME else None
    dated = DatedRegisters(values, end, 3 if flags & RegisterFlag.SEASON else 0)
    assert layout.decode_previous(layout.encode_previous(dated)) == dated
    numbered = DatedRegisters(values, end, dated.season, 812 if flags & RegisterFlag.SEQUENCE else None)
    entry = layout.encode_self_read(numbered)
    assert len(entry) == layout.entry_size
    assert layout.decode_self_read(b"xx" + entry, 2) == numbered
    if octets:
        with pytest.raises(TruncatedError, match=r"^ST23: "):
            layout.decode_current(octets[:-1])


@given(FORMATS, st.data(), st.binary(max_size=400))
def test_any_octets_are_registers_or_an_error(formats: Formats, data: st.DataObject, octets: bytes) -> None:
    layout = data.draw(register_layouts(formats))
    for decode in (layout.decode_current, layout.decode_previous, layout.decode_self_read, layout.decode_self_reads):
        with suppress(WireError):
            decode(octets)


def test_registers_beyond_a_table() -> None:
    with pytest.raises(TableError, match=r"ST23: .* are more than a table holds"):
        RegisterLayout(Formats(True, 4, 0, 0, 8), RegisterDimensions(RegisterFlag(0), 1, 255, 255, 255, 255, 255))


@given(FORMATS, st.data(), st.integers(0, 0x7F), st.integers(0, 9), st.integers(0, 9))
def test_register_dimensions(formats: Formats, data: st.DataObject, flags: int, demands: int, coincidents: int) -> None:
    value = RegisterDimensions(RegisterFlag(flags), 3, 2, demands, coincidents, 1, 4, 5, 6)
    holds(value, lambda v: v.encode(formats), lambda o: RegisterDimensions.decode(o, formats))
    maxima = data.draw(st.frozensets(st.integers(0, demands - 1))) if demands else frozenset()
    own = tuple(range(coincidents))
    selection = RegisterSelection((0, 1), tuple(range(demands)), maxima, own, own)
    holds(selection, lambda v: v.encode(), lambda o: RegisterSelection.decode(o, formats, value))


SET_STATUSES = st.builds(
    SetStatus, U16, U16, U32, U16, U16, st.booleans(), st.booleans(), st.integers(0, 255).map(lambda flags: flags & ~17)
)


@given(FORMATS, st.lists(SET_STATUSES, min_size=1, max_size=4))
def test_profile_status(formats: Formats, sets: list[SetStatus]) -> None:
    value = ProfileStatus(tuple(sets))
    assert len(value.encode(formats)) == 13 * len(sets)
    holds(value, lambda v: v.encode(formats), lambda o: ProfileStatus.decode(o, formats, len(sets)))


@given(st.integers(1, 50), st.integers(0, 10**6), st.booleans(), st.data())
def test_elements_and_sequence_numbers(blocks: int, last_seq: int, descending: bool, data: st.DataObject) -> None:
    held = data.draw(st.integers(1, min(blocks, last_seq + 1)))
    status = SetStatus(held, data.draw(st.integers(0, blocks - 1)), last_seq, blocks_descending=descending)
    elements = [status.element_of(seq, blocks) for seq in range(status.first_seq, last_seq + 1)]
    assert len(set(elements)) == held
    assert elements[-1] == status.last_element
    assert [status.seq_at(element, blocks) for element in elements] == list(range(status.first_seq, last_seq + 1))
    assert status.holds(last_seq)
    assert not status.holds(status.first_seq - 1)


LOG_FLAGS = st.integers(0, 7)


@given(FORMATS, LOG_FLAGS, st.integers(0, 9), st.integers(0, 9), st.integers(1, 2), U8)
def test_log_dimensions(formats: Formats, flags: int, standard: int, own: int, version: int, octet: int) -> None:
    extension = (octet, 300) if version == 2 else (0, 0)
    value = LogDimensions(flags, standard, own, octet, octet, 1000, 420, *extension)
    octets = value.encode(general(formats, version))
    assert len(octets) == (12 if version == 2 else 9)
    assert LogDimensions.decode(octets, general(formats, version)) == value


@given(FORMATS, LOG_FLAGS, st.integers(1, 6), st.booleans(), st.data())
def test_event_log(formats: Formats, flags: int, ring: int, descending: bool, data: st.DataObject) -> None:
    log = EventLogLayout(formats, LogDimensions(flags, 0, 0, 3, 2, ring, ring))
    for table in (76, ST_HISTORY_LOG):
        timed = table == 76 or flags & HISTORY_TIME
        entries = [
            LogEntry(
                data.draw(st.sampled_from((1, 49, 2048 + 7))),
                NOON if timed else None,
                n if table == 76 or flags & HISTORY_SEQUENCE else None,
                n,
                bytes((n,) * (2 if table == 76 else 3)),
                n if flags & EVENT_NUMBER else None,
                n % 4,
            )
            for n in range(ring)
        ]
        octets = b"".join(log.encode_entry(entry, table) for entry in entries)
        assert log.decode_entries(octets, table) == entries
        assert len(log.entry_range(1, 2, table)) == 2 * len(octets) // ring
        valid = data.draw(st.integers(0, ring))
        status = LogStatus(valid, data.draw(st.integers(0, ring - 1)), 70_000, 1, 4 | descending)
        whole = log.encode_log(status, entries, table)
        assert len(whole) == log.table_size(table)
        step = -1 if descending else 1
        expected = [entries[(status.last_element - step * back) % ring] for back in reversed(range(valid))]
        assert log.decode_log(whole, table) == (status, expected)


def test_an_event_with_a_broken_time_is_still_an_event() -> None:
    log = EventLogLayout(Formats(False, 1, 0, 0, 8), LogDimensions(events=4))
    assert log.decode_entries(bytes.fromhex("26139912000000010000002f")) == [LogEntry(47, None, 1)]


def test_logs_that_cannot_be() -> None:
    log = EventLogLayout(Formats(True, 4, 0, 0, 8), LogDimensions(event_data_octets=1, events=4))
    with pytest.raises(TableError, match=r"ST76: 5 entries valid, the last at 0, of 4"):
        log.decode_log(log.encode_status(LogStatus(5)))
    with pytest.raises(TruncatedError, match=r"^ST76: "):
        log.decode_log(log.encode_status(LogStatus(2)) + bytes(5))
    with pytest.raises(TruncatedError, match=r"^ST76: "):
        log.decode_entries(bytes(log.entry_size + 1))
    with pytest.raises(TableError, match=r"an argument of 2 octets is longer than 1"):
        log.encode_entry(LogEntry(1, NOON, 0, 0, b"ab"))


@given(FORMATS, st.frozensets(st.one_of(st.integers(0, 55), st.integers(0x800, 0x807))), IDS)
def test_log_control(formats: Formats, events: frozenset[int], ids: frozenset[int]) -> None:
    dimensions, st0 = LogDimensions(0, 7, 1), general(formats)
    value = LogControl(events, ids, frozenset(ids))
    holds(value, lambda v: v.encode(st0, dimensions), lambda o: LogControl.decode(o, st0, dimensions))
    holds(events, lambda v: encode_events_identified(v, dimensions), lambda o: decode_events_identified(o, st0, dimensions))


def test_events_beyond_their_octets() -> None:
    with pytest.raises(TableError, match=r"ST72: \[80\] do not fit 7 and 1 octets"):
        encode_events_identified(frozenset((80,)), LogDimensions(0, 7, 1))


PARAMETERS = {
    0: NoParameters(),
    1: NoParameters(),
    2: NoParameters(),
    3: NoParameters(),
    4: ResetListPointers(7),
    5: UpdateLastRead(3, 1000),
    6: ChangeMode(1),
    7: NoParameters(),
    8: NoParameters(),
    9: RemoteReset(False, True),
    10: SetDateTime(NOON + 31, ClockQualifier(3, True, False, True, True, True)),
    12: RawParameters(b"\x01\x02"),
    PROCEDURE_SWITCH: SwitchService(SwitchCommand(SwitchPosition.ARMED, NOON, forced=True)),
}


@given(FORMATS, st.sampled_from(sorted(PARAMETERS)), U8, st.sampled_from(Reply))
def test_procedures(formats: Formats, procedure: int, sequence: int, reply: Reply) -> None:
    value = ProcedureRequest(procedure, sequence, PARAMETERS[procedure], reply)
    octets = value.encode(formats)
    assert ProcedureRequest.decode(octets, formats) == value
    result = ProcedureResult(procedure, sequence, 1, b"ab", reply)
    assert ProcedureResult.decode(result.encode(formats), formats) == result
    if procedure in {4, 5, 6, 9, 10, PROCEDURE_SWITCH}:
        with pytest.raises(TruncatedError, match=r"^ST7: "):
            ProcedureRequest.decode(octets[:-1], formats)


@given(FORMATS, st.sampled_from(SwitchPosition), st.one_of(st.none(), st.integers(0, 65534)), st.sampled_from((None, NOON)))
def test_switch_state(formats: Formats, position: SwitchPosition, voltage: int | None, changed: int | None) -> None:
    holds(SwitchState(position, voltage, changed), lambda v: v.encode(formats), lambda o: SwitchState.decode(o, formats))


def test_switch_positions_that_are_none() -> None:
    formats = Formats(True, 4, 0, 0, 8)
    with pytest.raises(TableError, match=r"MT1: there is no switch position 5"):
        SwitchState.decode(bytes.fromhex("05000000000000"), formats)
    with pytest.raises(TableError, match=r"ST7: there is no switch position 9 to go to"):
        ProcedureRequest.decode(bytes.fromhex("0108010900000000"), formats)


@given(st.sampled_from(DESIGNS), st.binary(max_size=120))
def test_any_octets_decode_or_raise_wire_error(design: Any, octets: bytes) -> None:
    program = design.program()
    st0, formats, log = program.general, program.general.formats, program.event_log
    for decode in (
        GeneralConfiguration.decode,
        lambda o: Identification.decode(o, formats),
        lambda o: DeviceIdentification.decode(o, formats),
        lambda o: ModeStatus.decode(o, st0),
        lambda o: ProcedureRequest.decode(o, formats),
        lambda o: ProcedureResult.decode(o, formats),
        lambda o: SwitchState.decode(o, formats),
        lambda o: LogControl.decode(o, st0, log.dimensions),
        log.decode_entries,
        log.decode_log,
        program.decode_profile_status,
    ):
        with suppress(WireError):
            decode(octets)
