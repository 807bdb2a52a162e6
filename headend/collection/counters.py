"""What a collector has done and dropped, as numbers: for status pages and metrics."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum


class Dropped(StrEnum):
    """Why something received was not used; each is counted, none is fatal."""

    MALFORMED = "malformed"
    NOT_FOR_US = "not for us"
    STRANGER = "stranger"
    CLEAR = "not secured"
    WRONG_CODE = "wrong authentication code"
    THROTTLED = "too many wrong codes"
    REPLAYED = "replayed"
    UNTIMELY = "old, or its clock was set back"
    LATE_REPLY = "late or duplicate reply"
    STRAY_REPLY = "reply nobody waits for"
    OVERFLOW = "too many waiting"
    INACTIVE = "endpoint is not active"
    UNKNOWN_SERVICE = "unknown service"
    FAILED = "our mistake, see the log"


@dataclass(slots=True)
class Counters:
    """Running totals of one collector since its start."""

    received: int = 0
    sent: int = 0
    resent: int = 0
    replies: int = 0
    finished: int = 0
    excepted: int = 0
    pushes: int = 0
    notifications: int = 0
    registrations: int = 0
    repeated: int = 0
    commands: int = 0
    recorded: int = 0
    store_failures: int = 0
    dropped: Counter[Dropped] = field(default_factory=Counter)
