"""Storms under way: strikes done when their time comes, as many at a time as leave the reactor time for answers."""

import heapq
import itertools
import math
from collections.abc import Sequence

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from emulators.device_events import POWER_DOWN, POWER_UP, LoggedEvent
from emulators.storm import Strike
from emulators.timeline import POWER_FAIL_BIT, Mark
from emulators.wakeups import Wakeups
from emulators.world import World
from headend.errors import RequestError

TICK_SECONDS = 0.02
"""Real seconds between looks at what is due."""

STRIKES_PER_TICK = 25
"""Strikes done before the reactor sees to others: some 15 ms of work."""

STRIKES_MAX = 2_000_000
"""Strikes that may wait."""


class Storms:
    """What storms do to a world."""

    def __init__(self, reactor: IReactorTime, world: World, wakeups: Wakeups) -> None:
        self._reactor = reactor
        self._world = world
        self._wakeups = wakeups
        self._due: list[tuple[float, int, Strike]] = []
        """When, in which order where that is the same, what."""
        self._numbers = itertools.count()
        self._timer: IDelayedCall | None = None
        self.outages = self.restorations = self.others = self.told = self.lost = 0

    def begin(self, strikes: Sequence[Strike]) -> None:
        """Do these, counted from now. Raises RequestError where too many would wait."""
        if len(self._due) + len(strikes) > STRIKES_MAX:
            raise RequestError(f"storm: {len(self._due) + len(strikes)} events would wait, {STRIKES_MAX} may")
        now = self._reactor.seconds()
        self._due += [(now + strike.at, next(self._numbers), strike) for strike in strikes]
        heapq.heapify(self._due)
        if self._timer is None and self._due:
            self._tick()

    def calm(self) -> int:
        """Do nothing more of what waits; how much that was. Whoever is without supply remains so."""
        waiting, self._due = len(self._due), []
        self.stop()
        return waiting

    def stop(self) -> None:
        """No more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def to_json(self) -> dict[str, int]:
        """How far they are."""
        return {
            "waiting": len(self._due),
            "outages": self.outages,
            "restorations": self.restorations,
            "others": self.others,
            "told": self.told,
            "lost": self.lost,
        }

    def _tick(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        for _ in range(STRIKES_PER_TICK):
            if not self._due or self._due[0][0] > now:
                break
            self._strike(heapq.heappop(self._due)[2])
        if self._due:
            is_behind = self._due[0][0] <= now
            self._timer = self._reactor.callLater(0 if is_behind else TICK_SECONDS, self._tick)

    def _strike(self, strike: Strike) -> None:
        world = self._world
        state, now = world.state(strike.endpoint), world.now
        event = LoggedEvent(now, strike.code, strike.argument)
        state.log(event)
        if strike.code == POWER_DOWN:
            self.outages += 1
            state.timeline = (state.timeline or world.kind(strike.endpoint).timeline).mark(now, Mark(0, POWER_FAIL_BIT))
            # A last gasp is what it still has the strength for; from now on it answers nobody.
            state.silent_until = math.inf
        elif strike.code == POWER_UP:
            self.restorations += 1
            state.silent_until = 0.0
        else:
            self.others += 1
        if strike.delay is None:
            self.lost += 1
        else:
            self.told += 1
            self._wakeups.alarm(strike.endpoint, event, strike.delay)
