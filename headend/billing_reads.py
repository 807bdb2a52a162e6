"""Which read is *the* read of a bill cycle: the one place that decides it, whoever asks and in whatever shape. Pure.

Windows are whole local days around the billing date, so that days of 23 and 25 hours are days like others.
Source  reference/multispeak.md 7; reference/domain-itron-openway.md 3.1, 3.3
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from headend.interval_series import IntervalSeries
from headend.model.billing import BillingRead, LookAround, MeterTerm, NoRead, NoReadReason, PeakDemand, ReadRule, ReadWindow
from headend.model.channels import CHANNEL_BY_NAME, ChannelId
from headend.model.instants import SECOND_US, from_us, to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import RegisterRow
from headend.model.selections import Period
from headend.model.utility import Utility

DELIVERED = CHANNEL_BY_NAME["energy_delivered"].channel_id
"""The channel whose intervals make the demand that is billed."""


def energy_window(utility: Utility, billing: datetime, look: LookAround) -> ReadWindow:
    """Where the register reads of a billing date lie: its local day, and `energy_back` days before it."""
    day = utility.local_day(billing)
    return ReadWindow(utility.midnight(_back(day, look.energy_back)), utility.midnight(day + timedelta(days=1)), billing)


def demand_period(utility: Utility, billing: datetime, look: LookAround, now: datetime) -> Period:
    """The local days whose intervals may hold the peak demand of a billing date, as far as they have passed."""
    day = utility.local_day(billing)
    start, end = utility.midnight(_back(day, look.demand_back)), utility.midnight(day + timedelta(days=1 + look.demand_forward))
    return Period(start, max(start, min(end, now)))


def cycle_period(utility: Utility, billing: datetime) -> Period:
    """The month that ends with a billing date: who is installed in it is billed in it."""
    day = utility.local_day(billing)
    return Period(utility.midnight(month_before(day)), billing)


def month_before(day: date) -> date:
    """The same day of the month before, or that month's last day where it has none such."""
    last_of_month_before = day.replace(day=1) - timedelta(days=1)
    return last_of_month_before.replace(day=min(day.day, last_of_month_before.day))


def window_of_term(utility: Utility, window: ReadWindow, term: MeterTerm | None, look: LookAround) -> ReadWindow:
    """The window of a meter's own part in the cycle.

    A meter that was removed before the billing date is read about its removal, as far back, and not after it; what a meter read before
    it was installed is not its service point's.
    """
    if term is None:
        return window
    if term.ended is not None and term.ended < window.target:
        window = energy_window(utility, term.ended, look)
        # The last read may be stamped with the very instant of the removal.
        window = replace(window, end=min(window.end, term.ended + timedelta(microseconds=1)))
    return replace(window, start=term.started) if term.started > window.start else window


def choose_read(reads: Iterable[RegisterRow], window: ReadWindow, rule: ReadRule = ReadRule.CLOSEST) -> RegisterRow | None:
    """The read of one channel, None where none in the window is worth anything.

    An actual read goes before a doubtful one wherever it lies, since finding one is what the window is for; among those the rule
    decides; at equal distance a midnight self-read goes before a scheduled and this before an on-demand read, then the later one.
    """
    start_us, end_us, target_us = to_us(window.start), to_us(window.end), to_us(window.target)
    usable = [r for r in reads if start_us <= r.instant_us < end_us and not r.flags & WORTHLESS]
    if not usable:
        return None

    def worse(read: RegisterRow) -> tuple[bool, int, int, int]:
        return bool(read.flags & DOUBTFUL), _distance(read, target_us, rule), read.source, -read.instant_us

    return min(usable, key=worse)


def billing_read(
    reads: Sequence[RegisterRow], window: ReadWindow, newest_us: int | None, rule: ReadRule = ReadRule.CLOSEST
) -> BillingRead:
    """The billing read of one meter from its reads around the window; `newest_us` is when it was last read at all."""
    by_channel: dict[ChannelId, list[RegisterRow]] = {}
    for read in reads:
        by_channel.setdefault(read.channel_id, []).append(read)
    chosen = [choose_read(by_channel[channel], window, rule) for channel in sorted(by_channel)]
    registers = tuple(read for read in chosen if read is not None)
    return BillingRead(window, registers, None if registers else _why_none(reads, window, newest_us))


def peak_demand(series: Iterable[IntervalSeries], period: Period) -> PeakDemand | None:
    """The highest demand of delivered energy in a period, the first where several are equal; None where no interval is known."""
    peaks = [peak for one in series if one.channel_id == DELIVERED and (peak := _peak(one, period)) is not None]
    return max(peaks, key=_power, default=None)


def _peak(series: IntervalSeries, period: Period) -> PeakDemand | None:
    values = [(value, -number) for number, value, flags in series.known() if value is not None and not flags & WORTHLESS]
    if not values:
        return None
    energy, number = max(values)
    wanted = (to_us(period.end) - to_us(period.start)) // (series.interval_seconds * SECOND_US)
    gaps = len(values) < wanted
    return PeakDemand(energy, series.exponent, series.interval_seconds, series.end_us(-number), gaps)


def _power(peak: PeakDemand) -> tuple[float, int]:
    return peak.energy * 10.0**peak.exponent / peak.interval_seconds, -peak.end_us


def _distance(read: RegisterRow, target_us: int, rule: ReadRule) -> int:
    match rule:
        case ReadRule.CLOSEST:
            return abs(read.instant_us - target_us)
        case ReadRule.LATEST:
            return -read.instant_us
        case ReadRule.EARLIEST:
            return read.instant_us


def _why_none(reads: Sequence[RegisterRow], window: ReadWindow, newest_us: int | None) -> NoRead:
    if newest_us is None:
        return NoRead(NoReadReason.NEVER_READ)
    newest = from_us(newest_us)
    if any(to_us(window.start) <= r.instant_us < to_us(window.end) for r in reads):
        return NoRead(NoReadReason.WORTHLESS, newest)
    return NoRead(NoReadReason.STALE if newest < window.start else NoReadReason.NONE_IN_WINDOW, newest)


def _back(day: date, days: int) -> date:
    return day - timedelta(days=days)
