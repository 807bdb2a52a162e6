"""How commands are carried out: what a utility may choose, one frozen value."""

from dataclasses import dataclass

from headend import limits


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """Choices of one driver of commands; waits in seconds.

    `answer_seconds` is how long somebody who waits is let wait for an endpoint on mains: real clients wait `client_seconds`, then nobody
    waits any more. `reply_seconds` is the first wait for a reply, each further one `reply_growth` times as long. `switch_seconds` is how
    long a switch may take to move, `look_seconds` how often it is looked at meanwhile; `late_seconds` after it was told a meter that has
    not heard of it will not. `retry_seconds` is the first wait before an endpoint that did not answer is asked again where nobody waits,
    doubled each time up to `retry_seconds_max`. From `dead_side_volts` on there is voltage on the load side.
    """

    conversations_max: int = limits.COMMANDS_MAX
    conversations_per_router_max: int = limits.COMMANDS_PER_ROUTER_MAX
    batch_part: float = 0.75
    transmissions_max: int = limits.TRANSMISSIONS_MAX
    reply_seconds: float = 2.0
    reply_growth: float = 1.5
    reply_octets_max: int = limits.REPLY_OCTETS
    busy_seconds: float = 1.0
    busy_replies_max: int = 4
    answer_seconds: float = 38.0
    client_seconds: float = 45.0
    lease_seconds: float = limits.COMMAND_LEASE_SECONDS
    idle_seconds: float = 0.5
    switch_seconds: float = 20.0
    look_seconds: float = 1.0
    late_seconds: float = 25.0
    retry_seconds: float = 60.0
    retry_seconds_max: float = 3_600.0
    dead_side_volts: int = 30
    clock_off_seconds_max: float = 5.0
