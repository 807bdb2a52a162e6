"""What every format writes: a head, meters one by one, a tail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from headend.model.export import FileSet, MeterData
from headend.model.selections import Period
from headend.model.utility import Utility


@dataclass(frozen=True, slots=True)
class PartHead:
    """What a part says of itself. Nothing of it depends on when it is written: the same data make the same octets.

    `period` is the local `day`; `reported` is when corrections are told, None in other files.
    """

    utility: Utility
    files: FileSet
    day: date
    period: Period
    reported: datetime | None = None


class DocumentWriter(Protocol):
    """Writes one part."""

    def head(self) -> bytes:
        """What stands before the meters."""

    def meters(self, data: Sequence[MeterData], period: Period) -> bytes:
        """Meters with what they have of a period: the part's own, or another day's in corrections."""

    def tail(self) -> bytes:
        """What stands behind them."""
