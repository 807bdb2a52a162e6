"""Events over real stores: each a case once, told to whom it concerns, in order, from queues that rest, split and are handed on."""

from collections.abc import Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from adapters.store.switch_findings import switch_events
from headend.calendars import wall_minutes
from headend.event_catalogue import SWITCH_CLOSED, SWITCH_OPENED
from headend.event_desk import EventDesk
from headend.event_dispatcher import EventDispatcher, EventDispatchPolicy
from headend.event_reports import OutboxFilter
from headend.hygiene import HygienePolicy
from headend.meter_groups import Answering
from headend.model.collection import Collected
from headend.model.command import CommandId, Found, Outcome
from headend.model.deferred import TargetState
from headend.model.endpoint import EndpointId
from headend.model.event_case import CaseFilter, CaseState
from headend.model.event_telling import EventTelling
from headend.model.events import DeviceEvent, EventPath
from headend.model.partner import EventChoice, NotificationProfile, Partner, StandingSubscription
from headend.model.registration import Registration
from headend.model.telling import Attempt, Delivery
from headend.monitoring import Monitoring, MonitoringKind
from headend.subscription_book import SubscriptionBook
from headend.switches import KnownBy, SwitchState
from tests.store.world import NOW, UTILITY, OpenStore, shipment

OUT, BACK = 1, 2


def partner(name: str, *names: str, connections: int = 1, momentaries: bool = False) -> Partner:
    choice = EventChoice(connections=connections, batch_objects=4, momentaries=momentaries)
    standing = StandingSubscription("desk", f"http://{name}.example/", "4.1.6", names or ("ODEventNotification",), choice)
    return Partner(name, name, "s3cret-word", notifications=NotificationProfile(subscriptions=(standing,)))


class Servers:
    """An EventTeller: subscribers that are dead, refuse one event, or take everything."""

    def __init__(self) -> None:
        self.dead: set[str] = set()
        self.poison: set[str] = set()
        self.calls: list[tuple[str, int]] = []
        self.taken: dict[str, list[tuple[str, int]]] = {}

    async def tell_events(self, telling: EventTelling) -> Sequence[Attempt]:
        ids = tuple(told.message_id for told in telling.objects)
        self.calls.append((telling.partner, len(ids)))
        if telling.partner in self.dead:
            return [Attempt(ids, Delivery.QUEUED, "connection refused", reachable=False)]
        if any(told.case.device.name in self.poison for told in telling.objects):
            return [Attempt(ids, Delivery.REFUSED, "fault: no")]
        self.taken.setdefault(telling.partner, []).extend((told.case.device.name, told.case.code) for told in telling.objects)
        return [Attempt(ids, Delivery.ACKNOWLEDGED)]


class Told:
    """A store with a desk and a dispatcher, on a clock turned by hand."""

    def __init__(self, store: OpenStore, *partners: Partner, hold_off: float = 0.0, logged_minutes: int = 0) -> None:
        self.store = store
        self.seconds = 0.0
        self.clock = Clock()
        self.servers = Servers()
        self.partners = {one.user_id: one for one in partners}
        policy = HygienePolicy(hold_off_seconds=hold_off, flicker_changes=0, logged_minutes=logged_minutes)
        self.desk = EventDesk(UTILITY, store.store, self.now, "one", self.partners, policy)
        store.call("import_shipment", shipment(12), NOW)

    def now(self) -> Any:
        return NOW + timedelta(seconds=self.seconds)

    def dispatcher(self, owner: str) -> EventDispatcher:
        book = SubscriptionBook(self.store.store, self.partners, self.now)
        return EventDispatcher(self.store.store, book, self.servers, self.clock, self.now, owner, EventDispatchPolicy(claim_seconds=60))

    def happen(self, endpoint: int, code: int, *, path: EventPath = EventPath.UNSOLICITED, sequence: int = 0, at: float = -1.0) -> None:
        occurred = NOW + timedelta(seconds=self.seconds if at < 0 else at)
        event = DeviceEvent(EndpointId(endpoint), code, occurred, sequence, b"", path)
        self.store.call("record", [Collected(EndpointId(endpoint), self.now(), events=(event,))], self.now())

    def judged(self) -> int:
        count: int = self.store.running.wait(self.desk.look)
        return count

    def told(self, owner: str = "one") -> None:
        """Everything that is due in any queue, once around."""
        dispatcher = self.dispatcher(owner)
        dispatcher._running = True

        async def all_due() -> None:
            for queue in await self.store.store.due_queues(owner, self.now()):
                await dispatcher._tell(queue)

        self.store.running.wait(lambda: Deferred.fromCoroutine(all_due()))


@pytest.fixture
def told(store: OpenStore) -> Told:
    return Told(store, partner("oms"), partner("mdm", connections=3))


