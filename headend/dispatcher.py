"""Delivers the outbox: each partner's messages in order, at least once, again later where that fails; a dead partner delays no other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend import limits
from headend.errors import StoreError
from headend.model.telling import Attempt, Delivery, Marked, Teller, Telling, TellingStore


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """Choices of a dispatcher; waits in seconds. After `attempts_max` a message is parked: it stays, and is not tried any more."""

    partners_max: int = limits.PARTNERS_TOLD_MAX
    messages_per_claim: int = limits.TELLINGS_PER_CLAIM
    idle_seconds: float = 0.5
    retry_seconds: float = 5.0
    retry_seconds_max: float = 3_600.0
    attempts_max: int = limits.TELLING_ATTEMPTS_MAX
    refused_attempts_max: int = 3
    claim_seconds: float = 300.0


def after_attempt(attempt: Attempt, tries: int, now: datetime, policy: DispatchPolicy) -> tuple[Delivery, datetime | None]:
    """(what a message is after so many tries, when it is tried again)."""
    if attempt.delivery is Delivery.ACKNOWLEDGED:
        return Delivery.ACKNOWLEDGED, None
    refused = attempt.delivery is Delivery.REFUSED
    if attempt.delivery is Delivery.PARKED or tries >= (policy.refused_attempts_max if refused else policy.attempts_max):
        return (Delivery.REFUSED if refused else Delivery.PARKED), None
    seconds = min(policy.retry_seconds * 2 ** min(tries - 1, 20), policy.retry_seconds_max)
    return Delivery.QUEUED, now + timedelta(seconds=seconds)


class Dispatcher:
    """Tells the partners of one utility."""

    log = Logger()

    def __init__(
        self,
        store: TellingStore,
        teller: Teller,
        reactor: IReactorTime,
        now: Callable[[], datetime],
        policy: DispatchPolicy | None = None,
    ) -> None:
        self._store = store
        self._teller = teller
        self._reactor = reactor
        self._now = now
        self._policy = policy or DispatchPolicy()
        self._told: dict[str, Deferred[None]] = {}
        self._looking: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._running = False

    def start(self) -> None:
        """Begin to deliver."""
        self._running = True
        self._look()

    async def stop(self) -> None:
        """End: what is under way comes to its end, the rest stays queued."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for waited in [*self._told.values(), *([self._looking] if self._looking else [])]:
            ended: Deferred[None] = Deferred()
            waited.chainDeferred(ended)
            await ended

    def _look(self) -> None:
        self._timer = None
        if not self._running:
            return
        self._looking = Deferred()
        Deferred.fromCoroutine(self._find()).addErrback(self._failed, "looking for what is to be told").addCallback(self._looked)

    async def _find(self) -> None:
        if len(self._told) >= self._policy.partners_max:
            return
        for partner in await self._store.told_partners(self._now()):
            if partner not in self._told and len(self._told) < self._policy.partners_max and self._running:
                self._told[partner] = Deferred()
                Deferred.fromCoroutine(self._tell(partner)).addErrback(self._failed, f"telling {partner}").addCallback(self._ended, partner)

    def _looked(self, _: object) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.callback(None)
        if self._running:
            self._timer = self._reactor.callLater(self._policy.idle_seconds, self._look)

    def _ended(self, _: object, partner: str) -> None:
        self._told.pop(partner).callback(None)

    def _failed(self, failure: Failure, doing: str) -> None:
        if failure.check(StoreError):
            self.log.warn("{doing}: {error}", doing=doing, error=failure.value)
        else:
            self.log.failure(doing, failure)

    async def _tell(self, partner: str) -> None:
        """All that is due for a partner, until nothing is or its server does not answer."""
        while self._running:
            now = self._now()
            until = now + timedelta(seconds=self._policy.claim_seconds)
            tellings = await self._store.claim_tellings(partner, self._policy.messages_per_claim, now, until)
            if not tellings:
                return
            for number, telling in enumerate(tellings):
                attempts = await self._teller.tell(telling)
                await self._store.mark_tellings(self._marked(telling, attempts))
                if not all(attempt.reachable for attempt in attempts):
                    await self._put_off(tellings[number + 1 :], attempts)
                    return

    def _marked(self, telling: Telling, attempts: Sequence[Attempt]) -> list[Marked]:
        tries = {told.message_id: told.attempts for told in telling.objects}
        marked = []
        for attempt in attempts:
            for message_id in attempt.message_ids:
                delivery, again = after_attempt(attempt, tries[message_id], self._now(), self._policy)
                marked.append(Marked(message_id, delivery, again))
            if attempt.delivery is not Delivery.ACKNOWLEDGED:
                self.log.warn(
                    "{partner} not told the outcome of {operation} at {url}: {reason}",
                    partner=telling.partner,
                    operation=telling.operation,
                    url=telling.response_url,
                    reason=attempt.reason,
                )
        return marked

    async def _put_off(self, tellings: Sequence[Telling], attempts: Sequence[Attempt]) -> None:
        """What was claimed and not tried waits as what was: its server would not answer it either."""
        for telling in tellings:
            ids = tuple(told.message_id for told in telling.objects)
            await self._store.mark_tellings(self._marked(telling, [Attempt(ids, Delivery.QUEUED, attempts[-1].reason, reachable=False)]))
