"""The routers of a utility as managed devices: agents on their addresses, watched for changes, notifications to whoever is named."""

from collections.abc import Callable
from typing import Any

from twisted.internet import protocol
from twisted.internet.interfaces import IDelayedCall, IReactorTime, IUDPTransport
from twisted.logger import Logger

from emulators.router_agent import RouterAgent
from emulators.router_device import faults_from_json
from emulators.router_notifier import RouterNotifier
from emulators.router_traps import notifications
from headend.errors import RequestError

LOOK_SECONDS = 0.5
"""Real seconds between looks at what time alone has changed: reboots that end, batteries that run down."""

ROUTERS_PER_LOOK = 200

Address = tuple[str, int]


class ManagedRouter:
    """One router with its agent and notifier. `write` (octets, address, over the second uplink) sends a datagram."""

    def __init__(self, reactor: IReactorTime, agent: RouterAgent, wire: Callable[[], float]) -> None:
        self.agent = agent
        self.device = agent.device
        self.receiver: Address | None = None
        self.write: Callable[[bytes, Address, bool], None] = lambda _octets, _address, _second: None
        self.notifier = RouterNotifier(reactor, agent, wire, self._send)
        self._told = self.device.facts()

    def arrived(self, octets: bytes, address: Address, second: bool) -> None:
        """A datagram at one of its addresses; nothing where that is cut off."""
        if not self.device.reached_by(second):
            return
        if address == self.receiver:
            self.notifier.received(octets)
            return
        answer = self.agent.receive(octets)
        if answer is not None and self.device.reached_by(second):
            self.write(answer, address, second)

    def look(self) -> None:
        """Has anything changed that it has to tell?"""
        if not self.device.is_running:
            return
        facts = self.device.facts()
        found = list(notifications(self._told, facts, self.device.nodes))
        self._told = facts
        if self.receiver is not None:
            for notification in found:
                self.notifier.notify(notification)

    def _send(self, octets: bytes) -> None:
        """To the receiver over the first uplink that works; lost where none does."""
        if self.receiver is None:
            return
        for second in (False, True) if self.device.has_second_path else (False,):
            if self.device.reached_by(second):
                self.write(octets, self.receiver, second)
                return


class RouterFleet:
    """All of them, looked at every `look_seconds`."""

    def __init__(self, reactor: IReactorTime, routers: list[ManagedRouter], look_seconds: float = LOOK_SECONDS) -> None:
        self.routers = {router.device.name: router for router in routers}
        self._reactor = reactor
        self._look_seconds = look_seconds
        self._timer: IDelayedCall | None = None
        self._turn = 0

    def start(self) -> None:
        """Look after them from now on."""
        self._look()

    def stop(self) -> None:
        """Send nothing any more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for router in self.routers.values():
            router.notifier.stop()

    def notify(self, receiver: Address | None) -> None:
        """Notifications go there from now on."""
        for router in self.routers.values():
            router.receiver = receiver

    def router(self, name: str) -> ManagedRouter:
        """One by name. Raises RequestError."""
        found = self.routers.get(name)
        if found is None:
            raise RequestError(f"router {name!r} is not known")
        return found

    def set_faults(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Change what is wrong with one; what it is then. Raises RequestError."""
        router = self.router(name)
        router.device.set_faults(faults_from_json(body, router.device.faults))
        router.look()
        return router.device.to_json()

    def reboot(self, name: str, seconds: float) -> dict[str, Any]:
        """Let one start anew. Raises RequestError."""
        router = self.router(name)
        router.device.reboot(seconds)
        router.look()
        return router.device.to_json()

    def _look(self) -> None:
        self._timer = self._reactor.callLater(self._look_seconds, self._look)
        routers = list(self.routers.values())
        for offset in range(min(ROUTERS_PER_LOOK, len(routers))):
            routers[(self._turn + offset) % len(routers)].look()
        self._turn += ROUTERS_PER_LOOK


class AgentDatagrams(protocol.DatagramProtocol):
    """The socket of one of a router's addresses."""

    noisy = False
    log = Logger()
    transport: IUDPTransport | None

    def __init__(self, router: ManagedRouter, second: bool) -> None:
        self._router = router
        self._second = second

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:  # noqa: N802 (Twisted's name)
        """Answer one datagram; a bug of ours is logged and costs this datagram only."""
        try:
            self._router.arrived(datagram, addr[:2], self._second)
        except Exception:  # noqa: BLE001
            self.log.failure("a datagram made the emulated agent fail")

    def write(self, octets: bytes, address: Address) -> None:
        """Send one."""
        if self.transport is not None:
            self.transport.write(octets, address)
