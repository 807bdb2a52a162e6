"""Collection plans in the store: whose turn it is, of which group, seen to once, and counted."""

from datetime import timedelta

import pytest

from headend.collection_plan import PLACES, CollectionPlan, GroupPlan, PlanKind, place_of, places_due
from headend.collection_plans import FollowedPlan, UnknownPlanError
from headend.errors import UnknownMeterError
from headend.meter_groups import GroupKind, MeterGroup, UnknownGroupError
from headend.model.collection import Collected
from tests.store.world import FROM, NOW, UNTIL, OpenStore, shipment

ALL = [range(PLACES)]
FOUR, HOURLY = CollectionPlan((15, 375, 735, 1_095), 240), CollectionPlan(tuple(range(0, 1_440, 60)), 30)
COMMON = GroupPlan(PlanKind.INTERROGATIONS, "", FOUR)


def group(store: OpenStore, name: str, *meter_nos: str) -> None:
    assert store.call("establish_group", MeterGroup(GroupKind.METERS, name, f"Group {name}", meter_nos), None, NOW) == []


@pytest.fixture
def fleet(store: OpenStore) -> OpenStore:
    """Six electric meters and a gas meter; M000001 and M000002 are group A, M000002 and M000003 group B."""
    store.call("import_shipment", [*shipment(6), *shipment(1, configuration="gas", first=7)], NOW)
    group(store, "A", "M000001", "M000002")
    group(store, "B", "M000002", "M000003")
    store.call("keep_plan", COMMON, NOW)
    return store


def leased(store: OpenStore) -> list[str]:
    return sorted(a.meter_no for a in store.call("lease", "me", 100, UNTIL, UNTIL + timedelta(minutes=5)))


def follow(store: OpenStore, group_id: str, places: list[range] = ALL) -> int:
    (plan,) = [one for one in store.call("followed_plans") if one.plan.group_id == group_id]
    return store.call("follow_plan", plan, places, UNTIL, FROM)


def test_a_group_follows_its_plan_and_all_others_the_common_one(fleet: OpenStore) -> None:
    for name in "AB":
        fleet.call("keep_plan", GroupPlan(PlanKind.INTERROGATIONS, name, HOURLY), NOW)
    assert follow(fleet, "") == 3
    assert leased(fleet) == ["M000004", "M000005", "M000006"]
    assert follow(fleet, "B") == 1
    assert leased(fleet) == ["M000003"]
    assert follow(fleet, "A") == 2
    assert leased(fleet) == ["M000001", "M000002"]
    fleet.call("drop_plan", PlanKind.INTERROGATIONS, "A")
    assert fleet.call("plans_of", "M000001") == (1, [COMMON])
    assert fleet.call("plans_of", "M000002") == (2, [GroupPlan(PlanKind.INTERROGATIONS, "B", HOURLY)])


def test_a_turn_is_seen_to_once_whoever_looks(fleet: OpenStore) -> None:
    (plan,) = fleet.call("followed_plans")
    assert plan == FollowedPlan(COMMON, NOW)
    assert fleet.call("follow_plan", plan, ALL, UNTIL, FROM) == 6
    assert fleet.call("follow_plan", plan, ALL, UNTIL, FROM) == 0
    assert fleet.call("followed_plans") == [FollowedPlan(COMMON, UNTIL)]


def test_looks_a_minute_apart_make_everyone_due_once_in_a_window(fleet: OpenStore) -> None:
    due: list[str] = []
    end = NOW + timedelta(hours=6)
    at = NOW - timedelta(hours=1)
    zone = fleet.store.utility.time_zone
    while at < end:
        (plan,) = fleet.call("followed_plans")
        for one in places_due(FOUR, plan.followed, at, zone):
            ids = [n for n in range(1, 7) if place_of(n) in one]
            assert fleet.call("follow_plan", plan, [one], at, FROM) == len(ids)
            due += [a.meter_no for a in fleet.call("lease", "me", 9, at, at + timedelta(minutes=5))]
            fleet.call("record", [Collected(n, at, (1 << 32) | n) for n in ids], at)
        at += timedelta(minutes=20)
    assert sorted(due) == [f"M{n:06}" for n in range(1, 7)]


def test_one_that_is_due_already_keeps_its_time_and_is_counted_once(fleet: OpenStore) -> None:
    assert fleet.call("collect_new", NOW, FROM) == 6
    assert fleet.call("collect_new", NOW, FROM) == 0
    assert follow(fleet, "") == 6
    assert fleet.call("summary").due == 6
    assert {row[0] for row in fleet.sql("SELECT due_us FROM endpoint_state WHERE due_us IS NOT NULL")} == {int(NOW.timestamp() * 1e6)}
    one, *_ = fleet.call("lease", "me", 1, NOW, UNTIL)
    fleet.call("record", [Collected(one.endpoint_id, NOW, one.lease_id)], NOW)
    assert (fleet.call("summary").due, fleet.call("summary").done) == (5, 1)
    (plan,) = fleet.call("followed_plans")
    assert fleet.call("follow_plan", plan, ALL, UNTIL + timedelta(hours=6), FROM) == 6
    assert (fleet.call("summary").due, fleet.call("summary").done) == (6, 0)


def test_a_plan_keeps_how_far_it_was_followed_and_what_is_not_there_is_named(fleet: OpenStore) -> None:
    follow(fleet, "")
    fleet.call("keep_plan", GroupPlan(PlanKind.INTERROGATIONS, "", HOURLY), NOW + timedelta(days=1))
    assert fleet.call("followed_plans") == [FollowedPlan(GroupPlan(PlanKind.INTERROGATIONS, "", HOURLY), UNTIL)]
    fleet.call("keep_plan", GroupPlan(PlanKind.WAKE_UPS, "A", FOUR), NOW)
    assert [plan.kind for plan in fleet.call("plans")] == [PlanKind.INTERROGATIONS, PlanKind.WAKE_UPS]
    with pytest.raises(UnknownGroupError, match="'C'"):
        fleet.call("keep_plan", GroupPlan(PlanKind.INTERROGATIONS, "C", FOUR), NOW)
    with pytest.raises(UnknownPlanError, match="'B' has no plan of wake-ups"):
        fleet.call("drop_plan", PlanKind.WAKE_UPS, "B")
    with pytest.raises(UnknownMeterError):
        fleet.call("plans_of", "M9")


def test_turns_are_found_by_the_index_of_places(fleet: OpenStore) -> None:
    if fleet.store._partitions is None:
        plan = fleet.sql("EXPLAIN QUERY PLAN SELECT endpoint_id FROM endpoint WHERE endpoint_id * 40503 % 65536 BETWEEN 1 AND 9")
        assert "ix_endpoint_place" in str(plan)
