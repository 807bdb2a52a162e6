# mypy: disable-error-code="no-untyped-call"
"""C12.22 over TCP: connections to endpoints, pooled, and connections endpoints open to us; APDUs back to back on each.

What comes in on a connection is answered on it: a send to an address goes by the connection that has this peer, else a new one is opened.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure
from zope.interface import implementer

from headend.c1222.stream import ApduStream
from headend.errors import LinkError, WireError
from headend.model.endpoint import NativeAddress, Transport
from headend.ports import LinkReceiver

CONNECTIONS_MAX = 1_024
"""Connections at once, both ways; the one idle longest makes room for a new one."""

CONNECTIONS_PER_HOST_MAX = 64
"""Inbound connections from one host: a carrier's gateway shares an address, one device never needs many."""

CONNECT_SECONDS = 10
"""How long a connection may take to come about: a cellular modem wakes up in less."""

IDLE_SECONDS = 300
"""Silence after which a connection is closed."""

WAITING_OCTETS_MAX = 65_536
"""Octets waiting for a peer that does not read, or for a connection to come about; past it they are dropped."""

Recorder = Callable[[str, bytes, tuple[str, int], tuple[str, int], float], None]
"""Takes what passes: 'sent' or 'received', the octets, local and remote (host, port), UNIX seconds."""


@implementer(IPushProducer)
class ApduConnection(Protocol, TimeoutMixin):
    """One connection: frames APDUs, drops a peer that sends garbage, is silent too long or does not read."""

    transport: Any  # mypy cannot know that it is a TCP one

    def __init__(self, link: "TcpLink", remote: tuple[str, int]) -> None:
        self.remote = remote
        self.opened = False
        self._link = link
        self._stream = ApduStream()
        self._waiting: list[bytes] = []
        self._waiting_octets = 0
        self._choked = False

    def connectionMade(self) -> None:  # noqa: N802  # the protocol's name for it
        """Send what waited for the connection."""
        self.opened = True
        self.setTimeout(IDLE_SECONDS)
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)
        waiting, self._waiting = self._waiting, []
        for octets in waiting:
            self.send(octets)

    def send(self, octets: bytes) -> bool:
        """Send or keep for a moment; False where the peer takes no more."""
        if not self.opened or self._choked:
            if self._waiting_octets + len(octets) > WAITING_OCTETS_MAX:
                return False
            self._waiting.append(octets)
            self._waiting_octets += len(octets)
            return True
        self.transport.write(octets)
        self._link.passed("sent", octets, self)
        return True

    def pauseProducing(self) -> None:  # noqa: N802  # the producer's name for it
        """The peer reads too slowly."""
        self._choked = True

    def resumeProducing(self) -> None:  # noqa: N802  # the producer's name for it
        """The peer has caught up."""
        self._choked = False
        waiting, self._waiting, self._waiting_octets = self._waiting, [], 0
        for octets in waiting:
            self.send(octets)

    def stopProducing(self) -> None:  # noqa: N802  # the producer's name for it
        """The connection is gone."""
        self._waiting.clear()

    def dataReceived(self, data: bytes) -> None:  # noqa: N802  # the protocol's name for it
        """Hand on every APDU that is complete. A frame that is not resets no timeout: trickling octets is silence."""
        try:
            complete = self._stream.feed(data)
        except WireError as error:
            self._link.refused += 1
            self._link.log.debug("connection of {remote} dropped: {error}", remote=self.remote, error=error)
            self.transport.abortConnection()
            return
        if complete:
            self.resetTimeout()
        for octets in complete:
            self._link.passed("received", octets, self)
            self._link.received(octets, self)

    def timeoutConnection(self) -> None:  # noqa: N802  # the mixin's name for it
        """Silent too long."""
        self.transport.abortConnection()

    def callLater(self, period: float, func: Callable[[], None]) -> Any:  # noqa: N802  # the mixin's name for it
        """The mixin's timer, on the link's reactor."""
        return self._link.reactor.callLater(period, func)

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: N802  # the protocol's name for it
        """Forget it."""
        self.setTimeout(None)
        self.opened = False
        self._link.lost(self)

    def close(self) -> None:
        """End it now."""
        if self.transport is not None:
            self.transport.abortConnection()


class _Inbound(Factory):
    """Makes the protocol of a connection an endpoint opens, where there is room for it."""

    noisy = False

    def __init__(self, link: "TcpLink") -> None:
        self._link = link

    def buildProtocol(self, addr: IAddress | None) -> ApduConnection | None:  # noqa: N802  # the factory's name for it
        """None refuses the connection."""
        peer: Any = addr
        return self._link.accept((peer.host, peer.port))


