"""When battery endpoints are to wake: the plans of wake-ups, kept in memory, and what an endpoint is told of them."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.c1219.clock import EPOCH_UTC, TimeBase
from headend.c1219.manufacturer_tables import WakeUps
from headend.c1219.program import MeterProgram
from headend.c1219.tables import MT_WAKE_UPS
from headend.c1222.services import FullWrite
from headend.collection_plan import CollectionPlan, shown_times, turn_times
from headend.errors import StoreError
from headend.model.endpoint import EndpointId

LOOK_SECONDS = 60
"""How often plans of wake-ups are read anew, in seconds."""


class WakeUpPlans(Protocol):
    """What is asked of a store."""

    def wake_up_plans(self) -> Awaitable[Sequence[tuple[CollectionPlan, frozenset[EndpointId] | None]]]:
        """Plans of wake-ups with the endpoints that follow them, the first that has an endpoint counts; None: all others."""


PlanOf = Callable[[EndpointId], CollectionPlan | None]


class WakingPlans:
    """The plan of any endpoint; None until plans were read, or where there is none."""

    log = Logger()

    def __init__(self) -> None:
        self._plans: Sequence[tuple[CollectionPlan, frozenset[EndpointId] | None]] = ()

    async def read(self, store: WakeUpPlans) -> None:
        """Read them anew. Never raises for a store that cannot answer: those known stay."""
        try:
            self._plans = await store.wake_up_plans()
        except StoreError as error:
            self.log.warn("plans of wake-ups not read: {error}", error=error)

    def of(self, endpoint_id: EndpointId) -> CollectionPlan | None:
        """The plan that an endpoint follows."""
        return next((plan for plan, members in self._plans if members is None or endpoint_id in members), None)


def wanted_wake_ups(plan: CollectionPlan, endpoint_id: EndpointId, base: TimeBase, now: datetime) -> tuple[int, ...]:
    """When an endpoint is to wake, in minutes of the day that its own clock shows now."""
    shown = EPOCH_UTC + timedelta(seconds=base.from_utc(now)[0])
    wall = now.astimezone(base.zone).replace(tzinfo=shown.tzinfo)
    return shown_times(turn_times(plan, endpoint_id), round((shown - wall).total_seconds() / 60))


def wake_up_request(program: MeterProgram, minutes: tuple[int, ...]) -> bytes:
    """The request that gives an endpoint other wake-ups."""
    return FullWrite(MT_WAKE_UPS, WakeUps(minutes).encode(program.general.formats)).encode()
