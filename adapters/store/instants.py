"""Instants and days as the store keeps them: microseconds and days since 1970-01-01 UTC, integers in both databases."""

from datetime import date

from headend.model.instants import DAY_US, from_us, to_us

__all__ = ["DAY_US", "from_day", "from_us", "to_day", "to_us"]

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def to_day(day: date) -> int:
    """Days since the epoch."""
    return day.toordinal() - _EPOCH_ORDINAL


def from_day(day: int) -> date:
    """The calendar day."""
    return date.fromordinal(day + _EPOCH_ORDINAL)
