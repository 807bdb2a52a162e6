"""What the event desk needs from the outside; like `ports`."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from headend.hygiene import Memory
from headend.model.event_case import Decision, EventCase, EventNumber
from headend.model.event_kinds import OutageMeaning
from headend.model.events import DeviceEvent
from headend.model.registration import Registration
from headend.model.silencing import Silencing
from headend.monitoring import Monitoring


@dataclass(frozen=True, slots=True)
class DeskWork:
    """Cases that are due, in order of their numbers, with what is needed to judge them.

    `held` are cases that wait, of the same endpoints. `memories` are of endpoints that have one. `planned` are endpoints whose supply
    somebody planned to be off, with his words. `watched` is what partners have watched at endpoints: their
    events, and what was found for them there.
    """

    cases: Sequence[EventCase]
    held: Sequence[EventCase] = ()
    memories: Mapping[int, Memory] = field(default_factory=dict)
    silencings: Sequence[Silencing] = ()
    planned: Mapping[int, str] = field(default_factory=dict)
    watched: Mapping[int, Sequence[Monitoring]] = field(default_factory=dict)


class EventMessage(NamedTuple):
    """One event for one subscriber: in which queue it waits, which notification tells it, and from when on that may be told."""

    partner: str
    subscription_id: str
    lane: int
    notification: str
    case: EventCase
    not_before: datetime


@dataclass(slots=True)
class Judged:
    """What a look of the desk came to, to be kept in one transaction.

    `supplies` say which endpoints have or lack power, and since when. `findings` are events of our own that follow.
    """

    decisions: dict[EventNumber, Decision] = field(default_factory=dict)
    memories: dict[int, Memory] = field(default_factory=dict)
    messages: list[EventMessage] = field(default_factory=list)
    supplies: dict[int, tuple[OutageMeaning, datetime]] = field(default_factory=dict)
    findings: list[DeviceEvent] = field(default_factory=list)


class DeskStore(Protocol):
    """Cases of a utility. Store errors are StoreErrors."""

    def claim_work(self, work: str, owner: str, now: datetime, until: datetime, done_before: datetime) -> Awaitable[bool]:
        """Whether `owner` may do some regular work until `until`: nobody else has it, and it was last done before `done_before`."""

    def desk_work(self, now: datetime, limit: int, groups: Collection[str]) -> Awaitable[DeskWork]:
        """Cases that are due; devices say which of `groups`, and of those of silencings, they belong to."""

    def all_registrations(self) -> Awaitable[Sequence[Registration]]:
        """What all partners have registered for, by id."""

    def keep_judged(self, judged: Judged, now: datetime) -> Awaitable[None]:
        """Keep it wholly or not at all. A message that there is already is not made again."""
