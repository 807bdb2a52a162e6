"""Completeness of days: what is expected through clock changes, installations and changed lengths, and why something is missing."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from headend.completeness import ChannelDay, EndpointFacts, MissingReason, Totals, endpoint_day, rate
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import EndpointId
from headend.model.instants import to_us
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRow, day_start
from headend.model.selections import Period
from headend.model.utility import Utility, UtilityId

UTILITY = Utility(UtilityId("t"), "T", ZoneInfo("America/Chicago"), ".1.4")
GAS = CHANNEL_BY_NAME["gas_volume"].channel_id
DAY = date(2026, 7, 1)
LATER = datetime(2026, 12, 1, tzinfo=UTC)


def facts(*installed: tuple[datetime, datetime | None], heard: datetime | None = LATER) -> EndpointFacts:
    return EndpointFacts(EndpointId(1), "G1", "gas", None, heard, installed)


def hours(start: datetime, end: datetime, seconds: int = 3_600, missing: set[int] | None = None, flags: int = 0) -> list[IntervalBlock]:
    """Blocks of gas with a value for every interval of [start, end), but for the slots `missing`, by their place after start."""
    blocks: dict[date, tuple[list[int | None], list[int]]] = {}
    for number in range(int((end - start).total_seconds()) // seconds):
        at = start + timedelta(seconds=number * seconds)
        values, marks = blocks.setdefault(at.date(), ([None] * (86_400 // seconds), [0] * (86_400 // seconds)))
        slot = int((at - day_start(at.date())).total_seconds()) // seconds
        if number in (missing or ()):
            marks[slot] = flags
        else:
            values[slot] = 7
    return [IntervalBlock(EndpointId(1), GAS, day, seconds, 0, values, marks) for day, (values, marks) in blocks.items()]


def midnight(day: date) -> RegisterRow:
    return RegisterRow(1, to_us(UTILITY.midnight(day + timedelta(days=1))), GAS, ReadSource.SELF_READ, 0, 0, 100)


def channels(facts_: EndpointFacts, day: date, blocks: list[IntervalBlock], now: datetime = LATER) -> dict[int, ChannelDay]:
    one = endpoint_day(facts_, day, Period(*UTILITY.day_bounds(day)), [midnight(day)], blocks, now)
    return {channel.interval_seconds: channel for channel in one.channels}


@pytest.mark.parametrize(("day", "count"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2028, 2, 29), 24), (DAY, 24)])
def test_a_whole_day_has_as_many_intervals_as_hours(day, count):
    now = datetime(2030, 1, 1, tzinfo=UTC)
    found = channels(facts(heard=now), day, hours(*UTILITY.day_bounds(day)), now)
    assert (found[3_600].expected, found[3_600].present, found[3_600].missing) == (count, count, {})
    assert (found[0].expected, found[0].present) == (1, 1)


def test_each_missing_interval_has_its_reason():
    start, end = UTILITY.day_bounds(DAY)
    skipped = hours(start, end, missing={3, 4}, flags=int(IntervalFlag.SKIPPED))
    assert channels(facts(), DAY, skipped)[3_600].missing == {MissingReason.NOT_MEASURED: 2}
    gap = channels(facts(), DAY, hours(start, end, missing={3, 4, 9}))[3_600]
    assert (gap.present, gap.missing) == (21, {MissingReason.NOT_BROUGHT: 3})
    first = int(start.timestamp())
    assert gap.gaps == ((first + 3 * 3_600, first + 5 * 3_600), (first + 9 * 3_600, first + 10 * 3_600))
    asked = replace(facts(), in_vain=((start, start + timedelta(hours=5)),))
    assert channels(asked, DAY, hours(start, end, missing={3, 4, 9}))[3_600].missing == {
        MissingReason.ASKED_IN_VAIN: 2,
        MissingReason.NOT_BROUGHT: 1,
    }
    silent = channels(facts(heard=start + timedelta(hours=20)), DAY, hours(start, start + timedelta(hours=20)))
    assert silent[3_600].missing == {MissingReason.NOT_HEARD_SINCE: 4}
    assert silent[3_600].gaps == ()
    assert channels(facts(heard=None), DAY, [])[3_600].missing == {MissingReason.NEVER_HEARD: 24}


def test_what_is_not_over_or_not_installed_is_not_expected():
    start, end = UTILITY.day_bounds(DAY)
    assert channels(facts(), DAY, [], start + timedelta(hours=5, minutes=30))[3_600].expected == 5
    there = facts((start + timedelta(hours=6), start + timedelta(hours=10)), (start + timedelta(hours=12), None))
    found = channels(there, DAY, hours(start, end))
    assert (found[3_600].expected, found[3_600].present) == (16, 16)
    assert channels(facts((end, None)), DAY, []) == {}
    removed = channels(facts((start - timedelta(days=9), start + timedelta(hours=3))), DAY, [])
    assert set(removed) == {3_600}
    assert removed[3_600].expected == 3


def test_a_length_that_changed_is_counted_as_it_is():
    start, end = UTILITY.day_bounds(DAY)
    noon = start + timedelta(hours=12)
    found = channels(facts(), DAY, [*hours(start, noon), *hours(noon, end, 300, missing={5, 6})])
    assert (found[300].expected, found[300].present) == (12 + 144, 12 + 142)


def test_a_doubtful_value_is_present_and_counted():
    start, end = UTILITY.day_bounds(DAY)
    blocks = hours(start, end)
    marked = [
        IntervalBlock(b.endpoint_id, b.channel_id, b.day, 3_600, 0, b.values, [IntervalFlag.CLOCK_BACK if v else 0 for v in b.values])
        for b in blocks
    ]
    found = channels(facts(), DAY, marked)[3_600]
    assert (found.present, found.doubtful) == (24, 24)


def test_totals_count_intervals_not_meters():
    start, end = UTILITY.day_bounds(DAY)
    totals = Totals()
    for blocks in (hours(start, end), hours(start, end, missing={1})):
        totals.add(endpoint_day(facts(), DAY, Period(start, end), [], blocks, LATER))
    assert (totals.endpoints, totals.complete) == (2, 0)
    assert totals.intervals == {"expected": 48, "present": 47, "doubtful": 0, "heard since, not brought": 1}
    assert rate(totals.intervals) == pytest.approx(47 / 48)
    assert rate(totals.registers) == 0


@pytest.mark.parametrize("seconds", [3_600, 900])
@pytest.mark.parametrize("early", [0, 1_800, 7_200])
def test_a_day_without_gaps_counts_as_one_that_is_gone_through_interval_by_interval(seconds: int, early: int):
    start, end = UTILITY.day_bounds(DAY)
    noon = start + timedelta(hours=12)
    fifths = [int(IntervalFlag.ESTIMATED) * (n % 5 == 0) for n in range(86_400 // seconds)]
    blocks = [replace(block, flags=fifths) for block in hours(start, end, seconds)]
    at_once = channels(facts((start + timedelta(seconds=early), None)), DAY, blocks)
    one_by_one = channels(facts((start + timedelta(seconds=early), noon), (noon, None)), DAY, blocks)
    assert at_once == one_by_one
    assert at_once[seconds].present == (86_400 - early) // seconds
    assert at_once[seconds].doubtful > 0


@pytest.mark.parametrize("seconds", [300, 900, 3_600])
@pytest.mark.parametrize("heard_minutes", [None, -60, 0, 1, 59, 60, 61, 787, 1_440, 9_999])
def test_intervals_counted_at_once_are_those_counted_one_by_one(seconds: int, heard_minutes: int | None):
    start, end = UTILITY.day_bounds(DAY)
    heard = None if heard_minutes is None else start + timedelta(minutes=heard_minutes, seconds=1)
    blocks = hours(start + timedelta(hours=5), start + timedelta(hours=6), seconds)
    installed = ((start + timedelta(minutes=7), start + timedelta(hours=20, minutes=3)),)
    at_once = facts(*installed, heard=heard)
    elsewhere = ((end + timedelta(days=9), end + timedelta(days=10)),)
    one_by_one = replace(at_once, in_vain=elsewhere)
    assert channels(at_once, DAY, blocks) == channels(one_by_one, DAY, blocks)
    assert channels(at_once, DAY, []) == channels(one_by_one, DAY, [])
