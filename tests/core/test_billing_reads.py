"""Which read is the read of a bill cycle: rules, windows over days of 23 and 25 hours, exchanges, and the reason where there is none."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.billing_reads import (
    DELIVERED,
    billing_read,
    choose_read,
    cycle_period,
    demand_period,
    energy_window,
    month_before,
    peak_demand,
    window_of_term,
)
from headend.interval_series import series_of
from headend.model.billing import LookAround, MeterTerm, NoReadReason, ReadRule, ReadWindow
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.instants import from_us, to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRow
from headend.model.selections import Period
from headend.model.utility import Utility, UtilityId

ZONE = ZoneInfo("America/Chicago")
UTILITY = Utility(UtilityId("demo"), "Demo", ZONE, ".1.4")
HOUR = timedelta(hours=1)
NOON = datetime(2026, 7, 1, 12, tzinfo=ZONE).astimezone(UTC)
WINDOW = ReadWindow(NOON - 36 * HOUR, NOON + 12 * HOUR, NOON)
SELF, SCHEDULED, DEMAND = ReadSource.SELF_READ, ReadSource.SCHEDULED, ReadSource.ON_DEMAND


def read(hours: float, *, source: ReadSource = SELF, flags: int = 0, channel: int = 1, value: int = 0) -> RegisterRow:
    """A read so many hours from the target."""
    return RegisterRow(1, to_us(NOON + hours * HOUR), ChannelId(channel), source.value, 0, flags, value)


@pytest.mark.parametrize(
    ("rule", "chosen"),
    [(ReadRule.CLOSEST, -2), (ReadRule.LATEST, 5), (ReadRule.EARLIEST, -30)],
)
def test_the_rule_decides_among_actual_reads(rule: ReadRule, chosen: float) -> None:
    reads = [read(-30), read(-2), read(5), read(-40), read(12)]
    assert choose_read(reads, WINDOW, rule) == read(chosen)


def test_a_window_holds_its_start_and_not_its_end() -> None:
    assert choose_read([read(-36)], WINDOW) == read(-36)
    assert choose_read([read(12)], WINDOW) is None


def test_at_equal_distance_a_self_read_goes_before_a_scheduled_and_this_before_an_on_demand_read() -> None:
    assert choose_read([read(-3, source=DEMAND), read(3, source=SCHEDULED), read(-3)], WINDOW) == read(-3)
    assert choose_read([read(-3, source=DEMAND), read(3, source=SCHEDULED)], WINDOW) == read(3, source=SCHEDULED)
    assert choose_read([read(-3), read(3)], WINDOW) == read(3), "the later one of two self-reads"


@pytest.mark.parametrize("rule", ReadRule)
def test_an_actual_read_goes_before_a_doubtful_one_wherever_it_lies(rule: ReadRule) -> None:
    doubtful = [read(h, flags=IntervalFlag.ESTIMATED) for h in (-36, 0, 11)]
    assert choose_read([*doubtful, read(-20, source=DEMAND)], WINDOW, rule) == read(-20, source=DEMAND)
    assert choose_read(doubtful, WINDOW, rule) in doubtful, "a doubtful read is better than none"


@given(st.lists(st.builds(read, st.integers(-60, 40), source=st.sampled_from(ReadSource), flags=st.integers(0, 0x7FFF))))
def test_what_is_chosen_lies_in_the_window_and_is_worth_something(reads: list[RegisterRow]) -> None:
    chosen = choose_read(reads, WINDOW)
    usable = [r for r in reads if WINDOW.start <= from_us(r.instant_us) < WINDOW.end and not r.flags & WORTHLESS]
    assert (chosen is None) == (not usable)
    if chosen is not None:
        assert chosen in usable
        assert not chosen.flags & DOUBTFUL or all(r.flags & DOUBTFUL for r in usable)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 1), 24)],
)
def test_a_window_of_no_days_is_the_local_day_however_long(day: date, hours: int) -> None:
    billing = datetime(day.year, day.month, day.day, 18, tzinfo=ZONE).astimezone(UTC)
    window = energy_window(UTILITY, billing, LookAround())
    assert (window.end - window.start) == hours * HOUR
    assert window.start.astimezone(ZONE).isoformat()[:16] == f"{day}T00:00"
    back = energy_window(UTILITY, billing, LookAround(energy_back=3))
    assert back.start == UTILITY.midnight(day - timedelta(days=3))
    assert back.end == window.end


def test_windows_over_a_change_of_clocks_are_whole_local_days() -> None:
    billing = datetime(2026, 3, 9, tzinfo=ZONE).astimezone(UTC)
    window = energy_window(UTILITY, billing, LookAround(energy_back=2))
    assert window.end - window.start == 71 * HOUR
    last_of_march_7 = RegisterRow(1, to_us(window.start) - 1, ChannelId(1), 1, 0, 0, 0)
    first = RegisterRow(1, to_us(window.start), ChannelId(1), 1, 0, 0, 0)
    assert choose_read([last_of_march_7], window) is None
    assert choose_read([last_of_march_7, first], window) == first


def test_demand_is_looked_for_forward_too_but_not_into_the_future() -> None:
    look = LookAround(demand_back=1, demand_forward=2)
    late = NOON + timedelta(days=30)
    assert demand_period(UTILITY, NOON, look, late) == Period(
        UTILITY.midnight(date(2026, 6, 30)), UTILITY.midnight(date(2026, 7, 4))
    )
    assert demand_period(UTILITY, NOON, look, NOON).end == NOON
    before = NOON - timedelta(days=9)
    assert demand_period(UTILITY, NOON, look, before).days == 0


@pytest.mark.parametrize(
    ("day", "before"),
    [("2026-07-01", "2026-06-01"), ("2026-03-31", "2026-02-28"), ("2024-03-30", "2024-02-29"), ("2026-01-15", "2025-12-15")],
)
def test_a_cycle_is_the_month_before_its_billing_date(day: str, before: str) -> None:
    assert month_before(date.fromisoformat(day)) == date.fromisoformat(before)
    billing = UTILITY.midnight(date.fromisoformat(day)) + 5 * HOUR
    assert cycle_period(UTILITY, billing) == Period(UTILITY.midnight(date.fromisoformat(before)), billing)


LONG_AGO = NOON - timedelta(days=500)


def test_a_meter_that_was_removed_is_read_about_its_removal() -> None:
    removed = NOON - timedelta(days=10)
    look = LookAround(energy_back=1)
    window = window_of_term(UTILITY, energy_window(UTILITY, NOON, look), MeterTerm("SP1", LONG_AGO, removed), look)
    at_removal, later = read(-240), read(-239)
    assert choose_read([at_removal, later, read(-250)], window) == at_removal
    assert choose_read([later, read(0)], window) is None, "what a meter reads on the shelf is nobody's"
    assert window.start == UTILITY.midnight(UTILITY.local_day(removed) - timedelta(days=1))


def test_a_meter_that_was_installed_in_the_window_has_no_read_from_before() -> None:
    look = LookAround(energy_back=3)
    started = NOON - 6 * HOUR
    window = window_of_term(UTILITY, energy_window(UTILITY, NOON, look), MeterTerm("SP1", started, None), look)
    assert choose_read([read(-7)], window) is None
    assert choose_read([read(-7), read(-5)], window) == read(-5)


def test_a_meter_removed_after_the_billing_date_is_read_at_the_billing_date() -> None:
    window = energy_window(UTILITY, NOON, LookAround())
    assert window_of_term(UTILITY, window, MeterTerm("SP1", LONG_AGO, NOON + HOUR), LookAround()) == window
    assert window_of_term(UTILITY, window, None, LookAround()) == window


def test_each_channel_has_a_read_of_its_own() -> None:
    reads = [read(-2), read(-2, channel=2), read(-1, source=DEMAND)]
    told = billing_read(reads, WINDOW, to_us(NOON))
    assert told.registers == (read(-1, source=DEMAND), read(-2, channel=2))
    assert told.none is None


@pytest.mark.parametrize(
    ("reads", "newest", "reason"),
    [
        ([], None, NoReadReason.NEVER_READ),
        ([], NOON - timedelta(days=9), NoReadReason.STALE),
        ([read(-50)], NOON + timedelta(days=1), NoReadReason.NONE_IN_WINDOW),
        ([read(0, flags=IntervalFlag.MISSING)], NOON, NoReadReason.WORTHLESS),
    ],
)
def test_a_meter_without_a_read_says_why(reads: list[RegisterRow], newest: datetime | None, reason: NoReadReason) -> None:
    told = billing_read(reads, WINDOW, None if newest is None else to_us(newest))
    assert told.registers == ()
    assert told.none is not None
    assert (told.none.reason, told.none.newest) == (reason, newest)


def hours(values: list[int | None], flags: dict[int, int] | None = None, *, channel: int = DELIVERED) -> IntervalBlock:
    marks = [0] * 24
    for place, flag in (flags or {}).items():
        marks[place] = flag
    return IntervalBlock(EndpointId(1), ChannelId(channel), date(2026, 7, 1), 3600, 0, values, marks)


DAY = Period(datetime(2026, 7, 1, tzinfo=UTC), datetime(2026, 7, 2, tzinfo=UTC))


def test_the_peak_is_the_first_highest_interval_that_is_worth_something() -> None:
    values: list[int | None] = [100] * 24
    values[3] = values[9] = 700
    values[12] = 9_000
    block = hours(values, {12: IntervalFlag.TEST_MODE})
    peak = peak_demand(series_of([block], DAY), DAY)
    assert peak is not None
    assert (peak.energy, from_us(peak.end_us).hour, peak.gaps) == (700, 4, True), "the interval of test mode is one that is not known"


def test_a_peak_knows_whether_there_were_gaps() -> None:
    assert peak_demand(series_of([hours([1] * 24)], DAY), DAY).gaps is False  # type: ignore[union-attr]
    assert peak_demand(series_of([hours([1] * 23 + [None])], DAY), DAY).gaps is True  # type: ignore[union-attr]
    assert peak_demand(series_of([hours([None] * 24)], DAY), DAY) is None
    assert peak_demand(series_of([hours([1] * 24, channel=2)], DAY), DAY) is None


def test_of_two_lengths_the_higher_power_is_the_peak() -> None:
    quarters = IntervalBlock(EndpointId(1), DELIVERED, date(2026, 7, 1), 900, 0, [200] * 96, [0] * 96)
    peak = peak_demand(series_of([hours([700] * 24), quarters], DAY), DAY)
    assert peak is not None
    assert (peak.interval_seconds, peak.energy) == (900, 200)
