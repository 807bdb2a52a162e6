"""When a schedule is due: calendar arithmetic only.

Hours and shorter spans are elapsed time; days, weeks, months and years are those of the utility's calendar, so that what is read at
midnight is read at midnight on either side of a change of clocks. A time that the clock skips is taken as much later as it skips; of one
that it shows twice, the first counts. A month too short for a day ends with its last one. Pure.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from headend.errors import RequestError
from headend.limits import DUE_TIMES_MAX, SCHEDULE_PERIOD_SECONDS_MIN, TIME_POINTS_MAX


class TimeUnit(StrEnum):
    """Units of a span of time."""

    MILLISECONDS = "Milliseconds"
    SECONDS = "Seconds"
    MINUTES = "Minutes"
    HOURS = "Hours"
    DAYS = "Days"
    WEEKS = "Weeks"
    MONTHS = "Months"
    YEARS = "Years"


_SECONDS = {
    TimeUnit.MILLISECONDS: 0.001,
    TimeUnit.SECONDS: 1.0,
    TimeUnit.MINUTES: 60.0,
    TimeUnit.HOURS: 3_600.0,
    TimeUnit.DAYS: 86_400.0,
    TimeUnit.WEEKS: 7 * 86_400.0,
    TimeUnit.MONTHS: 30 * 86_400.0,
    TimeUnit.YEARS: 365 * 86_400.0,
}
_DAY_SECONDS = 86_400
_LONGEST = timedelta(days=366 * 100)


@dataclass(frozen=True, slots=True)
class Span:
    """So many of a unit."""

    count: float
    unit: TimeUnit

    @property
    def elapsed(self) -> timedelta:
        """As elapsed time, a month being 30 days and a year 365."""
        return timedelta(seconds=self.count * _SECONDS[self.unit])


@dataclass(frozen=True, slots=True)
class TimePoint:
    """One time of a schedule: an instant, or how long after the begin of each period, or of the window where there is no period."""

    at: datetime | None = None
    after: Span | None = None


@dataclass(frozen=True, slots=True)
class ScheduleTimes:
    """When something is due. Within [`starts`, `ends`) only, each bound open where it is None; all of it `offset` later than said."""

    points: tuple[TimePoint, ...] = ()
    first: datetime | None = None
    period: Span | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    offset: Span | None = None


def check_times(times: ScheduleTimes) -> None:
    """Accept times that can be followed.

    Raises  RequestError saying what is wrong with them
    """
    if times.starts is not None and times.ends is not None and times.ends <= times.starts:
        raise RequestError("effectiveWindow ends before it begins; dates are reversed")
    if len(times.points) > TIME_POINTS_MAX:
        raise RequestError(f"the schedule has {len(times.points)} time points; {TIME_POINTS_MAX} are the most")
    if times.period is not None:
        _check_period(times.period)
        if times.first is None and times.starts is None:
            raise RequestError("periodicSchedule has a period and no startTime, nor has the schedule an effectiveWindow that begins")
    spans = [span for span in (times.offset, *(point.after for point in times.points)) if span is not None]
    if not all(_near(span) for span in spans):
        raise RequestError("the schedule has a time more than 100 years away")
    relative = any(point.after is not None for point in times.points)
    if relative and times.period is None and times.first is None and times.starts is None:
        raise RequestError("relativeTimeInterval is relative to nothing: the schedule has neither a startTime nor an effectiveWindow")
    if any((point.at is None) == (point.after is None) for point in times.points):
        raise RequestError("a time point is to have either an absoluteTime or a relativeTimeInterval")


def has_times(times: ScheduleTimes) -> bool:
    """Whether anything can ever be due."""
    return bool(times.points) or times.period is not None


def next_due(times: ScheduleTimes, after: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant after `after` at which a schedule is due, in ten years at most; None where there is none."""
    begin = after
    for days in (1, 31, 366, 3_660):
        found = due_times(times, begin, after + timedelta(days=days), zone)
        if found:
            return found[0]
        begin = after + timedelta(days=days)
    return None


def due_times(times: ScheduleTimes, after: datetime, until: datetime, zone: ZoneInfo) -> list[datetime]:
    """Instants in (after, until] at which a schedule is due, in order, each once; the first of them where they are very many."""
    offset = times.offset.elapsed if times.offset else timedelta(0)
    found: set[datetime] = set()
    for said in _said(times, after - offset, until - offset, zone):
        if _in_window(times, said) and after < said + offset <= until:
            found.add(said + offset)
        if len(found) >= DUE_TIMES_MAX:
            break
    return sorted(found)


def _check_period(period: Span) -> None:
    if not _near(period) or period.count != int(period.count):
        raise RequestError(f"a period of so many {period.unit} is not one that can be followed")
    if period.elapsed.total_seconds() < SCHEDULE_PERIOD_SECONDS_MIN:
        least = f"{SCHEDULE_PERIOD_SECONDS_MIN} s, which is the least"
        raise RequestError(f"a period of {period.count:g} {period.unit} is shorter than {least}")


def _near(span: Span) -> bool:
    """Whether a span is one that calendars hold; written so that what is no number is not."""
    most = _LONGEST.total_seconds() / _SECONDS[span.unit]
    return -most <= span.count <= most


def _in_window(times: ScheduleTimes, instant: datetime) -> bool:
    return (times.starts is None or instant >= times.starts) and (times.ends is None or instant < times.ends)


def _said(times: ScheduleTimes, after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Times as said, before the offset; all of (after, until], perhaps more."""
    yield from (point.at for point in times.points if point.at is not None and after < point.at <= until)
    relative = [point.after.elapsed for point in times.points if point.after is not None]
    first = times.first or times.starts
    if times.period is None or first is None:
        yield from (first + span for span in relative if first is not None)
        return
    longest = max([timedelta(0), *relative])
    for begin in _begins(first, times.period, after - longest, until, zone):
        yield from (begin + span for span in relative or (timedelta(0),))


def _begins(first: datetime, period: Span, after: datetime, until: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Begins of periods from just before `after` to `until`."""
    early = _EARLY if period.unit in _UNEVEN else 1.0
    number = max(0, int((after - first) / period.elapsed * early) - 1)
    while (begin := _begin(first, period, number, zone)) is not None and begin <= until:
        yield begin
        number += 1


_UNEVEN = {TimeUnit.MONTHS, TimeUnit.YEARS}
_EARLY = 0.97
"""Months of 30 days are too short by a sixtieth, years by less: so much earlier the count of them begins to be looked for."""


def _begin(first: datetime, period: Span, number: int, zone: ZoneInfo) -> datetime | None:
    """Begin of a period, counted from 0; None past the end of the calendar."""
    count, unit = int(period.count) * number, period.unit
    elapsed = Span(count, unit).elapsed
    try:
        if unit in _UNEVEN or not period.elapsed.total_seconds() % _DAY_SECONDS:
            return _on_calendar(first.astimezone(zone).replace(tzinfo=None), count, unit, elapsed, zone)
        return first + elapsed
    except (OverflowError, ValueError):
        return None


def _on_calendar(wall: datetime, count: int, unit: TimeUnit, elapsed: timedelta, zone: ZoneInfo) -> datetime:
    """`count` units later on the wall's calendar and clock."""
    if unit in _UNEVEN:
        months = wall.month - 1 + count * (12 if unit is TimeUnit.YEARS else 1)
        year, month = wall.year + months // 12, months % 12 + 1
        wall = wall.replace(year=year, month=month, day=min(wall.day, monthrange(year, month)[1]))
    else:
        wall += elapsed
    return wall.replace(tzinfo=zone).astimezone(UTC)
