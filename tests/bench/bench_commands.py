"""What commands cost: a batch of ten thousand under trouble on a hand-turned clock, then as many as one process carries out in earnest.

The first part counts: one answer each, nothing moved twice, the pace kept. The second has a real store, a real reactor and emulated meters
in the same process, datagrams passing in memory; it gives CPU per command, fleet included, and how much of that is the fleet's. The third
takes a batch of ten thousand through both databases without talking to anybody.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from adapters.store import Store, open_store
from emulators.clock import WorldClock
from emulators.population import Population, router_name
from emulators.world import World
from headend.c1222.identifiers import ApTitle
from headend.collector import Collector
from headend.commands.policy import CommandPolicy
from headend.limits import PACE_MAX
from headend.model.command import CommandUpdate, Found, Outcome
from headend.model.command_rules import CommandRules
from headend.model.deferred import DeferredKind, DeferredRequest, SwitchAction, TargetState
from headend.model.endpoint import CONFIGURATIONS, NativeAddress, Transport
from headend.model.utility import Utility, UtilityId
from headend.ports import ShipmentItem
from headend.switches import SwitchState
from tests import postgresql
from tests.bench.bench_routers import Apart
from tests.contract.commands import request
from tests.simulation.batching import run_batch
from tests.simulation.field import CHICAGO, HEAD_END, Wires
from tests.store.world import shipment

BATCH = 10_000
ENDPOINTS = 18_000
"""Of which BATCH have a switch."""
READ, PING, SWITCH = DeferredKind.READ, DeferredKind.PING, DeferredKind.SWITCH
OFF, ON = SwitchAction.DISCONNECT, SwitchAction.CONNECT
MIX = ((READ, None),) * 5 + ((PING, None),) * 3 + ((SWITCH, ON),) * 2
UNPACED = CommandRules(PACE_MAX, PACE_MAX)
UTILITY = Utility(UtilityId("bench"), "Bench", CHICAGO, HEAD_END, commands=UNPACED)


def simulate() -> None:
    """A batch of ten thousand disconnections under trouble, killed on its way and cancelled half-way."""
    rules, begin = CommandRules(per_router_per_minute=600, per_minute=1_000), time.process_time()
    # The simulated field has two routers only, which stand for a hundred.
    run = run_batch(1, BATCH, ENDPOINTS, rules, CommandPolicy(conversations_max=2_000, conversations_per_router_max=1_000))
    ends = ", ".join(f"{count:,} {name}" for name, count in run.ends.most_common())
    print(
        f"{BATCH:,} disconnections under trouble, one answer each, none moved twice: {ends}; at most {run.most:,} of {rules.per_minute:,} "
        f"a minute and {run.most_behind_router:,} of {rules.per_router_per_minute:,} behind one router, {run.minutes:.0f} minutes; "
        f"{time.process_time() - begin:.0f} s of CPU"
    )


class MemoryWires:
    """Datagrams to emulated routers and back through a real reactor's queue; what the fleet does is timed."""

    def __init__(self, reactor: Any, world: World, apart: Apart) -> None:
        self.nodes = Wires(reactor, world)
        self.reactor = reactor
        self.receive = apart.timed(lambda node, octets: list(node.receive(octets)))
        self.receiver: Any = None

    def send(self, octets: bytes, address: NativeAddress) -> None:
        self.reactor.callLater(0, self._arrive, octets, address)

    def _arrive(self, octets: bytes, address: NativeAddress) -> None:
        for _, reply in self.receive(self.nodes.nodes[address], octets):
            self.receiver.apdu_received(reply, address)


@dataclass
class Bench:
    """A head-end with a store, and a fleet in the same process. `homes` are endpoints with a switch on mains."""

    reactor: Any
    store: Store
    collector: Collector
    apart: Apart
    homes: list[int]

    @classmethod
    async def start(cls, reactor: Any, place: Path, url: str) -> "Bench":
        population = Population(3, 2_000, routers=20, cellular=False)
        clock = WorldClock(reactor, datetime.now(UTC))
        world = World(population, clock, CHICAGO, lambda: clock.seconds, ApTitle.parse(HEAD_END))
        store = await open_store(url, UTILITY, place / "keys", reactor, create_keys=True)
        apart = Apart()
        wires = MemoryWires(reactor, world, apart)
        identities = [population.identity(n) for n in range(population.size)]
        items = [
            ShipmentItem(
                i.meter_no,
                i.serial_no,
                world.kind(i.index).form.name,
                i.configuration,
                str(i.ap_title),
                i.key_id,
                i.key,
                wires.nodes.address(i.index),
                router_name(i.router or 0),
            )
            for i in identities
        ]
        await store.import_shipment(items, clock.now())
        collector = Collector(UTILITY, store, reactor, now=lambda: datetime.now(UTC), random=Random(1), owner="bench", commands=store)
        collector.links[Transport.UDP] = wires
        wires.receiver = collector.receiver
        kinds = [CONFIGURATIONS[identity.configuration] for identity in identities]
        homes = [n for n, kind in enumerate(kinds, 1) if kind.has_switch and not kind.battery]
        assert collector.commands is not None
        collector.commands.start()
        return cls(reactor, store, collector, apart, homes)

    async def carry_out(self, label: str, requests: Sequence[DeferredRequest]) -> None:
        """All of these, and what they cost."""
        assert self.collector.commands is not None
        begin, cpu, fleet = time.perf_counter(), time.process_time(), self.apart.seconds
        for one in requests:
            await self.store.accept_deferred(one)
        self.collector.commands.wake()
        while sum(batch.open for batch in await self.store.batches(len(requests))):
            await deferLater(self.reactor, 0.25)
        seconds, cpu, fleet = time.perf_counter() - begin, time.process_time() - cpu, self.apart.seconds - fleet
        newest = await self.store.batches(len(requests))
        assert all(set(batch.counts) == {TargetState.SUCCEEDED} for batch in newest), [batch.counts for batch in newest]
        done = sum(batch.total for batch in newest)
        print(
            f"{label}: {done:,} commands, {cpu / done * 1e3:.2f} ms of CPU each, {fleet / done * 1e3:.2f} ms of that the fleet's; "
            f"{done / seconds:.0f} a second here, {done / cpu:.0f} a second of CPU"
        )

    def all_homes(self, label: str, kinds: Sequence[tuple[DeferredKind, SwitchAction | None]]) -> list[DeferredRequest]:
        """One command for each home, of these kinds in turns: a request for each kind."""
        homes_of: dict[tuple[DeferredKind, SwitchAction | None], list[int]] = {}
        for home, kind in zip(self.homes, cycle(kinds), strict=False):
            homes_of.setdefault(kind, []).append(home)
        return [
            replace(request(*homes, transaction=f"{label} {kind}", kind=kind, action=action, now=datetime.now(UTC)), many=True)
            for (kind, action), homes in homes_of.items()
        ]

    async def stop(self) -> None:
        assert self.collector.commands is not None
        await self.collector.commands.stop()
        await self.store.close()


