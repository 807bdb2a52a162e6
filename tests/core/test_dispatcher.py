"""The dispatcher on a hand-turned clock: everything is told once it can be, in order, and a dead partner delays no other."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from headend.dispatcher import Dispatcher, DispatchPolicy, after_attempt
from headend.model.command import Outcome
from headend.model.deferred import DeferredKind, TargetState
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.telling import Attempt, Delivery, Marked, MessageId, Telling, ToldObject

START = datetime(2026, 7, 2, 6, tzinfo=UTC)
POLICY = DispatchPolicy(messages_per_claim=3)


class Outbox:
    """A TellingStore in memory: messages with when they are due."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.due: dict[MessageId, datetime] = {}
        self.partner: dict[MessageId, str] = {}
        self.tries: dict[MessageId, int] = {}
        self.urls: dict[MessageId, str] = {}
        self.ended: dict[MessageId, Delivery] = {}

    def add(self, partner: str, count: int, url: str = "") -> None:
        for _ in range(count):
            message_id = MessageId(len(self.partner).to_bytes(2))
            self.urls[message_id] = url or f"http://{partner}/OA"
            self.due[message_id], self.partner[message_id], self.tries[message_id] = START, partner, 0

    async def told_partners(self, now: datetime) -> list[str]:
        return sorted({self.partner[one] for one, due in self.due.items() if due <= now})

    async def claim_tellings(self, partner: str, limit: int, now: datetime, until: datetime) -> list[Telling]:
        ids = [one for one, due in self.due.items() if due <= now and self.partner[one] == partner][:limit]
        for one in ids:
            self.due[one], self.tries[one] = until, self.tries[one] + 1
        return [telling(partner, self.urls[one], [told(one, self.tries[one])]) for one in ids]

    async def hold_tellings(self, message_ids: Sequence[MessageId], until: datetime) -> None:
        for one in message_ids:
            self.due[one] = until

    async def mark_tellings(self, marked: Sequence[Marked]) -> None:
        for one in marked:
            self.tries[one.message_id] -= not one.tried
            if one.again is None:
                del self.due[one.message_id]
                self.ended[one.message_id] = one.delivery
            else:
                self.due[one.message_id] = one.again


def told(message_id: MessageId, attempts: int) -> ToldObject:
    meter = Meter(EndpointId(1), "M1", "S1", "", "residential", True, None)
    return ToldObject(message_id, meter, None, {}, Outcome(TargetState.SUCCEEDED), START, attempts)


def telling(partner: str, url: str, objects: list[ToldObject]) -> Telling:
    return Telling(1, partner, "MR_Server", "3.0", "Op", DeferredKind.PING, "t", url, ("N",), {}, START, objects)


