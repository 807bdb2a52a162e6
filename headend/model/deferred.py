"""Deferred requests: what a partner asked for that is carried out later and answered by a notification.

A request has targets, one a meter, and each target comes to one terminal state. One machine carries them all out, whatever asked for them;
until it takes a target up, that stays accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from headend.limits import PERSON_TARGETS_MAX
from headend.model.endpoint import CONFIGURATIONS, Commodity, Configuration, EndpointId
from headend.model.refusal import Refusal

IN_METER = "inMeter"
"""Among what is kept of an exchange: what the partner calls the meter that comes in."""

IN_METER_CALLED_BY = "inMeterCalledBy"
"""Beside it: which of a meter's identifiers that is, a MeterIdentifier's value."""


class DeferredKind(StrEnum):
    """What is to be done."""

    READ = "read"
    HISTORICAL_READ = "historical read"
    LOAD_PROFILE_READ = "load profile read"
    DEMAND_RESET = "demand reset"
    SWITCH = "switch"
    SWITCH_STATE = "switch state"
    VOLTAGE = "load-side voltage"
    CLOCK_SET = "clock set"
    PING = "ping"
    MONITORING = "outage monitoring"
    METER_EXCHANGE = "meter exchange"
    METER_INSTALLATION = "meter installation"


class SwitchAction(StrEnum):
    """What a switch is told; only these change anything at an endpoint, so only one of them is under way there at a time."""

    CONNECT = "connect"
    DISCONNECT = "disconnect"
    ARM = "arm"
    ENABLE = "enable"
    DISABLE = "disable"
    LIMIT_POWER = "limit power"
    UNLIMIT_POWER = "unlimit power"


AWAITED = frozenset({DeferredKind.METER_EXCHANGE, DeferredKind.METER_INSTALLATION})
"""Requests that are done when somebody has recorded what is waited for; no endpoint is spoken to."""

UNSPOKEN = AWAITED | {DeferredKind.MONITORING}
"""Kinds that have no pace: a monitoring has its own, the others wait for something to happen."""


class Priority(IntEnum):
    """Who goes first: somebody who waits, then the many that may wait."""

    PERSON = 0
    BATCH = 1


class TargetState(StrEnum):
    """How far a target has come; the last five are terminal."""

    ACCEPTED = "accepted"
    QUEUED = "queued"
    SENT = "sent"
    AWAITING = "awaiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed out"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        return self not in {TargetState.ACCEPTED, TargetState.QUEUED, TargetState.SENT, TargetState.AWAITING}


class TargetKey(StrEnum):
    """By what a caller names a target."""

    METER_NO = "meter_no"
    SERIAL_NO = "serial_no"
    AP_TITLE = "ap_title"
    SERVICE_POINT = "service location"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class KnownMeter:
    """What of an endpoint decides whether it can be a target."""

    endpoint_id: EndpointId
    meter_no: str
    configuration: str
    active: bool

    @property
    def configured(self) -> Configuration:
        return CONFIGURATIONS[self.configuration]


@dataclass(frozen=True, slots=True)
class WantedTarget:
    """One target as a caller named it.

    `object_id` is told back where it is refused. `commodity` and `utility` are what the caller says of the meter, where it says so.
    `problem` is what was wrong with the object itself. `details` are kept for whoever carries the request out.
    """

    key: TargetKey
    name: str
    object_id: str
    action: SwitchAction | None = None
    commodity: Commodity | None = None
    utility: str = ""
    problem: str = ""
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeferredTarget:
    """One endpoint of an accepted request. `object_id` is how the caller named it."""

    endpoint_id: EndpointId
    meter_no: str
    action: SwitchAction | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    object_id: str = ""


@dataclass(frozen=True, slots=True)
class DeferredRequest:
    """An accepted request.

    `transaction_id` is told back untouched in every answer; None where the caller sent none. `begins` is when to begin, where that is not
    at once. After `expires` a target not yet done is dropped. `answers` are the notifications that may bring the outcome, the usual one
    first. `parameters` are what else was asked, by the names of the contract. `fingerprint` tells whether a request is the same again.
    `many` is set where a batch was asked for, however few they are; `title` is what people call that.
    """

    kind: DeferredKind
    operation: str
    server: str
    version: str
    partner: str
    transaction_id: str | None
    response_url: str
    answers: tuple[str, ...]
    parameters: Mapping[str, str]
    accepted: datetime
    begins: datetime | None
    expires: datetime
    fingerprint: bytes
    targets: tuple[DeferredTarget, ...]
    refusals: tuple[Refusal, ...] = ()
    many: bool = False
    title: str = ""

    @property
    def priority(self) -> Priority:
        """Few endpoints now: somebody waits for them."""
        few = len(self.targets) <= PERSON_TARGETS_MAX and not self.many
        waited_for = self.begins is None and self.kind is not DeferredKind.MONITORING and few
        return Priority.PERSON if waited_for else Priority.BATCH

    @property
    def is_batch(self) -> bool:
        """Whether its targets are begun one after the other, and it is shown among batches."""
        return self.priority is Priority.BATCH and self.kind not in UNSPOKEN


@dataclass(frozen=True, slots=True)
class Monitoring:
    """An open request for outage monitoring of an object, by the words of whoever asked for it."""

    request_id: int
    object_name: str
    noun: str
    transaction_id: str
