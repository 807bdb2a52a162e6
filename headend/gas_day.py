"""Gas days: when they begin, are taken and are closed, and what an endpoint delivered in one. Pure.

A gas day is dated by its start. Its boundary and the deadline of its take are wall times of a zone of the trade's own, whatever the
utility's. What is known at the deadline is provisional; when the day is closed, what came meanwhile is in it; what comes still later is an
adjustment. A volume is the sum of the intervals that are known: how many of how many stands beside it, and nothing is made up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from zoneinfo import ZoneInfo

from headend.calendars import local_day, wall_instant
from headend.interval_series import series_of
from headend.model.channels import CHANNELS, ChannelId
from headend.model.endpoint import Commodity, EndpointId
from headend.model.instants import to_us
from headend.model.quality import WORTHLESS
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import Period

CENTRAL = ZoneInfo("America/Chicago")
"""The gas trade's zone. Source  reference/domain-itron-openway.md 7.3"""

GAS_CHANNELS = frozenset(c.channel_id for c in CHANNELS.values() if c.commodity is Commodity.GAS)


@dataclass(frozen=True, slots=True)
class GasDayRule:
    """Wall times in `zone`, in minutes after midnight: a day's boundary; on the day after its start, its deadline and its closing."""

    zone: ZoneInfo = CENTRAL
    boundary: int = 540
    deadline: int = 540
    close: int = 660

    def bounds(self, day: date) -> Period:
        """Boundary to boundary: 23, 24 or 25 hours."""
        return Period(wall_instant(day, self.boundary, self.zone), wall_instant(day + timedelta(days=1), self.boundary, self.zone))

    def taken_at(self, day: date) -> datetime:
        """When what is known of a day is taken: not before the day is over, however early the deadline."""
        return max(wall_instant(day + timedelta(days=1), self.deadline, self.zone), self.bounds(day).end)

    def closed_at(self, day: date) -> datetime:
        """When a day is closed: never before it is taken."""
        return max(wall_instant(day + timedelta(days=1), self.close, self.zone), self.taken_at(day))

    def day_of(self, instant: datetime) -> date:
        """The gas day that an instant belongs to; the boundary itself begins a day."""
        day = local_day(instant, self.zone)
        return day if instant >= self.bounds(day).start else day - timedelta(days=1)

    def days_of(self, period: Period) -> Iterator[date]:
        """Gas days that touch a period."""
        day, last = self.day_of(period.start), self.day_of(period.end)
        while day <= last:
            yield day
            day += timedelta(days=1)

    def newest_taken(self, now: datetime) -> date:
        """The last day whose take is due."""
        day = self.day_of(now)
        while self.taken_at(day) > now:
            day -= timedelta(days=1)
        return day

    def newest_closed(self, now: datetime) -> date:
        """The last day that is to be closed."""
        day = self.day_of(now)
        while self.closed_at(day) > now:
            day -= timedelta(days=1)
        return day


class GasDayState(IntEnum):
    """How final a take is."""

    PROVISIONAL = 1
    CLOSED = 2


@dataclass(frozen=True, slots=True)
class GasVolume:
    """What was delivered in a gas day: `volume` × 10^`exponent` of the channel's unit, from `present` of `expected` intervals.

    `register` is the newest one of the day (instant in microseconds, value, exponent), None where there is none. No channel and nothing
    expected where no interval is known.
    """

    endpoint_id: EndpointId
    channel_id: ChannelId | None
    volume: int
    exponent: int
    present: int
    expected: int
    register: tuple[int, int, int] | None = None

    @property
    def is_whole(self) -> bool:
        return self.present == self.expected > 0


@dataclass(frozen=True, slots=True)
class GasTake:
    """An endpoint's gas day as it is kept."""

    day: date
    state: GasDayState
    volume: GasVolume
    taken: datetime


@dataclass(frozen=True, slots=True)
class GasAdjustment:
    """A closed day that late data changed: what it was, what it is."""

    day: date
    at: datetime
    before: GasVolume
    after: GasVolume


def gas_volume(
    endpoint_id: EndpointId, period: Period, blocks: Sequence[IntervalBlock], registers: Sequence[RegisterRow]
) -> GasVolume:
    """From the values of one endpoint that belong to a gas day."""
    mine = [r for r in registers if r.channel_id in GAS_CHANNELS and not r.flags & WORTHLESS and r.instant_us <= to_us(period.end)]
    newest = max(mine, key=lambda r: (r.instant_us, -r.source), default=None)
    register = None if newest is None else (newest.instant_us, newest.value, newest.exponent)
    series = [one for one in series_of(blocks, period) if one.channel_id in GAS_CHANNELS]
    if not series:
        return GasVolume(endpoint_id, None, 0, 0, 0, 0, register)
    channel_id = series[0].channel_id
    series = [one for one in series if one.channel_id == channel_id]
    exponent = min(one.exponent for one in series)
    known = [(one, value) for one in series for _, value, _ in one.known() if value is not None]
    volume = sum(int(value * 10 ** (one.exponent - exponent)) for one, value in known)
    covered = sum(one.interval_seconds for one, _ in known)
    length = max(series, key=lambda one: one.end_us(one.last)).interval_seconds
    missing = max(int((period.end - period.start).total_seconds()) - covered, 0) // length
    return GasVolume(endpoint_id, channel_id, volume, exponent, len(known), len(known) + missing, register)


def taken(before: GasTake | None, day: date, volume: GasVolume, now: datetime, *, closing: bool) -> tuple[GasTake, GasAdjustment | None]:
    """The take after a look at what is known now; a closed day stays closed, and what changes it is an adjustment beside it."""
    state = GasDayState.CLOSED if closing or (before is not None and before.state is GasDayState.CLOSED) else GasDayState.PROVISIONAL
    if before is None or before.state is not GasDayState.CLOSED:
        return GasTake(day, state, volume, now), None
    if _same(before.volume, volume):
        return before, None
    return GasTake(day, state, volume, now), GasAdjustment(day, now, before.volume, volume)


def _same(one: GasVolume, other: GasVolume) -> bool:
    least = min(one.exponent, other.exponent)
    amounts = [v.volume * 10 ** (v.exponent - least) for v in (one, other)]
    return amounts[0] == amounts[1] and (one.present, one.expected) == (other.present, other.expected)
