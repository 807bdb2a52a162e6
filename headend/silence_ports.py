"""What watching for silence needs from the outside, and how others ask about it; like `ports`."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionRecord
from headend.model.work_item import WorkItemChange
from headend.regular_work import Claims
from headend.router_health import RouterHealth
from headend.silence import EndpointContact, Silence, SilencePolicy, SilenceState
from headend.silence_diagnosis import Evidence
from headend.waking import WakeUpPlans

Contacts = Sequence[tuple[EndpointContact, Silence | None]]


@dataclass(frozen=True, slots=True)
class SilenceRecord:
    """What a look at one endpoint comes to, to be stored in one transaction. `ask`: its interrogation is due at once."""

    silence: Silence
    exceptions: tuple[ExceptionRecord, ...] = ()
    work_items: tuple[WorkItemChange, ...] = ()
    ask: bool = False


class SilenceStore(WakeUpPlans, Claims, Protocol):
    """Where silences are kept while they are watched. Store errors are StoreErrors."""

    def router_healths(self) -> Awaitable[Mapping[str, RouterHealth]]:
        """The routers that are watched, by name."""

    def silence_suspects(self, now: datetime, policy: SilencePolicy, *, all_of_them: bool) -> Awaitable[Sequence[EndpointId]]:
        """Endpoints that are newly silent or have been heard since they were, ascending: too many rather than too few.

        `all_of_them` are those that are still silent too, and battery endpoints that missed a wake-up: that is a look at all of those.
        """

    def contacts(self, endpoint_ids: Sequence[EndpointId]) -> Awaitable[Contacts]:
        """What is known of endpoints and their silences, in order of id."""

    def silence_evidence(self, endpoint_ids: Sequence[EndpointId]) -> Awaitable[Mapping[EndpointId, Evidence]]:
        """What is known about silent endpoints."""

    def record_silences(self, records: Sequence[SilenceRecord], now: datetime) -> Awaitable[None]:
        """Store `records` wholly or not at all. Twice changes nothing."""


@dataclass(frozen=True, slots=True)
class SilenceEntry:
    """One endpoint that is or was silent, as lists show it."""

    meter_no: str
    router: str | None
    heard: datetime | None
    silence: Silence


class SilenceQueries(Protocol):
    """Silences as people ask for them."""

    def silences(self, states: Sequence[SilenceState], limit: int) -> Awaitable[list[SilenceEntry]]:
        """Endpoints in one of `states`, the longest in it first."""

    def silence_of(self, meter_no: str) -> Awaitable[SilenceEntry | None]:
        """The present or last silence of a meter; None for one that never was silent."""
