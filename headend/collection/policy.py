"""How endpoints are collected: what a utility may choose, one frozen value."""

from dataclasses import dataclass, field

from headend import limits
from headend.retries import RetryPolicy


@dataclass(frozen=True, slots=True)
class CollectionPolicy:
    """Choices of one collector; waits in seconds.

    `reply_seconds` is the first wait for a reply, doubled with every repetition; `busy_seconds` the first wait for a device that is
    busy, doubled too. A device clock further off than `clock_drift_seconds_max` makes its readings doubtful; one off by more than
    `clock_set_seconds` and at most `clock_set_seconds_max` is set right, in a further exchange or an acknowledgement.
    `scheduled_registers` reads the present registers even where the meter keeps midnight self-reads. `retries` says when a missed
    interrogation is tried again.
    """

    conversations_max: int = limits.CONVERSATIONS_MAX
    conversations_per_router_max: int = limits.CONVERSATIONS_PER_ROUTER_MAX
    transmissions_max: int = limits.TRANSMISSIONS_MAX
    exchanges_max: int = limits.EXCHANGES_MAX
    reply_octets_max: int = limits.REPLY_OCTETS
    reply_seconds: float = 2.0
    busy_seconds: float = 2.0
    busy_replies_max: int = 5
    lease_seconds: float = limits.LEASE_SECONDS
    idle_seconds: float = 5.0
    clock_drift_seconds_max: float = 300.0
    clock_set_seconds: float = 30.0
    clock_set_seconds_max: float = 900.0
    scheduled_registers: bool = False
    retries: RetryPolicy = field(default=RetryPolicy())
