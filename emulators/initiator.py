"""Messages that endpoints send on their own and want answered: resent in the same octets, ended by the reply or by silence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from emulators.world import World
from headend.c1222.apdu import Apdu
from headend.c1222.message import ResponseControl, SecurityMode
from headend.errors import WireError

OUTSTANDING_MAX = 20_000
"""Endpoints that wait for a reply at once: all battery endpoints of a large utility after its clock was turned by a day."""

Ended = Callable[[tuple[bytes, ...] | None], None]
"""Called once with the services of the reply, or None when there was none."""


@dataclass(slots=True)
class _Waiting:
    invocation_id: int
    octets: bytes
    ended: Ended
    transmissions_left: int
    timer: IDelayedCall | None = None


class Initiator:
    """Sends for endpoints; one message of an endpoint waits at a time."""

    def __init__(self, reactor: IReactorTime, world: World, send: Callable[[int, bytes], None], reply_seconds: float) -> None:
        self._reactor = reactor
        self._world = world
        self._send = send
        self._reply_seconds = reply_seconds
        self._waiting: dict[int, _Waiting] = {}
        world.acknowledged = self.received

    @property
    def full(self) -> bool:
        """Whether no more may be begun now."""
        return len(self._waiting) >= OUTSTANDING_MAX

    def is_waiting(self, index: int) -> bool:
        """Whether an endpoint's message is under way."""
        return index in self._waiting

    def ask(self, index: int, services: Sequence[bytes], ended: Ended, qualifier: int | None = None, transmissions: int = 3) -> None:
        """Send a message that wants a reply."""
        octets, invocation_id = self._encode(index, services, ResponseControl.ALWAYS, qualifier)
        waiting = self._waiting[index] = _Waiting(invocation_id, octets, ended, transmissions)
        self._transmit(index, waiting)

    def tell(self, index: int, services: Sequence[bytes], qualifier: int, delay_seconds: float = 0.0) -> None:
        """Send a message that wants none, secured now, and on its way `delay_seconds` later."""
        octets, _ = self._encode(index, services, ResponseControl.NEVER, qualifier)
        if delay_seconds > 0:
            self._reactor.callLater(delay_seconds, self._send, index, octets)
        else:
            self._send(index, octets)

    def _encode(self, index: int, services: Sequence[bytes], control: ResponseControl, qualifier: int | None) -> tuple[bytes, int]:
        world = self._world
        invocation_id = world.next_invocation_id(index)
        meter = world.meter(index)
        iv = int(world.wire()) + meter.device_now - meter.now
        association = world.association(index, world.head_end, SecurityMode.ENCRYPTED)
        return association.encode(services, invocation_id, iv, response_control=control, qualifier=qualifier), invocation_id

    def _transmit(self, index: int, waiting: _Waiting) -> None:
        waiting.transmissions_left -= 1
        waiting.timer = self._reactor.callLater(self._reply_seconds, self._silence, index, waiting)
        self._send(index, waiting.octets)

    def _silence(self, index: int, waiting: _Waiting) -> None:
        if self._waiting.get(index) is not waiting:
            return
        if waiting.transmissions_left > 0:
            self._transmit(index, waiting)
            return
        del self._waiting[index]
        waiting.ended(None)

    def received(self, index: int, apdu: Apdu) -> tuple[bytes, ...]:
        """A reply came for an endpoint; what is not genuine or not awaited changes nothing. Nothing is answered to it."""
        waiting = self._waiting.get(index)
        if waiting is None or apdu.reply_to != waiting.invocation_id or apdu.calling.absolute != self._world.head_end.absolute:
            return ()
        try:
            services = self._world.association(index, apdu.calling, SecurityMode.ENCRYPTED).open(apdu)
        except WireError:
            return ()
        del self._waiting[index]
        if waiting.timer is not None and waiting.timer.active():
            waiting.timer.cancel()
        waiting.ended(services)
        return ()

    def stop(self) -> None:
        """Forget all that wait."""
        waiting, self._waiting = self._waiting, {}
        for one in waiting.values():
            if one.timer is not None and one.timer.active():
                one.timer.cancel()
