"""Groups of meters: who enters in which order, who is refused and why."""

import pytest

from headend.errors import RequestError, UnknownMeterError
from headend.meter_groups import Answering, GroupKey, GroupKind, MeterGroup, UnknownGroupError
from headend.model.endpoint import Commodity
from headend.model.refusal import Refusal
from tests.store.world import NOW, OpenStore, shipment

FEEDER = GroupKey(GroupKind.METERS, "F7")
PROGRAM = GroupKey(GroupKind.CONFIGURATION, "P1")
NOBODY = Answering()


@pytest.fixture
def fleet(store: OpenStore) -> OpenStore:
    """Five electric meters and a gas meter, M000006."""
    store.call("import_shipment", [*shipment(5), *shipment(1, configuration="gas", first=6)], NOW)
    return store


def feeder(*meter_nos: str) -> MeterGroup:
    return MeterGroup(GroupKind.METERS, "F7", "Feeder seven", meter_nos)


def test_members_keep_their_order_and_a_group_is_found_by_number_or_name(fleet: OpenStore) -> None:
    assert fleet.call("establish_group", feeder("M000003", "M000001"), None, NOW) == []
    assert fleet.call("insert_in_group", FEEDER, ["M000002", "M000001"], None, NOBODY, NOW) == []
    assert fleet.call("group_members", "F7") == ("M000003", "M000001", "M000002")
    assert fleet.call("group_members", "Feeder seven") == ("M000003", "M000001", "M000002")
    assert fleet.call("group_members", "F8") is None
    assert fleet.call("remove_from_group", FEEDER, ["M000001"]) == []
    assert fleet.call("group", FEEDER) == feeder("M000003", "M000002")


def test_establishing_again_puts_new_members_in_place_of_the_old(fleet: OpenStore) -> None:
    fleet.call("establish_group", feeder("M000001", "M000002"), None, NOW)
    fleet.call("establish_group", feeder("M000005"), None, NOW)
    assert fleet.call("group", FEEDER) == feeder("M000005")


def test_each_member_that_cannot_be_taken_is_named_and_the_others_are_in(fleet: OpenStore) -> None:
    wanted = feeder("M000001", "M9", "M000001", "", "M000006", "M000002")
    assert fleet.call("establish_group", wanted, Commodity.ELECTRIC, NOW) == [
        Refusal("M9", "meter 'M9' is not known"),
        Refusal("M000001", "meter 'M000001' stands in the list twice"),
        Refusal("", "meter number is missing"),
        Refusal("M000006", "meter 'M000006' measures gas, and the group was said to be electric"),
    ]
    assert fleet.call("group_members", "F7") == ("M000001", "M000002")
    assert fleet.call("remove_from_group", FEEDER, ["M9", "M000003", "M000001", "M000001"]) == [
        Refusal("M9", "meter 'M9' is not known"),
        Refusal("M000003", "meter 'M000003' is not in the group"),
        Refusal("M000001", "meter 'M000001' stands in the list twice"),
    ]
    assert fleet.call("group_members", "F7") == ("M000002",)


def test_a_group_that_is_not_there_is_named(fleet: OpenStore) -> None:
    for name, arguments in (
        ("insert_in_group", (FEEDER, ["M000001"], None, NOBODY, NOW)),
        ("remove_from_group", (FEEDER, ["M000001"])),
        ("delete_group", (FEEDER,)),
        ("remove_from_group", (PROGRAM, ["M000001"])),
    ):
        with pytest.raises(UnknownGroupError, match=r"group '(F7|P1)' is not known"):
            fleet.call(name, *arguments)


def test_a_deleted_group_is_gone_and_its_meters_are_not(fleet: OpenStore) -> None:
    fleet.call("establish_group", feeder("M000001"), None, NOW)
    fleet.call("delete_group", FEEDER)
    assert fleet.call("group", FEEDER) is None
    assert fleet.call("meter", "M000001") is not None


def test_a_configuration_group_begins_with_its_first_member(fleet: OpenStore) -> None:
    assert fleet.call("insert_in_group", PROGRAM, ["M9"], None, NOBODY, NOW) == [Refusal("M9", "meter 'M9' is not known")]
    assert fleet.call("group", PROGRAM) is None
    fleet.call("insert_in_group", PROGRAM, ["M000002"], None, Answering("http://127.0.0.1/", "t-1"), NOW)
    fleet.call("insert_in_group", GroupKey(GroupKind.CONFIGURATION, "P0"), ["M000002", "M000001"], None, NOBODY, NOW)
    assert fleet.call("group_names", GroupKind.CONFIGURATION) == ["P0", "P1"]
    assert fleet.call("group_names", GroupKind.CONFIGURATION, "M000001") == ["P0"]
    assert fleet.call("group_names", GroupKind.METERS) == []
    told = fleet.sql("SELECT transaction_id, response_url FROM meter_group_member WHERE group_id = 'P1'")
    assert [tuple(row) for row in told] == [("t-1", "http://127.0.0.1/")]
    with pytest.raises(UnknownMeterError):
        fleet.call("group_names", GroupKind.CONFIGURATION, "M9")


def test_groups_and_their_meters_have_a_bound(fleet: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.store.group_store.GROUPS_MAX", 1)
    monkeypatch.setattr("adapters.store.group_store.GROUP_METERS_MAX", 2)
    (refusal,) = fleet.call("establish_group", feeder("M000001", "M000002", "M000003"), None, NOW)
    assert (refusal.object_id, "which is the most" in refusal.reason) == ("M000003", True)
    (refusal,) = fleet.call("insert_in_group", FEEDER, ["M000001", "M000004"], None, NOBODY, NOW)
    assert refusal.object_id == "M000004"
    fleet.call("establish_group", feeder("M000001"), None, NOW)
    with pytest.raises(RequestError, match="there are 1 groups"):
        fleet.call("insert_in_group", PROGRAM, ["M000001"], None, NOBODY, NOW)
