"""Segments, days, progress and programs: exact both ways, and any octets either decode or raise."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.store import day_packing
from adapters.store.blocks import Block, BlockKey
from adapters.store.change_packing import pack_changes, unpack_changes
from adapters.store.day_packing import SEGMENTS_MAX, VERSION, extended_days, heads_of, pack_day, segments_of, unpack_days
from adapters.store.merging import merge, merge_days
from adapters.store.progress_packing import pack_progress, pack_tables, unpack_progress, unpack_tables
from adapters.store.segment_arrays import pack_runs
from adapters.store.segments import Column, PackingError, Segment, pack_segment
from headend.errors import StoreError
from headend.model.channels import ChannelId
from headend.model.collection import Progress, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.interval_runs import IntervalRuns, runs_by_day

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
SPREADS = st.sampled_from([0, 1, 200, 60_000, 1 << 30, 1 << 62])
SMALLEST = st.sampled_from([0, -1, 2_350, -40_000, 1 << 20, -(1 << 33), 1 << 61]) | st.integers(-(1 << 62), 1 << 61)
FLAGS = st.just(0) | st.integers(0, 0xFFFF)
PER_DAY = st.sampled_from([1, 2, 24, 96])


@st.composite
def blocks(draw: st.DrawFn, per_day: int | None = None) -> Block:
    count = per_day or draw(PER_DAY)
    smallest, spread = draw(SMALLEST), draw(SPREADS)
    value = st.none() | st.integers(smallest, smallest + spread)
    values = draw(st.lists(value, min_size=count, max_size=count))
    flags = draw(st.just([0] * count) | st.lists(FLAGS, min_size=count, max_size=count))
    return values, flags, draw(st.integers(-128, 127))


@st.composite
def days(draw: st.DrawFn) -> dict[BlockKey, Block]:
    found = {}
    for channel in draw(st.sets(st.integers(0, 65_535), max_size=4)):
        block = draw(blocks())
        found[channel, 86_400 // len(block[0])] = block
    return found


def unpack_day(row: bytes, channels: Collection[int] | None = None) -> dict[BlockKey, Block]:
    """What is known of the day of a row by that row alone."""
    return day_packing.unpack_day({0: row}, 0, channels)


def extended_day(row: bytes, segments: Sequence[Segment]) -> bytes | None:
    longer = extended_days({0: row} if row else {}, {0: segments})
    return None if longer is None else longer[0]


def with_something(day: dict[BlockKey, Block]) -> dict[BlockKey, Block]:
    """Blocks that hold neither value nor flag are not kept."""
    return {key: b for key, b in day.items() if any(b[1]) or b[0].count(None) < len(b[0])}


@given(days())
def test_a_day_survives_packing(day: dict[BlockKey, Block]) -> None:
    octets = pack_day(day)
    assert unpack_day(octets) == with_something(day)
    assert sum(head.known for head in heads_of(octets)) == sum(len(values) - values.count(None) for values, _, _ in day.values())
    for channel, seconds in with_something(day):
        assert unpack_day(octets, {channel}) == {(channel, seconds): day[channel, seconds]}


@given(st.binary(max_size=300))
def test_any_octets_unpack_or_raise(octets: bytes) -> None:
    for decode in (unpack_day, unpack_progress, unpack_tables, lambda o: unpack_day(VERSION + o)):
        with suppress(StoreError):
            decode(octets)


@given(days().filter(with_something), st.data())
def test_a_packed_day_cut_or_lengthened_is_refused(day: dict[BlockKey, Block], data: st.DataObject) -> None:
    octets = pack_day(day)
    cut = data.draw(st.integers(0, len(octets) - 1))
    with suppress(PackingError):
        assert unpack_day(octets[:cut]) != with_something(day)
    with pytest.raises(PackingError):
        unpack_day(octets + b"\0")


@pytest.mark.parametrize("octets", [b"", b"\x01", b"\x01\x01\x00", b"\x03" + pack_day({(1, 3_600): ([5] * 24, [0] * 24, 0)})[1:]])
def test_a_day_of_another_version_is_named(octets: bytes) -> None:
    with pytest.raises(PackingError, match=f"begins with {octets[:1].hex() or 'nothing'} is not known"):
        unpack_day(octets)


@pytest.mark.parametrize(
    ("channel", "values", "flags", "exponent"),
    [
        (1, [1 << 63], [0], 0),
        (1, [-(1 << 63) - 1], [0], 0),
        (1, [-(1 << 63), 1 << 63], [0] * 2, 0),
        (1, [1], [1 << 16], 0),
        (1, [1], [0], 128),
        (1 << 16, [1], [0], 0),
        (1, [1] * 1_441, [0] * 1_441, 0),
    ],
)
def test_what_does_not_fit_is_refused(channel: int, values: list[int], flags: list[int], exponent: int) -> None:
    with pytest.raises(PackingError):
        unpack_day(VERSION + pack_segment(len(values), 0, [Column(channel, exponent, values, flags)]).octets)


def test_the_widest_spread_fits() -> None:
    day = {(1, 43_200): ([-(1 << 63), (1 << 63) - 1], [0, 0], 0)}
    assert unpack_day(pack_day(day)) == day


def residential_day() -> dict[BlockKey, Block]:
    random = Random(1)
    hours: Block = ([random.randint(0, 4_000) for _ in range(24)], [0] * 24, 0)
    return {(1, 3_600): hours} | {(c, 900): ([random.randint(2_350, 2_450) for _ in range(96)], [0] * 96, -1) for c in (11, 12, 13)}


def halves(day: dict[BlockKey, Block], part: int) -> tuple[dict[BlockKey, Block], dict[BlockKey, Block]]:
    """The first `part` of 24 hours, and the rest."""

    def half(block: Block, first: int, end: int) -> Block:
        values, flags, exponent = block
        first, end = first * len(values) // 24, end * len(values) // 24
        return [v if first <= i < end else None for i, v in enumerate(values)], flags, exponent

    return {key: half(b, 0, part) for key, b in day.items()}, {key: half(b, part, 24) for key, b in day.items()}


def test_a_residential_day_is_small() -> None:
    day = residential_day()
    assert len(pack_day(day)) == 1 + 14 + 48 + 26 + 288
    early, late = halves(day, 7)
    joined = extended_day(pack_day(early), list(segments_of(late)))
    assert joined is not None
    assert len(joined) == 1 + 2 * (14 + 26) + 48 + 288
    assert unpack_day(joined) == day


def test_a_day_keeps_blocks_of_the_same_channel_with_different_lengths() -> None:
    day = {(1, 3600): ([1] * 24, [0] * 24, 0), (1, 900): ([2] * 96, [0] * 96, 0), (300, 86_400): ([5], [7], 3)}
    assert unpack_day(pack_day(day)) == day


def test_more_channels_than_a_segment_counts_are_several_segments() -> None:
    day = {(channel, 43_200): ([channel, 2], [0, 0], 0) for channel in range(300)}
    assert unpack_day(pack_day(day)) == day
    assert len(heads_of(pack_day(day))) == 2


def test_a_channel_whose_scale_changes_within_the_day_is_read_at_the_finer_one() -> None:
    early, late = ([12, None], [0, 0], 1), ([None, 5], [0, 0], 0)
    joined = extended_day(pack_day({(1, 43_200): early}), list(segments_of({(1, 43_200): late})))
    assert joined is not None
    assert unpack_day(joined) == {(1, 43_200): ([120, 5], [0, 0], 0)}


# Runs in arrays


@given(st.data())
def test_many_runs_are_packed_as_each_of_them(data: st.DataObject) -> None:
    seconds = data.draw(st.sampled_from([900, 3_600]))
    per_day = 86_400 // seconds
    first = data.draw(st.integers(0, per_day - 1))
    shape = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 4)), data.draw(st.integers(1, per_day))
    channels = tuple((ChannelId(channel), data.draw(st.integers(-6, 3))) for channel in range(shape[1]))
    random = np.random.default_rng(data.draw(st.integers(0, 1 << 32)))
    base, spread = data.draw(SMALLEST), data.draw(SPREADS)
    values = random.integers(base, base + spread, shape, endpoint=True)
    some = random.choice(np.array([0, 0, 128, 4], np.uint16), (shape[0], 1, shape[2] if data.draw(st.booleans()) else 1))
    flags = None if data.draw(st.booleans()) else np.broadcast_to(some, shape).copy()
    runs = IntervalRuns([EndpointId(n) for n in range(shape[0])], [20_000] * shape[0], first, seconds, channels, values, flags)
    for run, segment in enumerate(pack_runs(runs)):
        marks = [[0] * shape[2]] * shape[1] if flags is None else flags[run].tolist()
        columns = [Column(c, exponent, values[run, at].tolist(), marks[at]) for at, (c, exponent) in enumerate(channels)]
        assert segment == pack_segment(per_day, first, columns)


def test_long_runs_are_cut_at_midnight() -> None:
    start = 20_000 * 86_400 + 22 * 3_600
    values = np.arange(2 * 50).reshape(2, 1, 50)
    starts = np.array([start, start + 86_400])
    runs = runs_by_day([EndpointId(1), EndpointId(2)], starts, 3_600, ((ChannelId(1), 0),), values, None)
    assert [(run.days, run.first, run.values.shape[2]) for run in runs] == [
        ([20_000, 20_001], 22, 2),
        ([20_001, 20_002], 0, 24),
        ([20_002, 20_003], 0, 24),
    ]
    assert np.concatenate([run.values for run in runs], axis=2).tolist() == values.tolist()
    (first, *_) = runs[1].blocks()
    assert (first.day, first.values) == (date(2024, 10, 5), list(range(2, 26)))


def test_a_run_of_a_day_stays_whole() -> None:
    starts = np.array([20_000 * 86_400 + 5 * 3_600])
    (run,) = runs_by_day([EndpointId(1)], starts, 3_600, ((ChannelId(1), 0),), np.arange(24).reshape(1, 1, 24), None)
    assert (run.days, run.first, run.values.shape[2]) == ([20_000], 5, 24)
    first, second = run.blocks()
    assert (first.day, first.values) == (date(2024, 10, 4), [None] * 5 + [*range(19)])
    assert (second.day, second.values) == (date(2024, 10, 5), [*range(19, 24)] + [None] * 19)


# Merging


@given(blocks(), st.data())
def test_merging_never_loses_a_value_and_settles(block: Block, data: st.DataObject) -> None:
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


@st.composite
def arrivals(draw: st.DrawFn) -> list[dict[BlockKey, Block]]:
    """What comes of one day, one after another: parts of blocks of a few channels, mostly where nothing is yet, sometimes not."""
    keys = [(1, 3_600), (11, 7_200), (12, 7_200)]
    arriving, at = [], 0
    for _ in range(draw(st.integers(1, 8))):
        first = at if draw(st.integers(0, 3)) else draw(st.integers(0, 11))
        end = min(first + draw(st.integers(1, 4)), 12)
        at = max(at, end) % 12
        part = {}
        for channel, seconds in draw(st.sets(st.sampled_from(keys), min_size=1)):
            per_day = 86_400 // seconds
            wanted = range(first * per_day // 12, end * per_day // 12)
            value = st.integers(0, 300) | st.none()
            values = [draw(value) if i in wanted else None for i in range(per_day)]
            flag = draw(st.sampled_from((0, 0, 8, 128)))
            part[channel, seconds] = (values, [flag if i in wanted else 0 for i in range(per_day)], 0)
        arriving.append(part)
    return arriving


def merged_wholly(arriving: list[dict[BlockKey, Block]]) -> tuple[dict[BlockKey, Block], list[dict[BlockKey, Block]]]:
    """The day and its predecessors, merged block by block and interval by interval."""
    day: dict[BlockKey, Block] = {}
    history = []
    for part in arriving:
        before = dict(day)
        superseded = {}
        for key, block in with_something(part).items():
            if key not in day:
                day[key] = block
            elif (merged := merge(day[key], block)) is not None:
                day[key] = merged.block
                if merged.supersedes:
                    superseded[key] = before[key]
        if superseded:
            history.append(superseded)
    return day, history


@given(arrivals())
def test_segments_come_to_what_merging_whole_blocks_comes_to(arriving: list[dict[BlockKey, Block]]) -> None:
    day, history, known = b"", [], 0
    for part in arriving:
        segments = list(segments_of(part))
        if not segments:
            continue
        longer = extended_day(day, segments)
        if longer is not None:
            known += sum(segment.head.known for segment in segments)
            day = longer
        elif (merged := merge_days({0: day}, {0: segments})) is not None:
            known += merged.values_added
            history += [unpack_day(predecessor) for predecessor in merged.superseded.values()]
            day = merged.rows[0]
    expected, expected_history = merged_wholly(arriving)
    assert (unpack_day(day) if day else {}) == expected
    assert history == expected_history
    assert known == sum(len(values) - values.count(None) for values, _, _ in expected.values())


def test_a_day_of_many_segments_has_them_joined() -> None:
    day = b""
    for hour in range(24):
        values = [None] * hour + [hour] + [None] * (23 - hour)
        segments = list(segments_of({(1, 3_600): (values, [0] * 24, 0)}))
        longer = extended_day(day, segments)
        merged = None if longer is not None else merge_days({0: day}, {0: segments})
        day = longer or (merged.rows[0] if merged else b"")
        assert len(heads_of(day)) <= SEGMENTS_MAX
    assert unpack_day(day) == {(1, 3_600): (list(range(24)), [0] * 24, 0)}
    assert len(heads_of(day)) == 8


# Segments that reach into the next day


def local_day(day: int, first: int, count: int, value: int = 0) -> tuple[int, list[Segment]]:
    """Hours of two channels from hour `first` of a day on; channel 2 is 1,000 ahead of channel 1."""
    columns = [Column(channel, 0, range(value + ahead, value + ahead + count), [0] * count) for channel, ahead in ((1, 0), (2, 1_000))]
    return day, [pack_segment(24, first, columns)]


def test_a_local_day_is_one_segment_and_is_read_as_two_days() -> None:
    rows: dict[int, bytes] = {}
    for number in range(3):
        day, segments = local_day(10 + number, 5, 24, 24 * number)
        rows |= extended_days(rows, {day: segments}) or {}
    assert [len(heads_of(row)) for row in rows.values()] == [1, 1, 1]
    found = unpack_days(rows.items())
    assert found[10][1, 3_600][0] == [None] * 5 + [*range(19)]
    assert found[11][1, 3_600][0] == [*range(19, 43)]
    assert found[13][2, 3_600][0] == [*range(1_067, 1_072)] + [None] * 19
    assert unpack_days(rows.items(), {2})[12] == {(2, 3_600): (list(range(1_043, 1_067)), [0] * 24, 0)}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 23), st.integers(1, 24), st.integers(0, 2)), min_size=1, max_size=8))
def test_runs_over_several_days_come_to_what_whole_days_come_to(arriving: list[tuple[int, int, int, int]]) -> None:
    rows: dict[int, bytes] = {}
    known: dict[int, int] = {}
    added = 0
    for day, first, count, value in arriving:
        hour = 24 * day + first
        _, segments = local_day(day, first, count, 100 * value)
        before = dict(known)
        known |= {hour + at: 100 * value + at for at in range(count)}
        near = {d: rows[d] for d in (day - 1, day, day + 1) if d in rows}
        longer = extended_days(near, {day: segments})
        assert (longer is None) == any(hour <= there < hour + count for there in before)
        if longer is not None:
            rows |= longer
            added += 2 * count
        elif (merged := merge_days(near, {day: segments})) is not None:
            rows |= merged.rows
            added += merged.values_added
            changed = {at // 24 for at in known if known[at] != before.get(at)}
            assert merged.days == changed
            lost = {at // 24 for at in before if known[at] != before[at]}
            assert set(merged.superseded) == lost
            for one, predecessor in merged.superseded.items():
                assert unpack_day(predecessor)[1, 3_600][0] == [before.get(24 * one + at) for at in range(24)]
        else:
            assert known == before
    found = unpack_days(rows.items())
    assert {24 * day + at: v for day, blocks in found.items() for at, v in enumerate(blocks[1, 3_600][0]) if v is not None} == known
    assert added == 2 * len(known)


# Changes


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.tuples(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1))))
def test_changes_survive_packing(spans: dict[int, tuple[int, int]]) -> None:
    octets = pack_changes(spans)
    assert unpack_changes(octets) == spans
    if spans:
        with pytest.raises(PackingError, match="no list of changes"):
            unpack_changes(octets[:-1])


def test_changes_of_endpoints_alike_are_small() -> None:
    assert len(pack_changes(dict.fromkeys(range(1, 257), (20_000, 20_001)))) == 12 + 4 * 256


UINT16 = st.integers(0, 65_535)
SETS = st.builds(SetProgress, INT64, UINT16, UINT16, st.datetimes(timezones=st.just(UTC)))


@given(st.lists(SETS, max_size=3))
def test_progress_survives_packing(sets: list[SetProgress]) -> None:
    progress = Progress(tuple(sets), 17, -1, 1_200, "9700001", (15, 375, 1_095))
    assert unpack_progress(pack_progress(progress)) == progress


def test_progress_out_of_range_is_refused() -> None:
    with pytest.raises(StoreError, match="out of range"):
        pack_progress(Progress((SetProgress(1, 70_000, 1, datetime(2026, 1, 1, tzinfo=UTC)),)))


@given(st.lists(st.tuples(st.integers(0, 65_535), st.binary(max_size=40))))
def test_program_tables_survive_packing(tables: list[tuple[int, bytes]]) -> None:
    assert unpack_tables(pack_tables(tuple(tables))) == tuple(tables)
