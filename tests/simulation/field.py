"""A whole emulated field in memory, a head-end that collects it, and one clock for both."""

from collections import Counter as Tally
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from emulators.clock import WorldClock
from emulators.initiator import Initiator
from emulators.population import Population, router_name
from emulators.router_node import RouterNode
from emulators.truth import endpoint_truth
from emulators.utility import Utility as EmulatedUtility
from emulators.wakeups import Wakeups
from emulators.world import World
from headend.c1222.identifiers import ApTitle
from headend.collection.policy import CollectionPolicy
from headend.collector import Collector
from headend.model.channels import CHANNELS
from headend.model.endpoint import CONFIGURATIONS, EndpointId, NativeAddress, Transport
from headend.model.utility import Utility, UtilityId
from headend.ports import WaitingRequests
from headend.retries import NO_RETRIES
from tests.memory_store import MemoryEndpoint, MemoryStore

CHICAGO = ZoneInfo("America/Chicago")
HEAD_END = ".1.4"


class Wires:
    """An EndpointLink that carries datagrams to router nodes and back, with whatever faults the world has."""

    def __init__(self, clock: Clock, world: World) -> None:
        self.clock = clock
        self.world = world
        self.receiver = None
        self.nodes: dict[NativeAddress, RouterNode] = {}
        self.sent = 0
        self.taps: list = []

    def address(self, index: int) -> NativeAddress:
        """Where an endpoint is reached: its router, or itself."""
        router = self.world.population.router(index)
        address = NativeAddress(Transport.UDP, "field", 1 + router if router is not None else 10_000 + index)
        if address not in self.nodes:
            self.nodes[address] = RouterNode(self.world, router, None if router is not None else index)
        return address

    def send(self, octets: bytes, address: NativeAddress) -> None:
        self.sent += 1
        node = self.nodes.get(address)
        if node is not None:
            self.clock.callLater(0.01, self._arrive, node, octets, address)

    def _arrive(self, node: RouterNode, octets: bytes, address: NativeAddress) -> None:
        for seconds, reply in node.receive(octets):
            self.clock.callLater(0.01 + seconds, self.deliver, reply, address)

    def from_endpoint(self, index: int, octets: bytes) -> None:
        """What an endpoint sends on its own."""
        address = self.address(index)
        for seconds, delivered in self.nodes[address].outgoing(octets, self.world.target(index)):
            self.clock.callLater(0.01 + seconds, self.deliver, delivered, address)

    def deliver(self, octets: bytes, address: NativeAddress) -> None:
        """Hand one datagram to the head-end."""
        for tap in self.taps:
            tap(octets)
        self.receiver.apdu_received(octets, address)


