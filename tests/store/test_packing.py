"""Packed blocks, days, progress and programs: exact both ways, and any octets either decode or raise."""

from contextlib import suppress
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.store.day_packing import join_day, split_day
from adapters.store.merging import merge
from adapters.store.packing import PackingError, intervals_known, intervals_of, pack, unpack
from adapters.store.progress_packing import pack_progress, pack_tables, unpack_progress, unpack_tables
from headend.errors import StoreError
from headend.model.collection import Progress, SetProgress

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
SPREADS = st.sampled_from([0, 1, 200, 60_000, 1 << 30, 1 << 62])


@st.composite
def blocks(draw: st.DrawFn) -> tuple[list[int | None], list[int], int]:
    count = draw(st.sampled_from([1, 2, 24, 96]))
    smallest, spread = draw(st.integers(-(1 << 62), 1 << 62)), draw(SPREADS)
    value = st.none() | st.integers(smallest, smallest + spread)
    values = draw(st.lists(value, min_size=count, max_size=count))
    flag = st.just(0) | st.integers(0, 0xFFFF)
    flags = draw(st.just([0] * count) | st.lists(flag, min_size=count, max_size=count))
    return values, flags, draw(st.integers(-128, 127))


@given(blocks())
def test_a_block_survives_packing(block: tuple[list[int | None], list[int], int]) -> None:
    octets = pack(*block)
    assert unpack(octets) == block
    assert intervals_known(octets) == len(block[0]) - block[0].count(None)
    assert intervals_of(octets) == len(block[0])


@given(st.binary(max_size=300))
def test_any_octets_unpack_or_raise(octets: bytes) -> None:
    for decode in (unpack, split_day, unpack_progress, unpack_tables, lambda o: unpack(b"\x01" + o)):
        with suppress(StoreError):
            decode(octets)


@given(blocks(), st.data())
def test_a_packed_block_cut_or_lengthened_is_refused(block: tuple[list[int | None], list[int], int], data: st.DataObject) -> None:
    octets = pack(*block)
    cut = data.draw(st.integers(0, len(octets) - 1))
    for wrong in (octets[:cut], octets + b"\0"):
        with suppress(PackingError):
            assert unpack(wrong)[1:] != block[1:]
    with pytest.raises(PackingError):
        unpack(octets + b"\0")


@pytest.mark.parametrize(
    ("values", "flags", "exponent"),
    [
        ([1 << 63], [0], 0),
        ([-(1 << 63), 1 << 63], [0] * 2, 0),
        ([1], [1 << 16], 0),
        ([1], [0], 128),
        ([1], [], 0),
        ([], [], 0),
    ],
)
def test_what_does_not_fit_is_refused(values: list[int | None], flags: list[int], exponent: int) -> None:
    with pytest.raises(PackingError):
        pack(values, flags, exponent)


def test_the_widest_spread_fits() -> None:
    block = ([-(1 << 63), (1 << 63) - 1], [0, 0], 0)
    assert unpack(pack(*block)) == block


def test_a_residential_day_is_small() -> None:
    random = Random(1)
    hours = pack([random.randint(0, 4_000) for _ in range(24)], [0] * 24, 0)
    volts = [pack([random.randint(2_350, 2_450) for _ in range(96)], [0] * 96, -1) for _ in range(3)]
    assert len(hours) == 61
    assert [len(octets) for octets in volts] == [109] * 3
    assert len(join_day({(1, 3600): hours, (11, 900): volts[0], (12, 900): volts[1], (13, 900): volts[2]})) == 405


def test_a_day_keeps_blocks_of_the_same_channel_with_different_lengths() -> None:
    day = {(1, 3600): pack([1] * 24, [0] * 24, 0), (1, 900): pack([None] * 96, [0] * 96, 0), (300, 86_400): pack([5], [7], 3)}
    assert split_day(join_day(day)) == day


@given(blocks(), st.data())
def test_merging_never_loses_a_value_and_settles(block: tuple[list[int | None], list[int], int], data: st.DataObject) -> None:
    count = len(block[0])
    other = (data.draw(st.lists(st.none() | st.integers(0, 9), min_size=count, max_size=count)), [0] * count, block[2])
    merged = merge(block, other)
    values = block[0] if merged is None else merged.block[0]
    assert values == [old if new is None else new for old, new in zip(block[0], other[0], strict=True)]
    both = [(old, flag, new) for old, flag, new in zip(block[0], block[1], other[0], strict=True) if None not in {old, new}]
    lost = any((old, flag) != (new, 0) for old, flag, new in both)
    assert (merged is not None and merged.supersedes) == lost
    if merged is not None:
        assert merge(merged.block, other) is None


def test_blocks_of_different_scale_merge_exactly() -> None:
    merged = merge(([12, None], [0, 0], 1), ([120, 5], [0, 0], 0))
    assert merged is not None
    assert (merged.block, merged.supersedes) == (([120, 5], [0, 0], 0), False)


UINT16 = st.integers(0, 65_535)
SETS = st.builds(SetProgress, INT64, UINT16, UINT16, st.datetimes(timezones=st.just(UTC)))


@given(st.lists(SETS, max_size=3))
def test_progress_survives_packing(sets: list[SetProgress]) -> None:
    progress = Progress(tuple(sets), 17, -1, 1_200)
    assert unpack_progress(pack_progress(progress)) == progress


def test_progress_out_of_range_is_refused() -> None:
    with pytest.raises(StoreError, match="out of range"):
        pack_progress(Progress((SetProgress(1, 70_000, 1, datetime(2026, 1, 1, tzinfo=UTC)),)))


@given(st.lists(st.tuples(st.integers(0, 65_535), st.binary(max_size=40))))
def test_program_tables_survive_packing(tables: list[tuple[int, bytes]]) -> None:
    assert unpack_tables(pack_tables(tuple(tables))) == tuple(tables)
