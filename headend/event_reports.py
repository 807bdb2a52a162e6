"""Events, queues and messages as people ask for them."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from headend.model.event_case import CaseFilter, EventCase, EventNumber
from headend.model.event_telling import QueueEntry


class OutboxEntry(NamedTuple):
    """One message to a subscriber: which event it tells by which notification, what became of it, and what was answered."""

    message_id: str
    queue: str
    notification: str
    number: EventNumber
    state: str
    attempts: int
    created: datetime
    answer: str


class OutboxFilter(NamedTuple):
    """Which messages are meant; what is empty does not matter. A queue is named wholly, or by its subscription."""

    queue: str = ""
    state: str = ""
    message_ids: Sequence[str] = ()
    answered: bool = False


class EventReports(Protocol):
    """What is known of events and their telling. Store errors are StoreErrors."""

    def event_cases(self, wanted: CaseFilter, limit: int) -> Awaitable[list[EventCase]]:
        """The newest so many, newest first."""

    def event_case(self, number: EventNumber) -> Awaitable[EventCase | None]:
        """One by its number."""

    def event_counts(self, since: datetime) -> Awaitable[Mapping[tuple[str, str], int]]:
        """How many events were decided how since then, by state and the first words of the reason."""

    def messages_of(self, number: EventNumber) -> Awaitable[list[OutboxEntry]]:
        """The messages that tell an event."""

    def outbox_queues(self) -> Awaitable[list[QueueEntry]]:
        """All queues, by partner."""

    def outbox_messages(self, wanted: OutboxFilter, limit: int) -> Awaitable[list[OutboxEntry]]:
        """Messages about events, those first that were made first."""

    def requeue(self, wanted: OutboxFilter, now: datetime) -> Awaitable[int]:
        """Tell settled messages again; how many."""

    def park(self, wanted: OutboxFilter) -> Awaitable[int]:
        """Tell queued messages no more; how many."""

    def wake_queues(self, queue: str, now: datetime) -> Awaitable[int]:
        """Let queues that rest be tried now: one, those of a subscription, or all; how many rested."""
