"""Loopback sockets of the pretended field: one UDP socket for each router and each cellular endpoint, TCP for a few of these."""

from collections.abc import Callable, Iterable

from twisted.internet import protocol
from twisted.internet.interfaces import IReactorTime, ITransport, IUDPTransport
from twisted.logger import Logger

from emulators.router_node import Delivery, RouterNode
from headend.c1222.stream import ApduStream
from headend.errors import WireError

LOOPBACK = "127.0.0.1"

CONNECTIONS_MAX = 8
"""TCP connections one endpoint accepts at once: a head-end needs one."""

BUFFER_OCTETS = 1 << 20
"""What a read or a socket may hold of datagrams, in octets: bursts of a whole router's answers."""

_log = Logger()


class NodeDatagrams(protocol.DatagramProtocol):
    """Datagrams of one node: replies go to whoever asked, what meters say on their own goes to the head-end."""

    transport: IUDPTransport | None

    def __init__(self, reactor: IReactorTime, node: RouterNode) -> None:
        self._reactor = reactor
        self.node = node

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:  # noqa: N802
        """Answer one datagram; a bug of ours is logged and costs this datagram only."""
        try:
            self.deliver(self.node.receive(datagram), addr)
        except Exception:  # noqa: BLE001
            _log.failure("a datagram made the emulator fail")

    def deliver(self, deliveries: Iterable[Delivery], address: tuple[str, int]) -> None:
        """Send now or later."""
        for seconds, octets in deliveries:
            if seconds <= 0:
                self._write(octets, address)
            else:
                self._reactor.callLater(seconds, self._write, octets, address)

    def _write(self, octets: bytes, address: tuple[str, int]) -> None:
        if self.transport is not None:
            self.node.traffic.sent(octets)
            self.transport.write(octets, address)


class NodeConnection(protocol.Protocol):
    """One TCP connection of the head-end to a cellular endpoint."""

    def __init__(self, reactor: IReactorTime, node: RouterNode, closed: Callable[[], None]) -> None:
        self._reactor = reactor
        self._node = node
        self._closed = closed
        self._stream = ApduStream()
        self._open = True

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Answer every APDU that is complete; hang up on what is none."""
        try:
            for octets in self._stream.feed(data):
                for seconds, reply in self._node.receive(octets):
                    self._reactor.callLater(max(0.0, seconds), self._write, reply)
        except WireError:
            self._hang_up()
            return
        if self._stream.broken is not None:
            self._hang_up()

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()

    def _write(self, octets: bytes) -> None:
        transport: ITransport | None = self.transport
        if self._open and transport is not None:
            self._node.traffic.sent(octets)
            transport.write(octets)

    def connectionLost(self, reason: object = None) -> None:  # noqa: N802
        """Nothing more is written."""
        self._open = False
        self._closed()


class NodeConnections(protocol.Factory):
    """Accepts a bounded number of connections for one endpoint."""

    noisy = False

    def __init__(self, reactor: IReactorTime, node: RouterNode) -> None:
        self._reactor = reactor
        self._node = node
        self._count = 0

    def buildProtocol(self, addr: object) -> NodeConnection | None:  # noqa: N802
        """None refuses."""
        if self._count >= CONNECTIONS_MAX:
            return None
        self._count += 1
        return NodeConnection(self._reactor, self._node, self._closed)

    def _closed(self) -> None:
        self._count -= 1