class Servers:
    """A Teller: servers of partners that are dead, slow, refuse, or take everything."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.dead: set[str] = set()
        self.refusing: set[str] = set()
        self.slow: dict[str, float] = {}
        self.calls: list[str] = []
        self.taken: list[MessageId] = []

    async def tell(self, one: Telling) -> list[Attempt]:
        self.calls.append(one.partner)
        ids = tuple(each.message_id for each in one.objects)
        if seconds := self.slow.get(one.response_url):
            later: Deferred[None] = Deferred()
            self.clock.callLater(seconds, later.callback, None)
            await later
        if one.partner in self.dead or one.response_url in self.dead:
            return [Attempt(ids, Delivery.QUEUED, "connection refused", reachable=False)]
        if one.partner in self.refusing:
            return [Attempt(ids, Delivery.REFUSED, "fault: no")]
        self.taken += ids
        return [Attempt(ids, Delivery.ACKNOWLEDGED)]


def world() -> tuple[Clock, Outbox, Servers, Dispatcher]:
    clock = Clock()
    outbox, servers = Outbox(clock), Servers(clock)
    dispatcher = Dispatcher(outbox, servers, clock, lambda: START + timedelta(seconds=clock.seconds()), POLICY)
    return clock, outbox, servers, dispatcher


def test_all_is_told_in_order() -> None:
    clock, outbox, servers, dispatcher = world()
    outbox.add("cis", 10)
    dispatcher.start()
    clock.pump([0.5] * 4)
    assert servers.taken == sorted(servers.taken)
    assert set(outbox.ended.values()) == {Delivery.ACKNOWLEDGED}
    assert len(outbox.ended) == 10


def test_a_dead_partner_is_asked_seldom_delays_nobody_and_is_told_all_when_it_is_back() -> None:
    clock, outbox, servers, dispatcher = world()
    servers.dead.add("oms")
    outbox.add("oms", 10)
    outbox.add("cis", 5)
    dispatcher.start()
    clock.pump([0.5] * 4)
    assert len(servers.taken) == 5
    clock.pump([0.5] * 1_200)
    assert servers.calls.count("oms") < 60
    servers.dead.clear()
    clock.pump([5] * 1_000)
    assert len(servers.taken) == 15
    assert not outbox.due


def test_what_is_refused_is_tried_a_few_times_and_kept_as_refused() -> None:
    clock, outbox, servers, dispatcher = world()
    servers.refusing.add("cis")
    outbox.add("cis", 1)
    dispatcher.start()
    clock.pump([1] * 600)
    assert list(outbox.ended.values()) == [Delivery.REFUSED]
    assert len(servers.calls) == POLICY.refused_attempts_max


def test_waits_grow_to_an_hour_and_end_after_days() -> None:
    attempt, now, tries, waits = Attempt((), Delivery.QUEUED, "no"), START, 0, []
    while True:
        tries += 1
        delivery, again = after_attempt(attempt, tries, now, DispatchPolicy())
        if again is None:
            break
        waits.append((again - now).total_seconds())
        now = again
    assert delivery is Delivery.PARKED
    assert waits[:4] == [5, 10, 20, 40]
    assert max(waits) == 3_600
    assert timedelta(days=2) < now - START < timedelta(days=4)
    assert after_attempt(replace(attempt, delivery=Delivery.PARKED), 1, now, POLICY) == (Delivery.PARKED, None)


def test_stopped_in_the_middle_it_leaves_the_rest_queued() -> None:
    clock, outbox, _, dispatcher = world()
    outbox.add("cis", 10)
    dispatcher.start()
    clock.pump([0.5] * 4)
    outbox.add("cis", 3)
    stopping: list[object] = []
    Deferred.fromCoroutine(dispatcher.stop()).addCallback(stopping.append)
    clock.pump([1] * 5)
    assert stopping == [None]
    assert len(outbox.due) == 3


def test_a_server_that_hangs_and_dies_costs_only_what_it_is_to_be_told_itself() -> None:
    clock, outbox, servers, dispatcher = world()
    dead, live = "http://oms/hangs", "http://oms.example/OA"
    servers.slow[dead] = 30.0
    servers.dead.add(dead)
    outbox.add("oms", 20, dead)
    outbox.add("oms", 20, live)
    dispatcher.start()
    clock.pump([0.5] * 20)
    assert len(servers.taken) == 20, "the other server of the same partner has been told everything before the first one timed out"
    clock.pump([1] * 3_600)
    assert len(servers.calls) - 20 < 40, "while it is silent one message in five minutes asks whether it is back"
    assert max(outbox.tries.values()) < 20, "and those behind it are not counted as tried"
    servers.dead.clear()
    servers.slow.clear()
    clock.pump([1] * 3_700)
    assert not outbox.due
    assert len(set(servers.taken)) == len(servers.taken) == 40


def test_what_waits_for_a_slow_server_is_told_once_however_long_that_takes() -> None:
    clock, outbox, servers, dispatcher = world()
    servers.slow["http://oms/OA"] = 100.0
    outbox.add("oms", 12)
    dispatcher.start()
    clock.pump([1] * 1_300)
    assert len(servers.taken) == len(set(servers.taken)) == 12
    assert len(servers.calls) == 12


def test_a_partner_that_names_many_servers_takes_no_other_partners_place() -> None:
    clock, outbox, servers, dispatcher = world()
    for number in range(30):
        servers.slow[f"http://s{number}/"] = 20.0
        outbox.add("many", 1, f"http://s{number}/")
    outbox.add("cis", 5)
    dispatcher.start()
    clock.pump([0.5] * 4)
    assert len(servers.taken) == 5
    assert servers.calls.count("many") <= POLICY.servers_per_partner_max
    clock.pump([1] * 400)
    assert len(servers.taken) == 35


def test_what_has_waited_for_a_server_through_days_of_silence_is_parked_and_what_is_new_asks_it_on() -> None:
    clock, outbox, servers, dispatcher = world()
    servers.dead.add("oms")
    outbox.add("oms", 50)
    dispatcher.start()
    clock.pump([30] * 2 * 2_880)
    assert not outbox.ended, "two days are a weekend"
    clock.pump([30] * 3_010)
    assert len(outbox.ended) >= 30, "all but those that ask, in turns, whether it is back"
    clock.pump([30] * 9_600)
    assert list(outbox.ended.values()) == [Delivery.PARKED] * 50, "and those by the number of their attempts"
    servers.dead.clear()
    outbox.add("oms", 1)
    clock.pump([30] * 20)
    assert len(servers.taken) == 1
