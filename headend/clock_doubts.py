"""Endpoints whose clocks were found far off lately: what they have kept is dated so, also once their clock is right. Bounded memory."""

from collections import OrderedDict
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime

from headend.model.endpoint import EndpointId
from headend.push import RIGHT, SenderClock

ENDPOINTS_MAX = 16_384
"""Endpoints remembered; the one longest not heard of is forgotten first."""

KEPT_SECONDS = 300.0
"""How long what an endpoint pushes is dated by the clock it had: the pushes of one wake-up."""

NOTED_SECONDS = 21_600.0
"""How often messages that may be played again are noted, in seconds: once a wake-up; who plays them must not fill the store."""


class _Doubt(NamedTuple):
    off_seconds: float
    at: float
    noted_at: float | None
    untimely: bool


class ClockDoubts:
    """What is remembered of clocks that were too far off for their messages to be fresh."""

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._doubts: OrderedDict[EndpointId, _Doubt] = OrderedDict()

    def __len__(self) -> int:
        return len(self._doubts)

    def note(self, endpoint_id: EndpointId, off_seconds: float) -> bool:
        """An untimely message came; whether that is noted already."""
        now = self._reactor.seconds()
        before = self._doubts.get(endpoint_id)
        noted_at = None if before is None else before.noted_at
        noted = noted_at is not None and now - noted_at < NOTED_SECONDS
        if not noted:
            noted_at = now
        if before is not None and not before.untimely and now - before.at <= KEPT_SECONDS:
            # What is known from a good message is better.
            self._remember(endpoint_id, before._replace(noted_at=noted_at))
        else:
            self._remember(endpoint_id, _Doubt(off_seconds, now, noted_at, untimely=True))
        return noted

    def clock_of(self, endpoint_id: EndpointId, off_seconds: float | None) -> SenderClock:
        """The clock of the sender of a message to be taken, by which that is off; None where the message is fresh."""
        now = self._reactor.seconds()
        before = self._doubts.get(endpoint_id)
        if off_seconds is not None:
            self._remember(endpoint_id, _Doubt(off_seconds, now, None if before is None else before.noted_at, untimely=False))
            return SenderClock(off_seconds)
        if before is None or now - before.at > KEPT_SECONDS:
            return RIGHT
        # Messages played again must not throw doubt on good ones.
        return SenderClock(was_off_seconds=before.off_seconds, if_set=before.untimely)

    def _remember(self, endpoint_id: EndpointId, doubt: _Doubt) -> None:
        self._doubts[endpoint_id] = doubt
        self._doubts.move_to_end(endpoint_id)
        if len(self._doubts) > ENDPOINTS_MAX:
            self._doubts.popitem(last=False)
