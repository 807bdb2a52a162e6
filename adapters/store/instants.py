"""Instants and days as the store keeps them: microseconds and days since 1970-01-01 UTC, integers in both databases."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

DAY_US = 86_400_000_000
"""Microseconds of a day."""

INSTANTS_MAX = 4_096
"""Instants remembered: blocks of many endpoints end at the same."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = _EPOCH.toordinal()
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=INSTANTS_MAX)
def from_us(us: int) -> datetime:
    """The instant in UTC."""
    return _EPOCH + timedelta(microseconds=us)


def to_day(day: date) -> int:
    """Days since the epoch."""
    return day.toordinal() - _EPOCH_ORDINAL


def from_day(day: int) -> date:
    """The calendar day."""
    return date.fromordinal(day + _EPOCH_ORDINAL)
