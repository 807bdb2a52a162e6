"""Shipments and customers: idempotent, whole or not at all, and the unknown named."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from headend.errors import RequestError, UnknownMeterError
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, NativeAddress, ServicePoint, Transport
from headend.ports import CustomerItem
from tests.store.world import NOW, OpenStore, endpoint_day, shipment

MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
ELSEWHERE = NativeAddress(Transport.TCP, "10.1.1.1", 1153)


def customer(n: int, meter: int | None, started: datetime = MAY) -> CustomerItem:
    point = ServicePoint(f"SP{n}", Commodity.ELECTRIC, f"{n} Main St", "Elgin", "TX", "78621", f"A{n}", "C07", 30.5, -97.25)
    installed = None if meter is None else Installation(f"M{meter:06}", f"SP{n}", started)
    return CustomerItem(Customer(f"A{n}", f"Customer {n}", "555", "a@b.example"), point, installed)


def test_a_shipment_twice_changes_nothing_and_an_update_changes_one(store: OpenStore) -> None:
    items = shipment(3)
    assert store.call("import_shipment", items, NOW) == 3
    assert store.call("import_shipment", items, NOW) == 0
    items[1] = replace(items[1], model="model-b", router=None, key=bytes(16))
    assert store.call("import_shipment", items, NOW) == 1
    found = store.call("meter", "M000002").endpoint
    assert (found.endpoint_id, found.model, found.router, found.active) == (2, "model-b", None, True)
    assert store.call("endpoint", EndpointId(2)) == found
    assert store.call("endpoint", EndpointId(99)) is None
    assert store.call("summary").endpoints == 3


def test_a_new_key_becomes_current_and_the_old_one_stays(store: OpenStore) -> None:
    (item,) = shipment(1)
    store.call("import_shipment", [item], NOW)
    store.call("import_shipment", [replace(item, key_id=2, key=bytes(16))], NOW)
    title = bytes(store.sql("SELECT ap_title_octets FROM endpoint")[0][0])
    assert store.call("security", title).keys == ((1, item.key), (2, bytes(16)))
    store.call("schedule", NOW, NOW)
    (assignment,) = store.call("lease", "me", 1, NOW, NOW)
    assert (assignment.key_id, assignment.key) == (2, bytes(16))


def test_a_shipped_address_replaces_a_registered_one_only_when_it_changes(store: OpenStore) -> None:
    (item,) = shipment(1)
    store.call("import_shipment", [item], NOW)
    store.call("record", [replace(endpoint_day(1), address=ELSEWHERE)], NOW)
    store.call("import_shipment", [item], NOW)
    assert store.call("meter", "M000001").endpoint.address == ELSEWHERE
    moved = NativeAddress(Transport.UDP, "10.2.2.2", 1153)
    store.call("import_shipment", [replace(item, address=moved)], NOW)
    assert store.call("meter", "M000001").endpoint.address == moved


def test_an_ap_title_of_two_meters_is_refused_and_nothing_is_imported(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1), NOW)
    thief = replace(shipment(1, first=2)[0], ap_title=".100.1")
    with pytest.raises(RequestError, match=r"'M000002': ApTitle \.100\.1 belongs to meter 'M000001'"):
        store.call("import_shipment", [*shipment(1, first=3), thief], NOW)
    assert store.call("meter", "M000003") is None


def test_an_unknown_configuration_is_named(store: OpenStore) -> None:
    with pytest.raises(RequestError, match="configuration 'steam' is not one of residential"):
        store.call("import_shipment", [replace(shipment(1)[0], configuration="steam")], NOW)


def test_customers_are_found_with_their_meters(store: OpenStore) -> None:
    store.call("import_shipment", shipment(2), NOW)
    items = [customer(1, 1), customer(2, None)]
    assert store.call("import_customers", items, NOW) == 2
    assert store.call("import_customers", items, NOW) == 0
    entry = store.call("meter", "M000001")
    assert (entry.service_point, entry.customer) == (items[0].service_point, items[0].customer)
    assert store.call("meter", "M000002").service_point is None
    renamed = replace(items[1], customer=replace(items[1].customer, name="Somebody Else"))
    assert store.call("import_customers", [items[0], renamed], NOW) == 1


def test_a_meter_that_moves_ends_its_installation_and_a_swap_ends_the_old_meters(store: OpenStore) -> None:
    store.call("import_shipment", shipment(2), NOW)
    store.call("import_customers", [customer(1, 1)], NOW)
    store.call("import_customers", [customer(1, 2, JUNE)], NOW)
    assert store.call("meter", "M000001").service_point is None
    assert store.call("meter", "M000002").service_point.service_point_no == "SP1"
    store.call("import_customers", [customer(3, 2, NOW)], NOW)
    assert store.call("meter", "M000002").service_point.service_point_no == "SP3"
    periods = store.sql("SELECT endpoint_id, service_point_no, ended_us IS NULL FROM installation ORDER BY started_us")
    assert [tuple(map(str, period[:2])) for period in periods] == [("1", "SP1"), ("2", "SP1"), ("2", "SP3")]
    assert [bool(period[2]) for period in periods] == [False, False, True]


def test_customers_of_an_unknown_meter_are_refused_as_a_whole(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1), NOW)
    with pytest.raises(UnknownMeterError, match="M000009"):
        store.call("import_customers", [customer(1, 1), customer(2, 9)], NOW)
    assert store.call("meter", "M000001").customer is None
