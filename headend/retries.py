"""When a missed interrogation is tried again: a back-off that ends after some days, as a value; pure.

What is missed in a row is one run: either the endpoint was not heard at all, or it was heard and gave not all. Where the one turns into the
other the count begins anew, so that an endpoint that has refused a table for weeks is still tried again when it falls silent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from headend.model.collection import Collected
from headend.model.events import ExceptionKind

SPREAD = 0.2
"""Part of a wait by which endpoints differ: those behind one router that came back are not to speak all at once."""

_SCATTER, _SCATTERED = 2_654_435_761, 2**32
"""Knuth's multiplicative hash: neighbours get waits that are far apart, always the same ones."""


class Misses(NamedTuple):
    """Interrogations missed in a row, and since when; none where `since` is None."""

    in_a_row: int = 0
    since: datetime | None = None


NO_MISSES = Misses()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The first wait, doubled with each miss up to the longest, in seconds; after `give_up_seconds` only the schedule asks again."""

    first_seconds: float = 900.0
    seconds_max: float = 14_400.0
    give_up_seconds: float = 259_200.0

    def retry_at(self, endpoint_id: int, misses: Misses, now: datetime) -> datetime | None:
        """When an endpoint that has just missed its interrogation is to be asked again; None: not before the schedule says so."""
        if misses.since is None or (now - misses.since).total_seconds() >= self.give_up_seconds:
            return None
        # The exponent is bounded too: a wait of 2^1000 seconds is no number of them.
        wait = min(self.first_seconds * 2.0 ** min(misses.in_a_row - 1, 32), self.seconds_max)
        place = (endpoint_id * 31 + misses.in_a_row) * _SCATTER % _SCATTERED / _SCATTERED
        return now + timedelta(seconds=wait * (1 + SPREAD * (place - 0.5)))


NO_RETRIES = RetryPolicy(give_up_seconds=0)
"""Nothing is tried again."""


def is_missed(item: Collected, failed: bool) -> bool:
    """Whether an interrogation that ended so is to be tried again. A doubtful clock takes nothing from what came."""
    return failed and (item.exception is None or item.exception.kind is not ExceptionKind.CLOCK)


def with_miss(before: Misses, heard_before: datetime | None, heard_now: datetime | None, now: datetime) -> Misses:
    """The run once one more interrogation was missed, in which the endpoint was heard, or not."""
    begun = now if heard_now is None else min(heard_now, now)
    if before.since is None:
        return Misses(1, begun)
    was_heard = heard_before is not None and heard_before >= before.since
    return Misses(before.in_a_row + 1, before.since) if was_heard == (heard_now is not None) else Misses(1, begun)
