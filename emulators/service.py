"""Composition root of the emulated utility: options in, sockets, files and control port out; runs as a process of its own."""

import json
import resource
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReactorTime
from twisted.python.failure import Failure
from twisted.web.server import Site

from emulators.clock import WorldClock
from emulators.control import ControlResource
from emulators.files import CUSTOMER_COLUMNS, ROUTER_COLUMNS, SHIPMENT_COLUMNS, customer_rows, router_row, shipment_row, write_rows
from emulators.initiator import Initiator
from emulators.people import People
from emulators.population import Population, router_name
from emulators.router_agent import RouterAgent
from emulators.router_fleet import AgentDatagrams, ManagedRouter, RouterFleet
from emulators.router_node import RouterNode
from emulators.sockets import BUFFER_OCTETS, LOOPBACK, NodeConnections, NodeDatagrams
from emulators.storms import Storms
from emulators.utility import Utility
from emulators.wakeups import Wakeups
from emulators.world import World
from headend.c1222.identifiers import ApTitle
from headend.errors import RequestError
from headend.model.endpoint import NativeAddress, Transport

DATAGRAM_OCTETS = 65_536
"""Largest datagram read."""

REPLY_SECONDS = 10.0
"""Real seconds an endpoint waits for the reply to what it sent on its own."""

REPLY_SECONDS_HURRIED = 3.0
"""The same in a demonstration, where nobody likes to wait."""

FILES_BESIDE_SOCKETS = 200
"""Open files of a process beside those of its sockets: libraries, pipes, the control port's connections."""

STOP_SECONDS = 0.1
"""Real seconds between the answer to POST /stop and the end."""


@dataclass(frozen=True, slots=True)
class EmulatorOptions:
    """What utility to pretend.

    `directory` receives the shipment and customers files (None: a new temporary one). `head_end` is (host, UDP port) for what
    endpoints send on their own; None: they stay quiet until the control port names one. `trap_receiver` is the same for routers'
    notifications. `time_of_use` is the percentage of homes with two rates. `start` is the world's first moment (None:
    now). `wake_within`: seconds within which every battery endpoint wakes first. `reply_seconds`: how long an endpoint waits for the
    reply to what it sent (None: 10, or 3 where it is to wake soon). Port 0 picks one.
    """

    endpoints: int = 200
    routers: int | None = None
    seed: int = 1
    zone: str = "America/Chicago"
    start: datetime | None = None
    rate: float = 1.0
    directory: Path | None = None
    control_port: int = 0
    head_end: tuple[str, int] | None = None
    head_end_ap_title: str = ".1.4"
    trap_receiver: tuple[str, int] | None = None
    wake_within: float | None = None
    reply_seconds: float | None = None
    history_days: int = 45
    hop_seconds: float = 0.0
    cellular: bool = True
    time_of_use: float = 0.0


@dataclass(slots=True)
class EmulatorService:
    """A running utility."""

    utility: Utility
    routers: list[NativeAddress]
    control: str
    shipment: Path
    customers: Path
    router_file: Path
    stopped: "Deferred[None]"
    ports: list[IListeningPort]
    nodes: dict[str, NodeDatagrams]

    @property
    def world(self) -> World:
        """The utility's world."""
        return self.utility.world

    @property
    def announcement(self) -> str:
        """One line of JSON for whoever started the process."""
        return json.dumps(
            {
                "routers": [f"{address.host}:{address.port}" for address in self.routers],
                "control": self.control,
                "shipment": str(self.shipment),
                "customers": str(self.customers),
                "router_file": str(self.router_file),
            }
        )

    async def stop(self) -> None:
        """Fall silent and close every socket."""
        if self.utility.storms is not None:
            self.utility.storms.stop()
        if self.utility.wakeups is not None:
            self.utility.wakeups.stop()
        if self.utility.routers is not None:
            self.utility.routers.stop()
        await close_ports(self.ports)


