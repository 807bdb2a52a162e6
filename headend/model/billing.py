"""Values of billing reads: what is wanted of a meter at the end of a cycle, and the read that was chosen or why there is none."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from headend.model.readings import RegisterRow
from headend.model.selections import Period


class ReadRule(StrEnum):
    """Which of several reads in a window is *the* read, where they are equally good."""

    CLOSEST = "closest"
    LATEST = "latest"
    EARLIEST = "earliest"


@dataclass(frozen=True, slots=True)
class LookAround:
    """How far from the local day of the billing date a read may lie, in days; 0 is that day only.

    `energy_back` is for registers of what was consumed; `demand_back` and `demand_forward` for the highest demand.
    """

    energy_back: int = 0
    demand_back: int = 0
    demand_forward: int = 0


@dataclass(frozen=True, slots=True)
class ReadWindow:
    """Where a read is looked for: at or after `start`, before `end`, and about which instant it should be."""

    start: datetime
    end: datetime
    target: datetime


@dataclass(frozen=True, slots=True)
class MeterTerm:
    """One meter's part in a bill cycle: installed at a service point from `started`, until `ended` where it was removed."""

    service_point_no: str
    started: datetime
    ended: datetime | None


class NoReadReason(StrEnum):
    """Why a meter has no billing read."""

    NEVER_READ = "no reading of this meter has been collected yet"
    STALE = "the newest reading is older than the look-back"
    NONE_IN_WINDOW = "no reading lies within the look-back"
    WORTHLESS = "every reading within the look-back is flagged as worth nothing"


@dataclass(frozen=True, slots=True)
class NoRead:
    """A meter without a read, and when it was read last, where it ever was."""

    reason: NoReadReason
    newest: datetime | None = None


@dataclass(frozen=True, slots=True)
class PeakDemand:
    """The highest mean power of any interval: energy of the interval × 10^`exponent` Wh, its length and its end.

    `gaps` says whether intervals of the window are not known: then there may have been a higher one.
    """

    energy: int
    exponent: int
    interval_seconds: int
    end_us: int
    gaps: bool


@dataclass(frozen=True, slots=True)
class BillingRead:
    """What is billed of one meter: a read for each channel that has one, else the reason; its peak demand where one is known."""

    window: ReadWindow
    registers: tuple[RegisterRow, ...]
    none: NoRead | None
    peak: PeakDemand | None = None
    term: MeterTerm | None = None


def spanning(windows: list[ReadWindow]) -> Period:
    """The period that holds all of some windows."""
    return Period(min(w.start for w in windows), max(w.end for w in windows))