class _Outbound(ClientFactory):
    """Carries one connection we open."""

    noisy = False

    def __init__(self, link: "TcpLink", connection: ApduConnection) -> None:
        self._link = link
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> ApduConnection:  # noqa: N802  # the factory's name for it
        """The connection that waited for it."""
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:  # noqa: N802  # the factory's name for it
        """Silence: whoever sends notices by itself."""
        self._link.lost(self._connection)


class TcpLink:
    """An EndpointLink on TCP connections. `dropped` counts APDUs not sent, `refused` connections not taken or ended for garbage."""

    log = Logger()

    def __init__(
        self, reactor: Any, receiver: LinkReceiver, recorder: Recorder | None = None, unix_seconds: Callable[[], float] = time.time
    ) -> None:
        self.reactor = reactor
        self.dropped = 0
        self.refused = 0
        self._receiver = receiver
        self._recorder = recorder
        self._unix_seconds = unix_seconds
        self._listening: Any = None
        self._connections: OrderedDict[tuple[str, int], ApduConnection] = OrderedDict()
        self._inbound: dict[str, int] = {}
        self._closed = False

    def open(self, host: str, port: int) -> NativeAddress:
        """Accept connections; port 0 picks one. The address now listened at. Raises LinkError."""
        try:
            self._listening = self.reactor.listenTCP(port, _Inbound(self), backlog=256, interface=host)
        except (OSError, CannotListenError) as error:
            raise LinkError(f"cannot listen at tcp://{host}:{port}: {error}") from None
        address = self._listening.getHost()
        return NativeAddress(Transport.TCP, address.host, address.port)

    def close(self) -> Deferred[None]:
        """Stop listening and end all connections; a Deferred that fires when the port is free."""
        self._closed = True
        for connection in list(self._connections.values()):
            connection.close()
        self._connections.clear()
        listening, self._listening = self._listening, None
        return maybeDeferred(listening.stopListening) if listening is not None else succeed(None)

    def send(self, octets: bytes, address: NativeAddress) -> None:
        """Send one APDU by the peer's connection, opened where there is none; see EndpointLink."""
        remote = (address.host, address.port)
        connection = self._connections.get(remote)
        if connection is None:
            connection = self._connect(remote)
        else:
            self._connections.move_to_end(remote)
        if connection is None or not connection.send(octets):
            self.dropped += 1

    def _connect(self, remote: tuple[str, int]) -> ApduConnection | None:
        if self._closed:
            return None
        connection = ApduConnection(self, remote)
        self._keep(connection)
        self.reactor.connectTCP(*remote, _Outbound(self, connection), timeout=CONNECT_SECONDS)
        return connection

    def accept(self, remote: tuple[str, int]) -> ApduConnection | None:
        """A protocol for an inbound connection; None where its host has enough of them."""
        if self._closed or self._inbound.get(remote[0], 0) >= CONNECTIONS_PER_HOST_MAX:
            self.refused += 1
            return None
        self._inbound[remote[0]] = self._inbound.get(remote[0], 0) + 1
        connection = _InboundConnection(self, remote)
        self._keep(connection)
        return connection

    def _keep(self, connection: ApduConnection) -> None:
        if len(self._connections) >= CONNECTIONS_MAX:
            _, idle = self._connections.popitem(last=False)
            idle.close()
        self._connections[connection.remote] = connection

    def lost(self, connection: ApduConnection) -> None:
        """A connection ended or never came about."""
        if self._connections.get(connection.remote) is connection:
            del self._connections[connection.remote]
        if isinstance(connection, _InboundConnection):
            host = connection.remote[0]
            self._inbound[host] -= 1
            if not self._inbound[host]:
                del self._inbound[host]

    def passed(self, direction: str, octets: bytes, connection: ApduConnection) -> None:
        """Record what passes, where a recorder is wanted."""
        if self._recorder is not None and connection.transport is not None:
            local: Any = connection.transport.getHost()
            self._recorder(direction, octets, (local.host, local.port), connection.remote, self._unix_seconds())

    def received(self, octets: bytes, connection: ApduConnection) -> None:
        """One APDU for the receiver."""
        if connection.remote in self._connections:
            self._connections.move_to_end(connection.remote)
        self._receiver.apdu_received(octets, NativeAddress(Transport.TCP, *connection.remote))


class _InboundConnection(ApduConnection):
    """A connection the peer opened; counted by host."""
