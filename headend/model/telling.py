"""Tellings: that a partner is to be told how something ended that it asked for; they wait in the outbox until they are delivered."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol, TypeVar

from headend.model.command import Outcome
from headend.model.deferred import DeferredKind, SwitchAction
from headend.model.meters import Meter

OUTCOME = "command outcome"
"""The kind of outbox message that holds a ToldObject."""

EVENT = "event"
"""The kind of outbox message that refers to an event."""

MessageId = NewType("MessageId", bytes)
"""The same at every attempt to deliver a message."""


class Supply(StrEnum):
    """What an answer, or silence, says of a meter's supply: silence alone says nothing, after a last gasp it is an outage."""

    RESTORED = "restored"
    OUTAGE = "outage"
    NO_RESPONSE = "no response"


@dataclass(frozen=True, slots=True)
class ToldObject:
    """One endpoint's outcome. `details` are what the partner said of it when it asked; `at` is when it came to be.

    `supply` is given where the supply was asked about, and `remark` what else is known of the silence.
    """

    message_id: MessageId
    meter: Meter
    action: SwitchAction | None
    details: Mapping[str, str]
    outcome: Outcome
    at: datetime
    attempts: int = 1
    supply: Supply | None = None
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Telling:
    """Outcomes of one request, to be told its partner at `response_url` by one of `answers`, the usual one first.

    `transaction_id` is told untouched, None where the partner sent none. `parameters` are what else was asked.
    """

    request_id: int
    partner: str
    server: str
    version: str
    operation: str
    kind: DeferredKind
    transaction_id: str | None
    response_url: str
    answers: tuple[str, ...]
    parameters: Mapping[str, str]
    accepted: datetime
    objects: Sequence[ToldObject]


class Delivery(StrEnum):
    """What became of a message: the partner has it; it says no and will again; it is worth another try; nobody can be told."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    QUEUED = "queued"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver messages. `reachable` says whether the partner's server answered at all.

    `answers` is what it said of single messages that it took all the same.
    """

    message_ids: tuple[MessageId, ...]
    delivery: Delivery
    reason: str = ""
    reachable: bool = True
    answers: Mapping[MessageId, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of one message, when it is tried again, where it is, and what was said of it. `refused`: the partner's server said no."""

    message_id: MessageId
    delivery: Delivery
    again: datetime | None = None
    reason: str = ""
    refused: bool = False


class Waiting(Protocol):
    """One message on its way, the so-manieth time."""

    @property
    def message_id(self) -> MessageId: ...
    @property
    def attempts(self) -> int: ...


class Tellable(Protocol):
    """Something that a partner is to be told, made of messages."""

    @property
    def partner(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def response_url(self) -> str: ...
    @property
    def objects(self) -> Sequence[Waiting]: ...


T = TypeVar("T", bound=Tellable)
T_contra = TypeVar("T_contra", bound=Tellable, contravariant=True)


class Teller(Protocol[T_contra]):
    """Tells partners."""

    def tell(self, telling: T_contra) -> Awaitable[Sequence[Attempt]]:
        """Tell all objects of it, in one notification or several; one attempt for each. Never raises."""


class TellingStore(Protocol[T]):
    """Tellings of a utility, in queues: one for each partner, or several."""

    def told_partners(self, now: datetime) -> Awaitable[list[str]]:
        """Queues in which something is due; a partner's only one is named as the partner is."""

    def claim_tellings(self, partner: str, limit: int, now: datetime, until: datetime) -> Awaitable[list[T]]:
        """So many messages of a queue that are due, as they were recorded, by request; nobody else gets them until `until`."""

    def mark_tellings(self, marked: Sequence[Marked]) -> Awaitable[None]:
        """What became of messages."""
