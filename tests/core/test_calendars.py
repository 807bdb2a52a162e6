"""Calendars and collection plans through changes of clocks, leap days and zones that have neither."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.calendars import days_touching, local_day, midnights_between, wall_instant
from headend.collection_plan import (
    PLACES,
    CollectionPlan,
    check_plan,
    next_turn,
    parse_time,
    place_of,
    places_due,
    turn_times,
)
from headend.errors import RequestError

CHICAGO, PHOENIX, LORD_HOWE = ZoneInfo("America/Chicago"), ZoneInfo("America/Phoenix"), ZoneInfo("Australia/Lord_Howe")
FOUR = CollectionPlan((15, 375, 735, 1_095), 240)
SPRING, AUTUMN, LEAP = date(2026, 3, 8), date(2026, 11, 1), date(2028, 2, 29)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (CHICAGO, SPRING, 23),
        (CHICAGO, AUTUMN, 25),
        (CHICAGO, LEAP, 24),
        (PHOENIX, SPRING, 24),
        (PHOENIX, AUTUMN, 24),
        (LORD_HOWE, date(2026, 4, 5), 24.5),
        (LORD_HOWE, date(2026, 10, 4), 23.5),
    ],
)
def test_a_local_day_has_the_hours_it_has(zone, day, hours):
    length = wall_instant(day + timedelta(days=1), 0, zone) - wall_instant(day, 0, zone)
    assert length == timedelta(hours=hours)


def test_a_skipped_time_comes_as_much_later_and_a_repeated_one_counts_once():
    assert wall_instant(SPRING, 150, CHICAGO) == datetime(2026, 3, 8, 8, 30, tzinfo=UTC)  # 02:30 is not shown; 03:30 CDT
    assert wall_instant(AUTUMN, 90, CHICAGO) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # the first 01:30, CDT


def test_midnights_are_those_of_the_zone_each_once():
    start, end = datetime(2026, 3, 7, 6, tzinfo=UTC), datetime(2026, 3, 10, 5, tzinfo=UTC)
    assert list(midnights_between(start, end, CHICAGO)) == [
        datetime(2026, 3, 8, 6, tzinfo=UTC),
        datetime(2026, 3, 9, 5, tzinfo=UTC),
        datetime(2026, 3, 10, 5, tzinfo=UTC),
    ]
    assert list(days_touching(start, end, PHOENIX)) == [date(2026, 3, 6) + timedelta(days=n) for n in range(4)]
    assert local_day(datetime(2028, 3, 1, 5, 59, tzinfo=UTC), CHICAGO) == LEAP


def turns(plan: CollectionPlan, place: int, start: datetime, end: datetime, step: timedelta, zone: ZoneInfo) -> int:
    """How often a place's turn comes by looks a step apart."""
    count, at = 0, start
    while at < end:
        later = min(at + step, end)
        count += sum(place in one for one in places_due(plan, at, later, zone))
        at = later
    return count


@pytest.mark.parametrize("day", [SPRING, AUTUMN, LEAP, date(2026, 7, 1)])
@pytest.mark.parametrize("zone", [CHICAGO, PHOENIX, LORD_HOWE])
@pytest.mark.parametrize("place", [0, 1, 30_000, PLACES - 1])
def test_every_place_has_its_turn_once_in_each_window_of_every_day(day, zone, place):
    start = wall_instant(day, 0, zone)
    end = wall_instant(day + timedelta(days=1), 0, zone)
    assert turns(FOUR, place, start, end, timedelta(minutes=17), zone) == 4


@given(st.integers(0, PLACES - 1), st.integers(0, 400 * 24 * 60), st.integers(1, 1_440))
def test_the_next_turn_is_when_a_look_finds_it(place, minutes, window):
    after = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    plan = CollectionPlan((15, 735), window)
    turn = next_turn(plan, place, after, CHICAGO)
    tick = timedelta(microseconds=1)
    assert any(place in one for one in places_due(plan, turn - tick, turn, CHICAGO))
    assert not any(place in one for one in places_due(plan, max(after, turn - timedelta(minutes=1)), turn - tick, CHICAGO))


def test_neighbours_divide_a_window_evenly():
    places = sorted(place_of(endpoint_id) for endpoint_id in range(1_000, 1_100))
    gaps = [b - a for a, b in pairwise(places)]
    assert max(gaps) < 3 * PLACES / 100
    assert min(gaps) > PLACES / 100 / 3


def test_looks_find_what_was_due_meanwhile_once():
    start = datetime(2026, 7, 1, tzinfo=UTC)
    assert places_due(FOUR, start, start + timedelta(days=1), CHICAGO) == [range(PLACES)]
    assert places_due(FOUR, start, start, CHICAGO) == []


def test_an_endpoint_wakes_at_its_own_times():
    assert turn_times(FOUR, 0) == FOUR.begins
    times = turn_times(CollectionPlan((0, 720), 600), 7)
    assert len(times) == 2
    assert times[1] - times[0] == 720


@pytest.mark.parametrize("text", ["24:00", "7", "07:60", "7:5", "-1:00", ""])
def test_what_is_no_time_of_the_day_is_refused(text):
    with pytest.raises(RequestError, match="no time of the day"):
        parse_time(text)


@pytest.mark.parametrize(("begins", "window"), [((), 60), ((60, 60), 60), ((60, 30), 60), ((1_440,), 60), ((0,), 0), ((0,), 1_441)])
def test_a_plan_that_cannot_be_followed_is_refused(begins, window):
    with pytest.raises(RequestError):
        check_plan(CollectionPlan(begins, window))
