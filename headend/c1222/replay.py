"""What keeps a peer's messages from being played again, and its key from being guessed.

Source  reference/field-protocol-c1222.md 2, weakness; 1.3
"""

from collections import OrderedDict
from datetime import datetime
from enum import Enum
from typing import NamedTuple

from headend.c1222.errors import ReplayError
from headend.c1222.limits import MAC_FAILURE_BURST, MAC_FAILURE_SECONDS, MAC_PEERS_MAX, REPLAY_ENTRIES, REPLAY_SECONDS
from headend.limits import INVOCATION_ID_MAX

_ENTRY = 6
_RANGE = 1 + 2 * _ENTRY
_RANGE_MARK = b"\x01"
_HALF_OF_IDS = INVOCATION_ID_MAX // 2


class Freshness(Enum):
    """What a message that has proved genuine is good for."""

    FRESH = "fresh"
    DOUBTFUL = "doubtful"
    """Its clock is off, but it is newer than all that were accepted: good, but for its dates."""
    UNTIMELY = "untimely"
    """Its clock is off and it may be an old one played again: good for telling its sender the time, and for nothing else."""


class DoubtfulRange(NamedTuple):
    """All doubtful messages accepted lie between the first and the last of them, by initialization vector and by invocation id.

    A peer's ids go on counting whatever its clock does: once that is right, no genuine message lies in the range again, though its
    seconds come round.
    """

    iv: int
    invocation_id: int
    last_iv: int
    last_invocation_id: int

    def holds(self, iv: int, invocation_id: int) -> bool:
        """Whether a message may be one of those accepted."""
        return self.iv <= iv <= self.last_iv and self._place(invocation_id) <= self._place(self.last_invocation_id)

    def with_next(self, iv: int, invocation_id: int) -> "DoubtfulRange | None":
        """The range with one more message; None for one that is not newer than all of them."""
        last, place = self._place(self.last_invocation_id), self._place(invocation_id)
        if iv <= self.last_iv or not last < place <= _HALF_OF_IDS:
            return None
        return self._replace(last_iv=iv, last_invocation_id=invocation_id)

    def _place(self, invocation_id: int) -> int:
        return (invocation_id - self.invocation_id) % INVOCATION_ID_MAX


class ReplayWindow:
    """The last messages of one peer, by initialization vector (UNIX seconds) and invocation id.

    Layout  where doubtful ones were accepted: 01 | first | last of them; then up to 16 entries in ascending order, each as those two
        iv: uint32 | invocation id: uint16; `packed` is all that must be persisted
    """

    __slots__ = ("packed",)

    def __init__(self, packed: bytes = b"") -> None:
        """From what was persisted. Raises ValueError for octets that are no window."""
        ranged = packed[:1] == _RANGE_MARK and len(packed) % _ENTRY == 1
        entries = len(packed) - _RANGE if ranged else len(packed)
        if entries % _ENTRY or not 0 <= entries <= REPLAY_ENTRIES * _ENTRY:
            raise ValueError(f"{len(packed)} octets are no replay window")
        self.packed = packed

    def accept(self, iv: int, invocation_id: int, now: datetime) -> None:
        """Remember a message that has proved genuine. Raises ReplayError for one seen before, or too old or too far ahead to tell."""
        if self.judge(iv, invocation_id, now) is not Freshness.FRESH:
            raise ReplayError(f"initialization vector more than {REPLAY_SECONDS} s from the clock", iv, invocation_id)

    def judge(self, iv: int, invocation_id: int, now: datetime) -> Freshness:
        """What a genuine message is good for; one that is fresh or doubtful is remembered. Raises ReplayError for one seen before.

        An untimely one is not remembered: it would shut out those that follow once its sender's clock is right.
        """
        packed = self.packed
        entry = iv.to_bytes(4) + invocation_id.to_bytes(2)
        off = abs(iv - now.timestamp()) > REPLAY_SECONDS
        if off or len(packed) % _ENTRY:
            return self._judge_beside_range(entry, now, off=off)
        is_newest = entry > packed[-_ENTRY:]
        self.packed = (packed + entry)[-REPLAY_ENTRIES * _ENTRY :] if is_newest else _inserted(packed, entry)
        return Freshness.FRESH

    def _judge_beside_range(self, entry: bytes, now: datetime, *, off: bool) -> Freshness:
        """The same where its clock is off, or doubtful ones were accepted before."""
        doubtful, entries = self._parts()
        iv, invocation_id = _numbers(entry)
        if doubtful is not None and doubtful.holds(iv, invocation_id):
            raise ReplayError("message dated as doubtful ones that were accepted", iv, invocation_id)
        if not off:
            entries = _inserted(entries, entry)
            if doubtful is not None and doubtful.last_iv < min(_numbers(entries[-_ENTRY:])[0], now.timestamp() - REPLAY_SECONDS):
                doubtful = None  # whatever is as old as it is is not newer than what is remembered
            self._keep(doubtful, entries)
            return Freshness.FRESH
        if entries and iv <= _numbers(entries[-_ENTRY:])[0]:
            return Freshness.UNTIMELY
        first = DoubtfulRange(iv, invocation_id, iv, invocation_id)
        widened = first if doubtful is None else doubtful.with_next(iv, invocation_id)
        if widened is None:
            return Freshness.UNTIMELY
        self._keep(widened, entries)
        return Freshness.DOUBTFUL

    def _parts(self) -> tuple[DoubtfulRange | None, bytes]:
        if not len(self.packed) % _ENTRY:
            return None, self.packed
        first, last = self.packed[1 : 1 + _ENTRY], self.packed[1 + _ENTRY : _RANGE]
        return DoubtfulRange(*_numbers(first), *_numbers(last)), self.packed[_RANGE:]

    def _keep(self, doubtful: DoubtfulRange | None, entries: bytes) -> None:
        if doubtful is None:
            self.packed = entries
            return
        iv, invocation_id, last_iv, last_invocation_id = doubtful
        first, last = iv.to_bytes(4) + invocation_id.to_bytes(2), last_iv.to_bytes(4) + last_invocation_id.to_bytes(2)
        self.packed = _RANGE_MARK + first + last + entries


def _numbers(entry: bytes) -> tuple[int, int]:
    return int.from_bytes(entry[:4]), int.from_bytes(entry[4:])


def _inserted(packed: bytes, entry: bytes) -> bytes:
    """Entries with one more, wherever it belongs."""
    entries = [packed[at : at + _ENTRY] for at in range(0, len(packed), _ENTRY)]
    if entry in entries:
        raise ReplayError("message repeated", *_numbers(entry))
    if len(entries) == REPLAY_ENTRIES:
        if entry < entries[0]:
            raise ReplayError("message older than the replay window", *_numbers(entry))
        del entries[0]
    return b"".join(sorted([*entries, entry]))


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
