"""Sends a router's notifications: traps, or informs that are repeated until they are acknowledged; versions 2c and 3.

Source  RFC 3416 4.2.6 and 4.2.7, RFC 3414 4 (the receiver of an inform is the authoritative engine, and is asked for its time first)
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from emulators.router_agent import RouterAgent
from emulators.router_traps import Notification
from emulators.snmp_ber import Tag
from emulators.snmp_message import AUTH, PRIVACY, REPORTABLE, CommunityMessage, ScopedPdu, SecureMessage, parse_message
from emulators.snmp_pdu import Pdu, VarBind
from emulators.snmp_usm import LocalUser
from headend.errors import WireError
from headend.model.router import CommunityAccess, UserAccess

INFORM_SECONDS = 5.0
"""Real seconds an acknowledgement is waited for."""

TRIES = 4
"""Times an inform is sent, asking for the receiver's time not counted."""

WAITING_MAX = 64
"""Notifications that wait for their turn; what comes then is lost, as a router's own buffer would lose it."""

NUMBER_MAX = 2**31 - 1


@dataclass(slots=True)
class _Receiver:
    """The receiver's engine, as far as it is known, and the user's keys there."""

    user: LocalUser
    engine_id: bytes
    boots: int
    offset_seconds: float


class RouterNotifier:
    """The notifications of one router; `send` takes octets to the receiver, if there is one and a way to it."""

    def __init__(self, reactor: IReactorTime, agent: RouterAgent, wire: Callable[[], float], send: Callable[[bytes], None]) -> None:
        self._reactor = reactor
        self._agent = agent
        self._wire = wire
        self._send = send
        self._number = 0
        self._informs: deque[tuple[VarBind, ...]] = deque()
        self._tries = 0
        self._timer: IDelayedCall | None = None
        self._receiver: _Receiver | None = None
        self.lost = 0
        """Notifications that nobody acknowledged, or for which there was no room."""

    def notify(self, notification: Notification) -> None:
        """Send it, now or after those before it."""
        variables = notification.variables(self._agent.view())
        if not self._agent.device.informs:
            self._send(self._trap(variables))
        elif len(self._informs) >= WAITING_MAX:
            self.lost += 1
        else:
            self._informs.append(variables)
            if len(self._informs) == 1:
                self._tries = 0
                self._inform()

    def stop(self) -> None:
        """Wait for nothing any more."""
        self._informs.clear()
        self._cancel()

    def received(self, octets: bytes) -> None:
        """A datagram of the receiver: an acknowledgement, or a report of its engine and time."""
        try:
            message = parse_message(octets)
            if isinstance(message, CommunityMessage):
                self._acknowledged(message.pdu)
            else:
                self._answered(message)
        except WireError:
            return

    def _trap(self, variables: tuple[VarBind, ...]) -> bytes:
        device = self._agent.device
        access = device.access
        pdu = Pdu(Tag.TRAP, self._next(), variables)
        if isinstance(access, CommunityAccess):
            return CommunityMessage(access.community.encode(), pdu).encode()
        scoped = ScopedPdu(device.engine_id, b"", pdu).encode()
        seconds = int(device.uptime_seconds)
        message = SecureMessage(self._number, AUTH | PRIVACY, device.engine_id, device.boots, seconds, b"", scoped)
        return message.sealed(LocalUser.at(access, device.engine_id), self._agent.next_salt())

    def _inform(self) -> None:
        """Send the first of those that wait, or first ask for the receiver's engine."""
        self._cancel()
        access = self._agent.device.access
        pdu = Pdu(Tag.INFORM, self._next(), self._informs[0])
        if isinstance(access, CommunityAccess):
            octets = CommunityMessage(access.community.encode(), pdu).encode()
        elif self._receiver is None:
            nothing = ScopedPdu(b"", b"", Pdu(Tag.GET, self._number, ())).encode()
            octets = SecureMessage(self._number, REPORTABLE, b"", 0, 0, b"", nothing).encode()
        else:
            octets = self._sealed(self._receiver, pdu)
        self._timer = self._reactor.callLater(INFORM_SECONDS, self._timed_out)
        self._send(octets)

    def _sealed(self, receiver: _Receiver, pdu: Pdu) -> bytes:
        scoped = ScopedPdu(self._agent.device.engine_id, b"", pdu).encode()
        seconds = max(0, int(self._wire() + receiver.offset_seconds))
        flags = AUTH | PRIVACY | REPORTABLE
        message = SecureMessage(self._number, flags, receiver.engine_id, receiver.boots, seconds, b"", scoped)
        return message.sealed(receiver.user, self._agent.next_salt())

    def _answered(self, message: SecureMessage) -> None:
        access = self._agent.device.access
        if not isinstance(access, UserAccess) or message.message_id != self._number or not self._informs:
            return
        receiver = self._receiver
        if not message.digest:
            if receiver is None or receiver.engine_id != message.engine_id:
                user = LocalUser.at(access, message.engine_id)
                self._receiver = _Receiver(user, message.engine_id, message.boots, message.seconds - self._wire())
                self._inform()
            return
        if receiver is None:
            return
        message.verify(receiver.user)
        pdu = message.opened(receiver.user).pdu
        if pdu.tag is Tag.REPORT:
            receiver.boots, receiver.offset_seconds = message.boots, message.seconds - self._wire()
            self._inform()
        else:
            self._acknowledged(pdu)

    def _acknowledged(self, pdu: Pdu) -> None:
        if self._informs and pdu.tag is Tag.RESPONSE and pdu.request_id == self._number:
            self._informs.popleft()
            self._go_on()

    def _timed_out(self) -> None:
        self._tries += 1
        if self._tries < TRIES:
            self._inform()
            return
        self.lost += 1
        self._informs.popleft()
        self._receiver = None
        self._go_on()

    def _go_on(self) -> None:
        self._cancel()
        self._tries = 0
        if self._informs:
            self._inform()

    def _cancel(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _next(self) -> int:
        self._number = self._number % NUMBER_MAX + 1
        return self._number
