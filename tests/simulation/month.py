"""A month of a utility in which everything goes wrong, lived on one hand-turned clock: emulated field, wires and head-end in one process.

All octets are real, C12.22 and C12.19 both ways, encrypted; wires, stores and time are in memory. Routers answer without SNMP, which has
tests of its own. What happens is told to a digest, so that two runs of a seed can be compared.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred

from emulators.clock import WorldClock
from emulators.faults import Fault, FaultKind
from emulators.initiator import Initiator
from emulators.link import MemoryLink
from emulators.population import Population, router_name
from emulators.router_device import RouterDevice, RouterFaults
from emulators.wakeups import Wakeups
from emulators.world import World
from headend.c1222.identifiers import ApTitle
from headend.collection.policy import CollectionPolicy
from headend.collector import Collector
from headend.errors import LinkError
from headend.model.collection import Assignment, Collected
from headend.model.endpoint import CONFIGURATIONS, EndpointId, NativeAddress, Transport
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import ReadSource
from headend.model.router import CommunityAccess, Router, RouterPath, RouterProfile, RouterStatus
from headend.model.utility import Utility, UtilityId
from headend.model.work_item import WorkItem
from headend.read_schedule import ScheduleTimes, Span, TimeUnit, due_times
from headend.retries import NO_RETRIES, RetryPolicy
from headend.router_policy import RouterPolicy
from headend.router_watch import RouterWatch
from headend.silence import SilencePolicy, SilenceState
from headend.silence_ports import SilenceRecord
from headend.silence_watch import SilenceWatch
from tests.memory_router_store import MemoryRouterStore
from tests.memory_silence_store import MemorySilenceStore
from tests.memory_store import MemoryEndpoint, MemoryStore, with_runs
from tests.simulation.heap_clock import HeapClock

CHICAGO = ZoneInfo("America/Chicago")
HEAD_END = ".1.4"
STARTS = (datetime(2026, 10, 20, 6, tzinfo=UTC), datetime(2026, 2, 25, 6, tzinfo=UTC))
"""Months in which the clocks of Chicago are set back, and forward."""

EVERY_SAMPLED = 10
"""Of one endpoint in so many all intervals are kept and compared."""

NEVER = datetime.max.replace(tzinfo=UTC)

LOOK_SECONDS = 3_600.0
"""How often silences are looked at."""


@dataclass(frozen=True)
class Plan:
    """What goes wrong. Hours from the start; parts of all datagrams lost, on each way."""

    loss: float = 0.2
    silent_percent: float = 5.0
    routers_down: tuple[tuple[int, float, float], ...] = ()
    silences: tuple[tuple[int, float, float], ...] = ()
    jumps: tuple[tuple[int, float, float], ...] = ()
    reboots: tuple[tuple[int, float, float], ...] = ()
    kills: tuple[float, ...] = ()

    @classmethod
    def of(cls, random: Random, population: Population, days: int) -> "Plan":
        """Something of everything: one router down for longer than an investigation takes to begin, one for some hours."""
        hours, endpoints, routers = 24 * days, population.size, population.routers

        def some(count: int, low: float, high: float) -> tuple[tuple[int, float, float], ...]:
            chosen = random.sample(range(endpoints), count)
            return tuple((index, random.uniform(24, hours - 24), random.uniform(low, high)) for index in chosen)

        long, short = random.sample(range(routers), 2)
        return cls(
            routers_down=(
                (long, random.uniform(0.1, 0.2) * hours, 96 + random.uniform(0, 48)),
                (short, random.uniform(0.6, 0.7) * hours, random.uniform(7, 20)),
            ),
            silences=tuple((index, at / 2, length) for index, at, length in some(4, 80, 160)),
            # At noon: what day it is stays beyond doubt. A battery endpoint that is a quarter of an hour off is not believed any more.
            jumps=tuple(
                (index, at // 24 * 24 + 12, random.choice((-1, 1)) * min(seconds, 800 if _is_battery(population, index) else 3_000))
                for index, at, seconds in some(6, 400, 3_000)
            ),
            reboots=some(8, 60, 3_600),
            kills=tuple(random.uniform(24, hours) // 24 * 24 + 0.5 for _ in range(2)),
        )


def _is_battery(population: Population, index: int) -> bool:
    return CONFIGURATIONS[population.configuration(index)].battery


class Ledger(MemoryStore):
    """Keeps no more of a month than is looked at: registers of all, intervals of some; every item goes into a digest."""

    def __init__(self, endpoints: Sequence[MemoryEndpoint]) -> None:
        super().__init__(endpoints)
        self.history = hashlib.sha256()
        self.endings: Counter[int] = Counter()
        self.handed_out: set[int] = set()
        self.superseded = 0
        self.received: dict[tuple[EndpointId, datetime], datetime] = {}

    def _assign(self, e: MemoryEndpoint, owner: str, until: datetime) -> Assignment:
        assignment = super()._assign(e, owner, until)
        self.handed_out.add(assignment.lease_id)
        return assignment

    async def record(
        self, collected: Sequence[Collected], now: datetime, runs: Sequence[IntervalRuns] = (), retries: RetryPolicy = NO_RETRIES
    ) -> None:
        self.transactions += 1
        for item in with_runs(collected, runs):
            self._note(item, now)
            if item.endpoint_id % EVERY_SAMPLED:
                item = replace(item, interval_blocks=())  # noqa: PLW2901
            self._record(item, now, retries)

    def _note(self, item: Collected, now: datetime) -> None:
        if item.lease_id is not None:
            self.endings[item.lease_id] += 1
        e = self.endpoints[item.endpoint_id]
        for read in item.register_reads:
            before = e.registers.get((read.channel_id, read.instant, read.source))
            self.superseded += before is not None and before != read
            if read.source is ReadSource.SELF_READ:
                self.received.setdefault((item.endpoint_id, read.instant), now)
        values = [(b.channel_id, b.day, b.exponent, tuple(b.values), tuple(b.flags)) for b in item.interval_blocks]
        self.tell("item", now, item.endpoint_id, item.heard, item.lease_id, item.register_reads, values, item.events, item.exception)

    def tell(self, *facts: object) -> None:
        """Into the digest."""
        self.history.update(repr(facts).encode())


class Silences(MemorySilenceStore):
    """Tells the digest."""

    async def record_silences(self, records: Sequence[SilenceRecord], now: datetime) -> None:
        await super().record_silences(records, now)
        collection = self.collection
        assert isinstance(collection, Ledger)
        collection.tell("silences", now, records)


class Agents:
    """A RouterLink straight to the emulated routers."""

    def __init__(self, devices: dict[str, RouterDevice]) -> None:
        self.devices = devices

    async def poll(self, router: Router, path: RouterPath) -> RouterStatus:
        device = self.devices[router.profile.name]
        if not device.is_running or path is RouterPath.SECOND:
            raise LinkError(f"router {router.profile.name} is silent")
        facts = device.facts()
        return RouterStatus(uptime_seconds=facts.uptime_seconds, mesh_nodes=facts.mesh_nodes, mesh_running=True, rssi_dbm=facts.rssi_dbm)

    async def request_reboot(self, router: Router, path: RouterPath) -> None:
        raise LinkError("it may not be rebooted")


class Month:
    """`days` of a utility with `endpoints` behind `routers`, collected once a day at 00:20 and by pushes."""

    idle_seconds = 600.0
    """How often it is looked for due work."""
    router_seconds = 1_800.0
    """How often routers are polled."""

    def __init__(self, seed: int, endpoints: int = 200, routers: int = 4, days: int = 30, plan: Plan | None = None) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.days = days
        self.start = STARTS[seed % len(STARTS)]
        self.clock = HeapClock()
        self.world_clock = WorldClock(self.clock, self.start)
        population = Population(seed, endpoints, routers)
        self.plan = plan or Plan.of(self.random, population, days)
        self.world = World(population, self.world_clock, CHICAGO, self._seconds, ApTitle.parse(HEAD_END), history_days=2)
        self.link = MemoryLink(self.clock, self.world, self._received, 0.05)
        self.field = self.link.utility(tick_seconds=120)
        self.utility = Utility(UtilityId("month"), "Month", CHICAGO, HEAD_END)
        self.store = Ledger([self._endpoint(index) for index in range(endpoints)])
        self.collection: Any = self.store
        self.router_store: Any = MemoryRouterStore()
        self.silence_store: Any = Silences(self.store, self.router_store, self.start)
        self.devices = {device.name: device for device in self.world.router_devices}
        self.wrong: dict[int, list[Fault]] = defaultdict(list)
        self.killed = 0
        self.failures: list[Any] = []
        self.begin()

    def _seconds(self) -> float:
        return self.world_clock.seconds

    def _endpoint(self, index: int) -> MemoryEndpoint:
        identity = self.world.population.identity(index)
        return MemoryEndpoint(
            endpoint_id=EndpointId(index + 1),
            meter_no=identity.meter_no,
            ap_title=identity.ap_title.absolute,
            address=self.link.address(index),
            router=None if identity.router is None else router_name(identity.router),
            configuration=identity.configuration,
            key_id=identity.key_id,
            key=identity.key,
        )

    def _received(self, octets: bytes, address: NativeAddress) -> None:
        self.collector.receiver.apdu_received(octets, address)

    def begin(self) -> None:
        """A head-end with nothing in memory, as after a restart."""
        now, random = self.world_clock.now, Random(self.random.random())
        policy = CollectionPolicy(idle_seconds=self.idle_seconds)
        self.collector = Collector(self.utility, self.collection, self.clock, now=now, random=random, policy=policy, owner="test")
        self.collector.links[Transport.UDP] = self.link
        self.silences = SilenceWatch(
            self.utility, self.silence_store, now=now, wake=self._wake, owner="test", policy=SilencePolicy()
        )
        routers = RouterPolicy(poll_seconds=self.router_seconds, silence_seconds=3_600, wait_seconds=3_600)
        self.watch = RouterWatch(
            self.router_store,
            Agents(self.devices),
            self.clock,
            now=now,
            random=random,
            owner="test",
            policy=routers,
            claim_seconds=7_200,
        )

    def _wake(self) -> None:
        self.collector.wake()

    def kill(self) -> None:
        """The head-end is gone between two instructions, and there again: no timer of it fires, nothing it had is recorded."""
        for call in self.clock.getDelayedCalls():
            if not isinstance(getattr(call.func, "__self__", None), MemoryLink | Wakeups | Initiator | Month):
                call.cancel()
        self.killed += 1
        self.begin()
        self._start_head_end()

    # --- what happens -----------------------------------------------------------------------------------------------

    def live(self) -> None:
        """All of it, and three days and a bit more for what is under way."""
        for router in sorted(self.devices):
            profile = RouterProfile(router, NativeAddress(Transport.UDP, router, 161), CommunityAccess("public"))
            self._spawn(self.router_store.import_routers([profile], self.start))
        self._install()
        self._plan()
        self.field.wakeups.start(wake_within=None, register=False)
        self._start_head_end()
        self.clock.run_until((self.days + 4) * 86_400)
        done = Deferred.fromCoroutine(self.collector.stop())
        self.clock.run_until(self.clock.seconds() + 10)
        assert done.called

    def _start_head_end(self) -> None:
        self._spawn(self.watch.start())
        self.collector.start()

    def _plan(self) -> None:
        for at in self._collections():
            self._at((at - self.start).total_seconds(), self._collect)
        self._at(LOOK_SECONDS, self._look)
        plan = self.plan
        for router, hours, length in plan.routers_down:
            device = self.devices[router_name(router)]
            self._at(hours * 3_600, lambda device=device: device.set_faults(RouterFaults(down=True)))
            self._at((hours + length) * 3_600, lambda device=device: device.set_faults(RouterFaults()))
        for index, hours, length in plan.silences:
            silence = Fault(FaultKind.SILENCE, meter_no=self._meter(index))
            self._at(hours * 3_600, lambda index=index, silence=silence: self._go_wrong(index, silence))
            self._at((hours + length) * 3_600, lambda index=index: self._go_wrong(index, None))
        for kind, events in ((FaultKind.CLOCK_JUMP, plan.jumps), (FaultKind.REBOOT, plan.reboots)):
            for index, hours, seconds in events:
                fault = Fault(kind, meter_no=self._meter(index), seconds=seconds)
                self._at(hours * 3_600, lambda fault=fault: self._install(fault))
        for hours in plan.kills:
            self._at(hours * 3_600, self.kill)

    def _collections(self) -> list[datetime]:
        """00:20 of each day by the utility's calendar."""
        first = datetime(self.start.year, self.start.month, self.start.day, 0, 20, tzinfo=CHICAGO).astimezone(UTC)
        times = ScheduleTimes(first=first, period=Span(1, TimeUnit.DAYS))
        return due_times(times, self.start, self.start + timedelta(days=self.days + 4), CHICAGO)

    def _at(self, seconds: float, work: Callable[[], None]) -> None:
        self.clock.callLater(seconds, self._happen, work)

    def _happen(self, work: Callable[[], None]) -> None:
        work()

    def _meter(self, index: int) -> str:
        return self.world.population.meter_no(index)

    def _go_wrong(self, index: int, fault: Fault | None) -> None:
        self.wrong[index] = [] if fault is None else [fault]
        self._install()

    def _install(self, *once: Fault) -> None:
        always = [Fault(FaultKind.DELAY, 0.2, seconds=1, seconds_max=10), Fault(FaultKind.DUPLICATE, 0.03)]
        if self.plan.loss:
            always.append(Fault(FaultKind.LOSS, self.plan.loss))
        if self.plan.silent_percent:
            always.append(Fault(FaultKind.SILENCE, percent=self.plan.silent_percent))
        self.field.install_faults([*always, *(fault for faults in self.wrong.values() for fault in faults), *once])

    def _collect(self) -> None:
        self._make_due(self.world_clock.now())
        self.collector.wake()

    def _make_due(self, now: datetime) -> None:
        for e in self.store.endpoints.values():
            if not CONFIGURATIONS[e.configuration].battery:
                e.due, e.collect_from = now, now - timedelta(days=1, hours=7)

    def _look(self) -> None:
        self._at(LOOK_SECONDS, self._look)
        self._spawn(self.silences.look())

    def _spawn(self, work: Any) -> None:
        (work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)).addErrback(self.failures.append)

    # --- what came of it --------------------------------------------------------------------------------------------

    @property
    def items(self) -> list[WorkItem]:
        """All work items, closed ones too."""
        items: list[WorkItem] = self.router_store.items
        return items

    @property
    def silent(self) -> set[EndpointId]:
        """Endpoints that are silent at the end."""
        return {number for number, kept in self.silence_store.kept.items() if kept.state is not SilenceState.OK}

    @property
    def digest(self) -> str:
        """Of all that was recorded, in its order."""
        self.store.tell("items", self.items)
        return self.store.history.hexdigest()

    @property
    def midnights(self) -> list[datetime]:
        """The ends of all days whose reads are due: those that began after the start."""
        day = self.start.astimezone(CHICAGO).date()
        days = [day + timedelta(number) for number in range(1, self.days + 1)]
        ends = [datetime(d.year, d.month, d.day, tzinfo=CHICAGO).astimezone(UTC) for d in days]
        return [end for end in ends if end - timedelta(days=1) >= self.start - timedelta(hours=1)]

    def is_always_silent(self, e: MemoryEndpoint) -> bool:
        """Whether it is among those that never say a word."""
        return self.world.population.share(e.endpoint_id - 1) < self.plan.silent_percent


def eight_o_clock(midnight: datetime) -> datetime:
    """08:00 of the day that begins."""
    return midnight.astimezone(CHICAGO).replace(hour=8).astimezone(UTC)


def three_days_later(midnight: datetime) -> datetime:
    """When nothing is tried again any more."""
    return midnight + timedelta(days=3)


def share_in(month: Month, by: Callable[[datetime], datetime]) -> float:
    """Of the reads due from endpoints that can be reached: the part that was in `by` a time after its midnight."""
    due = in_time = 0
    for midnight in month.midnights:
        deadline = by(midnight)
        for e in month.store.endpoints.values():
            if not month.is_always_silent(e):
                due += 1
                in_time += month.store.received.get((e.endpoint_id, midnight), NEVER) <= deadline
    return in_time / due
