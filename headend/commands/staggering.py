"""When each of many commands is begun, so that neither a router nor the whole is asked too much at once. Pure.

Time is divided into minutes since the epoch. Each minute has room for so many commands behind each router and in all; what is planned
already takes its room first. Routers take turns, so that one with many endpoints does not hold the others up.
"""

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from headend.model.command_rules import CommandRules

NO_ROUTER = 0
"""Stands for the router of endpoints that have none: they have their own way, and only what goes for all of them."""

MINUTE_SECONDS = 60

Booked = Mapping[tuple[int, int], int]
"""How many commands are planned, by (minute, router)."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A command that wants its turn. `quiet` holds it back in quiet times. It is begun before `until` or not at all."""

    router: int
    until: datetime
    quiet: bool = False


TURN_SECONDS = 60
"""A command is begun so long before it expires, where there is time: less, and a switch could be told and nobody know what it did."""


def latest_turn(begins: datetime, expires: datetime) -> datetime:
    """Before when a command must be begun; of one that has little time altogether, half of that is for its turn."""
    return expires - min(timedelta(seconds=TURN_SECONDS), (expires - begins) / 2)


def minute_of(instant: datetime) -> int:
    """The minute in which an instant is."""
    return int(instant.timestamp()) // MINUTE_SECONDS


def start_of(minute: int) -> datetime:
    """When a minute begins."""
    return datetime.fromtimestamp(minute * MINUTE_SECONDS, UTC)


def stagger(waiting: Sequence[Waiting], booked: Booked, begins: datetime, rules: CommandRules) -> list[datetime | None]:
    """When each is begun, none before `begins`; None for one that has no turn before it is too late."""
    return _Plan(booked, begins, rules).turns(waiting)


class _Plan:
    def __init__(self, booked: Booked, begins: datetime, rules: CommandRules) -> None:
        self._begins = begins
        self._rules = rules
        self._first = minute_of(begins)
        self._booked: defaultdict[tuple[int, int], int] = defaultdict(int, booked)
        self._in_all: defaultdict[int, int] = defaultdict(int)
        for (minute, _), count in booked.items():
            self._in_all[minute] += count
        # Of the first minute only what is left of it.
        self._gone = (begins - start_of(self._first)).total_seconds() / MINUTE_SECONDS
        self._quiet_ends: dict[int, int] = {}

    def turns(self, waiting: Sequence[Waiting]) -> list[datetime | None]:
        """See `stagger`."""
        lines: dict[tuple[int, bool], deque[int]] = defaultdict(deque)
        for position, one in enumerate(waiting):
            lines[one.router, one.quiet].append(position)
        # The earliest minute first, in it the router with the fewest, then whoever was named first.
        turns: list[tuple[int, int, int, tuple[int, bool]]] = [(self._first, 0, line[0], key) for key, line in lines.items()]
        heapq.heapify(turns)
        planned: list[datetime | None] = [None] * len(waiting)
        while turns:
            minute, _, position, key = turns[0]
            router, quiet = key
            possible = self._possible(minute, router, quiet=quiet)
            if possible > minute:
                heapq.heapreplace(turns, (possible, self._booked[possible, router], position, key))
                continue
            line = lines[key]
            due = self._due(minute, router)
            if due < waiting[position].until:
                planned[position] = due
                self._booked[minute, router] += 1
                self._in_all[minute] += 1
            line.popleft()
            if line:
                heapq.heapreplace(turns, (minute, self._booked[minute, router], line[0], key))
            else:
                heapq.heappop(turns)
        return planned

    def _possible(self, minute: int, router: int, *, quiet: bool) -> int:
        """The minute itself, or a later one where it has no room."""
        if quiet:
            ends = self._quiet_end(minute)
            if ends > minute:
                return ends
        while self._full(minute, router):
            minute += 1
        return minute

    def _full(self, minute: int, router: int) -> bool:
        rules = self._rules
        in_all, behind = self._in_all[minute], self._booked[minute, router]
        if minute == self._first:
            in_all += ceil(self._gone * rules.per_minute)
            behind += ceil(self._gone * rules.per_router_per_minute)
        return in_all >= rules.per_minute or (router != NO_ROUTER and behind >= rules.per_router_per_minute)

    def _quiet_end(self, minute: int) -> int:
        if minute not in self._quiet_ends:
            ends = self._rules.quiet_end(start_of(minute))
            self._quiet_ends[minute] = minute if ends is None else minute_of(ends)
        return self._quiet_ends[minute]

    def _due(self, minute: int, router: int) -> datetime:
        """Evenly within the minute."""
        rules = self._rules
        part = self._in_all[minute] / rules.per_minute
        if router != NO_ROUTER:
            part = max(part, self._booked[minute, router] / rules.per_router_per_minute)
        if minute == self._first:
            part += self._gone
        return max(self._begins, start_of(minute) + timedelta(seconds=min(part, 0.999) * MINUTE_SECONDS))


CATCH_UP_SECONDS = 5
"""How much of what it missed one who is late may make up for at once, in seconds of the pace."""


def admitted(routers: Iterable[int], free: dict[int, datetime], now: datetime, rules: CommandRules) -> list[bool]:
    """Which commands, named by their routers, may be begun now; changes `free`.

    `free` says of each router, and of NO_ROUTER for all together, when the next would be begun at an even pace; whoever is more than
    CATCH_UP_SECONDS ahead of that waits. So a backlog is not begun all at once, whoever planned it and however many drivers there are.
    """
    latest = now + timedelta(seconds=CATCH_UP_SECONDS)
    step_of_all, step = timedelta(minutes=1) / rules.per_minute, timedelta(minutes=1) / rules.per_router_per_minute
    found = []
    for router in routers:
        bound = {router, NO_ROUTER}
        may = all(free.get(one, now) <= latest for one in bound)
        for one in bound if may else ():
            free[one] = max(free.get(one, now), now) + (step_of_all if one == NO_ROUTER else step)
        found.append(may)
    return found
