"""What one consumer uses and what voltage it sees: functions of (seed, endpoint, time), in whole Wh, varh or dm³.

Registers are running totals at quarter hours, in between they grow evenly, and intervals are their differences. The shares of a
consumer come from its number alone, nothing is kept.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from emulators.seeding import between, mix, mix_one, mix_row
from emulators.weather import ORIGIN, PERSONA_WEEKS, PERSONAS, QUARTER, WEEK_QUARTERS, Curves, Totals, make_curves

REGIONS: Final = 2
CONSUMERS_KEPT: Final = 2_048
"""Consumers whose shares stay in memory (about 1 KiB each): more than are ever being read at once."""

_RING: Final = PERSONA_WEEKS * WEEK_QUARTERS
_SCALE: Final = 1_000_000
"""Weights are in millionths of a unit (Wh, dm³) per point of a curve."""


@dataclass(frozen=True, slots=True)
class Term:
    """One share of a consumer's use: so much of that curve; `shift` ≥ 0 reads a persona's ring that many quarters on."""

    curve: str
    weight: int
    persona: int = 0
    shift: int = 0


@dataclass(frozen=True, slots=True)
class Mix:
    """How one channel's running total is put together: `floor` a quarter, terms, and a scatter smaller than the floor."""

    floor: int
    terms: tuple[Term, ...]
    salt: int = 0


class LoadCurves:
    """All curves of a utility; grows by itself as time goes on."""

    __slots__ = ("_regions", "_seed", "_until", "_zone", "consumer")

    def __init__(self, seed: int, zone: ZoneInfo, now: int) -> None:
        self._seed = seed
        self._zone = zone
        self._until = now
        self._regions = tuple(make_curves(mix(seed, n), zone, now) for n in range(REGIONS))
        self.consumer = lru_cache(CONSUMERS_KEPT)(self._consumer)
        """consumer(index, configuration, region) -> Consumer"""

    def region(self, number: int, last_quarter: int) -> Curves:
        """The curves of a region, long enough for `last_quarter`."""
        curves = self._regions[number]
        if last_quarter >= curves.quarters:
            self._until = ORIGIN + last_quarter * QUARTER
            self._regions = tuple(make_curves(mix(self._seed, n), self._zone, self._until) for n in range(REGIONS))
            curves = self._regions[number]
        return curves

    def _consumer(self, index: int, configuration: str, region: int) -> "Consumer":
        return Consumer(self, mix(self._seed, 11, index), configuration, region)


