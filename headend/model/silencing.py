"""Silencings: whose events are not told for a time, because somebody said so: a mute list, and windows of maintenance."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from headend.model.event_case import EventCase


class Scope(StrEnum):
    """Whom a silencing is about."""

    METER = "meter"
    ROUTER = "router"
    GROUP = "group"
    EVERYBODY = "everybody"


@dataclass(frozen=True, slots=True)
class Silencing:
    """Events of a scope are withheld from `starts` to `ends`, for good where that is None; only those of `codes`, where it names any.

    A `router` silences what it says and what endpoints behind it say. `is_maintenance` says that work is going on, in `reason` which.
    """

    number: int
    scope: Scope
    name: str
    codes: frozenset[int]
    starts: datetime
    ends: datetime | None
    is_maintenance: bool
    reason: str
    by: str

    def covers(self, case: EventCase, now: datetime) -> bool:
        """Whether it is about this event."""
        if not self.starts <= now or (self.ends is not None and self.ends <= now) or (self.codes and case.code not in self.codes):
            return False
        device = case.device
        match self.scope:
            case Scope.METER:
                return device.commodity is not None and device.name == self.name
            case Scope.ROUTER:
                return self.name == (device.name if device.commodity is None else device.router)
            case Scope.GROUP:
                return self.name in device.groups
        return True

    @property
    def words(self) -> str:
        """What it is, for whoever asks why he was not told."""
        kind = "maintenance" if self.is_maintenance else "muted"
        whom = "" if self.scope is Scope.EVERYBODY else f" {self.name}"
        until = "" if self.ends is None else f" until {self.ends:%Y-%m-%d %H:%M} UTC"
        return f"{kind}: {self.scope.value}{whom}{until}, {self.reason} (silencing {self.number}, by {self.by})"


class Silencings(Protocol):
    """Silencings of a utility."""

    def silencings(self, now: datetime) -> Awaitable[Sequence[Silencing]]:
        """Those that have not ended, by number."""

    def silence(self, silencing: Silencing, now: datetime) -> Awaitable[int]:
        """Begin one; its number. Raises RequestError for one too many."""

    def end_silencing(self, number: int, now: datetime) -> Awaitable[bool]:
        """End one now; whether there was one to end."""
