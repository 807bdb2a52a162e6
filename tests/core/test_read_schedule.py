"""Due times of schedules: both changes of clocks, leap days, a zone without either, windows, offsets, relative times."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headend.errors import RequestError
from headend.read_schedule import ScheduleTimes, Span, TimePoint, TimeUnit, check_times, due_times, has_times

CHICAGO, PHOENIX = ZoneInfo("America/Chicago"), ZoneInfo("America/Phoenix")
DAY = Span(1, TimeUnit.DAYS)


def local(*parts: int, zone: ZoneInfo = CHICAGO) -> datetime:
    return datetime(*parts, tzinfo=zone).astimezone(UTC)  # type: ignore[misc]


def walls(times: ScheduleTimes, first: datetime, last: datetime, zone: ZoneInfo = CHICAGO) -> list[str]:
    """Local times due in (first, last]."""
    return [f"{due.astimezone(zone):%m-%d %H:%M %Z}" for due in due_times(times, first, last, zone)]


def test_what_is_daily_stays_at_its_hour_when_clocks_go_forward() -> None:
    times = ScheduleTimes(first=local(2026, 1, 1, 0, 30), period=DAY)
    assert walls(times, local(2026, 3, 7, 12), local(2026, 3, 9, 12)) == ["03-08 00:30 CST", "03-09 00:30 CDT"]
    skipped = ScheduleTimes(first=local(2026, 1, 1, 2, 30), period=DAY)
    assert walls(skipped, local(2026, 3, 7, 12), local(2026, 3, 9, 12)) == ["03-08 03:30 CDT", "03-09 02:30 CDT"]


def test_what_is_daily_comes_once_when_clocks_go_back() -> None:
    times = ScheduleTimes(first=local(2026, 1, 1, 1, 30), period=DAY)
    assert walls(times, local(2026, 10, 31, 12), local(2026, 11, 2, 12)) == ["11-01 01:30 CDT", "11-02 01:30 CST"]


def test_hours_are_elapsed_time_on_days_of_23_and_25_hours() -> None:
    times = ScheduleTimes(first=local(2026, 1, 1), period=Span(1, TimeUnit.HOURS))
    assert len(due_times(times, local(2026, 3, 8), local(2026, 3, 9), CHICAGO)) == 23
    assert len(due_times(times, local(2026, 11, 1), local(2026, 11, 2), CHICAGO)) == 25
    seconds = ScheduleTimes(first=local(2026, 1, 1), period=Span(86_400, TimeUnit.SECONDS))
    assert walls(seconds, local(2026, 3, 8), local(2026, 3, 9)) == ["03-09 00:00 CDT"], "whole days in seconds are days"


def test_a_zone_without_changes_of_clocks() -> None:
    times = ScheduleTimes(first=local(2026, 1, 1, 2, 30, zone=PHOENIX), period=DAY)
    found = walls(times, local(2026, 3, 7, zone=PHOENIX), local(2026, 3, 9, 12, zone=PHOENIX), PHOENIX)
    assert found == ["03-07 02:30 MST", "03-08 02:30 MST", "03-09 02:30 MST"]


def test_months_end_with_their_last_day_and_leap_days_come_in_leap_years() -> None:
    monthly = ScheduleTimes(first=local(2027, 12, 31), period=Span(1, TimeUnit.MONTHS))
    ends = ["01-31 00:00 CST", "02-29 00:00 CST", "03-31 00:00 CDT", "04-30 00:00 CDT"]
    assert walls(monthly, local(2028, 1, 1), local(2028, 5, 1)) == ends
    assert walls(monthly, local(2029, 2, 1), local(2029, 3, 1)) == ["02-28 00:00 CST"]
    yearly = ScheduleTimes(first=local(2024, 2, 29), period=Span(1, TimeUnit.YEARS))
    assert walls(yearly, local(2027, 1, 1), local(2028, 12, 1)) == ["02-28 00:00 CST", "02-29 00:00 CST"]
    assert walls(ScheduleTimes(first=local(2024, 2, 28, 6), period=DAY), local(2028, 2, 28, 12), local(2028, 3, 1, 12)) == [
        "02-29 06:00 CST",
        "03-01 06:00 CST",
    ]


def test_weeks_keep_the_day_of_the_week() -> None:
    times = ScheduleTimes(first=local(2026, 1, 5, 6), period=Span(2, TimeUnit.WEEKS))
    found = due_times(times, local(2026, 2, 1), local(2026, 6, 1), CHICAGO)
    assert {f"{due.astimezone(CHICAGO):%A %H}" for due in found} == {"Monday 06"}
    assert len(found) == 9


def test_points_windows_and_offsets() -> None:
    points = tuple(TimePoint(local(2026, 7, day, 6)) for day in (1, 2, 3, 4))
    window = ScheduleTimes(points, starts=local(2026, 7, 2), ends=local(2026, 7, 4))
    assert walls(window, local(2026, 6, 1), local(2026, 8, 1)) == ["07-02 06:00 CDT", "07-03 06:00 CDT"]
    late = ScheduleTimes(points, offset=Span(90, TimeUnit.MINUTES))
    assert walls(late, local(2026, 7, 1, 6), local(2026, 7, 2, 7)) == ["07-01 07:30 CDT"]
    assert walls(late, local(2026, 7, 1, 7, 30), local(2026, 7, 2, 7, 30)) == ["07-02 07:30 CDT"], "open at its begin, closed at its end"


def test_relative_points_follow_each_period_or_the_window() -> None:
    points = (TimePoint(after=Span(6, TimeUnit.HOURS)), TimePoint(after=Span(26, TimeUnit.HOURS)))
    times = ScheduleTimes(points, first=local(2026, 7, 1), period=DAY)
    found = walls(times, local(2026, 7, 2), local(2026, 7, 3))
    assert found == ["07-02 02:00 CDT", "07-02 06:00 CDT"]
    once = ScheduleTimes(points[:1], starts=local(2026, 7, 1))
    assert walls(once, local(2026, 6, 1), local(2026, 8, 1)) == ["07-01 06:00 CDT"]


def test_nothing_is_due_where_nothing_is_said() -> None:
    assert due_times(ScheduleTimes(), local(2026, 1, 1), local(2027, 1, 1), CHICAGO) == []
    assert not has_times(ScheduleTimes(starts=local(2026, 1, 1)))


def test_very_many_times_are_cut() -> None:
    times = ScheduleTimes(first=local(2000, 1, 1), period=Span(15, TimeUnit.MINUTES))
    assert len(due_times(times, local(2026, 1, 1), local(2027, 1, 1), CHICAGO)) == 1_000


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        (ScheduleTimes(starts=local(2026, 2, 1), ends=local(2026, 1, 1)), "dates are reversed"),
        (ScheduleTimes(tuple(TimePoint(local(2026, 1, 1)) for _ in range(1_001))), "1001 time points; 1000 are the most"),
        (ScheduleTimes(period=DAY), "has a period and no startTime"),
        (ScheduleTimes(first=local(2026, 1, 1), period=Span(60, TimeUnit.SECONDS)), "shorter than 900 s"),
        (ScheduleTimes(first=local(2026, 1, 1), period=Span(-1, TimeUnit.DAYS)), "shorter than 900 s"),
        (ScheduleTimes(first=local(2026, 1, 1), period=Span(9e9, TimeUnit.YEARS)), "not one that can be followed"),
        (ScheduleTimes(first=local(2026, 1, 1), period=Span(10**400, TimeUnit.YEARS)), "not one that can be followed"),
        (ScheduleTimes(offset=Span(float("nan"), TimeUnit.DAYS)), "more than 100 years away"),
        (ScheduleTimes((TimePoint(after=DAY),)), "relative to nothing"),
        (ScheduleTimes((TimePoint(),)), "either an absoluteTime or a relativeTimeInterval"),
        (ScheduleTimes(offset=Span(200, TimeUnit.YEARS)), "more than 100 years away"),
    ],
)
def test_times_that_cannot_be_followed_are_refused(times: ScheduleTimes, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        check_times(times)


EARLIEST, LATEST = datetime(2020, 1, 1), datetime(2032, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone


@settings(max_examples=200, deadline=None)
@given(
    st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    st.builds(Span, st.integers(1, 40), st.sampled_from([TimeUnit.HOURS, TimeUnit.DAYS, TimeUnit.WEEKS, TimeUnit.MONTHS, TimeUnit.YEARS])),
    st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
    st.lists(st.integers(0, 200), min_size=1, max_size=5),
)
def test_looking_in_steps_finds_what_looking_once_finds(first: datetime, period: Span, begin: datetime, hours: list[int]) -> None:
    times = ScheduleTimes(first=first, period=period)
    start = now = begin
    found = []
    for step in hours:
        found += due_times(times, now, now + timedelta(hours=step), CHICAGO)
        now += timedelta(hours=step)
    assert found == due_times(times, start, now, CHICAGO)
    assert all(start < due <= now for due in found)