def test_who_registered_before_an_event_is_told_of_it_however_soon_it_came(told: Told) -> None:
    assert told.judged() == 0
    told.happen(1, OUT)
    assert told.judged() == 1
    told.store.call("reserve_registration", "r-1", "oms", NOW)
    late = Registration("r-1", "oms", "4.1.6", "OD_Server", "http://late.example/", None, "OA", ("ODEventNotification",), NOW)
    told.store.call("register", late)
    told.happen(2, OUT)
    assert told.judged() == 1
    queued = told.store.sql("SELECT subscriber FROM outbox WHERE endpoint_id = 2")
    assert any("r-1" in queue for (queue,) in queued)
    assert not any("r-1" in queue for (queue,) in told.store.sql("SELECT subscriber FROM outbox WHERE endpoint_id = 1"))


def test_each_event_is_judged_once_and_told_to_everybody_in_order(told: Told) -> None:
    for endpoint in range(1, 11):
        told.happen(endpoint, OUT)
    told.happen(3, BACK, sequence=1)
    assert told.judged() == 11
    assert told.judged() == 0
    told.told()
    expected = [(f"M{n:06}", OUT) for n in range(1, 11)] + [("M000003", BACK)]
    assert told.servers.taken["oms"] == expected
    assert sorted(told.servers.taken["mdm"]) == sorted(expected)
    third = [code for name, code in told.servers.taken["mdm"] if name == "M000003"]
    assert third == [OUT, BACK]
    assert max(size for _, size in told.servers.calls) == 4


def test_events_of_meters_that_a_partner_has_watched_are_told_where_it_said(store: OpenStore) -> None:
    told = Told(store, Partner("cis", "CIS", "s3cret-word"), partner("oms"))
    url, nobody = Answering("http://cis.example/CB", "t 7"), Answering()
    for meter_no, item, answering, codes in (
        ("M000001", "I1", url, [OUT]),
        ("M000001", "I2", url, [OUT, BACK]),
        ("M000002", "I1", nobody, [OUT]),
        ("M000003", "I3", url, None),
    ):
        details = {"eventTypes": [{"text": "x"}], "codes": codes} if codes else {}
        one = Monitoring(MonitoringKind.EVENTS, meter_no, "cis", NOW, None, item, answering, details)
        assert store.call("begin_monitoring", [one]) == []
    gone = Monitoring(MonitoringKind.EVENTS, "M000001", "nobody", NOW, None, "", url, {})
    assert store.call("begin_monitoring", [gone]) == []
    for number, code in ((1, OUT), (2, OUT), (3, BACK), (4, OUT)):
        told.happen(number, code)
    told.judged()
    told.told()
    queue = f"monitoring MeterEventNotification 4.1.6 t%207 {url.response_url}/0"
    assert {one.queue for one in store.call("outbox_queues") if one.partner == "cis"} == {queue}
    assert told.servers.taken["cis"] == [("M000001", OUT), ("M000003", BACK)]
    assert len(told.servers.taken["oms"]) == 4
    told.happen(1, BACK, sequence=1)
    told.judged()
    told.told()
    assert told.servers.taken["cis"][2:] == [("M000001", BACK)]


def test_the_log_brings_nothing_that_was_told_already(told: Told) -> None:
    told.happen(1, OUT, sequence=7, at=0)
    told.judged()
    told.happen(1, OUT, sequence=7, at=0, path=EventPath.LOG)
    assert told.judged() == 0
    told.happen(2, OUT, sequence=8, at=0, path=EventPath.LOG)
    assert told.judged() == 1
    (logged, _) = told.store.call("event_cases", CaseFilter(), 10)
    assert logged.state is CaseState.LOGGED
    told.told()
    assert told.servers.taken["oms"] == [("M000001", OUT)]


def test_what_is_held_is_told_when_its_time_has_come_and_what_is_cancelled_is_not(store: OpenStore) -> None:
    told = Told(store, partner("oms"), hold_off=30)
    told.happen(1, OUT)
    told.happen(2, OUT)
    told.judged()
    told.seconds = 10
    told.happen(2, BACK)
    told.judged()
    told.seconds = 31
    assert told.judged() == 1
    told.told()
    assert told.servers.taken["oms"] == [("M000001", OUT)]
    found = told.store.call("event_counts", NOW - timedelta(days=1))
    assert found[("logged", "momentary")] == 2


def test_a_momentary_outage_is_told_to_those_who_want_such(store: OpenStore) -> None:
    told = Told(store, partner("oms"), partner("mdm", momentaries=True), hold_off=30)
    told.happen(1, OUT)
    told.judged()
    told.seconds = 10
    told.happen(1, BACK)
    told.judged()
    told.told()
    assert told.servers.taken == {"mdm": [("M000001", OUT)]}, "and the restoration, which ends nothing that was told, to nobody"


