"""Events on their way to a subscriber: what is told at once, and the queues in which it waits."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from headend.model.event_case import EventCase
from headend.model.subscription import Subscription
from headend.model.telling import Delivery, MessageId

EVENT = "event"
"""The kind of outbox message that refers to an event."""


class ToldEvent(NamedTuple):
    """One event to be told by a notification, the so-manieth time."""

    message_id: MessageId
    notification: str
    case: EventCase
    attempts: int


class EventBatch(NamedTuple):
    """Messages at the head of a queue, in order. `failures` are how often in a row the queue has had to rest."""

    partner: str
    subscription_id: str
    objects: Sequence[ToldEvent]
    failures: int


@dataclass(frozen=True, slots=True)
class EventTelling:
    """Events for one subscriber. `subscription` is None where it has ended since: nobody can be told."""

    partner: str
    subscription: Subscription | None
    objects: Sequence[ToldEvent]

    transaction_id: str | None = None

    @property
    def version(self) -> str:
        """The MultiSpeak version it is told in."""
        return "" if self.subscription is None else self.subscription.version

    @property
    def server(self) -> str:
        """The server of ours that tells it."""
        return "" if self.subscription is None else self.subscription.server

    @property
    def response_url(self) -> str:
        """Where it is told."""
        return "" if self.subscription is None else self.subscription.url


class MarkedEvent(NamedTuple):
    """What became of one message, and what its subscriber said."""

    message_id: MessageId
    delivery: Delivery
    reason: str = ""


class QueueEntry(NamedTuple):
    """One queue as people see it: how many wait in it since when, and why it is not tried before an instant."""

    queue: str
    partner: str
    subscription_id: str
    lane: int
    queued: int
    oldest: datetime | None
    not_before: datetime | None
    failures: int
    reason: str


class EventQueues(Protocol):
    """Queues of a utility's subscribers. Store errors are StoreErrors."""

    def due_queues(self, owner: str, now: datetime) -> Awaitable[list[str]]:
        """Queues in which something is due that `owner` may take."""

    def take_queue(self, queue: str, owner: str, limit: int, now: datetime, until: datetime) -> Awaitable[EventBatch | None]:
        """The head of a queue; `owner`'s until `until`, or until it is empty. None where it is empty, another's or put off."""

    def mark_events(self, queue: str, marked: Sequence[MarkedEvent], put_off: datetime | None, now: datetime) -> Awaitable[None]:
        """What became of messages of a queue, which rests until `put_off` where that is given."""

    def release_queues(self, owner: str) -> Awaitable[None]:
        """Whatever queues `owner` has, others may take."""
