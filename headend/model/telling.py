"""Tellings: that a partner is to be told how something ended that it asked for; they wait in the outbox until they are delivered."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType, Protocol

from headend.model.command import Outcome
from headend.model.deferred import DeferredKind, SwitchAction
from headend.model.meters import Meter

OUTCOME = "command outcome"
"""The kind of outbox message that holds a ToldObject."""

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
    """One attempt to deliver messages. `reachable` says whether the partner's server answered at all."""

    message_ids: tuple[MessageId, ...]
    delivery: Delivery
    reason: str = ""
    reachable: bool = True
    answers: Mapping[MessageId, str] = field(default_factory=dict)
    """What was said of single messages that were taken all the same."""


@dataclass(frozen=True, slots=True)
class Marked:
    """What became of one message, and when it is tried again, where it is; `tried` says whether this was an attempt."""

    message_id: MessageId
    delivery: Delivery
    again: datetime | None = None
    tried: bool = True


class Teller(Protocol):
    """Tells partners."""

    def tell(self, telling: Telling) -> Awaitable[Sequence[Attempt]]:
        """Tell all objects of it, in one notification or several; one attempt for each. Never raises."""


class TellingStore(Protocol):
    """Tellings of a utility."""

    def told_partners(self, now: datetime) -> Awaitable[list[str]]:
        """Partners for whom something is due."""

    def claim_tellings(self, partner: str, limit: int, now: datetime, until: datetime) -> Awaitable[list[Telling]]:
        """So many messages for a partner that are due, as they were recorded, by request; nobody else gets them until `until`."""

    def hold_tellings(self, message_ids: Sequence[MessageId], until: datetime) -> Awaitable[None]:
        """Messages that were claimed stay whose they are until then; those that are done are left as they are."""

    def mark_tellings(self, marked: Sequence[Marked]) -> Awaitable[None]:
        """What became of messages."""