class Consumer:
    """One consumer: running totals per channel, and voltage."""

    __slots__ = ("_curves", "_mixes", "_region", "_seed")

    def __init__(self, curves: LoadCurves, seed: int, configuration: str, region: int) -> None:
        self._curves = curves
        self._region = region
        self._seed = seed
        self._mixes = _mixes(seed, configuration)

    def totals(self, channel: str, first: int, count: int, step: int = 1) -> Totals:
        """Running totals at quarter hours `first`, `first` + `step`, … since ORIGIN; `count` of them."""
        if channel == "energy_net":
            return self.totals("energy_delivered", first, count, step) - self.totals("energy_received", first, count, step)
        mixed = self._mixes[channel]
        quarters = np.arange(first, first + (count - 1) * step + 1, step)
        total = self._smooth(mixed, quarters, step)
        if mixed.floor > 1:
            total += (mix_row(mixed.salt, quarters) % np.uint64(mixed.floor)).astype(np.int64)
        return total

    def _smooth(self, mixed: Mix, quarters: NDArray[np.int64], step: int = 1) -> Totals:
        """Running totals without their scatter."""
        first, stop = quarters.item(0), quarters.item(-1) + 1
        curves = self._curves.region(self._region, stop)
        total = quarters * (mixed.floor * _SCALE)
        for term in mixed.terms:
            total += _slice(curves, term, first, stop, step) * term.weight
        total //= _SCALE
        return total

    def totals_at(self, channel: str, seconds: NDArray[np.int64]) -> Totals:
        """Running totals at any unix seconds: even growth within a quarter hour."""
        since = seconds - ORIGIN
        first = int(since.min()) // QUARTER
        last = -(-int(since.max()) // QUARTER)
        grid = self.totals(channel, first, last - first + 2)
        place = since // QUARTER - first
        below = grid[place]
        result: Totals = below + (grid[place + 1] - below) * (since % QUARTER) // QUARTER
        return result

    def total_at(self, channel: str, second: int) -> int:
        """The running total at one unix second."""
        quarter, rest = divmod(second - ORIGIN, QUARTER)
        below = self._total(channel, quarter)
        return below + (self._total(channel, quarter + 1) - below) * rest // QUARTER if rest else below

    def _total(self, channel: str, quarter: int) -> int:
        """What `totals` gives for one quarter hour; arrays of one element cost ten times as much."""
        if channel == "energy_net":
            return self._total("energy_delivered", quarter) - self._total("energy_received", quarter)
        mixed = self._mixes[channel]
        curves = self._curves.region(self._region, quarter)
        total = quarter * mixed.floor * _SCALE
        for term in mixed.terms:
            total += _item(curves, term, quarter) * term.weight
        total //= _SCALE
        return total + mix_one(mixed.salt, quarter) % mixed.floor if mixed.floor > 1 else total

    def voltage(self, first: int, count: int, phases: int) -> NDArray[np.int64]:
        """Maximum, minimum, average of each phase in 0.1 V for `count` quarter hours from `first`: 3 × `phases` rows.

        Sags with the load; always minimum ≤ average ≤ maximum.
        """
        quarters = np.arange(first, first + count + 1)
        used = self._smooth(self._mixes["energy_delivered"], quarters)
        load = used[1:] - used[:-1]
        chance = mix_row(self._seed, quarters[:-1])
        rows = np.empty((3 * phases, count), dtype=np.int64)
        sag = np.minimum(load // (60 if phases == 1 else 1_600), 90)
        for phase in range(phases):
            bits = (chance >> np.uint64(20 * phase)).astype(np.int64) & 0xFFFFF
            average = 2_432 - 6 * phase - sag + (bits & 15)
            rows[3 * phase] = average + 2 + ((bits >> 4) & 31)
            rows[3 * phase + 1] = average - 2 - ((bits >> 9) & 63)
            rows[3 * phase + 2] = average
        return rows


def _item(curves: Curves, term: Term, quarter: int) -> int:
    if term.curve != "persona":
        curve: Totals = getattr(curves, term.curve)
        return curve.item(quarter)
    ring = curves.personas[term.persona]
    turns, place = divmod(quarter + term.shift, _RING)
    return ring.item(place) + turns * ring.item(_RING)


def _slice(curves: Curves, term: Term, first: int, stop: int, step: int) -> Totals:
    if term.curve != "persona":
        curve: Totals = getattr(curves, term.curve)
        return curve[first:stop:step]
    ring = curves.personas[term.persona]
    turns, place = divmod(first + term.shift, _RING)
    if stop - first <= _RING:
        stretch = ring[place : place + stop - first : step]
        return stretch + turns * ring.item(_RING) if turns else stretch
    quarters = np.arange(first + term.shift, stop + term.shift, step)
    whole: Totals = ring[quarters % _RING] + (quarters // _RING) * ring[_RING]
    return whole


def _lives(seed: int, weight: int) -> tuple[Term, ...]:
    """Two ways of living, mixed: few neighbours share both, and their weeks."""
    first = mix(seed, 1)
    second = mix(seed, 2)
    share = between(mix(seed, 3), 30, 70)
    return tuple(
        Term("persona", weight * part // 100, number % PERSONAS, (number >> 8) % PERSONA_WEEKS * WEEK_QUARTERS)
        for number, part in ((first, share), (second, 100 - share))
    )


def _electric(seed: int, net_metered: bool) -> dict[str, Mix]:
    size = between(mix(seed, 4), 55, 160)
    heat = between(mix(seed, 5), 0, 9) ** 2 * 900
    terms = (*_lives(seed, 1_100 * size), Term("heating", heat), Term("cooling", 1_300 * size))
    mixes = {"energy_delivered": Mix(between(mix(seed, 6), 12, 60), terms, mix(seed, 7))}
    if net_metered:
        mixes["energy_received"] = Mix(0, (Term("solar", between(mix(seed, 8), 120_000, 450_000)),))
    return mixes


def _commercial(seed: int, net_metered: bool) -> dict[str, Mix]:
    size = between(mix(seed, 4), 20, 400)
    solar = between(mix(seed, 8), 4_000, 12_000) * size if net_metered else 0
    office = (Term("office", 60_000 * size), Term("cooling", 18_000 * size), *_lives(seed, 6_000 * size))
    return {
        "energy_delivered": Mix(12 * size, office, mix(seed, 7)),
        "energy_received": Mix(0, (Term("solar", solar),)),
        "reactive_delivered": Mix(4 * size, (Term("office", 21_000 * size), Term("cooling", 9_000 * size)), mix(seed, 9)),
        "reactive_received": Mix(0, (*_lives(mix(seed, 10), 900 * size), Term("solar", solar // 9))),
    }


def _mixes(seed: int, configuration: str) -> dict[str, Mix]:
    net_metered = configuration.endswith("-net")
    if configuration.startswith("residential"):
        return _electric(seed, net_metered)
    if configuration.startswith("commercial"):
        return _commercial(seed, net_metered)
    if configuration == "gas":
        return {"gas_volume": Mix(0, (Term("heating", between(mix(seed, 4), 20_000, 75_000)), *_lives(seed, 9_000)))}
    garden = between(mix(seed, 5), 0, 3) * 2_000
    return {"water_volume": Mix(0, (*_lives(seed, between(mix(seed, 4), 1_500, 6_500)), Term("garden", garden)))}
