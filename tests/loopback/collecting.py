"""Runs an emulated utility and a collector in one process over real sockets, under fire; prints what came of it as JSON."""

import json
import random
import socket
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from twisted.internet import asyncioreactor

asyncioreactor.install()

from twisted.internet import reactor  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.task import LoopingCall, deferLater  # noqa: E402

from adapters.c1222_tcp import TcpLink  # noqa: E402
from adapters.c1222_udp import UdpLink  # noqa: E402
from emulators.service import EmulatorOptions, start  # noqa: E402
from emulators.truth import endpoint_truth  # noqa: E402
from headend.c1222.identifiers import ApTitle  # noqa: E402
from headend.collection.policy import CollectionPolicy  # noqa: E402
from headend.collector import Collector  # noqa: E402
from headend.model.channels import CHANNELS  # noqa: E402
from headend.model.endpoint import CONFIGURATIONS, EndpointId, Transport  # noqa: E402
from headend.model.utility import Utility, UtilityId  # noqa: E402
from headend.ports import ShipmentItem  # noqa: E402
from headend.provisioning import read_shipment  # noqa: E402
from headend.provisioning_rows import FileFormat  # noqa: E402
from tests.memory_store import MemoryEndpoint, MemoryStore  # noqa: E402
from tests.simulation.field import CHICAGO, HEAD_END, interval_differences, register_differences  # noqa: E402


def now() -> datetime:
    return datetime.now(UTC)


class Attacker:
    """Sends the head-end what it has heard, spoiled, cut and repeated, and noise; also down TCP connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.random = random.Random(1)
        self.heard: list[bytes] = []
        self.sent = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.tcp: list[socket.socket] = []

    def fire(self) -> None:
        for _ in range(20):
            octets = bytearray(self.random.choice(self.heard)) if self.heard else bytearray(self.random.randbytes(50))
            kind = self.random.randrange(5)
            if kind == 0:
                octets[self.random.randrange(len(octets))] ^= 1 << self.random.randrange(8)
            elif kind == 1:
                del octets[self.random.randrange(len(octets)) :]
            elif kind == 2:
                octets[:] = self.random.randbytes(self.random.randrange(200))
            elif kind == 3:
                octets += self.random.randbytes(9)
            self.udp.sendto(octets, ("127.0.0.1", self.port))
            self.sent += 1
        if len(self.tcp) < 20:
            connection = socket.socket()
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", self.port))
            self.tcp.append(connection)
        for connection in self.tcp:
            try:
                connection.send(self.random.choice([b"\x60", b"\x60\x82\xff\xff", b"GET / HTTP/1.0\r\n\r\n", b"\x60\x7f"]))
            except OSError:
                continue

    def close(self) -> None:
        for each in (self.udp, *self.tcp):
            each.close()


async def collect(directory: Path) -> dict[str, Any]:
    utility = Utility(UtilityId("test"), "Test", CHICAGO, HEAD_END)
    store = MemoryStore([])
    policy = CollectionPolicy(reply_seconds=0.5)
    collector = Collector(utility, store, reactor, now=now, random=random.Random(1), owner="test", policy=policy)
    passed: list[tuple[str, int]] = []
    attacker: list[Attacker] = []

    def record(direction: str, octets: bytes, local: tuple[str, int], remote: tuple[str, int], at: float) -> None:
        passed.append((direction, remote[1]))
        if attacker and len(attacker[0].heard) < 2_000 and octets[:1] == b"\x60":
            attacker[0].heard.append(octets)

    udp, tcp = UdpLink(reactor, collector.receiver, record), TcpLink(reactor, collector.receiver, record)
    address = udp.open("127.0.0.1", 0)
    tcp.open("127.0.0.1", address.port)
    collector.links.update({Transport.UDP: udp, Transport.TCP: tcp})
    options = EmulatorOptions(
        endpoints=240,
        routers=2,
        seed=4,
        directory=directory,
        head_end=("127.0.0.1", address.port),
        wake_within=3.0,
        time_of_use=30,
    )
    service = await start(reactor, options)
    for n, i in enumerate(shipment(service.shipment), 1):
        endpoint = MemoryEndpoint(
            EndpointId(n), i.meter_no, ApTitle.parse(i.ap_title).absolute, i.address, i.router, i.configuration, i.key_id, i.key
        )
        store.endpoints[endpoint.endpoint_id] = store.titles[endpoint.ap_title] = endpoint
        if not CONFIGURATIONS[i.configuration].battery:
            endpoint.due, endpoint.collect_from = now(), now() - timedelta(days=1)
    attacker.append(Attacker(address.port))
    firing = LoopingCall(attacker[0].fire)
    firing.start(0.05, now=False)
    collector.start()
    polled = [e for e in store.endpoints.values() if e.due is not None]
    batteries = [e for e in store.endpoints.values() if CONFIGURATIONS[e.configuration].battery]
    await until(lambda: all(e.due is None for e in polled) and all(e.heard for e in batteries))
    firing.stop()
    await collector.stop()
    result = {
        "polled": len(polled),
        "tiers": sorted({r.channel_id for e in polled for r in e.registers.values() if CHANNELS[r.channel_id].tier}),
        "ended": sum(i.lease_id is not None for i in store.recorded),
        "tcp": sum(e.address.transport is Transport.TCP for e in polled),
        "batteries": len(batteries),
        "exceptions": [x.reason for e in store.endpoints.values() for x in e.exceptions],
        "differences": [d for e in polled for d in differences(service.world, store, e)],
        "dropped": {str(k): v for k, v in collector.counters.dropped.items()},
        "registrations": collector.counters.registrations,
        "attacks": attacker[0].sent,
        "refused connections": tcp.refused,
        "passed": len(passed),
    }
    attacker[0].close()
    udp.close()
    await tcp.close()
    await service.stop()
    return result


def shipment(file: Path) -> tuple[ShipmentItem, ...]:
    """The endpoints of a shipment file."""
    return read_shipment(file.read_bytes(), FileFormat.CSV).items


def differences(world: Any, store: MemoryStore, endpoint: MemoryEndpoint) -> list[str]:
    """What the store has otherwise than the meter."""
    index = world.population.index_of(endpoint.meter_no)
    end = int(endpoint.heard.timestamp())
    truth = endpoint_truth(world.meter(index), end - 72_000, end - 60)
    return [*register_differences(endpoint, truth), *interval_differences(endpoint, truth, -1)]


async def until(done: Callable[[], bool], seconds: float = 60) -> None:
    for _ in range(int(seconds / 0.1)):
        if done():
            return
        await deferLater(reactor, 0.1)


def main() -> None:
    results: list[Any] = []
    reactor.callWhenRunning(
        lambda: Deferred.fromCoroutine(collect(Path(sys.argv[1]))).addBoth(results.append).addBoth(lambda _: reactor.stop())
    )
    reactor.run()
    sys.stdout.write(f"{json.dumps(results[0]) if isinstance(results[0], dict) else results[0]}\n")


if __name__ == "__main__":
    main()
