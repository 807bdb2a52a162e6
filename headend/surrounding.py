"""What a head-end takes from the world: reactor, clock, chance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Any

Now = Callable[[], datetime]
DatagramRecorder = Callable[[str, bytes, tuple[str, int], tuple[str, int], float], None]
"""Takes what passes a link: direction, octets, local and remote address, UNIX seconds."""


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a service takes from the world: reactor, clock, chance, and where to record datagrams, if anywhere."""

    reactor: Any
    now: Now = utc_now
    random: Random = field(default_factory=SystemRandom)
    datagrams: DatagramRecorder | None = None
