"""Invocation ids, and the replies already given to requests that come again.

Source  reference/field-protocol-c1222.md 1.5
"""

from collections import OrderedDict

from headend.c1222.apdu import Apdu
from headend.c1222.limits import REPLIES_REMEMBERED_MAX
from headend.limits import INVOCATION_ID_MAX


def next_invocation_id(invocation_id: int, step: int = 1) -> int:
    """The id `step` after this one, within 1…32767."""
    return (invocation_id - 1 + step) % INVOCATION_ID_MAX + 1


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
