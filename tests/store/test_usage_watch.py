"""Meters that partners have watched, over real stores: usage and values reached are told once, to whoever asked, where it said."""

from datetime import timedelta

import pytest

from headend.event_catalogue import THRESHOLD_REACHED, USAGE_SEEN
from headend.event_desk import EventDesk
from headend.meter_groups import Answering
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.event_case import CaseFilter
from headend.model.partner import EventChoice, NotificationProfile, Partner, StandingSubscription
from headend.model.watched_use import WatchedUse
from headend.monitoring import Monitoring, MonitoringKind
from headend.subscription_book import SubscriptionBook
from headend.usage_watch import UsageWatch
from tests.store.world import NOW, UTILITY, OpenStore, register, shipment

URL = "http://cis.example/CB"
ALL = ("UsageMonitoringNotification", "ThresholdEventNotification", "MeterEventNotification")
DAY = timedelta(days=1)


def partner(name: str) -> Partner:
    standing = StandingSubscription("all", f"http://{name}.example/", "4.1.6", ALL, EventChoice(connections=1))
    return Partner(name, name, "s3cret-word", notifications=NotificationProfile(subscriptions=(standing,)))


class Watching:
    """A store, its desk and its watch, some days later."""

    def __init__(self, store: OpenStore) -> None:
        self.store = store
        self.partners = {name: partner(name) for name in ("cis", "mdm")}
        self.now = NOW
        store.call("import_shipment", shipment(3), NOW)

    def watch(self, kind: MonitoringKind, meter_no: str, told: Answering, item: str = "", **details: object) -> None:
        one = Monitoring(kind, meter_no, "cis", NOW, None, item, told, details)
        assert self.store.call("begin_monitoring", [one]) == []

    def read(self, number: int, days: int, watt_hours: int) -> None:
        self.now = NOW + days * DAY
        read = register(number, watt_hours, instant=NOW + days * DAY)
        self.store.call("record", [Collected(EndpointId(number), self.now, register_reads=(read,))], self.now)

    def look(self) -> int:
        """How many are new; the desk has judged them."""
        self.now += timedelta(seconds=1)
        watch = UsageWatch(self.store.store, lambda: self.now, "one")
        found: int = self.store.running.wait(watch.look)
        self.store.running.wait(EventDesk(UTILITY, self.store.store, lambda: self.now, "one", self.partners).look)
        return found

    def queues(self) -> dict[str, str]:
        return {one.queue: one.partner for one in self.store.call("outbox_queues")}


@pytest.fixture
def watching(store: OpenStore) -> Watching:
    return Watching(store)


def test_usage_at_a_watched_meter_is_told_where_it_was_asked_for(watching: Watching) -> None:
    watching.watch(MonitoringKind.USAGE, "M000001", Answering(URL, "t 7"), version="3.0")
    watching.read(1, -1, 100)
    watching.read(1, 0, 500)
    assert watching.look() == 0, "what was used before it was watched is no matter"
    watching.read(1, 1, 500)
    watching.read(2, 1, 900)
    assert watching.look() == 0
    watching.read(1, 2, 650)
    assert watching.look() == 1
    assert watching.look() == 0
    (case,) = watching.store.call("event_cases", CaseFilter(), 10)
    use = WatchedUse.unpack(case.argument)
    assert (case.code, case.device.name, use.value, use.used) == (USAGE_SEEN, "M000001", 650, 150)
    ((queue, who),) = watching.queues().items()
    assert (queue, who) == (f"monitoring UsageMonitoringNotification 3.0 t%207 {URL}/0", "cis"), "and nobody else is told"
    book = SubscriptionBook(watching.store.store, watching.partners, lambda: watching.now)
    told = watching.store.running.wait(book.subscription, queue.rpartition("/")[0], "cis")
    assert (told.url, told.version, told.transaction_id, told.notifications) == (URL, "3.0", "t 7", ("UsageMonitoringNotification",))


def test_a_value_that_is_reached_is_told_once_and_without_an_address_to_the_partners_subscriptions(watching: Watching) -> None:
    watching.watch(MonitoringKind.THRESHOLD, "M000001", Answering(), "I1", value=1.5, power=-3)
    watching.watch(MonitoringKind.THRESHOLD, "M000001", Answering(), "I2", value=9, power=-3)
    watching.read(1, 0, 500)
    watching.read(1, 1, 1_499)
    assert watching.look() == 0
    watching.read(1, 2, 1_500)
    assert watching.look() == 1
    watching.read(1, 3, 1_600)
    assert watching.look() == 0
    (case,) = watching.store.call("event_cases", CaseFilter(), 10)
    assert (case.code, WatchedUse.unpack(case.argument).item_id) == (THRESHOLD_REACHED, "I1")
    assert watching.queues() == {"cis:all/0": "cis"}
