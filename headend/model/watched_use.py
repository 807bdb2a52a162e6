"""What was found at a meter that a partner has watched: that it is used, or that a register reached a value; an event's argument."""

import hashlib
import json
from typing import NamedTuple, Self


def whose(partner: str) -> str:
    """What stands for a partner in an event, which others may read."""
    return hashlib.sha256(partner.encode()).hexdigest()[:16]


class WatchedUse(NamedTuple):
    """A read of a register, and for whose item. `whose` stands for the partner.

    `used` is by how much it grew since the read before, in the same steps as `value`.

    Units  `value` and `used` × 10^`exponent` of the channel's unit
    """

    whose: str
    item_id: str
    channel_id: int
    exponent: int
    flags: int
    value: int
    used: int

    def pack(self) -> bytes:
        """As the argument of an event."""
        return json.dumps(self, separators=(",", ":")).encode()

    @classmethod
    def unpack(cls, argument: bytes) -> Self:
        """The same from it."""
        return cls(*json.loads(argument))
