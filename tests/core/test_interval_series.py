"""Blocks of days and series without days hold the same."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from headend.interval_series import newest_of, series_of
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.instants import from_us
from headend.model.readings import IntervalBlock
from headend.model.selections import ALL_TIME, Period

FIRST = date(2026, 7, 1)
values = st.lists(st.one_of(st.none(), st.integers(-10, 10_000)), min_size=24, max_size=24)
flags = st.lists(st.sampled_from([0, 0, 0, 1, 16]), min_size=24, max_size=24)
days = st.dictionaries(st.integers(0, 6), st.tuples(values, flags, st.integers(-3, 2)), min_size=1, max_size=5)


def blocks_of(content: dict[int, tuple[list[int | None], list[int], int]]) -> list[IntervalBlock]:
    return [
        IntervalBlock(EndpointId(1), ChannelId(1), FIRST + timedelta(days=n), 3600, exponent, numbers, marks)
        for n, (numbers, marks, exponent) in content.items()
    ]


@given(days, st.integers(0, 200), st.integers(0, 200))
def test_a_series_has_what_blocks_have_in_the_period(content: dict[int, tuple[list[int | None], list[int], int]], a: int, b: int) -> None:
    start, end = sorted(datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=n) for n in (a, b))
    blocks = blocks_of(content)
    expected = {
        block.end_of(i): (None if value is None else Decimal(value).scaleb(block.exponent), flag)
        for block in blocks
        for i, (value, flag) in enumerate(zip(block.values, block.flags, strict=True))
        if start < block.end_of(i) <= end and (value is not None or flag)
    }
    found = {}
    for series in series_of(blocks, Period(start, end)):
        assert len(series.values) == len(series.flags)
        assert series.values[0] is not None or series.flags[0]
        assert series.values[-1] is not None or series.flags[-1]
        for number, value, flag in series.known():
            found[from_us(series.end_us(number))] = (None if value is None else Decimal(value).scaleb(series.exponent), flag)
    assert found == expected


def test_channels_and_lengths_are_series_of_their_own() -> None:
    def block(channel: int, count: int) -> IntervalBlock:
        return IntervalBlock(EndpointId(1), ChannelId(channel), FIRST, 86_400 // count, 0, [1] * count, [0] * count)

    found = series_of([block(2, 24), block(1, 96), block(1, 24)], ALL_TIME)
    assert [(series.channel_id, series.interval_seconds) for series in found] == [(1, 900), (1, 3600), (2, 3600)]
    assert [series.last - series.first + 1 for series in found] == [96, 24, 24]


def test_the_newest_is_the_last_interval_alone() -> None:
    block = IntervalBlock(EndpointId(1), ChannelId(1), FIRST, 3600, 0, [*range(20), *[None] * 4], [0] * 24)
    (series,) = series_of([block], ALL_TIME)
    newest = newest_of(series)
    assert (newest.values, from_us(newest.end_us(newest.last))) == ([19], block.end_of(19))