def make_world(reactor: IReactorTime, options: EmulatorOptions, wire: Any = time.time) -> World:
    """The world of some options. Raises RequestError."""
    try:
        zone = ZoneInfo(options.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise RequestError(f"zone: {options.zone!r} is not a time zone") from None
    population = Population(options.seed, options.endpoints, options.routers, options.cellular, options.time_of_use)
    clock = WorldClock(reactor, options.start or datetime.fromtimestamp(wire(), UTC), options.rate)
    head_end = ApTitle.parse(options.head_end_ap_title)
    return World(population, clock, zone, wire, head_end=head_end, history_days=options.history_days)



class _Field:
    """Opens the sockets of a world and knows who is reached where."""

    def __init__(self, reactor: Any, world: World, options: EmulatorOptions) -> None:
        self._reactor = reactor
        self._world = world
        self._options = options
        self.ports: list[IListeningPort] = []
        self.routers: dict[int, NativeAddress] = {}
        self.cellular: dict[int, NativeAddress] = {}
        self.nodes: dict[str, NodeDatagrams] = {}
        """By router name, or by meter number for cellular endpoints."""
        self.managed: list[ManagedRouter] = []
        self.agents: dict[str, tuple[NativeAddress, NativeAddress | None]] = {}
        """Where each router's agent is asked: over its first uplink, and its second where it has one."""

    def listen(self) -> None:
        """Open every socket. Raises RequestError, twisted.internet.error.CannotListenError."""
        population = self._world.population
        allow_files(4 * population.routers + 2 * sum(map(population.is_cellular, range(population.size))) + FILES_BESIDE_SOCKETS)
        for number in range(population.routers):
            node = RouterNode(self._world, number, hop_seconds=self._options.hop_seconds)
            self.routers[number] = self._listen_udp(router_name(number), node)
            self._listen_agent(number, node)
        for index in filter(population.is_cellular, range(population.size)):
            node = RouterNode(self._world, None, index, self._options.hop_seconds)
            address = self._listen_udp(population.meter_no(index), node)
            if population.transport(index) is Transport.TCP:
                port = self._reactor.listenTCP(0, NodeConnections(self._reactor, node), interface=LOOPBACK)
                self.ports.append(port)
                address = NativeAddress(Transport.TCP, LOOPBACK, port.getHost().port)
            self.cellular[index] = address

    def _listen_udp(self, name: str, node: RouterNode) -> NativeAddress:
        datagrams = self.nodes[name] = NodeDatagrams(self._reactor, node)
        port = self._reactor.listenUDP(0, datagrams, interface=LOOPBACK, maxPacketSize=DATAGRAM_OCTETS)
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_OCTETS)
        self.ports.append(port)
        return NativeAddress(Transport.UDP, LOOPBACK, port.getHost().port)

    def _listen_agent(self, number: int, node: RouterNode) -> None:
        """Open a router's management addresses."""
        device, traffic = self._world.router_devices[number], node.traffic
        agent = RouterAgent(device, lambda: (traffic.octets_in, traffic.octets_out))
        router = ManagedRouter(self._reactor, agent, self._world.wire)
        sockets = [AgentDatagrams(router, second) for second in ((False, True) if device.has_second_path else (False,))]
        addresses: list[NativeAddress] = []
        for datagrams in sockets:
            port = self._reactor.listenUDP(0, datagrams, interface=LOOPBACK)
            self.ports.append(port)
            addresses.append(NativeAddress(Transport.UDP, LOOPBACK, port.getHost().port))
        router.write = lambda octets, address, second: sockets[second].write(octets, address)
        self.managed.append(router)
        self.agents[device.name] = (addresses[0], addresses[1] if len(addresses) > 1 else None)

    def address(self, index: int) -> NativeAddress:
        """Where a head-end reaches an endpoint."""
        router = self._world.population.router(index)
        return self.cellular[index] if router is None else self.routers[router]

    def socket_of(self, index: int) -> NodeDatagrams:
        """The socket an endpoint's own messages leave by."""
        population = self._world.population
        router = population.router(index)
        return self.nodes[population.meter_no(index) if router is None else router_name(router)]

    def wakeups(self, utility: Utility) -> Wakeups:
        """What endpoints do on their own, towards the head-end that the utility has at the time."""

        def send(index: int, octets: bytes) -> None:
            if utility.head_end is not None:
                datagrams = self.socket_of(index)
                datagrams.deliver(datagrams.node.outgoing(octets, self._world.target(index)), utility.head_end)

        hurried = self._options.wake_within is not None
        reply_seconds = self._options.reply_seconds or (REPLY_SECONDS_HURRIED if hurried else REPLY_SECONDS)
        initiator = Initiator(self._reactor, self._world, send, reply_seconds)
        return Wakeups(self._reactor, self._world, initiator, self._native_address)

    def _native_address(self, index: int) -> bytes:
        address = self.address(index)
        return socket.inet_aton(address.host) + address.port.to_bytes(2)

    def shipment_rows(self) -> Iterator[Sequence[str]]:
        """Every endpoint for the shipment file."""
        population = self._world.population
        for index in range(population.size):
            yield shipment_row(population.identity(index), self._world.kind(index).form.name, self.address(index))

    def router_rows(self) -> Iterator[Sequence[str]]:
        """Every router for the routers file."""
        for device in self._world.router_devices:
            yield router_row(device, *self.agents[device.name])


