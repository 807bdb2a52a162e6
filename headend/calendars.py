"""Local days and wall-clock times as instants, for any zone: days of 23, 24 or 25 hours, times skipped or shown twice. Pure.

A wall time that the clock skips is taken as much later as it skips; of one that it shows twice, the first counts. So every local day has
each of its times exactly once.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

MINUTES_PER_DAY = 1_440


def wall_instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which clocks in `zone` show `minutes` after midnight of `day`."""
    hours, minute = divmod(minutes, 60)
    return datetime(day.year, day.month, day.day, hours, minute, tzinfo=zone).astimezone(UTC)


def local_day(instant: datetime, zone: ZoneInfo) -> date:
    """The day that a calendar in `zone` shows."""
    return instant.astimezone(zone).date()


def wall_minutes(instant: datetime, zone: ZoneInfo) -> int:
    """Minutes after midnight that a clock in `zone` shows."""
    shown = instant.astimezone(zone)
    return shown.hour * 60 + shown.minute


def days_touching(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[date]:
    """Local days that have an instant of [start, end], in order."""
    day, last = local_day(start, zone), local_day(end, zone)
    while day <= last:
        yield day
        day += timedelta(days=1)


def midnights_between(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Beginnings of local days within (start, end], in UTC: when daily registers are read by the meters themselves."""
    for day in days_touching(start, end, zone):
        instant = wall_instant(day, 0, zone)
        if start < instant <= end:
            yield instant
