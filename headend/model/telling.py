"""Tellings: that a partner is to be told how something ended that it asked for; they wait in the outbox until they are delivered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from headend.model.command import Outcome
from headend.model.deferred import DeferredKind, SwitchAction
from headend.model.endpoint import EndpointId

OUTCOME = "command outcome"
"""The kind of outbox message that holds a TellingObject."""

MessageId = NewType("MessageId", bytes)
"""The same at every attempt to deliver a message."""


@dataclass(frozen=True, slots=True)
class ToldObject:
    """One endpoint's outcome. `details` are what the partner said of it when it asked; `at` is when it came to be."""

    message_id: MessageId
    endpoint_id: EndpointId
    meter_no: str
    action: SwitchAction | None
    details: Mapping[str, str]
    outcome: Outcome
    at: datetime
    attempts: int = 0


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
