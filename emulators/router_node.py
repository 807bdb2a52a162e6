"""A router (or a cellular endpoint's modem) sans-IO: relays by called ApTitle between its socket and its meters, with what goes wrong.

SNMP is its agent's business (`router_agent`), which reports `Traffic`; what is wrong with the router's hardware keeps both silent.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from emulators.faults import FaultKind, Target
from emulators.world import World, refusal
from headend.c1222.acse import parse_apdu
from headend.c1222.apdu import Apdu
from headend.c1222.exchange import next_invocation_id
from headend.c1222.responses import ResponseCode
from headend.c1222.segmentation import Reassembler
from headend.errors import WireError

Delivery = tuple[float, bytes]
"""(seconds from now, octets) of one datagram."""


@dataclass(slots=True)
class Traffic:
    """What went through one socket; octets are those of APDUs."""

    datagrams_in: int = 0
    octets_in: int = 0
    datagrams_out: int = 0
    octets_out: int = 0
    dropped: int = 0

    def sent(self, octets: bytes) -> None:
        """Count a datagram on its way out."""
        self.datagrams_out += 1
        self.octets_out += len(octets)


class RouterNode:
    """One relay. `router` is its number; None for the modem of the cellular endpoint `index`."""

    __slots__ = ("_hop_seconds", "_index", "_invocation_id", "_reassembler", "_router", "_world", "traffic")

    def __init__(self, world: World, router: int | None, index: int | None = None, hop_seconds: float = 0.0) -> None:
        self._world = world
        self._router = router
        self._index = index
        self._hop_seconds = hop_seconds
        self._invocation_id = 1
        self._reassembler = Reassembler()
        self.traffic = Traffic()

    def receive(self, octets: bytes) -> Iterator[Delivery]:
        """What one datagram from the head-end side leads to, sooner or later. Never raises for what came off the wire."""
        if not self._relays:
            return
        traffic = self.traffic
        traffic.datagrams_in += 1
        traffic.octets_in += len(octets)
        try:
            apdu = parse_apdu(octets)
            if apdu.is_segment:
                whole = self._reassembler.add(apdu, self._world.wire_time())
                if whole is None:
                    return
                apdu, octets = parse_apdu(whole), whole
        except WireError:
            traffic.dropped += 1
            return
        index = self._world.find(apdu.called)
        if index is None or not self._serves(index):
            if apdu.reply_to is None:
                self._invocation_id = next_invocation_id(self._invocation_id)
                yield self._hop_seconds, refusal(apdu, self._invocation_id, ResponseCode.UAT)
            return
        if not self._world.faults.faults:
            for reply in self._exchange(index, apdu, octets):
                yield self._hop_seconds, reply
            return
        yield from self._troubled(index, octets)

    @property
    def _relays(self) -> bool:
        return self._router is None or self._world.router_devices[self._router].relays

    def _serves(self, index: int) -> bool:
        return index == self._index if self._router is None else self._world.population.router(index) == self._router

    def _exchange(self, index: int, apdu: Apdu, octets: bytes) -> tuple[bytes, ...]:
        if apdu.reply_to is not None:
            return self._world.acknowledged(index, apdu)
        return self._world.answer(index, apdu, octets)

    def _troubled(self, index: int, octets: bytes) -> Iterator[Delivery]:
        """The same exchange with faults on both ways."""
        faults, target = self._world.faults, self._world.target(index)
        for there_seconds, arrived in faults.deliveries(octets, target):
            try:
                apdu = parse_apdu(arrived)
            except WireError:
                self.traffic.dropped += 1
                continue
            replies = self._exchange(index, apdu, arrived) if self._world.find(apdu.called) == index else ()
            if faults.strikes(FaultKind.ANSWER_LOST, target):
                continue
            for reply in replies:
                for back_seconds, delivered in faults.deliveries(reply, target):
                    yield self._hop_seconds + there_seconds + back_seconds, delivered

    def outgoing(self, octets: bytes, target: Target) -> Iterator[Delivery]:
        """What becomes of a datagram that one of its meters sends on its own."""
        if not self._relays:
            return
        for seconds, delivered in self._world.faults.deliveries(octets, target):
            yield self._hop_seconds + seconds, delivered
