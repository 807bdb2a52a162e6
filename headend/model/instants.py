"""Instants as integers: microseconds since 1970-01-01 UTC, for rows that are many."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

DAY_US = 86_400_000_000
"""Microseconds of a day."""

SECOND_US = 1_000_000
"""Microseconds of a second."""

INSTANTS_MAX = 4_096
"""Instants remembered: blocks and reads of many endpoints have the same."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (instant - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=INSTANTS_MAX)
def from_us(us: int) -> datetime:
    """The instant in UTC."""
    return _EPOCH + timedelta(microseconds=us)
