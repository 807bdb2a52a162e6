"""What keeps a peer's messages from being played again, and its key from being guessed.

Source  reference/field-protocol-c1222.md 2, weakness; 1.3
"""

from collections import OrderedDict
from datetime import datetime
from enum import Enum

from headend.c1222.errors import ReplayError
from headend.c1222.limits import MAC_FAILURE_BURST, MAC_FAILURE_SECONDS, MAC_PEERS_MAX, REPLAY_ENTRIES, REPLAY_SECONDS

_ENTRY = 6


class Freshness(Enum):
    """How a message was accepted."""

    FRESH = "fresh"
    RECOVERY = "recovery"
    """Its clock is off and it says so: good for setting its time and for nothing else."""


class ReplayWindow:
    """The last messages of one peer, by initialization vector (UNIX seconds) and invocation id.

    Layout  up to 16 entries in ascending order, each iv: uint32 | invocation id: uint16; `packed` is all that must be persisted
    """

    __slots__ = ("packed",)

    def __init__(self, packed: bytes = b"") -> None:
        """From what was persisted. Raises ValueError for octets that are no window."""
        if len(packed) % _ENTRY or len(packed) > REPLAY_ENTRIES * _ENTRY:
            raise ValueError(f"{len(packed)} octets are no replay window")
        self.packed = packed

    def accept(self, iv: int, invocation_id: int, now: datetime, recovery: bool = False) -> Freshness:
        """Remember a message that has proved genuine. Raises ReplayError for one seen before, or too old or too far ahead to tell.

        One whose clock is off beyond the window but says that it recovers is let through, and not remembered: it would shut out
        the messages that follow once its clock is right.
        """
        if abs(iv - now.timestamp()) > REPLAY_SECONDS:
            if recovery:
                return Freshness.RECOVERY
            raise ReplayError(f"initialization vector more than {REPLAY_SECONDS} s from the clock", iv, invocation_id)
        packed = self.packed
        entry = iv.to_bytes(4) + invocation_id.to_bytes(2)
        if entry <= packed[-_ENTRY:]:
            self._insert(entry, iv, invocation_id)
        else:
            self.packed = (packed + entry)[-REPLAY_ENTRIES * _ENTRY :]
        return Freshness.FRESH

    def _insert(self, entry: bytes, iv: int, invocation_id: int) -> None:
        """A message that is not the newest."""
        entries = [self.packed[at : at + _ENTRY] for at in range(0, len(self.packed), _ENTRY)]
        if entry in entries:
            raise ReplayError("message repeated", iv, invocation_id)
        if len(entries) == REPLAY_ENTRIES:
            if entry < entries[0]:
                raise ReplayError("message older than the replay window", iv, invocation_id)
            del entries[0]
        self.packed = b"".join(sorted([*entries, entry]))


class MacFailures:
    """Counts wrong authentication codes per peer, and says when to stop looking: each forgives one more every ten seconds.

    Throttling a peer is what its forger can bring about, so it lasts only as long as the forgeries do.
    Counters  failures, throttled
    """

    def __init__(self, burst: int = MAC_FAILURE_BURST, seconds_each: float = MAC_FAILURE_SECONDS, peers_max: int = MAC_PEERS_MAX) -> None:
        self._burst = burst
        self._seconds_each = seconds_each
        self._peers_max = peers_max
        self._clear_at: OrderedDict[bytes, float] = OrderedDict()
        self.failures = 0
        self.throttled = 0

    def __len__(self) -> int:
        """How many peers have failures that are not forgiven."""
        return len(self._clear_at)

    def record(self, peer: bytes, now: datetime) -> None:
        """One wrong code from `peer` (the absolute title)."""
        seconds = now.timestamp()
        self.failures += 1
        self._clear_at[peer] = max(self._clear_at.get(peer, seconds), seconds) + self._seconds_each
        self._clear_at.move_to_end(peer)
        if len(self._clear_at) > self._peers_max:
            self._clear_at.popitem(last=False)

    def is_throttled(self, peer: bytes, now: datetime) -> bool:
        """Whether the next message of `peer` should be dropped unread."""
        clear_at = self._clear_at.get(peer)
        if clear_at is None:
            return False
        left = clear_at - now.timestamp()
        if left <= 0:
            del self._clear_at[peer]
            return False
        if left <= (self._burst - 1) * self._seconds_each:
            return False
        self.throttled += 1
        return True
