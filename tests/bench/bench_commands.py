"""What commands cost: ten thousand under loss and lost answers on a hand-turned clock, then as many as one process carries out in earnest.

The first part counts: one answer each, nothing moved twice. The second has a real store, a real reactor and emulated meters in the same
process, datagrams passing in memory; it gives CPU per command, fleet included, and how much of that is the fleet's.
"""

import asyncio
import tempfile
import time
from collections import Counter as Tally
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from adapters.store import open_store
from emulators.clock import WorldClock
from emulators.faults import Fault, FaultKind
from emulators.population import Population, router_name
from emulators.world import World
from headend.c1222.identifiers import ApTitle
from headend.collector import Collector
from headend.model.command import FailureCode
from headend.model.deferred import DeferredKind, SwitchAction
from headend.model.endpoint import CONFIGURATIONS, NativeAddress, Transport
from headend.model.utility import Utility, UtilityId
from headend.ports import ShipmentItem
from tests.bench.bench_routers import Apart
from tests.contract.commands import request
from tests.simulation.commanding import CommandedField
from tests.simulation.field import CHICAGO, HEAD_END, Wires

SIMULATED = 10_000
ENDPOINTS = 600
TROUBLE = (
    Fault(FaultKind.LOSS, 0.15),
    Fault(FaultKind.ANSWER_LOST, 0.1),
    Fault(FaultKind.DUPLICATE, 0.05),
    Fault(FaultKind.DELAY, 0.5, seconds=0.7),
)
EARNEST = 3_000


def simulate() -> None:
    """Ten thousand actuations under trouble."""
    field = CommandedField(1, ENDPOINTS)
    field.world.faults.install(TROUBLE)
    random, homes, ordered = Random(1), field.switched(), 0
    ends: Tally[str] = Tally()
    begin = time.process_time()
    while ordered < SIMULATED:
        action = random.choice([SwitchAction.CONNECT, SwitchAction.DISCONNECT])
        before = {home: field.actuations(home) for home in homes}
        chosen = random.sample(homes, min(250, SIMULATED - ordered))
        transaction = field.order(chosen, DeferredKind.SWITCH, action, expires=timedelta(minutes=10))
        field.carry_out(seconds=1_200, step=0.1)
        for home, view in zip(chosen, field.views(transaction), strict=True):
            ends[view.state.value if view.code is None else view.code.value] += 1
            assert view.state.terminal, view
            assert field.actuations(home) - before[home] <= 1, view
            if view.found.switch is not None and view.code is not FailureCode.INDETERMINATE:
                stands = {"OPEN": "disconnected", "CLOSED": "connected", "ARMED": "armed"}[field.world.state(home - 1).switch.name]
                assert view.found.switch.value == stands, view
        ordered += len(chosen)
    told = field.told()
    assert sum(told.values()) == len(told) == ordered
    seconds = time.process_time() - begin
    shown = ", ".join(f"{count:,} {name}" for name, count in ends.most_common())
    print(f"{ordered:,} commands under loss, one answer each, none moved twice: {shown}; {seconds:.0f} s of CPU")


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


async def carry_out(reactor: Any, kind: DeferredKind, place: Path) -> None:
    """So many commands of a kind, from the store to the store."""
    population = Population(3, 2_000, routers=20, cellular=False)
    clock = WorldClock(reactor, datetime.now(UTC))
    world = World(population, clock, CHICAGO, lambda: clock.seconds, ApTitle.parse(HEAD_END))
    utility = Utility(UtilityId("bench"), "Bench", CHICAGO, HEAD_END)
    store = await open_store(f"sqlite:///{place}/{kind.name}.db", utility, place / "keys", reactor, create_keys=True)
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
    collector = Collector(
        utility, store, reactor, now=lambda: datetime.now(UTC), random=Random(1), owner="bench", commands=store
    )
    collector.links[Transport.UDP] = wires  # type: ignore[assignment]
    wires.receiver = collector.receiver
    kinds = [CONFIGURATIONS[identity.configuration] for identity in identities]
    homes = [n for n, kind_of in enumerate(kinds, 1) if kind_of.has_switch and not kind_of.battery]
    assert collector.commands is not None
    collector.commands.start()
    for label, count in (("first contact", len(homes)), ("known", EARNEST)):
        begin, cpu, fleet = time.perf_counter(), time.process_time(), apart.seconds
        done = 0
        while done < count:
            some = homes[: min(len(homes), count - done)]
            action = None if kind is not DeferredKind.SWITCH else [SwitchAction.DISCONNECT, SwitchAction.CONNECT][(done // len(homes)) % 2]
            name = f"{label}-{done}"
            await store.accept_deferred(request(*some, transaction=name, kind=kind, action=action, now=datetime.now(UTC)))
            collector.commands.wake()
            while not all(view.state.terminal for view in await store.command_views("cis", name)):
                await deferLater(reactor, 0.25)
            done += len(some)
        seconds, cpu, fleet = time.perf_counter() - begin, time.process_time() - cpu, apart.seconds - fleet
        print(
            f"{kind.value}, {label}: {done:,} commands, {cpu / done * 1e3:.2f} ms of CPU each, {fleet / done * 1e3:.2f} ms of that the "
            f"fleet's; {done / seconds:.0f} a second here, {done / cpu:.0f} a second of CPU"
        )
    await collector.commands.stop()
    await store.close()


def main() -> None:
    simulate()
    reactor = AsyncioSelectorReactor(asyncio.new_event_loop())

    async def all_kinds() -> None:
        with tempfile.TemporaryDirectory() as place:
            for kind in (DeferredKind.READ, DeferredKind.PING, DeferredKind.SWITCH):
                await carry_out(reactor, kind, Path(place))

    def ended(result: Any) -> None:
        if result is not None:
            result.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(all_kinds()).addBoth(ended))
    reactor.run()


if __name__ == "__main__":
    main()
