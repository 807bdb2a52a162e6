"""The field network in memory: datagrams between a head-end and the routers of a world, on a reactor's clock, for simulations."""

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime

from emulators.initiator import Initiator
from emulators.population import router_name
from emulators.router_node import Delivery, RouterNode
from emulators.utility import Utility
from emulators.wakeups import TICK_SECONDS, Wakeups
from emulators.world import World
from headend.model.endpoint import NativeAddress, Transport

HOST = "field"
FIRST_ROUTER_PORT = 1
FIRST_CELLULAR_PORT = 100_000

Received = Callable[[bytes, NativeAddress], None]


class MemoryLink:
    """An EndpointLink without sockets; what arrives at the head-end goes to `received`.

    `seconds` is what one way takes.
    """

    def __init__(self, reactor: IReactorTime, world: World, received: Received, seconds: float = 0.01) -> None:
        self._reactor = reactor
        self._world = world
        self._seconds = seconds
        self._nodes: dict[NativeAddress, RouterNode] = {}
        self.received = received

    def address(self, index: int) -> NativeAddress:
        """Where an endpoint is reached."""
        router = self._world.population.router(index)
        port = FIRST_CELLULAR_PORT + index if router is None else FIRST_ROUTER_PORT + router
        address = NativeAddress(Transport.UDP, HOST, port)
        if address not in self._nodes:
            self._nodes[address] = RouterNode(self._world, router, index if router is None else None)
        return address

    def send(self, octets: bytes, address: NativeAddress) -> None:
        """From the head-end to an address; a wrong one is silence."""
        node = self._nodes.get(address)
        if node is not None:
            self._reactor.callLater(self._seconds, self._arrive, node, octets, address)

    def _arrive(self, node: RouterNode, octets: bytes, address: NativeAddress) -> None:
        self._deliver(node.receive(octets), address)

    def _deliver(self, deliveries: Iterable[Delivery], address: NativeAddress) -> None:
        for seconds, octets in deliveries:
            self._reactor.callLater(self._seconds + seconds, self.received, octets, address)

    def send_unsolicited(self, index: int, octets: bytes) -> None:
        """From an endpoint to the head-end."""
        address = self.address(index)
        self._deliver(self._nodes[address].outgoing(octets, self._world.target(index)), address)

    def utility(self, reply_seconds: float = 10.0, tick_seconds: float = TICK_SECONDS) -> Utility:
        """The world with its wake-ups, looked at so often, speaking through this link; start `wakeups` to let it live."""

        def native_address(index: int) -> bytes:
            return bytes(4) + (self.address(index).port & 0xFFFF).to_bytes(2)

        initiator = Initiator(self._reactor, self._world, self.send_unsolicited, reply_seconds)
        wakeups = Wakeups(self._reactor, self._world, initiator, native_address, tick_seconds)
        population = self._world.population
        for index in range(population.size):
            self.address(index)
        names = {address: self._name(address) for address in self._nodes}
        return Utility(self._world, {names[address]: node.traffic for address, node in self._nodes.items()}, wakeups)

    def _name(self, address: NativeAddress) -> str:
        if address.port >= FIRST_CELLULAR_PORT:
            return self._world.population.meter_no(address.port - FIRST_CELLULAR_PORT)
        return router_name(address.port - FIRST_ROUTER_PORT)
