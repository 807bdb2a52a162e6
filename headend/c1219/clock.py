"""Device seconds ⇄ UTC, for meters whose clocks keep UTC, local standard time, or local time with daylight saving.

Intervals are elapsed time: only the end of a block is ever converted, its other slots are counted back in UTC, so days of 23 and 25
hours need no rule of their own.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import lru_cache
from zoneinfo import ZoneInfo

from headend.c1219.clock_tables import ClockQualifier
from headend.c1219.tables import ST_CLOCK, TableError
from headend.errors import WireError

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a device's clock has no zone of its own
EPOCH_UTC = datetime(1970, 1, 1, tzinfo=UTC)


class ClockKind(Enum):
    """What the device's clock keeps."""

    UTC = "UTC"
    STANDARD = "local standard time"
    WALL = "local time with daylight saving"


class NonexistentTimeError(WireError):
    """A wall time that the zone's clocks skip in spring."""

    def __init__(self, wall: datetime, zone: str) -> None:
        self.wall = wall
        self.zone = zone
        super().__init__(f"{wall:%Y-%m-%d %H:%M:%S} does not exist in {zone}")


@dataclass(frozen=True, slots=True)
class TimeBase:
    """How one device's stamps relate to UTC; `zone` is the utility's."""

    kind: ClockKind
    zone: ZoneInfo

    @classmethod
    def of(cls, qualifier: ClockQualifier, zone: ZoneInfo) -> "TimeBase":
        """By ST52: GMT is UTC; else local, with daylight saving where the clock applies it. Raises TableError for GMT with corrections."""
        if qualifier.gmt:
            if qualifier.zone_applied or qualifier.dst_applied:
                raise TableError(ST_CLOCK, "the clock says both GMT and corrected for a zone")
            return time_base(ClockKind.UTC, zone)
        return time_base(ClockKind.WALL if qualifier.dst_applied else ClockKind.STANDARD, zone)

    def to_utc(self, device_seconds: int, dst: bool | None = None, fold: int = 0) -> datetime:
        """The instant of a stamp.

        In the hour that comes twice in autumn `dst` decides (the interval's status bit), and where it is None, `fold` (0 the first).
        Elsewhere the zone decides. Raises NonexistentTimeError.
        """
        instant, doubtful = self.resolve(device_seconds, dst, fold)
        if doubtful:
            raise NonexistentTimeError(EPOCH + timedelta(seconds=device_seconds), self.zone.key)
        return instant

    def resolve(self, device_seconds: int, dst: bool | None = None, fold: int = 0) -> tuple[datetime, bool]:
        """As to_utc, but a nonexistent time is taken as the standard time it would be, with True beside it."""
        if self.kind is ClockKind.UTC:
            return EPOCH_UTC + timedelta(seconds=device_seconds), False
        wall = EPOCH + timedelta(seconds=device_seconds)
        if self.kind is ClockKind.STANDARD:
            return (wall - standard_offset(self.zone, wall.year)).replace(tzinfo=UTC), False
        first, second = (self._at(wall, f) for f in (0, 1))
        if first == second:
            return first, False
        if first > second:  # skipped: fold 0 reads it with the offset before the change
            return first, True
        return ((first if dst else second) if dst is not None else (first, second)[fold]), False

    def _at(self, wall: datetime, fold: int) -> datetime:
        return wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC)

    def from_utc(self, instant: datetime) -> tuple[int, bool]:
        """The stamp a right clock shows, and whether daylight saving is in effect there and then (False on a clock that has none)."""
        if self.kind is ClockKind.UTC:
            return int((instant - EPOCH_UTC).total_seconds()), False
        local = instant.astimezone(self.zone)
        offset = local.utcoffset() or timedelta()
        standard = standard_offset(self.zone, local.year)
        if self.kind is ClockKind.STANDARD:
            return int((instant + standard - EPOCH_UTC).total_seconds()), False
        return int((instant + offset - EPOCH_UTC).total_seconds()), offset > standard

    def qualifier(self, instant: datetime) -> ClockQualifier:
        """What ST52 says beside the time at `instant`."""
        seconds, dst = self.from_utc(instant)
        weekday = (EPOCH + timedelta(seconds=seconds)).isoweekday() % 7
        if self.kind is ClockKind.UTC:
            return ClockQualifier(weekday, gmt=True)
        local = ClockQualifier(weekday, zone_applied=True)
        return local if self.kind is ClockKind.STANDARD else replace(local, dst=dst, dst_applied=True, dst_supported=True)


@lru_cache(256)
def time_base(kind: ClockKind, zone: ZoneInfo) -> TimeBase:
    """The shared TimeBase of all devices alike."""
    return TimeBase(kind, zone)


@lru_cache(4096)
def standard_offset(zone: ZoneInfo, year: int) -> timedelta:
    """The zone's offset without daylight saving: the smaller one of midwinter and midsummer, which also holds where tzdata has
    negative daylight saving (Europe/Dublin)."""
    offsets = (datetime(year, month, 1, tzinfo=zone).utcoffset() for month in (1, 7))
    return min(offset or timedelta() for offset in offsets)
