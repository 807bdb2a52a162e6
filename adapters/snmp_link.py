"""SNMP requests over UDP: one socket for all routers, answers paired with requests, bounded tries and waits."""

from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from adapters.snmp_message import Pdu, decode_message
from adapters.snmp_session import Answered, Request, SayAgain, SnmpSession, number_of, reason
from headend.errors import LinkError, WireError
from headend.model.endpoint import NativeAddress, Transport

Remote = tuple[str, int]

REQUESTS_MAX = 1_024
"""Requests under way at once: more than polls run at once, so that none is refused before its router is."""

SOCKET_BUFFER_OCTETS = 1 << 20
"""Kernel buffer for answers that wait for the reactor, in octets."""


class _Pending:
    """One request, the session it belongs to, and the tries it has left."""

    def __init__(self, session: SnmpSession, request: Request, remote: Remote, timeout_seconds: float, tries: int) -> None:
        self.session = session
        self.request = request
        self.remote = remote
        self.timeout_seconds = timeout_seconds
        self.tries = tries
        self.answer: Deferred[Pdu] = Deferred()
        self.timer: IDelayedCall | None = None


class SnmpLink(DatagramProtocol):
    """Asks agents. `dropped` counts datagrams that answer nothing."""

    log = Logger()
    noisy = False

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._port: IListeningPort | None = None
        self._pending: dict[tuple[Remote, int], _Pending] = {}
        self.dropped = 0
        self.transport: IUDPTransport | None

    def open(self, host: str) -> NativeAddress:
        """Open the socket that requests leave by. Raises LinkError."""
        try:
            self._port = port = self._reactor.listenUDP(0, self, interface=host)
        except CannotListenError as error:
            raise LinkError(f"cannot open a socket at udp://{host}: {error.socketError}") from None
        local = port.getHost()
        return NativeAddress(Transport.UDP, local.host, local.port)

    async def close(self) -> None:
        """Close the socket; requests under way fail."""
        for pending in list(self._pending.values()):
            self._fail(pending, LinkError("the head-end stops"))
        if self._port is not None:
            port, self._port = self._port, None
            await maybeDeferred(port.stopListening)

    async def ask(self, session: SnmpSession, request: Request, address: NativeAddress, timeout_seconds: float, tries: int) -> Pdu:
        """The response to `request`, sent `tries` times at most. Raises LinkError; SecurityError where the access does not allow it."""
        if self._port is None:
            raise LinkError("the link is closed")
        if len(self._pending) >= REQUESTS_MAX:
            raise LinkError(f"{REQUESTS_MAX} requests are under way already")
        host = address.host
        if not (isIPAddress(host) or isIPv6Address(host)):
            host = await self._looked_up(host)
        pending = _Pending(session, request, (host, address.port), timeout_seconds, tries)
        self._send(pending)
        return await pending.answer

    async def _looked_up(self, host: str) -> str:
        try:
            return str(await self._reactor.resolve(host))
        except OSError as error:
            raise LinkError(f"{host} has no address: {error}") from None

    def _send(self, pending: _Pending) -> None:
        """Once more, or for the first time; what cannot be sent is silence to whoever waits."""
        octets = pending.session.octets(pending.request)
        self._pending[pending.remote, pending.request.number] = pending
        pending.tries -= 1
        pending.timer = self._reactor.callLater(pending.timeout_seconds, self._timed_out, pending)
        try:
            if self.transport is not None:
                self.transport.write(octets, pending.remote)
        except OSError as error:
            self.log.debug("a request to {remote} is not sent: {error}", remote=pending.remote, error=error)

    def _forget(self, pending: _Pending) -> None:
        del self._pending[pending.remote, pending.request.number]
        if pending.timer is not None and pending.timer.active():
            pending.timer.cancel()

    def _timed_out(self, pending: _Pending) -> None:
        if pending.tries > 0:
            self._forget(pending)
            self._send(pending)
        else:
            self._fail(pending, LinkError(reason(pending.request)))

    def _fail(self, pending: _Pending, error: LinkError) -> None:
        self._forget(pending)
        pending.answer.errback(error)

    def datagramReceived(self, datagram: bytes, addr: Remote) -> None:  # noqa: N802 (Twisted's name)
        """Take an answer; whatever else it is costs nobody anything."""
        try:
            self._take(datagram, addr[:2])
        except WireError as error:
            self.dropped += 1
            self.log.debug("{count} octets from {remote} dropped: {error}", count=len(datagram), remote=addr, error=error)
        except Exception:  # noqa: BLE001  # datagram received: whatever it was, the next one must be taken
            self.dropped += 1
            self.log.failure("{count} octets from {remote}", count=len(datagram), remote=addr)

    def _take(self, datagram: bytes, remote: Remote) -> None:
        if not any(address == remote for address, _ in self._pending):
            self.dropped += 1
            return
        message = decode_message(datagram)
        pending = self._pending.get((remote, number_of(message)))
        if pending is None:
            self.dropped += 1
            return
        match pending.session.received(pending.request, message):
            case Answered(pdu):
                self._forget(pending)
                pending.answer.callback(pdu)
            case SayAgain():
                self._forget(pending)
                pending.tries += 1
                self._send(pending)
