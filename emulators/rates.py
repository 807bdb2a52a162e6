"""Rates of time of use: how much of a register's total was used at peak hours, tier A; tier B is the rest.

Peak is from 14:00 to 20:00 local on working days. Counted from when the utility's history begins; of what was before, two fifths.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from emulators.meter_state import Midnights

PEAK: Final = (time(14), time(20))
WORKING_DAYS: Final = 5
_BEFORE: Final = (2, 5)


class PeakCounter:
    """What one meter counted at peak hours. `total_at` is its total at a unix second."""

    __slots__ = ("_at_midnights", "_midnights", "_total_at", "_zone")

    def __init__(self, total_at: Callable[[int], int], midnights: Midnights, zone: ZoneInfo) -> None:
        self._total_at = total_at
        self._midnights = midnights
        self._zone = zone
        self._at_midnights: list[int] = []

    def at(self, second: int) -> int:
        """Tier A at a unix second, in the total's unit."""
        passed = self._midnights.count(second)
        if not passed:
            return self._before(second)
        counted = self._at_midnights
        for number in range(len(counted), passed):
            midnight = self._midnights.at(number)
            counted.append(counted[-1] + self._used(number - 1, midnight) if counted else self._before(midnight))
        return counted[passed - 1] + self._used(passed - 1, second)

    def _before(self, second: int) -> int:
        return self._total_at(second) * _BEFORE[0] // _BEFORE[1]

    def _used(self, number: int, until: int) -> int:
        """At peak hours of the day that begins with a midnight, until some second of it."""
        window = _peak_of(datetime.fromtimestamp(self._midnights.at(number), UTC).astimezone(self._zone).date(), self._zone)
        if window is None or until <= window[0]:
            return 0
        return self._total_at(min(until, window[1])) - self._total_at(window[0])


@lru_cache(maxsize=1_024)
def _peak_of(day: date, zone: ZoneInfo) -> tuple[int, int] | None:
    """The peak hours of a local day as unix seconds; None where it has none."""
    if day.weekday() >= WORKING_DAYS:
        return None
    start, end = (int(datetime.combine(day, one, zone).timestamp()) for one in PEAK)
    return start, end
