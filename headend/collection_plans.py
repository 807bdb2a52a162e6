"""Follows collection plans: looks every so often whose turn came since the last look, and makes those endpoints due."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.collection_plan import CATCH_UP, GroupPlan, PlanKind, places_due
from headend.errors import RequestError, StoreError, shown
from headend.model.utility import Utility

LOOK_SECONDS = 20
"""How often plans are looked at: an endpoint is due at most so late."""


NEW_SECONDS = 600
"""How often endpoints are looked for that were never collected: a new one waits at most so long for its first contact."""


@dataclass(frozen=True, slots=True)
class FollowedPlan:
    """A plan of interrogations, and until when its turns have been seen to."""

    plan: GroupPlan
    followed: datetime


class UnknownPlanError(RequestError):
    """A group has no plan of that kind."""

    def __init__(self, kind: PlanKind, group_id: str) -> None:
        self.kind = kind
        self.group_id = group_id
        super().__init__(f"group {shown(group_id)} has no plan of {kind.value}")


class CollectionPlans(Protocol):
    """Plans of a utility."""

    def plans(self) -> Awaitable[Sequence[GroupPlan]]:
        """All, in order of kind and group."""

    def plans_of(self, meter_no: str) -> Awaitable[tuple[int, Sequence[GroupPlan]]]:
        """The number of a meter's endpoint, and the plans it follows, one of each kind. Raises UnknownMeterError."""

    def keep_plan(self, plan: GroupPlan, now: datetime) -> Awaitable[None]:
        """Keep it, in place of the one of its group; a new one is followed from now on. Raises UnknownGroupError, RequestError."""

    def drop_plan(self, kind: PlanKind, group_id: str) -> Awaitable[None]:
        """Forget it: its group follows the common plan again. Raises UnknownPlanError."""


class FollowedPlans(Protocol):
    """What the driver that follows plans asks of a store."""

    def followed_plans(self) -> Awaitable[Sequence[FollowedPlan]]:
        """The plans of interrogations."""

    def follow_plan(
        self, plan: FollowedPlan, places: Sequence[range], until: datetime, collect_from: datetime
    ) -> Awaitable[int]:
        """Its endpoints at `places` are due at `until`, its turns seen to until then; how many, 0 where another process was first.

        One that is due already keeps its time.
        """

    def collect_new(self, due: datetime, collect_from: datetime) -> Awaitable[int]:
        """Endpoints that were never due are so now; how many."""


class PlanDriver:
    """One utility's plans. `wake` is called when endpoints became due; `history` is how far back a first contact reads."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: FollowedPlans, now: Callable[[], datetime], wake: Callable[[], None], history: timedelta
    ) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._wake = wake
        self._history = history

    async def collect_new(self) -> int:
        """Make endpoints due that were never collected: they need not wait for their turn. Raises StoreError."""
        now = self._now()
        due = await self._store.collect_new(now, now - self._history)
        if due:
            self.log.info("{due} new endpoints of {utility} due", due=due, utility=self._utility.utility_id)
            self._wake()
        return due

    async def look(self) -> int:
        """Make endpoints due whose turn came; how many. Never raises for a store that cannot answer: then a later look sees to it."""
        due = 0
        try:
            for plan in await self._store.followed_plans():
                due += await self._follow(plan)
        except StoreError as error:
            self.log.warn("plans of {utility} not followed: {error}", utility=self._utility.utility_id, error=error)
        if due:
            self._wake()
        return due

    async def _follow(self, followed: FollowedPlan) -> int:
        now = self._now()
        places = places_due(followed.plan.plan, max(followed.followed, now - CATCH_UP), now, self._utility.time_zone)
        if not places:
            return 0
        due = await self._store.follow_plan(followed, places, now, now - self._history)
        self.log.debug(
            "{due} endpoints of {utility} due by the plan of {group}",
            due=due,
            utility=self._utility.utility_id,
            group=followed.plan.group_id or "all others",
        )
        return due