async def in_earnest(reactor: Any, place: Path, name: str, url: str) -> None:
    """Each kind alone, then a mix of them."""
    bench = await Bench.start(reactor, place, url)
    for label, kind, action in (
        ("disconnect, first contact", SWITCH, OFF),
        ("connect", SWITCH, ON),
        ("disconnect", SWITCH, OFF),
        ("read", READ, None),
        ("ping", PING, None),
    ):
        await bench.carry_out(f"{name}, {label}", bench.all_homes(label, [(kind, action)]))
    await bench.carry_out(f"{name}, half reads, three tenths pings, a fifth connects", bench.all_homes("mix", MIX))
    await bench.stop()


@contextmanager
def said(name: str, what: str) -> Iterator[None]:
    """How long something took, of the clock and of CPU."""
    begin, cpu = time.perf_counter(), time.process_time()
    yield
    print(f"{name}, {what}: {time.perf_counter() - begin:.2f} s, {time.process_time() - cpu:.2f} s of CPU", flush=True)


async def through_store(reactor: Any, place: Path, name: str, url: str) -> None:
    """A batch of ten thousand: previewed, accepted, handed out, recorded, told of, cancelled."""
    store = await open_store(url, UTILITY, place / "keys", reactor, create_keys=True)
    await store.import_shipment(shipment(BATCH), datetime.now(UTC))
    now = datetime.now(UTC)
    wanted = request(*range(1, BATCH + 1), transaction="one", now=now, expires=timedelta(days=1))
    with said(name, f"previewing {BATCH:,}"):
        await store.preview_batch([wanted])
    with said(name, f"accepting {BATCH:,}"):
        await store.accept_deferred(wanted)
    with said(name, f"handing out and recording {BATCH:,}, each told and ended"):
        await _all_done(store, now + timedelta(minutes=30))
    with said(name, f"reporting {BATCH:,}"):
        await store.batch((await store.batches(1))[0].batch_id)
    await store.accept_deferred(replace(wanted, transaction_id="two", fingerprint=b"two"))
    with said(name, f"cancelling {BATCH:,}, each answered"):
        await store.cancel_batch((await store.batches(1))[0].batch_id, "cancelled by ann", now)
    assert [batch.open for batch in await store.batches(2)] == [0, 0]
    await store.close()


async def _all_done(store: Store, now: datetime) -> None:
    """Hand out what is due and record it as told and done, as fast as the store takes it."""
    found = Outcome(TargetState.SUCCEEDED, Found(switch=SwitchState.DISCONNECTED))
    done = 0
    while done < BATCH:
        now += timedelta(seconds=1)
        taken = await store.take_commands("bench", 192, 192, now, now + timedelta(minutes=2))
        for state in (TargetState.SENT, TargetState.SUCCEEDED):
            ended = state is TargetState.SUCCEEDED
            due, outcome = (None, found) if ended else (now + timedelta(minutes=2), None)
            commands = [replace(one.command, state=state) for one in taken]
            updates = [CommandUpdate(each, one.lease_no, due, not ended, outcome) for each, one in zip(commands, taken, strict=True)]
            await store.record_commands(updates, now)
        done += len(taken)


def main() -> None:
    simulate()
    reactor = AsyncioSelectorReactor(asyncio.new_event_loop())

    async def all_kinds() -> None:
        with tempfile.TemporaryDirectory() as place, postgresql.server() as server:
            for number, work in enumerate((in_earnest, through_store)):
                await work(reactor, Path(place), "SQLite", f"sqlite:///{place}/{number}.db")
                with postgresql.database(server) as url:
                    await work(reactor, Path(place), "PostgreSQL", url.render_as_string(hide_password=False))

    def ended(result: Any) -> None:
        if result is not None:
            result.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(all_kinds()).addBoth(ended))
    reactor.run()


if __name__ == "__main__":
    main()
