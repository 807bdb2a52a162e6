"""Gaps in the store: looked for once, handed out with leases a few times, filled by what comes."""

from datetime import date, datetime, timedelta

import pytest

from headend.day_review import DayReview
from headend.limits import GAP_DAYS, GAP_TRIES_MAX
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from tests.store.world import OpenStore, endpoint_day, register, shipment

DAY = date(2026, 7, 1)


async def at_once() -> None:
    """No pause."""


@pytest.fixture
def fleet(store: OpenStore) -> OpenStore:
    """Two electric meters; of the first all is there of a week, of the second 30 June is missing."""
    start = datetime.fromisoformat("2026-06-20T05:00:00+00:00")
    store.call("import_shipment", shipment(2), start)
    for n in range(-11, 4):
        store.call("record", [endpoint_day(1, DAY + timedelta(days=n))], start + timedelta(days=n + 12))
        if n != -1:
            store.call("record", [endpoint_day(2, DAY + timedelta(days=n))], start + timedelta(days=n + 12))
    return store


def test_gaps_are_found_handed_out_and_given_up(fleet: OpenStore) -> None:
    now = datetime.fromisoformat("2026-07-04T12:00:00+00:00")
    filler = DayReview(fleet.store.utility, fleet.store, lambda: now, at_once, "me")
    fleet.running.wait(filler.look)
    assert fleet.call("reviewed") == date(2026, 7, 2)
    kept = fleet.sql("SELECT endpoint_id, start_us, end_us, tries FROM interval_gap ORDER BY start_us")
    assert {row[0] for row in kept} == {2}
    assert all(row[3] == 0 for row in kept)
    fleet.running.wait(filler.look)
    assert fleet.sql("SELECT endpoint_id, start_us, end_us, tries FROM interval_gap ORDER BY start_us") == kept
    for turn in range(GAP_TRIES_MAX + 1):
        at = now + timedelta(hours=6 * turn)
        fleet.call("schedule", at, at - timedelta(days=2))
        one, two = fleet.call("lease", "me", 9, at, at + timedelta(minutes=5))
        assert one.gaps == ()
        assert bool(two.gaps) == (turn < GAP_TRIES_MAX)
        if turn == 0:
            assert two.gaps[0][0] == datetime.fromisoformat("2026-06-30T00:00:00+00:00")
            assert two.gaps[-1][1] == datetime.fromisoformat("2026-07-01T00:00:00+00:00")
        fleet.call("record", [Collected(EndpointId(a.endpoint_id), at, a.lease_id) for a in (one, two)], at)


def test_a_register_that_went_back_is_noticed_once(fleet: OpenStore) -> None:
    now = datetime.fromisoformat("2026-07-04T12:00:00+00:00")
    midnight = datetime.fromisoformat("2026-07-02T05:00:00+00:00")
    fleet.call("import_shipment", shipment(1, first=3), now)
    reads = (register(3, 99_999_990, instant=midnight - timedelta(days=1)), register(3, 12, instant=midnight))
    fleet.call("record", [Collected(EndpointId(3), now, register_reads=reads)], now)
    for _ in range(2):
        fleet.running.wait(DayReview(fleet.store.utility, fleet.store, lambda: now, at_once, "me").look)
        fleet.sql("DELETE FROM gap_mark")
    noticed = fleet.sql("SELECT endpoint_id, reason FROM exception_record WHERE kind = 'register rollover'")
    assert noticed == [(3, "energy_delivered began anew at zero: 99999990, then 12")]


def test_old_gaps_are_forgotten(fleet: OpenStore) -> None:
    now = datetime.fromisoformat("2026-07-04T12:00:00+00:00")
    fleet.running.wait(DayReview(fleet.store.utility, fleet.store, lambda: now, at_once, "me").look)
    assert fleet.sql("SELECT count(*) FROM interval_gap") != [(0,)]
    fleet.call("keep_review", [], [], DAY + timedelta(days=2 * GAP_DAYS + 2), last=True)
    assert fleet.sql("SELECT count(*) FROM interval_gap") == [(0,)]