class Field:
    """World(seed) with `endpoints`, and a collector on a memory store."""

    def __init__(
        self,
        seed: int,
        endpoints: int = 20,
        start: datetime = datetime(2026, 7, 15, 6, 30, tzinfo=UTC),
        policy: CollectionPolicy | None = None,
        waiting: WaitingRequests | None = None,
        clock: Any = None,
    ) -> None:
        self.clock = clock or Clock()
        self.start = start
        self.world_clock = WorldClock(self.clock, start)
        population = Population(seed, endpoints, routers=min(2, endpoints))
        self.world = World(population, self.world_clock, CHICAGO, lambda: self.world_clock.seconds, ApTitle.parse(HEAD_END))
        self.wires = Wires(self.clock, self.world)
        self.utility = Utility(UtilityId("test"), "Test", CHICAGO, HEAD_END)
        initiator = Initiator(self.clock, self.world, self.wires.from_endpoint, reply_seconds=10)
        self.wakeups = Wakeups(self.clock, self.world, initiator, lambda index: b"\x7f\0\0\1" + (20_000 + index).to_bytes(2))
        self.field = EmulatedUtility(self.world, {}, self.wakeups)
        self.store = MemoryStore([self._endpoint(i) for i in range(endpoints)])
        self.policy = policy or CollectionPolicy(retries=NO_RETRIES)
        self.seed = seed
        self.waiting = waiting
        self.collector = self.new_collector()

    def _endpoint(self, index: int) -> MemoryEndpoint:
        identity = self.world.population.identity(index)
        return MemoryEndpoint(
            endpoint_id=EndpointId(index + 1),
            meter_no=identity.meter_no,
            ap_title=identity.ap_title.absolute,
            address=self.wires.address(index),
            router=None if identity.router is None else router_name(identity.router),
            configuration=identity.configuration,
            key_id=identity.key_id,
            key=identity.key,
            polled=not CONFIGURATIONS[identity.configuration].battery,
        )

    def new_collector(self) -> Collector:
        """A collector with nothing in memory, as after a restart."""
        collector = Collector(
            self.utility,
            self.store,
            self.clock,
            now=self.world_clock.now,
            random=Random(self.seed),
            policy=self.policy,
            owner="test",
            waiting=self.waiting,
        )
        collector.links[Transport.UDP] = self.wires
        self.wires.receiver = collector.receiver
        return collector

    def kill(self) -> None:
        """The collector is gone between two instructions: no timer of its fires, nothing it had is recorded."""
        for call in self.clock.getDelayedCalls():
            owner = getattr(call.func, "__self__", None)
            if not isinstance(owner, Wires | Wakeups | Initiator):
                call.cancel()
        self.collector = self.new_collector()

    @property
    def polled(self) -> list[MemoryEndpoint]:
        return [e for e in self.store.endpoints.values() if not CONFIGURATIONS[e.configuration].battery]

    def schedule(self, collect_from: datetime | None = None) -> int:
        """Make every polled endpoint due now."""
        now = self.world_clock.now()
        for e in self.polled:
            e.due, e.collect_from = now, collect_from or now - timedelta(days=1, hours=7)
        return len(self.polled)

    def run(self, seconds: float = 900, step: float = 0.05) -> None:
        """Let time pass until all due work is done, `seconds` at most."""
        self.collector.start()
        until = self.clock.seconds() + seconds
        while self.clock.seconds() < until and any(e.due is not None for e in self.polled):
            self.clock.advance(step)
        done = Deferred.fromCoroutine(self.collector.stop())
        for _ in range(100):
            self.clock.advance(step)
        assert done.called

    def wake_all(self, seconds: float = 300) -> None:
        """Every battery endpoint wakes within a minute, and all they push is taken."""
        self.wakeups.start(wake_within=60, register=True)
        self.pass_time(seconds)

    def pass_time(self, seconds: float, step: float = 0.05) -> None:
        """Let wires and timers go on for so long."""
        until = self.clock.seconds() + seconds
        while self.clock.seconds() < until:
            self.clock.advance(step)

    def look_at_early_events(self) -> None:
        """Have the collector make sense of events that came before their programs were known."""
        looked = Deferred.fromCoroutine(self.collector.early.look())
        self.pass_time(1)
        assert looked.called

    def differences(self, endpoint: MemoryEndpoint, start: datetime, end: datetime | None = None, ignored_flags: int = 0) -> list[str]:
        """What the store lacks, or has otherwise, of what the meter holds of [start, end]."""
        now = self.world_clock.now()
        meter = self.world.meter(endpoint.endpoint_id - 1)
        truth = endpoint_truth(meter, int(start.timestamp()), int((end or now).timestamp()))
        return [*register_differences(endpoint, truth), *interval_differences(endpoint, truth, ~ignored_flags)]

    def endings(self) -> Tally:
        """How often each polled endpoint's interrogation ended."""
        return Tally(i.endpoint_id for i in self.store.recorded if i.lease_id is not None)

    def hours(self, hours: float) -> None:
        """Let world time pass without anything happening."""
        self.world_clock.advance(3600 * hours)


def register_differences(endpoint: MemoryEndpoint, truth: dict) -> list[str]:
    held = {(CHANNELS[c].name, instant): r.quantity for (c, instant, _), r in endpoint.registers.items()}
    wanted = {(r["channel"], datetime.fromisoformat(r["instant"])): Decimal(r["quantity"]) for r in truth["registers"]}
    return [f"register {key}: {held.get(key)} for {value}" for key, value in wanted.items() if held.get(key) != value]


def interval_differences(endpoint: MemoryEndpoint, truth: dict, mask: int) -> list[str]:
    held = {
        (CHANNELS[block.channel_id].name, block.end_of(i), block.interval_seconds): (value, block.exponent, block.flags[i])
        for block in endpoint.blocks.values()
        for i, value in enumerate(block.values)
    }
    found = []
    for channel in truth["intervals"]:
        for end, seconds, quantity, flags in channel["values"]:
            value, exponent, flag = held.get((channel["channel"], datetime.fromisoformat(end), seconds), (None, 0, 0))
            got = None if value is None else Decimal(value).scaleb(exponent)
            if got != (None if quantity is None else Decimal(quantity)) or (quantity is not None and (flag ^ flags) & mask):
                found.append(f"{channel['channel']} {end} of {seconds} s: {got} flags {flag} for {quantity} flags {flags}")
    return found
