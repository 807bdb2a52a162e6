"""Events as the dispatcher delivers them: the head of one subscriber's queue at a time, in order, as much as its server takes.

A queue is one process's while it is told, so that the order is kept whoever tells it; it rests after a failure, all of it, and no other
does. Where a server refuses many events at once, fewer are told at a time, until it is known which one it is.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

from headend.limits import EVENTS_PER_NOTIFICATION_MAX
from headend.model.event_telling import EventQueues, EventTelling
from headend.model.subscription import Subscription
from headend.model.telling import Delivery, Marked


class SubscriptionBook(Protocol):
    """Who is subscribed now."""

    def subscription(self, subscription_id: str, partner: str) -> Awaitable[Subscription | None]:
        """One by its id, unless it has ended."""


class EventOutbox:
    """The TellingStore of events of one utility in one process."""

    def __init__(self, queues: EventQueues, book: SubscriptionBook, owner: str, now: Callable[[], datetime]) -> None:
        self._queues = queues
        self._book = book
        self._owner = owner
        self._now = now
        self._sizes: dict[str, int] = {}
        """Queues of which fewer are told at once than might be."""
        self._under_way: dict[bytes, str] = {}

    async def told_partners(self, now: datetime) -> list[str]:
        """Queues in which something is due."""
        return await self._queues.due_queues(self._owner, now)

    async def claim_tellings(self, partner: str, limit: int, now: datetime, until: datetime) -> list[EventTelling]:
        """The head of the queue `partner`."""
        queue = partner
        size = min(self._sizes.get(queue, limit), limit)
        batch = await self._queues.take_queue(queue, self._owner, size, now, until)
        if batch is None:
            self._sizes.pop(queue, None)
            return []
        subscription = await self._book.subscription(batch.subscription_id, batch.partner)
        most = size if subscription is None else min(size, subscription.choice.batch_objects, EVENTS_PER_NOTIFICATION_MAX)
        objects = batch.objects[:most]
        self._under_way.update({told.message_id: queue for told in objects})
        return [EventTelling(batch.partner, subscription, objects)]

    async def mark_tellings(self, marked: Sequence[Marked]) -> None:
        """What became of messages, all of one queue."""
        queues = {self._under_way.pop(one.message_id) for one in marked if one.message_id in self._under_way}
        for queue in queues:
            refused = [one for one in marked if one.refused]
            now = self._now()
            if len(refused) > 1:
                # One of them may be to blame for all: halve, and do not count it as an attempt of the others.
                self._sizes[queue] = len(refused) // 2
                taken = [one for one in marked if not one.refused]
                await self._queues.mark_events(queue, taken, now, now)
                return
            if queue in self._sizes and not refused:
                self._sizes[queue] *= 2
            again = [one.again for one in marked if one.delivery is Delivery.QUEUED and one.again is not None]
            await self._queues.mark_events(queue, marked, max(again, default=None), now)