def allow_files(files: int) -> None:
    """Let this process have so many files open, sockets among them. Raises RequestError where it may not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard not in (resource.RLIM_INFINITY, -1) and files > hard:
        raise RequestError(f"routers and endpoints: {files} sockets are more than the {hard} open files that this process may have")
    if soft != resource.RLIM_INFINITY and files > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))


def start(reactor: Any, options: EmulatorOptions) -> "Deferred[EmulatorService]":
    """Open sockets, write files, begin to live; fires with the actual ports known. Fails with RequestError or OSError."""
    return Deferred.fromCoroutine(_start(reactor, options))


async def _start(reactor: Any, options: EmulatorOptions) -> EmulatorService:
    world = make_world(reactor, options)
    directory = options.directory or Path(mkdtemp(prefix="headend-emulators-"))
    directory.mkdir(parents=True, exist_ok=True)
    sockets = _Field(reactor, world, options)
    try:
        sockets.listen()
        shipment = write_rows(directory, "shipment", SHIPMENT_COLUMNS, sockets.shipment_rows())
        customers = write_rows(directory, "customers", CUSTOMER_COLUMNS, customer_rows(world.population, People(options.seed)))
        router_file = write_rows(directory, "routers", ROUTER_COLUMNS, sockets.router_rows())
        utility = Utility(world, {name: datagrams.node.traffic for name, datagrams in sockets.nodes.items()})
        stopped: Deferred[None] = Deferred()
        control = _listen_control(reactor, utility, sockets, options.control_port, stopped)
        utility.wakeups = sockets.wakeups(utility)
        utility.storms = Storms(reactor, world, utility.wakeups)
        utility.routers = RouterFleet(reactor, sockets.managed)
        utility.routers.notify(options.trap_receiver)
        utility.routers.start()
        if options.head_end is not None:
            utility.speak_to(options.head_end, options.wake_within)
    except BaseException:
        await close_ports(sockets.ports)
        raise
    return EmulatorService(
        utility=utility,
        routers=[address for _, address in sorted(sockets.routers.items())],
        control=control,
        shipment=shipment,
        customers=customers,
        router_file=router_file,
        stopped=stopped,
        ports=sockets.ports,
        nodes=sockets.nodes,
    )


def _listen_control(reactor: Any, utility: Utility, sockets: _Field, port: int, stopped: "Deferred[None]") -> str:
    """Open the control port; its URL."""

    def end() -> None:
        if not stopped.called:
            stopped.callback(None)

    site = Site(ControlResource(reactor, utility, lambda: reactor.callLater(STOP_SECONDS, end)))
    listening = reactor.listenTCP(port, site, interface=LOOPBACK)
    sockets.ports.append(listening)
    return f"http://{LOOPBACK}:{listening.getHost().port}"


async def close_ports(ports: list[IListeningPort]) -> None:
    """Stop listening everywhere."""
    while ports:
        result = ports.pop().stopListening()
        if result is not None:
            await result


def run(options: EmulatorOptions) -> None:
    """Be the utility until told to stop (POST /stop, SIGINT or SIGTERM); prints the announcement when ready."""
    from twisted.internet import reactor  # noqa: PLC0415 - importing it makes one; the command line chooses which

    failures: list[BaseException] = []

    def announce(service: EmulatorService) -> "Deferred[None]":
        sys.stdout.write(service.announcement + "\n")
        sys.stdout.flush()
        return service.stopped

    def end(result: Any) -> None:
        if isinstance(result, Failure) and result.value is not None:
            failures.append(result.value)
        reactor.stop()

    reactor.callWhenRunning(lambda: start(reactor, options).addCallback(announce).addBoth(end))
    reactor.run()
    if failures:
        raise failures[0]
