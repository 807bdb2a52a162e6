"""Looks back at days that are over: what meters could still have is asked for, registers that went back are noticed."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.completeness import EndpointDay
from headend.completeness_reader import CompletenessQueries, endpoint_days
from headend.errors import StoreError
from headend.limits import GAP_DAYS, GAPS_PER_ENDPOINT_MAX
from headend.model.collection import Gap
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.events import ExceptionRecord
from headend.model.utility import Utility
from headend.register_checks import register_notices
from headend.regular_work import Claims, RegularWork

LOOK_SECONDS = 1_800
"""How often it is looked whether a day is over whose gaps have not been looked for."""

REVIEW = "review"
"""The name of this work among those that processes claim."""

CLAIM_SECONDS = 2 * LOOK_SECONDS
"""How long others leave it to the process that looked last."""

KEPT_AT_ONCE = 1_000
"""Gaps and notices kept in one transaction."""

REVIEWED_AT_ONCE = 25
"""Endpoints looked at before others get their turn: some milliseconds of work."""

NEAR_SECONDS = 21_600
"""Gaps of an endpoint nearer to each other are asked for as one: meters are read by blocks of hours."""


class ReviewedDays(CompletenessQueries, Claims, Protocol):
    """What is asked of a store."""

    def reviewed(self) -> Awaitable[date | None]:
        """The last local day that was looked at."""

    def keep_review(
        self, gaps: Sequence[tuple[EndpointId, Gap]], notices: Sequence[ExceptionRecord], day: date, last: bool
    ) -> Awaitable[None]:
        """Keep what is not known yet: gaps to be asked for with the next interrogations, notices.

        `last` says that `day` has been looked at to its end.
        """


def gaps_of(one: EndpointDay) -> list[Gap]:
    """What of a day is to be asked for: nothing of endpoints that push, which bring what they have by themselves."""
    if CONFIGURATIONS[one.facts.configuration].battery:
        return []
    spans = sorted(span for channel in one.channels for span in channel.gaps)
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1] + NEAR_SECONDS:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return [(datetime.fromtimestamp(start, UTC), datetime.fromtimestamp(end, UTC)) for start, end in joined[:GAPS_PER_ENDPOINT_MAX]]


class DayReview:
    """One utility's days, each looked at once, two days after its beginning: late pushes and retries have had their time.

    One process a utility does so at a time, `owner` is this one. `pause` is awaited every few endpoints, so that others get their turn.
    """

    log = Logger()

    def __init__(
        self, utility: Utility, store: ReviewedDays, now: Callable[[], datetime], pause: Callable[[], Awaitable[None]], owner: str
    ) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._pause = pause
        self._work = RegularWork(store, REVIEW, owner, now, CLAIM_SECONDS)

    async def look(self) -> None:
        """Look at the days that are over and were not looked at. Never raises for a store that cannot answer: a later look does it."""
        try:
            if not await self._work.is_ours():
                return
            now = self._now()
            newest = self._utility.local_day(now) - timedelta(days=2)
            before = await self._store.reviewed()
            oldest = newest - timedelta(days=GAP_DAYS - 1)
            day = oldest if before is None else max(oldest, before + timedelta(days=1))
            while day <= newest:
                if not await self._look_at(day, now):
                    return
                day += timedelta(days=1)
            await self._work.is_done()
        except StoreError as error:
            self.log.warn("days of {utility} not looked at: {error}", utility=self._utility.utility_id, error=error)

    async def _look_at(self, day: date, now: datetime) -> bool:
        """Whether it was looked at to its end: not where another process has taken over."""
        gaps: list[tuple[EndpointId, Gap]] = []
        notices: list[ExceptionRecord] = []
        counts = [0, 0]
        looked_at = 0
        async for one in endpoint_days(self._store, self._utility, day, now):
            looked_at += 1
            if looked_at % REVIEWED_AT_ONCE == 0:
                await self._pause()
                if not await self._work.lasts():
                    return False
            gaps += [(one.facts.endpoint_id, gap) for gap in gaps_of(one)]
            notices += register_notices(one.registers)
            if len(gaps) + len(notices) >= KEPT_AT_ONCE:
                await self._store.keep_review(gaps, notices, day, last=False)
                counts = [counts[0] + len(gaps), counts[1] + len(notices)]
                gaps, notices = [], []
        await self._store.keep_review(gaps, notices, day, last=True)
        counts = [counts[0] + len(gaps), counts[1] + len(notices)]
        if any(counts):
            self.log.info("{day}: {gaps} gaps will be asked for, {notices} registers went back", day=day, gaps=counts[0], notices=counts[1])
        return True
