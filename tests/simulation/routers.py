"""Emulated routers and a head-end that watches them, on one hand-turned clock; datagrams go through a net in memory."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from adapters.snmp_authority import Authority, engine_id_of
from adapters.snmp_link import SnmpLink
from adapters.snmp_notifications import NotificationReceiver
from adapters.snmp_router import SnmpRouterLink
from emulators.router_agent import RouterAgent
from emulators.router_device import RouterDevice
from emulators.router_fleet import ManagedRouter, RouterFleet
from headend.model.endpoint import NativeAddress, Transport
from headend.model.router import RouterProfile
from headend.router_case import RouterCase
from headend.router_catalogue import RouterCode
from headend.router_policy import RouterPolicy
from headend.router_watch import RouterWatch
from tests.memory_router_store import MemoryRouterStore

START = datetime(2026, 7, 2, 6, tzinfo=UTC)
HEAD_END = "10.0.0.1"
ONE_WAY_SECONDS = 0.05


class Net(Clock):
    """A reactor whose datagrams take ONE_WAY_SECONDS; `lost` says which do not arrive."""

    def __init__(self) -> None:
        super().__init__()
        self.sockets: dict[tuple[str, int], Callable[[bytes, tuple[str, int]], None]] = {}
        self.lost: Callable[[bytes], bool] = lambda _octets: False
        self.sent = 0
        self._ports = 40_000

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Any:
        self._ports += 1
        address = (interface, port or self._ports)
        protocol.transport = SimpleNamespace(write=lambda octets, to: self.send(octets, address, to))
        self.sockets[address] = protocol.datagramReceived
        local = SimpleNamespace(host=interface, port=address[1])
        return SimpleNamespace(getHost=lambda: local, stopListening=lambda: self.sockets.pop(address, None))

    def send(self, octets: bytes, source: tuple[str, int], to: tuple[str, int]) -> None:
        self.sent += 1
        if not self.lost(octets):
            self.callLater(ONE_WAY_SECONDS, self._arrive, octets, source, to)

    def _arrive(self, octets: bytes, source: tuple[str, int], to: tuple[str, int]) -> None:
        if to in self.sockets:
            self.sockets[to](octets, source)


class RouterField:
    """`count` emulated routers and a watch over them; each mesh has 100 nodes."""

    def __init__(self, count: int = 4, policy: RouterPolicy | None = None, *, traps: bool = True) -> None:
        self.net = Net()
        self.policy = policy or RouterPolicy()
        self.store = MemoryRouterStore()
        self.devices = [RouterDevice(1, n, f"router-{n + 1:03d}", 100, self.seconds) for n in range(count)]
        self.fleet = RouterFleet(self.net, [self._managed(device) for device in self.devices], look_seconds=10)
        self.profiles = [self._profile(device) for device in self.devices]
        self.random = Random(1)
        self.begin(traps=traps)
        self.fleet.start()

    def begin(self, *, traps: bool = True, owner: str = "test") -> None:
        """A head-end with nothing in memory, as after a restart."""
        self.link = SnmpLink(self.net)
        self.link.open(HEAD_END)
        agents = SnmpRouterLink(self.link, self.random, self.net.seconds, timeout_seconds=2, tries=2)
        self.watch = RouterWatch(self.store, agents, self.net, now=self.now, random=self.random, owner=owner, policy=self.policy)
        self.receiver = NotificationReceiver(self.net, agents, Authority(engine_id_of("test"), self.seconds), self.watch.notified)
        self.watch.on_routers = self.receiver.know
        if traps:
            address = self.receiver.open(HEAD_END, 162)
            self.fleet.notify((address.host, address.port))

    def seconds(self) -> float:
        return START.timestamp() + self.net.seconds()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.net.seconds())

    def _addresses(self, device: RouterDevice) -> list[tuple[str, int]]:
        hosts = [f"10.1.0.{device.number}", f"10.2.0.{device.number}"]
        return [(host, 161) for host in hosts[: 1 + device.has_second_path]]

    def _managed(self, device: RouterDevice) -> ManagedRouter:
        router = ManagedRouter(self.net, RouterAgent(device, lambda: (10**12, 10**10)), self.seconds)
        addresses = self._addresses(device)
        for second, address in enumerate(addresses):
            self.net.sockets[address] = lambda octets, source, second=bool(second): router.arrived(octets, source, second)
        router.write = lambda octets, to, second: self.net.send(octets, addresses[second], to)
        return router

    def _profile(self, device: RouterDevice) -> RouterProfile:
        first, *second = [NativeAddress(Transport.UDP, *address) for address in self._addresses(device)]
        return RouterProfile(device.name, first, device.access, second[0] if second else None, device.nodes)

    def start(self) -> None:
        """Make the routers known and watch them."""
        self.wait(self.store.import_routers(self.profiles, self.now()))
        self.wait(self.watch.start())

    def stop(self) -> None:
        """Stop in good order."""
        self.wait(self.watch.stop(self.link.close))
        self.fleet.stop()

    def wait(self, coroutine: Any) -> Any:
        """What a coroutine ends with, time passing meanwhile."""
        results: list[Any] = []
        Deferred.fromCoroutine(coroutine).addBoth(results.append)
        for _ in range(100):
            if results:
                break
            self.run(0.1)
        assert results
        if isinstance(results[0], BaseException) or hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def run(self, minutes: float) -> None:
        """Let time pass, from one thing that happens to the next."""
        until = self.net.seconds() + 60 * minutes
        while self.net.seconds() < until:
            due = min((call.getTime() for call in self.net.getDelayedCalls()), default=until)
            self.net.advance(max(0.0, min(due, until) - self.net.seconds()))

    def case(self, number: int) -> RouterCase:
        """What the head-end thinks of a router."""
        return self.watch.cases[self.devices[number].name]

    def faults(self, number: int, **faults: Any) -> None:
        """Something goes wrong, or right again."""
        self.fleet.set_faults(self.devices[number].name, faults)

    def codes(self, number: int) -> list[RouterCode]:
        """Events of a router as the store has them, oldest first."""
        return [event.code for event in self.wait(self.store.router_events(self.devices[number].name, 1_000))[::-1]]

    def items(self, *, closed: bool = False) -> list[Any]:
        return self.wait(self.store.work_items(100, closed=closed))


def quick(policy: RouterPolicy | None = None, **changes: Any) -> RouterPolicy:
    """The policy with shorter waits."""
    return replace(policy or RouterPolicy(), **{"wait_seconds": 300, **changes})
