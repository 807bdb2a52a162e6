"""Load-profile blocks in every number format, status form and order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.c1219.fields import Formats
from headend.c1219.interval_status import CODES, COMMON, HIGH_FLAGS, LOW_FLAGS, decode_column, encode_columns
from headend.c1219.profile_blocks import (
    END_PULSES,
    END_READINGS,
    EXTENDED_STATUS,
    SIMPLE_STATUS,
    BlockLayout,
    BlockShape,
    ProfileBlock,
    block_layout,
)
from headend.c1219.tables import TableError
from headend.errors import TruncatedError, WireError
from headend.model.readings import IntervalFlag

END = 1_753_056_000
FORMATS = st.builds(
    Formats,
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 2),
    st.sampled_from((0, 1, 4, 5, 8, 9, 10, 11, 13)),
    st.integers(0, 12),
)
FORMAT_CODES = st.sampled_from((1, 2, 4, 8, 16, 32, 64, 128))
SHAPE_FLAGS = st.sets(st.sampled_from((END_READINGS, END_PULSES, EXTENDED_STATUS, SIMPLE_STATUS))).map(sum)
SHAPES = st.builds(BlockShape, st.integers(1, 50), st.integers(1, 9), FORMAT_CODES, SHAPE_FLAGS)
CHANNEL_FLAGS = st.sampled_from([int(code) for code in CODES])
COMMON_FLAGS = st.sets(st.sampled_from(COMMON)).map(lambda flags: sum(map(int, flags)))
UNIT = {-6: 10**6, -4: 1, 0: 1}


@st.composite
def blocks(draw: st.DrawFn, layout: BlockLayout) -> ProfileBlock:
    count = draw(st.integers(1, layout.intervals))
    unit = UNIT[layout.number.exponent]
    numbers = st.integers(0, 127).map(lambda n: n * unit)
    fraction = -4 if layout.formats.ni1_code == 4 else 0
    columns = tuple(tuple(draw(st.lists(numbers, min_size=count, max_size=count))) for _ in range(layout.channels))
    return ProfileBlock(
        END,
        columns,
        draw(block_flags(layout, count)),
        None,
        tuple((draw(st.integers(1, 9)), fraction) for _ in range(layout.channels)) if layout.end_readings else (),
        tuple(draw(st.integers(0, 2**32 - 1)) for _ in range(layout.channels)) if layout.end_pulses else (),
    )


@st.composite
def block_flags(draw: st.DrawFn, layout: BlockLayout, count: int) -> tuple[tuple[int, ...], ...]:
    if not layout.extended or draw(st.booleans()):
        return ((0,) * count,) * layout.channels
    common = [draw(COMMON_FLAGS) for _ in range(count)]
    return tuple(tuple(c | draw(CHANNEL_FLAGS) for c in common) for _ in range(layout.channels))


@given(st.data(), FORMATS, SHAPES, st.booleans())
def test_blocks_survive(data: st.DataObject, formats: Formats, shape: BlockShape, descending: bool) -> None:
    layout = block_layout(64, formats, shape)
    block = data.draw(blocks(layout))
    octets = layout.encode(block, descending)
    assert len(octets) == layout.size
    back = layout.decode(octets, block.intervals, descending)
    assert back == replace(block, dst=bool(block.flags[0][-1] & IntervalFlag.DST) if layout.extended else None)


@given(FORMATS, SHAPES, st.data())
def test_any_octets_decode_or_raise_wire_error(formats: Formats, shape: BlockShape, data: st.DataObject) -> None:
    layout = block_layout(64, formats, shape)
    size = data.draw(st.sampled_from((layout.size, layout.size - 1, layout.size + 1, layout.header_size)))
    octets = data.draw(st.randoms(use_true_random=False)).randbytes(max(0, size))
    try:
        block = layout.decode(octets, data.draw(st.one_of(st.none(), st.integers(0, 60))), data.draw(st.booleans()))
    except WireError:
        return
    assert len(block.values) == len(block.flags) == shape.channels
    assert all(isinstance(value, int) for column in block.values for value in column)


@pytest.mark.parametrize(
    ("channels", "intervals", "code", "flags", "ni1", "size"),
    [
        (1, 24, 4, EXTENDED_STATUS, 0, 124),
        (1, 24, 4, 0, 0, 100),
        (1, 24, 4, EXTENDED_STATUS | END_READINGS, 0, 132),
        (2, 96, 2, EXTENDED_STATUS, 0, 580),
        (4, 96, 2, EXTENDED_STATUS | END_READINGS, 0, 1092),
    ],
)
def test_sizes_of_the_reference(channels: int, intervals: int, code: int, flags: int, ni1: int, size: int) -> None:
    """reference/field-protocol-c1222.md 3, load-profile block."""
    assert BlockLayout(64, Formats(True, 4, 0, ni1, 8), BlockShape(intervals, channels, code, flags)).size == size


@pytest.mark.parametrize("channels", range(1, 10))
def test_nibbles(channels: int) -> None:
    """Common bits in the first octet's high nibble, channel 1 in its low one, then even channels high and odd ones low."""
    for channel in range(channels):
        flags = [[0] for _ in range(channels)]
        flags[channel][0] = int(IntervalFlag.SKIPPED)
        columns = encode_columns(flags, 1)
        assert len(columns) == channels // 2 + 1
        number = channel + 1
        expected = [0] * len(columns)
        expected[number // 2] = 0x40 if number % 2 == 0 else 0x04
        assert [column[0] for column in columns] == expected
        assert decode_column(columns[0], columns[number // 2], channel) == (IntervalFlag.SKIPPED,)


def test_codes_that_do_not_exist_are_doubtful() -> None:
    assert {LOW_FLAGS[code] for code in range(8, 16)} == {IntervalFlag.PARTIAL} == {HIGH_FLAGS[code << 4] for code in range(8, 16)}


def test_one_nibble_holds_the_code_that_says_most() -> None:
    (column,) = encode_columns([[int(IntervalFlag.PARTIAL | IntervalFlag.SKIPPED | IntervalFlag.CLOCK_BACK)]], 1)
    assert column == b"\x84"


def test_newest_rows_of_a_grown_block() -> None:
    layout = block_layout(64, Formats(True, 4, 0, 0, 8), BlockShape(8, 2, 2, EXTENDED_STATUS))
    block = ProfileBlock(END, (tuple(range(6)), tuple(range(10, 16))), ((0,) * 6, (0,) * 6))
    ascending, descending = layout.encode(block), layout.encode(block, True)
    head, row = layout.header_size, layout.row_size
    late = layout.decode(ascending[:head] + ascending[head + 4 * row : head + 6 * row], 2)
    assert late.values == ((4, 5), (14, 15))
    assert layout.decode(descending[: head + 2 * row], 2, True).values == late.values
    assert late.end == END


def test_cut_short() -> None:
    skipped, dark = int(IntervalFlag.SKIPPED), int(IntervalFlag.SKIPPED | IntervalFlag.POWER_FAIL)
    block = ProfileBlock(END, ((5, 6, 0, 0, 0),), ((0, 0, dark, skipped, skipped),))
    assert block.cut_short == 2
    shorter = block.without_tail(2, 900)
    assert (shorter.end, shorter.values, shorter.flags) == (END - 1800, ((5, 6, 0),), ((0, 0, dark),))
    assert block.without_tail(0, 900) is block
    assert replace(block, flags=((0, 0, 0, 0, dark),)).cut_short == 0
    both = ProfileBlock(END, ((1, 2), (1, 2)), ((0, skipped), (0, 0)))
    assert both.cut_short == 0


def test_what_is_no_number_is_missing_and_nothing_else_is_lost() -> None:
    layout = block_layout(64, Formats(False, 4, 0, 6, 3), BlockShape(3, 1, 64, EXTENDED_STATUS))
    octets = bytearray(layout.encode(ProfileBlock(END, ((11, 22, 33),), ((0, 0, 0),))))
    octets[layout.header_size + layout.row_size + 1] = 0xFF
    block = layout.decode(bytes(octets))
    assert block.values == ((11, 0, 33),)
    assert block.flags == ((0, IntervalFlag.MISSING, 0),)


def test_simple_status_marks_what_is_missing() -> None:
    layout = block_layout(64, Formats(True, 4, 0, 0, 8), BlockShape(10, 1, 2, SIMPLE_STATUS))
    octets = layout.encode(ProfileBlock(END, ((1, 2, 3),), ((0, int(IntervalFlag.MISSING), 0),)))
    assert octets[4:6] == b"\x05\x00"
    assert layout.decode(octets, 3).flags == ((0, IntervalFlag.MISSING, 0),)
    assert layout.decode(octets).flags[0][3:] == (IntervalFlag.MISSING,) * 7


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (BlockShape(24, 1, 3, 0), r"ST65: interval format code 3 does not exist"),
        (BlockShape(65535, 255, 4, 0), r"ST65: blocks of \d+ octets are longer than 65535"),
    ],
)
def test_shapes_that_cannot_be(shape: BlockShape, reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        block_layout(65, Formats(True, 4, 0, 0, 8), shape)


def test_blocks_that_cannot_be() -> None:
    layout = block_layout(64, Formats(True, 1, 0, 0, 8), BlockShape(4, 1, 2, 0))
    with pytest.raises(TableError, match=r"5 valid intervals in a block of 4"):
        layout.decode(bytes(layout.size), 5)
    with pytest.raises(TableError, match=r"ST64: block end: 2613010000 is no date and time"):
        layout.decode(bytes.fromhex("2613010000") + bytes(8))
    with pytest.raises(TruncatedError, match=r"ST64: truncated at octet 0: 13 octets wanted, 12 left"):
        layout.decode(bytes(12))
    for values in ((70000,),), ((1,) * 5,), ((1,), (2,)):
        with pytest.raises(TableError, match=r"^ST64: "):
            layout.encode(ProfileBlock(END, values, ((0,) * len(values[0]),) * len(values)))
    with pytest.raises(TableError, match=r"outside of 1990-2089"):
        layout.encode(ProfileBlock(0, ((1,),), ((0,),)))
