"""Gas days in the store: taken at nine Central, closed at eleven, adjusted when late data comes; the completeness of such days."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from headend.completeness import EndpointDay
from headend.completeness_reader import endpoint_days
from headend.gas_day import GasDayRule, GasDayState
from headend.gas_days import GasDayDriver
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.readings import DAY_SECONDS, IntervalBlock
from tests.store.world import OpenStore, shipment

GAS = CHANNEL_BY_NAME["gas_volume"].channel_id
DAY = date(2026, 7, 1)
RULE = GasDayRule()
END = RULE.bounds(DAY).end


def pushed(endpoint: int, first: int, last: int, heard: datetime) -> Collected:
    """Hours `first` … `last` - 1 after 2026-07-01 00:00 UTC, 10 of a hundredth each."""
    blocks = []
    for day in range(first // 24, (last - 1) // 24 + 1):
        values = [10 if first <= day * 24 + hour < last else None for hour in range(24)]
        blocks.append(IntervalBlock(EndpointId(endpoint), GAS, DAY + timedelta(days=day), 3_600, -2, values, [0] * 24))
    return Collected(EndpointId(endpoint), heard, interval_blocks=tuple(blocks))


class Days:
    """A driver of gas days whose clock is set by hand."""

    def __init__(self, store: OpenStore) -> None:
        self.store = store
        self.now = END
        self.driver = GasDayDriver(store.store.utility, store.store, lambda: self.now, RULE, "me")

    def look(self, now: datetime) -> list[tuple[str, GasDayState, int, int, int]]:
        self.now = now
        self.store.running.wait(self.driver.look)
        takes = self.store.call("gas_takes", DAY, EndpointId(0), 100)
        return [(no, t.state, t.volume.volume, t.volume.present, t.volume.expected) for no, t in takes]


@pytest.fixture
def days(store: OpenStore) -> Days:
    """Two gas meters, M000001 and M000002, and an electric one."""
    store.call("import_shipment", [*shipment(2, configuration="gas"), *shipment(1, first=3)], END - timedelta(days=9))
    return Days(store)


def test_a_day_is_taken_closed_and_adjusted(days: Days) -> None:
    store = days.store
    store.call("record", [pushed(1, 0, 38, END), pushed(2, 0, 30, END)], END - timedelta(minutes=1))
    assert days.look(END - timedelta(seconds=1)) == []
    provisional, closed = GasDayState.PROVISIONAL, GasDayState.CLOSED
    assert days.look(END) == [("M000001", provisional, 240, 24, 24), ("M000002", provisional, 160, 16, 24)]
    store.call("record", [pushed(2, 30, 34, END)], END + timedelta(hours=1))
    assert days.look(END + timedelta(hours=1))[1] == ("M000002", provisional, 160, 16, 24)
    assert days.look(END + timedelta(hours=2)) == [("M000001", closed, 240, 24, 24), ("M000002", closed, 200, 20, 24)]
    assert store.call("gas_adjustments", DAY) == []
    store.call("record", [pushed(2, 34, 40, END)], END + timedelta(hours=3))
    late = END + timedelta(hours=3, minutes=1)
    assert days.look(late) == [("M000001", closed, 240, 24, 24), ("M000002", closed, 240, 24, 24)]
    ((meter_no, adjustment),) = store.call("gas_adjustments", DAY)
    assert (meter_no, adjustment.at, adjustment.before.volume, adjustment.after.volume) == ("M000002", late, 200, 240)
    assert days.look(late + timedelta(minutes=1))[1] == ("M000002", closed, 240, 24, 24)
    assert len(store.call("gas_adjustments", DAY)) == 1


def test_days_that_ended_while_nothing_ran_are_taken_and_closed_later(days: Days) -> None:
    days.look(END - timedelta(days=2))
    days.store.call("record", [pushed(1, 0, 38, END)], END)
    found = days.look(END + timedelta(days=3))
    assert found[0] == ("M000001", GasDayState.CLOSED, 240, 24, 24)
    assert found[1] == ("M000002", GasDayState.CLOSED, 0, 0, 0)


def test_completeness_of_a_stored_day(days: Days) -> None:
    store = days.store
    midnight = datetime(2026, 7, 1, 5, tzinfo=UTC)
    now = midnight + timedelta(days=2)
    store.call("record", [pushed(1, 0, 48, now), replace(pushed(2, 0, 20, midnight + timedelta(hours=15)))], now)

    async def read(meter_no: str | None = None) -> list[EndpointDay]:
        return [one async for one in endpoint_days(store.store, store.store.utility, DAY, now, meter_no)]

    first, second, electric = store.running.wait(read)
    assert [(c.interval_seconds, c.expected, c.present) for c in first.channels] == [(3_600, 24, 24), (0, 1, 0)]
    assert {c.interval_seconds: c.missing for c in second.channels}[3_600] == {"not heard since": 9}
    assert [c.expected for c in electric.channels] == [24, 96, 96, 96, 1]
    assert sum(c.expected * (c.interval_seconds or DAY_SECONDS) for c in electric.channels) == 5 * DAY_SECONDS
    assert store.running.wait(read, "M000002") == [second]
    assert store.running.wait(read, "M9") == []
