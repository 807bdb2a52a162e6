"""C12.22 over UDP: one socket for requests, replies and what endpoints send on their own; one APDU a datagram.

An own reader on the reactor rather than a DatagramProtocol: it takes a third less time a datagram.
"""

import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from headend.errors import LinkError
from headend.model.endpoint import NativeAddress, Transport
from headend.ports import LinkReceiver

DATAGRAM_OCTETS_MAX = 65_535
"""Octets read of one datagram: all there can be."""

READS_PER_TURN = 64
"""Datagrams taken before the reactor sees to others: some milliseconds of work."""

GATHER_SECONDS = 0.005
"""How long a busy socket is left to gather datagrams: being woken for a single one costs as much as taking two. The kernel's buffer holds
far more than comes in so short a time, and no reply is so urgent."""

BUSY_READS = 2
"""Datagrams at once from which on a socket is busy: it is looked at when the time is over, until it has fewer."""

SOCKET_BUFFER_OCTETS = 8 * 1024 * 1024
"""Kernel buffer asked for, in octets: replies of all conversations at once; the system may give less."""

ADDRESSES_MAX = 65_536
"""Peer addresses kept as values: routers and cellular endpoints of one collector."""

Recorder = Callable[[str, bytes, tuple[str, int], tuple[str, int], float], None]
"""Takes what passes: 'sent' or 'received', the octets, local and remote (host, port), UNIX seconds."""


@implementer(IReadDescriptor)
class UdpLink:
    """An EndpointLink on a UDP socket. `dropped` counts datagrams that could not be sent; the sender's repetition covers them."""

    log = Logger()

    def __init__(
        self, reactor: Any, receiver: LinkReceiver, recorder: Recorder | None = None, unix_seconds: Callable[[], float] = time.time
    ) -> None:
        self._reactor = reactor
        self._receiver = receiver
        self._recorder = recorder
        self._unix_seconds = unix_seconds
        self._socket: socket.socket | None = None
        self._local = ("", 0)
        self._addresses: dict[tuple[str, int], NativeAddress] = {}
        self._hosts: dict[str, str | None] = {}
        self._gathering: IDelayedCall | None = None
        self.dropped = 0

    def open(self, host: str, port: int) -> NativeAddress:
        """Listen; port 0 picks one. The address now listened at. Raises LinkError."""
        family = socket.AF_INET6 if isIPv6Address(host) else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                opened.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER_OCTETS)
            opened.bind((host, port))
        except OSError as error:
            opened.close()
            raise LinkError(f"cannot listen at udp://{host}:{port}: {error.strerror or error}") from None
        self._socket = opened
        self._local = opened.getsockname()[:2]
        self._reactor.addReader(self)
        return NativeAddress(Transport.UDP, *self._local)

    def close(self) -> None:
        """Stop listening; later sends are dropped."""
        if self._gathering is not None:
            self._gathering.cancel()
            self._gathering = None
        if self._socket is not None:
            self._reactor.removeReader(self)
            self._socket.close()
            self._socket = None

    def send(self, octets: bytes, address: NativeAddress) -> None:
        """Send one datagram; see EndpointLink."""
        host = self._hosts.get(address.host)
        if host is None:
            self._look_up(octets, address)
        else:
            self._send(octets, (host, address.port))

    def _send(self, octets: bytes, remote: tuple[str, int]) -> None:
        if self._socket is None:
            self.dropped += 1
            return
        try:
            self._socket.sendto(octets, remote)
        except OSError as error:
            self.dropped += 1
            self.log.debug("datagram to {remote} not sent: {error}", remote=remote, error=error)
            return
        if self._recorder is not None:
            self._recorder("sent", octets, self._local, remote, self._unix_seconds())

    def _look_up(self, octets: bytes, address: NativeAddress) -> None:
        """Send when the name has an address, looked up on the reactor's threads; what comes before is dropped."""
        if address.host in self._hosts or len(self._hosts) >= ADDRESSES_MAX:
            self.dropped += 1
            return
        if isIPAddress(address.host) or isIPv6Address(address.host):
            self._hosts[address.host] = address.host
            self._send(octets, (address.host, address.port))
            return
        self._hosts[address.host] = None

        def found(host: str) -> None:
            self._hosts[address.host] = host
            self._send(octets, (host, address.port))

        def unknown(failure: Failure) -> None:
            del self._hosts[address.host]
            self.dropped += 1
            self.log.debug("{host} has no address: {reason}", host=address.host, reason=failure.getErrorMessage())

        self._reactor.resolve(address.host).addCallbacks(found, unknown)

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:  # noqa: N802  # the reactor's name for it
        return "C12.22 UDP"

    def connectionLost(self, reason: Failure) -> None:  # noqa: N802  # the reactor's name for it
        """The reactor gives the socket up, at its end or for an error."""
        self.close()

    def doRead(self) -> None:  # noqa: N802  # the reactor's name for it
        """Take what has come; where that is much, do not be woken for the next."""
        if self._read() >= BUSY_READS and self._socket is not None:
            self._reactor.removeReader(self)
            self._gathering = self._reactor.callLater(GATHER_SECONDS, self._gathered)

    def _gathered(self) -> None:
        """Take what has gathered; go on so while there is much, else be woken again."""
        self._gathering = None
        taken = self._read()
        if self._socket is None:
            return
        if taken < BUSY_READS:
            self._reactor.addReader(self)
        else:
            self._gathering = self._reactor.callLater(0 if taken == READS_PER_TURN else GATHER_SECONDS, self._gathered)

    def _read(self) -> int:
        """Take what is there, READS_PER_TURN at most; how many that were."""
        for taken in range(READS_PER_TURN):
            if self._socket is None:
                return taken
            try:
                octets, remote = self._socket.recvfrom(DATAGRAM_OCTETS_MAX)
            except BlockingIOError:
                return taken
            except OSError as error:
                # A peer's port is closed: the kernel tells us here of an earlier send.
                self.log.debug("socket says {error}", error=error)
                continue
            if self._recorder is not None:
                self._recorder("received", octets, self._local, remote[:2], self._unix_seconds())
            self._receiver.apdu_received(octets, self._address(remote[:2]))
        return READS_PER_TURN

    def _address(self, remote: tuple[str, int]) -> NativeAddress:
        address = self._addresses.get(remote)
        if address is None:
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.clear()
            address = self._addresses[remote] = NativeAddress(Transport.UDP, *remote)
        return address
