"""Turns of many commands: never more in a minute than the rules say, early ones first, no router waits for another's."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headend.commands.staggering import CATCH_UP_SECONDS, NO_ROUTER, Waiting, admitted, minute_of, stagger
from headend.model.command_rules import CommandRules, QuietTimes

CHICAGO = ZoneInfo("America/Chicago")
NOON = datetime(2026, 7, 2, 17, 0, tzinfo=UTC)
NEVER = NOON + timedelta(days=30)


@settings(max_examples=60, deadline=None)
@given(
    routers=st.lists(st.integers(0, 4), max_size=120),
    per_router=st.integers(1, 20),
    in_all=st.integers(1, 60),
    booked=st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 4)), st.integers(1, 25), max_size=8),
    seconds=st.floats(0, 59),
)
def test_no_minute_has_more_than_its_room_and_none_is_left_out(
    routers: list[int], per_router: int, in_all: int, booked: dict[tuple[int, int], int], seconds: float
) -> None:
    begins = NOON + timedelta(seconds=seconds)
    planned = {(minute_of(NOON) + minute, router): count for (minute, router), count in booked.items()}
    rules = CommandRules(per_router, in_all)
    dues = stagger([Waiting(router, NEVER) for router in routers], planned, begins, rules)
    assert all(due is not None and due >= begins for due in dues)
    mine = Counter((minute_of(due), router) for due, router in zip(dues, routers, strict=True) if due is not None)
    together = Counter(planned) + mine
    for minute, router in mine:
        assert router == NO_ROUTER or together[minute, router] <= per_router
        assert sum(count for (each, _), count in together.items() if each == minute) <= in_all


def test_they_are_spread_evenly_and_routers_take_turns() -> None:
    waiting = [Waiting(1, NEVER)] * 8 + [Waiting(2, NEVER)] * 4
    dues = stagger(waiting, {}, NOON, CommandRules(4, 6))
    seconds = [round((due - NOON).total_seconds()) for due in dues if due is not None]
    assert seconds[8:] == [10, 30, 50, 70], "the second router has its turns beside the first"
    assert sorted(seconds) == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 105, 120]


def test_who_comes_in_the_middle_of_a_minute_gets_what_is_left_of_it() -> None:
    dues = stagger([Waiting(1, NEVER)] * 60, {}, NOON + timedelta(seconds=45), CommandRules(60, 1_000))
    assert Counter(minute_of(due) - minute_of(NOON) for due in dues if due is not None) == {0: 15, 1: 45}


def test_one_that_has_no_turn_before_it_expires_is_told_so_while_others_go_on() -> None:
    soon = NOON + timedelta(minutes=2)
    dues = stagger([Waiting(1, soon)] * 25 + [Waiting(1, NEVER)] * 5, {}, NOON, CommandRules(10, 100))
    assert [due is None for due in dues] == [False] * 20 + [True] * 5 + [False] * 5


def test_disconnections_wait_for_the_morning_and_the_rest_does_not() -> None:
    quiet = QuietTimes(CHICAGO, ((21 * 60, 8 * 60),))
    evening = datetime(2026, 7, 3, 1, 58, tzinfo=UTC)  # 20:58 in Chicago
    waiting = [Waiting(1, NEVER, quiet=True)] * 5 + [Waiting(1, NEVER)] * 3
    dues = stagger(waiting, {}, evening, CommandRules(2, 100, quiet))
    local = [f"{due.astimezone(CHICAGO):%d %H:%M}" for due in dues if due is not None]
    assert local[:5] == ["02 20:58", "02 20:59", "03 08:00", "03 08:00", "03 08:01"]
    assert local[5:] == ["02 20:58", "02 20:59", "02 21:00"]


@pytest.mark.parametrize(
    ("at", "end"),
    [
        ("2026-07-02T20:59", None),
        ("2026-07-02T21:00", "2026-07-03T08:00"),
        ("2026-07-02T07:59", "2026-07-02T08:00"),
        ("2026-07-02T08:00", None),
        # Friday night before two quiet days: Saturday by its name, Sunday by its date.
        ("2026-07-03T22:00", "2026-07-06T08:00"),
        # Clocks go forward on 8 March and back on 1 November.
        ("2026-03-07T23:00", "2026-03-09T08:00"),
        ("2026-10-31T23:59", "2026-11-01T08:00"),
    ],
)
def test_quiet_times_end_when_clocks_say_so(at: str, end: str | None) -> None:
    sundays = frozenset({date(2026, 7, 5), date(2026, 3, 8)})
    quiet = QuietTimes(CHICAGO, ((21 * 60, 8 * 60),), frozenset({5}), sundays)
    instant = datetime.fromisoformat(at).replace(tzinfo=CHICAGO).astimezone(UTC)
    found = quiet.end(instant)
    assert found == (None if end is None else datetime.fromisoformat(end).replace(tzinfo=CHICAGO).astimezone(UTC))


def test_an_hour_that_clocks_show_twice_is_quiet_once_and_ends() -> None:
    quiet = QuietTimes(CHICAGO, ((0, 90),))
    midnight = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)
    assert quiet.end(midnight) == midnight + timedelta(minutes=90)
    assert quiet.end(midnight + timedelta(minutes=100)) is None
    assert quiet.end(midnight + timedelta(minutes=130)) is None


@given(
    steps=st.lists(st.tuples(st.floats(0, 20), st.integers(0, 3)), min_size=1, max_size=300),
    per_router=st.integers(1, 120),
    in_all=st.integers(1, 240),
)
def test_whoever_plans_no_minute_sees_more_begun_than_the_pace(
    steps: list[tuple[float, int]], per_router: int, in_all: int
) -> None:
    rules, free, now = CommandRules(per_router, in_all), dict[int, datetime](), NOON
    begun: list[tuple[datetime, int]] = []
    for seconds, router in steps:
        now += timedelta(seconds=seconds)
        if admitted([router], free, now, rules) == [True]:
            begun.append((now, router))
    late = CATCH_UP_SECONDS / 60
    for start, _ in begun:
        window = [router for at, router in begun if start <= at < start + timedelta(minutes=1)]
        assert len(window) <= in_all * (1 + late) + 1
        assert all(window.count(router) <= per_router * (1 + late) + 1 for router in set(window) - {NO_ROUTER})
    assert begun, "the first is always admitted"
