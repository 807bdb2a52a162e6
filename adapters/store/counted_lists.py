"""How many instants follow a place in a list of register reads, kept while none is recorded or purged: pages of a list are counted once.

What is kept holds for transactions that see the change sequence under which it was counted: whatever records or purges reads raises it.
"""

from collections.abc import Mapping
from threading import Lock

from adapters.store.limits import PLACES_COUNTED_MAX

Place = tuple[str, tuple[int, ...]]
"""The statement of what follows, and its parameters."""


class CountedLists:
    """Counts by place, of one change sequence; for several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._change_seq = -1
        self._counts: dict[Place, int] = {}

    def count(self, change_seq: int, place: Place) -> int | None:
        """How many follow a place as a transaction sees it that sees this change sequence; None where it has to count."""
        with self._lock:
            return self._counts.get(place) if change_seq == self._change_seq else None

    def keep(self, change_seq: int, counts: Mapping[Place, int]) -> None:
        """Remember what such a transaction counted."""
        with self._lock:
            if change_seq != self._change_seq or len(self._counts) + len(counts) > PLACES_COUNTED_MAX:
                self._counts.clear()
                self._change_seq = change_seq
            self._counts |= counts
