"""What a process measures of itself, utility by utility: plain numbers, for whoever shows them."""

from collections.abc import Mapping
from dataclasses import dataclass

from headend.status import StoreStatus


@dataclass(frozen=True, slots=True)
class Measures:
    """One utility in this process. Totals count since the process began; `status` is what its database said last, if it is asked."""

    utility: str
    totals: Mapping[str, int]
    dropped: Mapping[str, int]
    conversations: int
    assignments_waiting: int
    unlogged_exchanges: int
    status: StoreStatus | None
