"""Days of collecting by plans: every endpoint interrogated once in each window, also on days of 23 and 25 hours and after a stop."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from twisted.internet.defer import Deferred

from headend.collection_plan import CollectionPlan
from headend.collection_plans import LOOK_SECONDS, PlanDriver
from tests.simulation.field import Field

FOUR = CollectionPlan((15, 375, 735, 1_095), 240)
HISTORY = timedelta(days=1, hours=7)


class PlannedField:
    """A field whose collector follows plans."""

    def __init__(self, seed: int, start: datetime) -> None:
        self.field = Field(seed, 12, start=start)
        self.now = self.field.world_clock.now
        self.field.store.keep_interrogations(FOUR, self.now())
        self.driver = PlanDriver(self.field.utility, self.field.store, self.now, self.field.collector.wake, HISTORY)

    def begin(self) -> None:
        Deferred.fromCoroutine(self.driver.collect_new())
        self.field.collector.start()

    def live(self, hours: float, step: float = 10.0) -> None:
        """Look and collect; the clock jumps from look to look, and walks while anything is under way."""
        until = self.field.clock.seconds() + hours * 3600
        while self.field.clock.seconds() < until:
            Deferred.fromCoroutine(self.driver.look())
            looked = self.field.clock.seconds()
            while self.field.collector.poller.active or self.field.collector.recorder.unrecorded:
                self.field.clock.advance(0.05)
            self.field.clock.advance(max(LOOK_SECONDS * step - (self.field.clock.seconds() - looked), 0.05))


@pytest.mark.parametrize(
    "start",
    [datetime(2026, 7, 15, 5, tzinfo=UTC), datetime(2026, 3, 8, 6, tzinfo=UTC), datetime(2026, 11, 1, 5, tzinfo=UTC)],
    ids=["summer", "spring", "autumn"],
)
def test_everyone_is_read_four_times_a_day_and_nothing_is_missing(start):
    planned = PlannedField(3, start)
    planned.begin()
    planned.live(0.2)
    assert planned.field.endings() == Counter(e.endpoint_id for e in planned.field.polled)
    hours = {3: 23, 11: 25}.get(start.month, 24)
    planned.live(hours - 0.2)
    assert set(planned.field.endings().values()) == {5}
    for endpoint in planned.field.polled:
        assert endpoint.exceptions == []
        assert planned.field.differences(endpoint, start - timedelta(days=1), endpoint.heard) == []


def test_what_was_due_while_nobody_looked_is_collected_once():
    planned = PlannedField(4, datetime(2026, 7, 15, 5, tzinfo=UTC))
    planned.begin()
    planned.live(0.2)
    planned.field.hours(24 * 3)
    planned.live(0.3)
    assert set(planned.field.endings().values()) == {2}
    for endpoint in planned.field.polled:
        assert planned.field.differences(endpoint, planned.field.start - timedelta(days=1), endpoint.heard) == []


def test_a_group_has_its_own_plan():
    planned = PlannedField(5, datetime(2026, 7, 15, 5, tzinfo=UTC))
    store = planned.field.store
    chosen = planned.field.polled[0].endpoint_id
    store.groups["hourly"] = {chosen}
    store.keep_interrogations(CollectionPlan(tuple(range(0, 1_440, 60)), 30), planned.now(), "hourly")
    planned.begin()
    planned.live(12)
    endings = planned.field.endings()
    assert endings[chosen] == 1 + 12
    assert {count for endpoint_id, count in endings.items() if endpoint_id != chosen} == {1 + 2}
