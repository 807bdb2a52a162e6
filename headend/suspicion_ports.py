"""What looking for theft needs from the outside; like `ports`."""

from collections.abc import Awaitable, Collection, Sequence
from datetime import date, datetime
from typing import Protocol

from headend.model.endpoint import EndpointId
from headend.model.selections import Period, Quantities
from headend.reading_queries import Values
from headend.regular_work import Claims
from headend.suspicion import Suspect, SuspectEvent, Suspicion


class SuspicionStore(Claims, Protocol):
    """Where suspects are found and suspicions kept. Store errors are StoreErrors."""

    def suspect_events(self, limit: int) -> Awaitable[Sequence[SuspectEvent]]:
        """Events that were recorded and not looked at yet."""

    def unused_meters(self, period: Period, most_wh: int, after: EndpointId, limit: int) -> Awaitable[Sequence[Suspect]]:
        """Electric meters that count about `most_wh` at most between two midnights, or less; in order of id, from the one after `after`."""

    def open_switches(self, after: EndpointId, limit: int) -> Awaitable[Sequence[Suspect]]:
        """Electric meters whose switch is known to be open, likewise."""

    def meters_configured(self, configurations: Collection[str], after: EndpointId, limit: int) -> Awaitable[Sequence[Suspect]]:
        """Active meters of some configurations, likewise."""

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Awaitable[Values]:
        """Their values of a period."""

    def suspected_until(self) -> Awaitable[date | None]:
        """The last local day that was looked at."""

    def keep_suspicions(
        self, found: Sequence[Suspicion], now: datetime, events: Sequence[SuspectEvent] = (), day: date | None = None
    ) -> Awaitable[int]:
        """Keep what was found, with work items for what is new; how many are. `events` and `day` have been looked at then.

        Wholly or not at all. One that lasts is new where it was not seen for `LASTS`.
        """
