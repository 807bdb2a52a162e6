"""Pairs replies with requests, and requests with the replies already given.

A reply is known by who sends it and by the invocation id it answers, never by the address it comes from.
Source  reference/field-protocol-c1222.md 1.5
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

from headend.c1222.apdu import Apdu
from headend.c1222.identifiers import ApTitle
from headend.c1222.limits import EXCHANGES_OUTSTANDING_MAX, REPLIES_REMEMBERED_MAX
from headend.errors import RequestError
from headend.limits import INVOCATION_ID_MAX

T = TypeVar("T")


def next_invocation_id(invocation_id: int, step: int = 1) -> int:
    """The id `step` after this one, within 1…32767."""
    return (invocation_id - 1 + step) % INVOCATION_ID_MAX + 1


@dataclass(slots=True)
class Exchange(Generic[T]):
    """One request under way: its octets, which are what is sent again on silence, and what its reply is for."""

    called: ApTitle
    invocation_id: int
    octets: bytes
    purpose: T
    transmissions: int = 1


class Invoker(Generic[T]):
    """The requests waiting for a reply.

    A reply is found first and settled once it has proved genuine, so that a forged one cannot end an exchange.
    Counters  settled, unexpected (replies to nothing that waits: late, twice, or from strangers)
    """

    def __init__(self, outstanding_max: int = EXCHANGES_OUTSTANDING_MAX) -> None:
        self._waiting: dict[tuple[bytes, int], Exchange[T]] = {}
        self._outstanding_max = outstanding_max
        self.settled = 0
        self.unexpected = 0

    def __len__(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def begin(self, called: ApTitle, invocation_id: int, octets: bytes, purpose: T) -> Exchange[T]:
        """A request that is about to be sent. Raises RequestError when too many wait, or one with this id to this title."""
        key = (called.absolute, invocation_id)
        if key in self._waiting:
            raise RequestError(f"invocation id {invocation_id} is already waiting for {called}")
        if len(self._waiting) >= self._outstanding_max:
            raise RequestError(f"{len(self._waiting)} requests wait already")
        exchange = self._waiting[key] = Exchange(called, invocation_id, octets, purpose)
        return exchange

    def find(self, reply: Apdu) -> Exchange[T] | None:
        """The exchange this reply belongs to; None, and counted, for a late one, a second one or a stranger's."""
        exchange = None if reply.reply_to is None else self._waiting.get((reply.calling.absolute, reply.reply_to))
        if exchange is None:
            self.unexpected += 1
        return exchange

    def resend(self, exchange: Exchange[T]) -> bytes | None:
        """The same octets once more; None when the exchange is over."""
        if self._waiting.get((exchange.called.absolute, exchange.invocation_id)) is not exchange:
            return None
        exchange.transmissions += 1
        return exchange.octets

    def settle(self, exchange: Exchange[T]) -> bool:
        """End an exchange whose reply has been accepted; False when it was over already."""
        ended = self.abandon(exchange)
        self.settled += ended
        return ended

    def abandon(self, exchange: Exchange[T]) -> bool:
        """End an exchange without a reply; False when it was over already."""
        key = (exchange.called.absolute, exchange.invocation_id)
        if self._waiting.get(key) is not exchange:
            return False
        del self._waiting[key]
        return True


class Responder:
    """The last reply to each (called title, calling title, invocation id): a request that comes again is answered again, not done again.

    The same id with other octets is a new request (ids come round), so the request is kept beside its reply.
    Counter  repeated
    """

    def __init__(self, remembered_max: int = REPLIES_REMEMBERED_MAX) -> None:
        self._replies: OrderedDict[tuple[bytes, bytes, int], tuple[bytes, tuple[bytes, ...]]] = OrderedDict()
        self._remembered_max = remembered_max
        self.repeated = 0

    def __len__(self) -> int:
        return len(self._replies)

    def recall(self, request: Apdu, octets: bytes) -> tuple[bytes, ...] | None:
        """The reply (its APDU, or its segments) given to these very octets before; None when they are new.

        An empty reply was a request that wanted none: done, and not to be done again.
        """
        remembered = self._replies.get(_key(request))
        if remembered is None or remembered[0] != octets:
            return None
        self.repeated += 1
        return remembered[1]

    def remember(self, request: Apdu, octets: bytes, reply: tuple[bytes, ...]) -> None:
        """Keep a reply; past the bound the oldest is forgotten."""
        key = _key(request)
        self._replies[key] = (octets, reply)
        self._replies.move_to_end(key)
        if len(self._replies) > self._remembered_max:
            self._replies.popitem(last=False)


def _key(request: Apdu) -> tuple[bytes, bytes, int]:
    return request.called.absolute, request.calling.absolute, request.invocation_id
