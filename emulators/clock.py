"""The world's clock: real, accelerated or turned by hand; timers of the wire stay in real seconds."""

import math
from datetime import UTC, datetime

from twisted.internet.interfaces import IReactorTime

from headend.errors import RequestError

RATE_MAX = 100_000.0
"""World seconds per real second: a year in five minutes; past it timers would skip whole days."""

ADVANCE_SECONDS_MAX = 400 * 86_400
"""One turn of the clock by hand, in seconds: as far as the load curves are made ahead."""


class WorldClock:
    """Now, for the whole pretended utility; `rate` 1 is real time, 0 stands still until it is turned."""

    __slots__ = ("_anchor_real", "_anchor_world", "_reactor", "rate")

    def __init__(self, reactor: IReactorTime, start: datetime, rate: float = 1.0) -> None:
        self._reactor = reactor
        self._anchor_real = reactor.seconds()
        self._anchor_world = start.timestamp()
        self.rate = _checked_rate(rate)

    @property
    def seconds(self) -> float:
        """World time as unix seconds."""
        return self._anchor_world + (self._reactor.seconds() - self._anchor_real) * self.rate

    def now(self) -> datetime:
        """World time as an aware UTC datetime."""
        return datetime.fromtimestamp(self.seconds, UTC)

    def set_rate(self, rate: float) -> None:
        """Go on from now at another pace."""
        checked = _checked_rate(rate)
        self._anchor_world = self.seconds
        self._anchor_real = self._reactor.seconds()
        self.rate = checked

    def advance(self, seconds: float) -> None:
        """Turn the clock forward by hand."""
        if not 0 <= seconds <= ADVANCE_SECONDS_MAX:
            raise RequestError(f"advance: {seconds:g} s is not within 0 and {ADVANCE_SECONDS_MAX} s")
        self._anchor_world += seconds


def _checked_rate(rate: float) -> float:
    if not (math.isfinite(rate) and 0 <= rate <= RATE_MAX):
        raise RequestError(f"rate: {rate:g} is not within 0 and {RATE_MAX:g}")
    return rate
