"""What was found at a meter that a partner has watched: that it is used, or that a register reached a value; an event's argument."""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple, Self

from headend.event_catalogue import THRESHOLD_REACHED, USAGE_SEEN
from headend.model.channels import CHANNELS, Flow, Unit
from headend.monitoring import MonitoringKind

WATCHED_CODES: Mapping[int, MonitoringKind] = {USAGE_SEEN: MonitoringKind.USAGE, THRESHOLD_REACHED: MonitoringKind.THRESHOLD}
"""Events that are found at watched meters, and what is watched for where they are."""

USE_CHANNELS = frozenset(
    one.channel_id for one in CHANNELS.values() if one.flow is Flow.DELIVERED and one.unit is not Unit.VAR_HOUR and not one.tier
)
"""Registers of what customers use."""


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
