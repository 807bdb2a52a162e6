"""How many calls run at once: further ones wait their turn, for a while."""
# mypy: disable-error-code="no-untyped-call"

from collections import deque

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import CALL_WAIT_SECONDS, CALLS_MAX, CALLS_WAITING_MAX


class Gate:
    """Calls in progress over all endpoints, at most `CALLS_MAX`; those that wait enter in the order in which they came."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: deque[Deferred[None]] = deque()
        self.busy = 0

    async def enter(self) -> None:
        """Begin a call; who has entered leaves again.

        Raises  RefusedCallError where too many wait, or one has waited too long
        """
        if self.busy < CALLS_MAX:
            self.busy += 1
            return
        if len(self._waiting) >= CALLS_WAITING_MAX:
            raise RefusedCallError(FaultCode.BUSY, f"{CALLS_MAX} calls are in progress and {CALLS_WAITING_MAX} wait; try again")
        turn: Deferred[None] = Deferred()
        self._waiting.append(turn)
        patience = self._clock.callLater(CALL_WAIT_SECONDS, self._give_up, turn)
        await turn
        patience.cancel()

    def leave(self) -> None:
        """End a call; who waited longest takes its place."""
        if self._waiting:
            self._waiting.popleft().callback(None)
        else:
            self.busy -= 1

    def _give_up(self, turn: Deferred[None]) -> None:
        self._waiting.remove(turn)
        turn.errback(RefusedCallError(FaultCode.BUSY, f"{CALLS_MAX} calls are in progress; try again"))
