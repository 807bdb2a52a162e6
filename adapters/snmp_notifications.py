"""Receives routers' traps and informs on a UDP port: only from known routers with their own credentials; all else is dropped and counted.

Layout  version 2c by community; version 3 traps by the router's engine, informs by ours (they are acknowledged once they are taken)
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from adapters.snmp_authority import Authority
from adapters.snmp_link import Remote
from adapters.snmp_message import CommunityMessage, Pdu, PduKind, SecureMessage, decode_message
from adapters.snmp_router import SnmpRouterLink
from adapters.snmp_status import Variables, notification_of, notified_status
from headend.errors import LinkError, SecurityError, WireError
from headend.model.endpoint import NativeAddress, RouterId, Transport
from headend.model.router import Router, RouterStatus, UserAccess
from headend.router_case import RouterCase

WAITING_MAX = 4_096
"""Datagrams that wait to be looked at: a mains failure of 500 routers brings a few of each."""

DATAGRAMS_PER_TURN = 4
"""Datagrams looked at before the reactor sees to others: some five milliseconds each."""

_NOTIFICATIONS = {PduKind.TRAP, PduKind.INFORM}


class TrapDrop(StrEnum):
    """Why a datagram was not taken."""

    STRANGER = "of no known router"
    CREDENTIALS = "wrong credentials, engine or time"
    MALFORMED = "malformed"
    NO_NOTIFICATION = "no notification"
    OVERFLOW = "too many at once"
    FAILED = "our mistake, see the log"


class NotificationReceiver(DatagramProtocol):
    """A UDP port for notifications; what a genuine one says goes to `notified`."""

    log = Logger()
    noisy = False

    def __init__(
        self, reactor: Any, link: SnmpRouterLink, authority: Authority, notified: Callable[[RouterId, RouterStatus], None]
    ) -> None:
        self.dropped: Counter[TrapDrop] = Counter()
        self.taken = 0
        self._reactor = reactor
        self._link = link
        self._authority = authority
        self._notified = notified
        self._by_host: dict[str, list[Router]] = {}
        self._waiting: deque[tuple[bytes, Remote]] = deque()
        self._port: IListeningPort | None = None
        self.transport: IUDPTransport | None

    def open(self, host: str, port: int) -> NativeAddress:
        """Listen; port 0 picks one. The address now listened at. Raises LinkError."""
        try:
            self._port = listening = self._reactor.listenUDP(port, self, interface=host)
        except CannotListenError as error:
            raise LinkError(f"cannot listen for traps at udp://{host}:{port}: {error.socketError}") from None
        local = listening.getHost()
        return NativeAddress(Transport.UDP, local.host, local.port)

    async def close(self) -> None:
        """Listen no more."""
        self._waiting.clear()
        if self._port is not None:
            port, self._port = self._port, None
            await maybeDeferred(port.stopListening)

    def know(self, cases: Mapping[str, RouterCase]) -> None:
        """These are the routers that may tell something; those known by name are looked up."""
        by_host: dict[str, list[Router]] = {}
        for case in cases.values():
            router = case.router
            hosts = {address.host for address in (router.profile.address, router.profile.second_address) if address is not None}
            for host in hosts:
                if isIPAddress(host) or isIPv6Address(host):
                    by_host.setdefault(host, []).append(router)
                else:
                    self._look_up(host, router)
        self._by_host = by_host

    def _look_up(self, host: str, router: Router) -> None:
        def found(address: str) -> None:
            known = self._by_host.setdefault(address, [])
            if router not in known:
                known.append(router)

        self._reactor.resolve(host).addCallbacks(found, lambda _unknown: None)

    def datagramReceived(self, datagram: bytes, addr: Remote) -> None:  # noqa: N802 (Twisted's name)
        """Queue what a known router may have sent."""
        remote = addr[:2]
        if remote[0] not in self._by_host:
            self.dropped[TrapDrop.STRANGER] += 1
        elif len(self._waiting) >= WAITING_MAX:
            self.dropped[TrapDrop.OVERFLOW] += 1
        else:
            self._waiting.append((datagram, remote))
            if len(self._waiting) == 1:
                self._reactor.callLater(0, self._look)

    def _look(self) -> None:
        for _ in range(min(DATAGRAMS_PER_TURN, len(self._waiting))):
            datagram, remote = self._waiting[0]
            self._look_at(datagram, remote)
            if self._waiting:
                self._waiting.popleft()
        if self._waiting:
            self._reactor.callLater(0, self._look)

    def _look_at(self, datagram: bytes, remote: Remote) -> None:
        try:
            self._take(decode_message(datagram), remote)
        except SecurityError as error:
            self.dropped[TrapDrop.CREDENTIALS] += 1
            self.log.warn("a notification from {remote} is not taken: {error}", remote=remote, error=error)
        except WireError as error:
            self.dropped[TrapDrop.MALFORMED] += 1
            self.log.debug("{count} octets from {remote} dropped: {error}", count=len(datagram), remote=remote, error=error)
        except Exception:  # noqa: BLE001  # datagram received: whatever it was, the next one must be taken
            self.dropped[TrapDrop.FAILED] += 1
            self.log.failure("{count} octets from {remote}", count=len(datagram), remote=remote)

    def _take(self, message: CommunityMessage | SecureMessage, remote: Remote) -> None:
        if isinstance(message, SecureMessage) and message.engine_id in (b"", self._authority.engine_id):
            self._take_inform(message, remote)
            return
        router, pdu = self._recognized(message, remote)
        if pdu.kind not in _NOTIFICATIONS:
            self.dropped[TrapDrop.NO_NOTIFICATION] += 1
            return
        self._tell(router, pdu)
        if pdu.kind is PduKind.INFORM and isinstance(message, CommunityMessage):
            self._write(CommunityMessage(message.community, pdu.acknowledged()).encode(), remote)

    def _take_inform(self, message: SecureMessage, remote: Remote) -> None:
        candidates = ((router, router.profile.access) for router in self._candidates(remote))
        users = ((router, access) for router, access in candidates if isinstance(access, UserAccess))
        found = self._authority.taken(message, users)
        if isinstance(found, bytes):
            self._write(found, remote)
            return
        router, inform = found
        self._tell(router, inform.pdu)
        self._write(inform.acknowledgement, remote)

    def _recognized(self, message: CommunityMessage | SecureMessage, remote: Remote) -> tuple[Router, Pdu]:
        """Which of the routers at an address it is from. Raises SecurityError: the last router's reason, or that it may be several's."""
        refusal = SecurityError("of no router")
        found: list[tuple[Router, Pdu]] = []
        for router in self._candidates(remote):
            try:
                pdu = self._link.session(router).notified(message)
            except SecurityError as error:
                refusal = error
                continue
            if isinstance(message, SecureMessage) or _is_at(router, remote):
                return router, pdu
            found.append((router, pdu))
        if len(found) > 1:
            raise SecurityError(f"{len(found)} routers at this address have this community")
        if not found:
            raise refusal
        return found[0]

    def _candidates(self, remote: Remote) -> Iterator[Router]:
        """Routers at an address, first those whose port it is too: many may share one address behind a translator."""
        routers = self._by_host.get(remote[0], [])
        yield from sorted(routers, key=lambda router: not _is_at(router, remote))

    def _tell(self, router: Router, pdu: Pdu) -> None:
        self.taken += 1
        self._notified(router.router_id, notified_status(Variables(pdu.variables), notification_of(pdu.variables)))

    def _write(self, octets: bytes, remote: Remote) -> None:
        if self.transport is not None and self._port is not None:
            self.transport.write(octets, remote)


def _is_at(router: Router, remote: Remote) -> bool:
    addresses = (router.profile.address, router.profile.second_address)
    return any(address is not None and (address.host, address.port) == remote for address in addresses)
