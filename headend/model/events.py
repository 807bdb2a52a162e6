"""Events of endpoints and the exceptions that collecting them ran into."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from headend.model.endpoint import EndpointId


class EventPath(StrEnum):
    """How an event reached us: unsolicited, from the log during an interrogation, found by the head-end itself, or by watching a router."""

    UNSOLICITED = "unsolicited"
    LOG = "log"
    FOUND = "found"
    ROUTER = "router"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One event of an endpoint; unique by (endpoint, code, occurred, sequence).

    `code` is the C12.19 event number, manufacturer events from 2048 on; `argument` its octets as logged.
    """

    endpoint_id: EndpointId
    code: int
    occurred: datetime
    sequence: int
    argument: bytes = b""
    path: EventPath = EventPath.LOG


@dataclass(frozen=True, slots=True)
class EarlyEvent:
    """A single event of an endpoint whose program was not known when it came: its entry of ST76, as it was.

    `off_seconds` is how far the endpoint's clock was ahead where that was too much for its messages to be fresh, else 0.
    """

    received: datetime
    entry: bytes
    off_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class EarlySender:
    """An endpoint whose early events wait, and the fingerprint of its program, which is known by now."""

    endpoint_id: EndpointId
    program: bytes
    events: tuple[EarlyEvent, ...]


class ExceptionKind(StrEnum):
    """Why a due interrogation did not end with its data; or, from CLOCK_SET on, what was noticed beside it."""

    NO_ANSWER = "no answer"
    REFUSED = "refused"
    SECURITY = "security"
    MALFORMED = "malformed"
    CLOCK = "clock"
    NO_PUSH = "no push"
    STORE = "store"
    CLOCK_SET = "clock set"
    EXCHANGED = "other device"
    CONFIGURATION = "configuration"
    INTERVAL_LENGTH = "interval length"
    ROLLOVER = "register rollover"
    SUSPICION = "theft suspicion"
    REGISTER = "register"


@dataclass(frozen=True, slots=True)
class ExceptionRecord:
    """The trade's noteworthy condition: one interrogation that failed, or what one noticed, when, and the reason in words."""

    endpoint_id: EndpointId
    kind: ExceptionKind
    occurred: datetime
    reason: str
