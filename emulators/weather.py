"""What a region's consumers share: weather, daylight, working hours and habits, as running totals per quarter hour.

A consumer's register is a weighted sum of these totals, so its value at any instant costs a few additions, and what an interval
holds is the difference of two registers: they agree by construction, over DST changes, clock jumps and changed interval lengths.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

QUARTER: Final = 900
"""Seconds of the finest step of the curves."""

ORIGIN: Final = int(datetime(2020, 1, 6, tzinfo=UTC).timestamp())
"""Where all history begins, a Monday: a fixed instant, so that a world started later has the same past."""

HORIZON_DAYS: Final = 400
"""Days the curves reach past the instant they were made for; asked for more, they are made again, longer."""

PERSONAS: Final = 8
PERSONA_WEEKS: Final = 52
WEEK_QUARTERS: Final = 7 * 96

Totals = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Curves:
    """Running totals from ORIGIN on; each grows by about 1,000 a quarter hour on average.

    `personas` are 52-week rings (held twice, so that a slice never wraps), read at a shift of whole weeks.
    """

    heating: Totals
    cooling: Totals
    solar: Totals
    office: Totals
    garden: Totals
    personas: tuple[Totals, ...]

    @property
    def quarters(self) -> int:
        """How many quarter hours the curves cover."""
        return len(self.heating) - 1


def make_curves(seed: int, zone: ZoneInfo, until: int) -> Curves:
    """The curves of one region, reaching HORIZON_DAYS past `until` (unix seconds)."""
    days = max(0, until - ORIGIN) // 86_400 + HORIZON_DAYS
    offset = _standard_offset_seconds(zone)
    quarter = np.arange(days * 96)
    day = quarter // 96
    hour = ((quarter + offset // QUARTER) % 96) / 4.0
    season: Floats = 2 * np.pi * ((day % 365.25) - 196) / 365.25
    temperature = 10.5 + 13.5 * np.cos(season) + _walk(seed, days)[day] + 4.5 * np.cos(2 * np.pi * (hour - 15.5) / 24)
    weekday = ((quarter + offset // QUARTER) // 96) % 7
    return Curves(
        heating=_totals(np.maximum(0.0, 16.0 - temperature) * 130),
        cooling=_totals(np.maximum(0.0, temperature - 21.5) * 1_000),
        solar=_totals(_daylight(hour, season) * _clouds(seed, days)[day] * 3_300),
        office=_totals(np.where(weekday < 5, _bump(hour, 12.5, 4.2) * 2_600, _bump(hour, 13, 2.5) * 500) + 300),
        garden=_totals(np.where((temperature > 18) & (hour >= 5) & (hour < 6.5), 9_000.0, 0.0)),
        personas=tuple(_persona(seed, number, offset) for number in range(PERSONAS)),
    )


def _standard_offset_seconds(zone: ZoneInfo) -> int:
    """Seconds east of Greenwich in winter: sunshine and habits do not follow daylight saving time here."""
    january = datetime(2020, 1, 6, 12, tzinfo=zone)
    return int(((january.utcoffset() or timedelta()) - (january.dst() or timedelta())).total_seconds())


def _totals(rates: Floats) -> Totals:
    totals = np.zeros(len(rates) + 1, dtype=np.int64)
    np.cumsum(np.rint(rates).astype(np.int64), out=totals[1:])
    return totals


def _walk(seed: int, days: int) -> Floats:
    """Day-to-day swings of temperature in kelvin: a walk that is drawn back to zero."""
    steps = np.random.Generator(np.random.PCG64([seed, 1])).standard_normal(days) * 2.4
    walk = np.empty(days)
    level = 0.0
    for i, step in enumerate(steps.tolist()):
        level = 0.78 * level + step
        walk[i] = level
    return walk


def _clouds(seed: int, days: int) -> Floats:
    """The share of sunshine that gets through, per day."""
    return 0.25 + 0.75 * np.random.Generator(np.random.PCG64([seed, 2])).random(days) ** 0.6


def _daylight(hour: Floats, season: Floats) -> Floats:
    """Height of the sun, 0 at night, about 1 on a summer's noon."""
    half_day = 6.0 + 1.6 * np.cos(season)
    height = np.cos(np.clip((hour - 12.0) / half_day, -1, 1) * np.pi / 2)
    return np.where(np.abs(hour - 12.0) < half_day, height * (0.72 + 0.28 * np.cos(season)), 0.0)


def _bump(hour: Floats, centre: float, width: float) -> Floats:
    bump: Floats = np.exp(-(((hour - centre) / width) ** 2))
    return bump


def _persona(seed: int, number: int, offset: int) -> Totals:
    """How one kind of household lives, a year of it: quiet nights, morning and evening peaks, longer weekends."""
    rng = np.random.Generator(np.random.PCG64([seed, 3, number]))
    quarter = np.arange(PERSONA_WEEKS * WEEK_QUARTERS)
    local = quarter + offset // QUARTER
    hour = (local % 96) / 4.0
    weekend = (local // 96) % 7 >= 5
    early = 6.4 + 0.25 * number
    habit = 900 * _bump(hour, early, 1.3) + 2_100 * _bump(hour, 18.6 + 0.2 * number, 2.6) + np.where(weekend, 950, 250) * _bump(hour, 13, 4)
    noise = rng.exponential(1.0, len(quarter))
    pulse = np.where(rng.random(len(quarter)) < 0.03, 4_500.0, 0.0) * (hour > 6) * (hour < 22.5)
    return _totals(np.tile(habit * noise + pulse, 2))
