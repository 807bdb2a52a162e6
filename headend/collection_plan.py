"""When endpoints are interrogated, or wake: windows of the utility's day, over which each endpoint has its own, lasting place. Pure.

An endpoint's place is told by its number alone, so that every process, today and next year, finds the same; neighbours, who mostly share
a router, stand far apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from headend.calendars import MINUTES_PER_DAY, days_touching, wall_instant
from headend.errors import RequestError
from headend.limits import PLAN_TIMES_MAX, WINDOW_MINUTES_MAX

PLACES = 1 << 16
"""Places in a window: of four hours, a fifth of a second each."""

PLACE_STEP = 40_503
"""Golden section of PLACES: however many neighbours there are, they divide the window evenly."""

CATCH_UP = timedelta(days=1)
"""How far back what was due while no process ran is still due, once however often it was."""

_MICROSECOND = timedelta(microseconds=1)


class PlanKind(StrEnum):
    """Of whom a plan speaks: those that are interrogated, or those that wake up and push."""

    INTERROGATIONS = "interrogations"
    WAKE_UPS = "wake-ups"


@dataclass(frozen=True, slots=True)
class CollectionPlan:
    """Windows of every local day: they begin at wall times (minutes after midnight) and last `window_minutes` of elapsed time."""

    begins: tuple[int, ...]
    window_minutes: int

    def __str__(self) -> str:
        return f"{', '.join(map(shown_time, self.begins))} over {self.window_minutes} min"


@dataclass(frozen=True, slots=True)
class GroupPlan:
    """The plan of a group of meters; of all that are in no group with a plan, where `group_id` is empty.

    A meter in several groups follows the first of them that has a plan, in order of their ids.
    """

    kind: PlanKind
    group_id: str
    plan: CollectionPlan


def longest_pause(times: Sequence[int]) -> timedelta:
    """The longest time between two of some times of the day (minutes after midnight, in order), on a day of 24 hours."""
    following = (*times[1:], times[0] + MINUTES_PER_DAY)
    return timedelta(minutes=max(after - before for before, after in zip(times, following, strict=True)))


def check_plan(plan: CollectionPlan) -> None:
    """Accept a plan that can be followed. Raises RequestError saying what is wrong with it."""
    if not plan.begins:
        raise RequestError("a plan needs at least one time of the day")
    if len(plan.begins) > PLAN_TIMES_MAX:
        raise RequestError(f"{len(plan.begins)} times a day are more than {PLAN_TIMES_MAX}")
    if list(plan.begins) != sorted(set(plan.begins)) or not all(0 <= minutes < MINUTES_PER_DAY for minutes in plan.begins):
        raise RequestError("times of a plan must be within a day, in order, each once")
    if not 1 <= plan.window_minutes <= WINDOW_MINUTES_MAX:
        raise RequestError(f"a window of {plan.window_minutes} minutes is not within 1 and {WINDOW_MINUTES_MAX}")


def parse_time(text: str) -> int:
    """Minutes after midnight of `HH:MM`. Raises RequestError."""
    hours, colon, minutes = text.strip().partition(":")
    if colon and hours.isdecimal() and minutes.isdecimal() and len(minutes) == 2 and int(hours) < 24 and int(minutes) < 60:
        return int(hours) * 60 + int(minutes)
    raise RequestError(f"{text[:20]!r} is no time of the day; write HH:MM, from 00:00 to 23:59")


def shown_time(minutes: int) -> str:
    """`HH:MM`."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def place_of(endpoint_id: int) -> int:
    """The place of an endpoint in every window."""
    return endpoint_id * PLACE_STEP % PLACES


def places_due(plan: CollectionPlan, after: datetime, until: datetime, zone: ZoneInfo) -> list[range]:
    """Places whose turn came in (after, until], as ranges in order that do not touch one another."""
    window = timedelta(minutes=plan.window_minutes)
    found = []
    for begin in _begins(plan, after - window, until, zone):
        first = max(_turn(after - begin, window) + 1, 0)
        last = min(_turn(until - begin, window), PLACES - 1)
        if first <= last:
            found.append(range(first, last + 1))
    return _merged(found)


def next_turn(plan: CollectionPlan, place: int, after: datetime, zone: ZoneInfo) -> datetime:
    """When it is the turn of a place next, after an instant."""
    window = timedelta(minutes=plan.window_minutes)
    behind = _wait(place, window)
    turns = (begin + behind for begin in _begins(plan, after - window, after + timedelta(days=2), zone))
    return min(turn for turn in turns if turn > after)


def turn_times(plan: CollectionPlan, endpoint_id: int) -> tuple[int, ...]:
    """An endpoint's times of the day by a clock that shows wall time, in minutes after midnight."""
    behind = place_of(endpoint_id) * plan.window_minutes // PLACES
    return tuple(sorted({(begin + behind) % MINUTES_PER_DAY for begin in plan.begins}))


def shown_times(minutes: Sequence[int], ahead_minutes: int) -> tuple[int, ...]:
    """Times of the day by a clock that is ahead of wall time (behind, where negative)."""
    return tuple(sorted({(minute + ahead_minutes) % MINUTES_PER_DAY for minute in minutes}))


def _begins(plan: CollectionPlan, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    for day in days_touching(start, end, zone):
        for minutes in plan.begins:
            yield wall_instant(day, minutes, zone)


def _turn(elapsed: timedelta, window: timedelta) -> int:
    """The last place whose turn has come so long after a window's begin."""
    return elapsed // _MICROSECOND * PLACES // (window // _MICROSECOND)


def _wait(place: int, window: timedelta) -> timedelta:
    """How long after a window's begin it is the turn of a place: the first microsecond at which `_turn` says so."""
    return -(-place * (window // _MICROSECOND) // PLACES) * _MICROSECOND


def _merged(ranges: Sequence[range]) -> list[range]:
    merged: list[range] = []
    for one in sorted(ranges, key=lambda r: r.start):
        if merged and one.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(merged[-1].stop, one.stop))
        else:
            merged.append(one)
    return merged
