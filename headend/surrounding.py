"""What a head-end takes from the world: reactor, clock, chance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from os import urandom
from random import Random, SystemRandom
from typing import Any

Now = Callable[[], datetime]
DatagramRecorder = Callable[[str, bytes, tuple[str, int], tuple[str, int], float], None]
"""Takes what passes a link: direction, octets, local and remote address, UNIX seconds."""


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


class StockedRandom(SystemRandom):
    """The system's chance, fetched in stock: a question to the system for every id costs more than the id.

    Each piece is given once, whatever thread asks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stock: list[bytes] = []

    def getrandbits(self, k: int, /) -> int:
        """`k` random bits."""
        if not 0 < k <= 8 * _PIECE_OCTETS:
            return super().getrandbits(k)
        while True:
            try:
                piece = self._stock.pop()
            except IndexError:
                octets = urandom(_PIECES_IN_STOCK * _PIECE_OCTETS)
                self._stock.extend(octets[at : at + _PIECE_OCTETS] for at in range(0, len(octets), _PIECE_OCTETS))
            else:
                return int.from_bytes(piece) >> (8 * _PIECE_OCTETS - k)


_PIECE_OCTETS = 16
_PIECES_IN_STOCK = 256


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a service takes from the world: reactor, clock, chance, and where to record datagrams, if anywhere."""

    reactor: Any
    now: Now = utc_now
    random: Random = field(default_factory=StockedRandom)
    datagrams: DatagramRecorder | None = None
