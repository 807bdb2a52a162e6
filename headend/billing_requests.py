"""Billing requests by themselves: deadlines, identifiers of responses, what cannot be asked twice. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from headend.errors import RequestError, shown
from headend.model.billing_export import ReadDefaults, RequestNo
from headend.model.utility import Utility


class RequestReusedError(RequestError):
    """A requestId that stands for another request already."""

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        super().__init__(f"requestId {shown(request_id)} stands for another request already; use a new one")


class BadRequestError(RequestError):
    """A request that cannot be taken at all; `line` is where, 0 where it is in no line."""

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        self.what = what
        super().__init__(f"line {line}: {what}" if line else what)


class WindowStart(StrEnum):
    """From when a request's billing window counts; without one, what is not complete at once is answered as it is.

    Source  reference/domain-itron-openway.md 3.1
    """

    MIDNIGHT = "midnight"
    RECEIVED = "received"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class BillingPolicy:
    """A utility's choices: when answers are due that a request does not name a deadline for, and how reads are looked for by default.

    For `correct_days` after a request late data make corrections.
    """

    window_start: WindowStart = WindowStart.MIDNIGHT
    window_hours: float = 17
    defaults: ReadDefaults = field(default_factory=ReadDefaults)
    correct_days: float = 62

    def deadline(self, utility: Utility, received: datetime) -> datetime:
        """When a request's answers are due."""
        match self.window_start:
            case WindowStart.MIDNIGHT:
                return utility.midnight(utility.local_day(received)) + timedelta(hours=self.window_hours)
            case WindowStart.RECEIVED:
                return received + timedelta(hours=self.window_hours)
            case WindowStart.NONE:
                return received


def response_id(utility: Utility, request_no: RequestNo, number: int) -> str:
    """What a response is called."""
    return f"{utility.utility_id}-{request_no}-{number}"


def response_parts(name: str) -> tuple[RequestNo, int] | None:
    """The request and the number that a response's name stands for; None for a name that is none."""
    parts = name.rsplit("-", 2)
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts[1:]):
        return None
    return RequestNo(int(parts[1])), int(parts[2])
