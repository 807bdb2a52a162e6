"""Gas days: boundaries whatever the utility's zone, takes that are provisional, closed and adjusted, volumes from what is known."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from headend.gas_day import GasDayRule, GasDayState, gas_volume, taken
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import EndpointId
from headend.model.instants import to_us
from headend.model.readings import IntervalBlock, ReadSource, RegisterRow
from headend.model.selections import Period

RULE = GasDayRule()
GAS = CHANNEL_BY_NAME["gas_volume"].channel_id
ONE = EndpointId(1)
DAY = date(2026, 7, 1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "start", "hours"),
    [
        (date(2026, 7, 1), utc(2026, 7, 1, 14), 24),
        (date(2026, 1, 1), utc(2026, 1, 1, 15), 24),
        (date(2026, 3, 7), utc(2026, 3, 7, 15), 23),
        (date(2026, 10, 31), utc(2026, 10, 31, 14), 25),
        (date(2028, 2, 29), utc(2028, 2, 29, 15), 24),
    ],
)
def test_a_gas_day_begins_at_nine_central_and_has_23_to_25_hours(day, start, hours):
    period = RULE.bounds(day)
    assert period == Period(start, start + timedelta(hours=hours))
    assert RULE.day_of(period.start) == day == RULE.day_of(period.end - timedelta(microseconds=1))
    assert RULE.day_of(period.end) == day + timedelta(days=1)
    assert RULE.taken_at(day) == period.end
    assert RULE.closed_at(day) == period.end + timedelta(hours=2)


def test_which_days_are_due():
    period = RULE.bounds(DAY)
    before = timedelta(microseconds=1)
    assert RULE.newest_taken(period.end) == DAY
    assert RULE.newest_taken(period.end - before) == DAY - timedelta(days=1)
    assert RULE.newest_closed(period.end + timedelta(hours=2)) == DAY
    assert RULE.newest_closed(period.end + timedelta(hours=2) - before) == DAY - timedelta(days=1)
    assert list(RULE.days_of(Period(utc(2026, 7, 1, 0), utc(2026, 7, 2, 0)))) == [date(2026, 6, 30), DAY]


def test_a_deadline_before_the_boundary_waits_for_it():
    rule = GasDayRule(ZoneInfo("America/Chicago"), boundary=600, deadline=540, close=550)
    assert rule.taken_at(DAY) == rule.closed_at(DAY) == rule.bounds(DAY).end


def blocks(values: dict[int, int], exponent: int = -2) -> list[IntervalBlock]:
    """Hours after 2026-07-01 00:00 UTC with their values."""
    by_day: dict[int, list[int | None]] = {}
    for hour, value in values.items():
        by_day.setdefault(hour // 24, [None] * 24)[hour % 24] = value
    return [IntervalBlock(ONE, GAS, DAY + timedelta(days=day), 3_600, exponent, v, [0] * 24) for day, v in by_day.items()]


def test_a_volume_is_what_is_known_within_the_boundaries():
    hours = dict.fromkeys(range(48), 10)
    del hours[20]
    gas = gas_volume(ONE, RULE.bounds(DAY), blocks(hours), [])
    assert (gas.volume, gas.exponent, gas.present, gas.expected, gas.is_whole) == (230, -2, 23, 24, False)
    whole = gas_volume(ONE, RULE.bounds(DAY), blocks(dict.fromkeys(range(48), 10)), [])
    assert (whole.volume, whole.is_whole) == (240, True)
    assert gas_volume(ONE, RULE.bounds(DAY), blocks(dict.fromkeys(range(14), 10)), []).channel_id is None


def test_blocks_of_different_scales_are_added_exactly():
    mixed = [*blocks(dict.fromkeys(range(24), 10), -2), *blocks(dict.fromkeys(range(24, 48), 1), -1)]
    gas = gas_volume(ONE, RULE.bounds(DAY), mixed, [])
    assert (gas.volume, gas.exponent, gas.present) == (240, -2, 24)


def test_the_register_is_the_newest_up_to_the_boundary():
    rows = [RegisterRow(1, to_us(utc(2026, 7, day, 5)), GAS, ReadSource.SELF_READ, -2, 0, value) for day, value in ((1, 7), (2, 9))]
    later = RegisterRow(1, to_us(utc(2026, 7, 2, 15)), GAS, ReadSource.SELF_READ, -2, 0, 11)
    gas = gas_volume(ONE, RULE.bounds(DAY), [], [*rows, later])
    assert gas.register == (to_us(utc(2026, 7, 2, 5)), 9, -2)


def test_a_take_is_provisional_then_closed_and_then_only_adjusted():
    period = RULE.bounds(DAY)
    some = gas_volume(ONE, period, blocks(dict.fromkeys(range(14, 30), 10)), [])
    more = gas_volume(ONE, period, blocks(dict.fromkeys(range(14, 34), 10)), [])
    every = gas_volume(ONE, period, blocks(dict.fromkeys(range(14, 38), 10)), [])
    first, nothing = taken(None, DAY, some, utc(2026, 7, 2, 14), closing=False)
    assert (first.state, nothing) == (GasDayState.PROVISIONAL, None)
    closed, nothing = taken(first, DAY, more, utc(2026, 7, 2, 16), closing=True)
    assert (closed.state, closed.volume, nothing) == (GasDayState.CLOSED, more, None)
    again, nothing = taken(closed, DAY, more, utc(2026, 7, 2, 17), closing=False)
    assert (again, nothing) == (closed, None)
    late, adjustment = taken(closed, DAY, every, utc(2026, 7, 3, 9), closing=False)
    assert (late.state, late.volume) == (GasDayState.CLOSED, every)
    assert adjustment is not None
    assert (adjustment.before, adjustment.after, adjustment.at) == (more, every, utc(2026, 7, 3, 9))
