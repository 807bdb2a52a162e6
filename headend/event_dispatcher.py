"""Delivers events to subscribers: each queue in order, at least once, one call at a time; one that rests delays no other.

A queue is one process's while it is told, so that the order is kept whoever tells it. It rests after a failure, all of it, longer each
time, and only its head is tried. Where a server refuses many events at once, fewer are told at a time, until it is known which it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend import limits
from headend.circuits import back_off_seconds
from headend.errors import StoreError
from headend.model.event_telling import EventQueues, EventTelling, MarkedEvent
from headend.model.subscription import Subscription
from headend.model.telling import Attempt, Delivery


@dataclass(frozen=True, slots=True)
class EventDispatchPolicy:
    """Choices of a dispatcher; waits in seconds.

    A message that fails is tried again after `retry_seconds`, twice as long after each further failure of its queue. It is parked after
    `attempts_max`, and set aside as refused after `refused_attempts_max` refusals of it alone. A queue is claimed for `claim_seconds`.
    """

    queues_max: int = limits.QUEUES_TOLD_MAX
    events_per_claim: int = limits.EVENTS_PER_NOTIFICATION_MAX
    idle_seconds: float = 0.25
    retry_seconds: float = 5.0
    retry_seconds_max: float = 300.0
    attempts_max: int = 900
    refused_attempts_max: int = 3
    claim_seconds: float = 60.0

    def rest_seconds(self, failures: int) -> float:
        """How long a queue rests after one more failure than so many in a row."""
        return back_off_seconds(self.retry_seconds, failures + 1, self.retry_seconds_max)


class EventTeller(Protocol):
    """Tells subscribers."""

    def tell_events(self, telling: EventTelling) -> Awaitable[Sequence[Attempt]]:
        """Tell all events of it, in one notification or several, in order; one attempt for each. Never raises."""


class SubscriptionBook(Protocol):
    """Who is subscribed."""

    def subscription(self, subscription_id: str, partner: str) -> Awaitable[Subscription | None]:
        """One by its id; None where it has ended."""


class EventDispatcher:
    """Tells the subscribers of one utility, as one process does."""

    log = Logger()

    def __init__(
        self,
        queues: EventQueues,
        book: SubscriptionBook,
        teller: EventTeller,
        reactor: IReactorTime,
        now: Callable[[], datetime],
        owner: str,
        policy: EventDispatchPolicy | None = None,
    ) -> None:
        self._queues = queues
        self._book = book
        self._teller = teller
        self._reactor = reactor
        self._now = now
        self._owner = owner
        self._policy = policy or EventDispatchPolicy()
        self._told: dict[str, Deferred[None]] = {}
        self._sizes: dict[str, int] = {}
        """Queues of which fewer are told at once than might be."""
        self._looking: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._running = False

    def start(self) -> None:
        """Begin to deliver."""
        self._running = True
        self._look()

    async def stop(self) -> None:
        """End: what is under way comes to its end, the rest stays queued, and is anybody's at once."""
        self._running = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for waited in [*self._told.values(), *([self._looking] if self._looking else [])]:
            ended: Deferred[None] = Deferred()
            waited.chainDeferred(ended)
            await ended
        try:
            await self._queues.release_queues(self._owner)
        except StoreError as error:
            self.log.warn("queues not released, they will be free soon: {error}", error=error)

    def _look(self) -> None:
        self._timer = None
        if self._running:
            self._looking = Deferred()
            Deferred.fromCoroutine(self._find()).addErrback(self._failed, "looking for events to tell").addCallback(self._looked)

    async def _find(self) -> None:
        if len(self._told) >= self._policy.queues_max:
            return
        for queue in await self._queues.due_queues(self._owner, self._now()):
            if queue not in self._told and len(self._told) < self._policy.queues_max and self._running:
                self._told[queue] = Deferred()
                Deferred.fromCoroutine(self._tell(queue)).addErrback(self._failed, f"telling {queue}").addCallback(self._ended, queue)

    def _looked(self, _: object) -> None:
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.callback(None)
        if self._running:
            self._timer = self._reactor.callLater(self._policy.idle_seconds, self._look)

    def _ended(self, _: object, queue: str) -> None:
        self._told.pop(queue).callback(None)

    def _failed(self, failure: Failure, doing: str) -> None:
        if failure.check(StoreError):
            self.log.warn("{doing}: {error}", doing=doing, error=failure.value)
        else:
            self.log.failure(doing, failure)

    async def _tell(self, queue: str) -> None:
        """All that is due in a queue, until nothing is or it has to rest."""
        while self._running:
            now = self._now()
            most = min(self._sizes.get(queue, self._policy.events_per_claim), self._policy.events_per_claim)
            batch = await self._queues.take_queue(queue, self._owner, most, now, now + timedelta(seconds=self._policy.claim_seconds))
            if batch is None:
                return
            subscription = await self._book.subscription(batch.subscription_id, batch.partner)
            most = most if subscription is None else min(most, subscription.choice.batch_objects)
            telling = EventTelling(batch.partner, subscription, batch.objects[:most])
            attempts = await self._teller.tell_events(telling)
            if not await self._keep(queue, telling, attempts, batch.failures):
                return

    async def _keep(self, queue: str, telling: EventTelling, attempts: Sequence[Attempt], failures: int) -> bool:
        """Keep what came of a telling; whether the queue goes on at once."""
        now, policy = self._now(), self._policy
        tries = {told.message_id: told.attempts for told in telling.objects}
        marked: list[MarkedEvent] = []
        put_off: datetime | None = None
        for attempt in attempts:
            is_refused = attempt.delivery is Delivery.REFUSED
            if is_refused and len(attempt.message_ids) > 1:
                # One of them may be to blame for all: half as many at once, and no attempt of the others is counted.
                self._sizes[queue] = len(attempt.message_ids) // 2
                put_off = now
                break
            most = policy.refused_attempts_max if is_refused else policy.attempts_max
            for message_id in attempt.message_ids:
                delivery = attempt.delivery
                if is_refused and tries[message_id] < most:
                    delivery = Delivery.QUEUED
                elif delivery is Delivery.QUEUED and tries[message_id] >= most:
                    delivery = Delivery.PARKED
                marked.append(MarkedEvent(message_id, delivery, attempt.answers.get(message_id, attempt.reason)))
            if any(one.delivery is Delivery.QUEUED for one in marked):
                put_off = now + timedelta(seconds=policy.rest_seconds(failures))
                if not failures:
                    said = {"partner": telling.partner, "url": telling.response_url, "reason": attempt.reason}
                    self.log.warn("{partner} not told of events at {url}: {reason}", **said)
                break
            failures = 0
        await self._queues.mark_events(queue, marked, put_off, now)
        if put_off is None and queue in self._sizes:
            self._sizes[queue] *= 2
            if self._sizes[queue] >= policy.events_per_claim:
                del self._sizes[queue]
        return put_off is None or put_off <= now