def test_what_the_daily_collection_reads_from_logs_waits_for_its_end_and_holds_no_alarm_up(store: OpenStore) -> None:
    minutes = wall_minutes(NOW, UTILITY.time_zone) + 10
    told = Told(store, partner("mdm", "MeterEventNotification"), logged_minutes=minutes)
    told.happen(1, 47, path=EventPath.LOG)
    told.happen(1, OUT, sequence=1)
    told.judged()
    told.told()
    assert told.servers.taken["mdm"] == [("M000001", OUT)]
    told.seconds = 599
    told.told()
    assert len(told.servers.taken["mdm"]) == 1
    told.seconds = 600
    told.told()
    assert told.servers.taken["mdm"] == [("M000001", OUT), ("M000001", 47)]
    told.happen(2, 47, path=EventPath.LOG)
    told.judged()
    told.told()
    assert told.servers.taken["mdm"][2:] == [("M000002", 47)], "a meter that is late waits for no other day"


def test_a_dead_subscriber_costs_only_its_own_queue_and_is_told_all_when_it_is_back(told: Told) -> None:
    told.servers.dead.add("oms")
    for place in range(20):
        told.seconds += 60
        for endpoint in range(1, 6):
            told.happen(endpoint, OUT if place % 2 == 0 else BACK, sequence=place)
        told.judged()
        told.told()
    assert len([1 for name, _ in told.servers.calls if name == "oms"]) < 15
    assert len(told.servers.taken["mdm"]) == 100
    (queue,) = [one for one in told.store.call("outbox_queues") if one.partner == "oms"]
    assert queue.queued == 100
    assert queue.reason == "connection refused"
    told.servers.dead.clear()
    assert told.store.call("wake_queues", "oms:desk", told.now()) == 1
    told.told()
    assert len(told.servers.taken["oms"]) == 100
    by_meter = [code for name, code in told.servers.taken["oms"] if name == "M000002"]
    assert by_meter == [OUT, BACK] * 10


def test_one_event_that_a_subscriber_refuses_is_found_and_set_aside(store: OpenStore) -> None:
    told = Told(store, partner("oms"))
    told.servers.poison.add("M000003")
    for endpoint in range(1, 9):
        told.happen(endpoint, OUT)
    told.judged()
    for _ in range(6):
        told.told()
        told.seconds += 400
    assert [name for name, _ in told.servers.taken["oms"]] == [f"M{n:06}" for n in (1, 2, 4, 5, 6, 7, 8)]
    (refused,) = told.store.call("outbox_messages", OutboxFilter("oms", "refused"), 10)
    assert (refused.answer, refused.attempts) == ("fault: no", 3)
    told.servers.poison.clear()
    assert told.store.call("requeue", OutboxFilter(message_ids=(refused.message_id,)), told.now()) == 1
    told.told()
    assert told.servers.taken["oms"][-1] == ("M000003", OUT)


def test_a_queue_of_a_killed_process_is_anothers_when_its_claim_is_over(told: Told) -> None:
    told.happen(1, OUT)
    told.judged()
    until = told.now() + timedelta(seconds=60)
    assert told.store.call("take_queue", "oms:desk/0", "killed", 10, told.now(), until) is not None
    told.told("other")
    assert "oms" not in told.servers.taken
    told.seconds = 61
    told.told("other")
    assert told.servers.taken["oms"] == [("M000001", OUT)]


def test_parked_messages_wait_for_a_person(told: Told) -> None:
    told.happen(1, OUT)
    told.judged()
    assert told.store.call("park", OutboxFilter("oms")) == 1
    told.told()
    assert "oms" not in told.servers.taken
    (case,) = told.store.call("event_cases", CaseFilter(states=(CaseState.TOLD,)), 10)
    assert {one.state for one in told.store.call("messages_of", case.number)} == {"parked", "acknowledged"}
    assert told.store.call("requeue", OutboxFilter("oms", "parked"), told.now()) == 1
    told.told()
    assert told.servers.taken["oms"] == [("M000001", OUT)]


def test_a_switch_found_elsewhere_is_an_event_for_those_who_watch_switches(store: OpenStore) -> None:
    store.call("import_shipment", shipment(3), NOW)
    store.call("note_switch_state", "M000001", SwitchState.CONNECTED, NOW, KnownBy.READ)

    def found(endpoint: int, state: SwitchState, *, actuates: bool) -> Any:
        command = SimpleNamespace(command_id=CommandId(7, EndpointId(endpoint)), actuates=actuates)
        return SimpleNamespace(command=command, outcome=Outcome(TargetState.SUCCEEDED, Found(switch=state)))

    updates = [
        found(1, SwitchState.DISCONNECTED, actuates=True),
        found(2, SwitchState.CONNECTED, actuates=False),
        found(3, SwitchState.CONNECTED, actuates=True),
    ]
    events = store.running.wait(store.store._database.run, lambda c: switch_events(c, updates, NOW))
    assert {key.endpoint_id: event.code for key, event in events.items()} == {1: SWITCH_OPENED, 3: SWITCH_CLOSED}
    same = [found(1, SwitchState.CONNECTED, actuates=False)]
    assert store.running.wait(store.store._database.run, lambda c: switch_events(c, same, NOW)) == {}
