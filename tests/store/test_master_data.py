"""Master data in the store: statements take effect in one transaction, are logged, and reach what is collected."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text

from adapters.store.database import parse_url
from adapters.store.migration import migrate
from headend.master_data.port import Author
from headend.master_data.records import Document
from headend.master_data.statements import (
    CustomerSaid,
    DocumentSaid,
    MeterAdded,
    MeterChanged,
    MeterExchanged,
    MeterFacts,
    MeterRemoved,
    Place,
    Said,
    ServicePointSaid,
    Statement,
    SwitchSaid,
)
from headend.model.collection import Collected
from headend.model.endpoint import Commodity, EndpointId, NativeAddress, Transport
from headend.model.refusal import Refusal
from tests.store.world import FROM, NOW, UNTIL, OpenStore, endpoint_day, shipment

CIS = Author("cis", "MeterAddNotification")
ELSEWHERE = NativeAddress(Transport.TCP, "10.1.1.1", 1153)


def say(store: OpenStore, *statements: Statement, now=NOW) -> list[Refusal]:
    return store.call("take", [Said(str(i), (statement,)) for i, statement in enumerate(statements)], CIS, now)


def added(meter_no: str, location: str | None = None) -> MeterAdded:
    return MeterAdded(MeterFacts(meter_no, serial_no=f"S{meter_no}", place=location and Place(location, f"A{location}", "C1", "07")))


def test_an_added_meter_is_known_and_not_collected_until_it_has_been_shipped(store: OpenStore) -> None:
    assert say(store, added("M000001", "SL1")) == []
    entry = store.call("meter", "M000001")
    assert (entry.endpoint.shipped, entry.endpoint.address, entry.endpoint.commodity) == (False, None, Commodity.ELECTRIC)
    assert (entry.service_point.service_point_no, entry.service_point.account_no, entry.customer.customer_id) == ("SL1", "ASL1", "C1")
    assert store.call("schedule", NOW, FROM) == 0
    assert store.call("schedule", NOW, FROM, ["M000001"]) == 0
    assert store.call("pushed", NOW) == (0, 0)
    assert store.call("summary").endpoints == 1
    store.call("import_shipment", shipment(1), NOW)
    assert store.call("meter", "M000001").endpoint.ap_title == ".100.1"
    assert store.call("schedule", NOW, FROM) == 1
    assert store.call("lease", "me", 5, NOW, UNTIL)[0].meter_no == "M000001"


def test_one_shipped_without_an_address_is_collected_once_it_has_registered(store: OpenStore) -> None:
    store.call("import_shipment", [replace(shipment(1)[0], address=None)], NOW)
    assert store.call("schedule", NOW, FROM) == 0
    title = bytes(store.sql("SELECT ap_title_octets FROM endpoint")[0][0])
    assert store.call("security", title).address is None
    store.call("record", [Collected(EndpointId(1), NOW, address=ELSEWHERE)], NOW)
    assert store.call("security", title).address == ELSEWHERE
    assert store.call("schedule", NOW, FROM) == 1
    assert store.call("lease", "me", 5, NOW, UNTIL)[0].address == ELSEWHERE


def test_a_retired_meter_is_collected_no_more_and_what_it_read_stays(store: OpenStore) -> None:
    store.call("import_shipment", shipment(2), NOW)
    store.call("record", [endpoint_day(1)], NOW)
    store.call("schedule", NOW, FROM)
    assert say(store, MeterRemoved(MeterFacts("M000001"), retired=True)) == []
    assert [a.meter_no for a in store.call("lease", "me", 5, NOW, UNTIL)] == ["M000002"]
    summary = store.call("summary")
    assert (summary.endpoints, summary.due) == (1, 1)
    assert store.registers("M000001") == 1
    assert not store.call("meter", "M000001").endpoint.active


def test_what_a_retired_meters_last_conversation_brought_is_stored(store: OpenStore) -> None:
    store.call("import_shipment", shipment(1), NOW)
    store.call("schedule", NOW, FROM)
    (assignment,) = store.call("lease", "me", 5, NOW, UNTIL)
    say(store, MeterRemoved(MeterFacts("M000001"), retired=True))
    store.call("record", [endpoint_day(1, lease_id=assignment.lease_id)], NOW)
    assert store.registers("M000001") == 1
    assert (store.call("summary").due, store.call("lease", "me", 5, UNTIL + timedelta(days=1), UNTIL + timedelta(days=2))) == (0, [])


def test_each_object_is_refused_or_takes_effect(store: OpenStore) -> None:
    said = [added("M1"), MeterChanged(MeterFacts("M9")), added("M2", "SL1"), added("M3", "SL1")]
    assert [(r.object_id, r.reason) for r in say(store, *said)] == [
        ("1", "meter 'M9' is not known"),
        ("3", "service location 'SL1' has electric meter 'M2'; exchange or remove that one first"),
    ]
    assert [store.call("meter", no) is not None for no in ("M1", "M2", "M3", "M9")] == [True, True, False, False]


def test_saying_it_again_changes_nothing_and_logs_nothing(store: OpenStore) -> None:
    said = (added("M1", "SL1"), added("M2"), CustomerSaid("C1", "Ann", account_nos=("ASL1",)), SwitchSaid("M2", "D1"))
    assert say(store, *said) == []
    log = store.call("master_changes", 0, 100)
    assert say(store, *said, now=NOW + timedelta(days=1)) == []
    assert store.call("master_changes", 0, 100) == log
    assert store.call("meter", "M1").customer.name == "Ann"


def test_the_log_says_who_changed_what_from_what(store: OpenStore) -> None:
    say(store, added("M1", "SL1"))
    say(store, MeterExchanged("M1", "M2"), now=NOW + timedelta(hours=1))
    log = store.call("master_changes", 1, 100)
    assert {(one.change_no, one.author, one.at) for one in log} == {(2, CIS, NOW + timedelta(hours=1))}
    ended = next(one for one in log if one.kind == "installation" and one.before)
    assert (json.loads(ended.before)["ended"], json.loads(ended.after)["ended"]) == (None, (NOW + timedelta(hours=1)).isoformat())
    new = next(one for one in log if one.kind == "meter")
    assert (new.object_key, new.before, json.loads(new.after)["configuration"]) == ("M2", None, "unshipped-electric")
    assert len({one.change_no for one in store.call("master_changes", 0, 1)}) == 1, "a transaction is told whole"


def test_the_meter_at_a_location_is_found(store: OpenStore) -> None:
    gas = MeterAdded(MeterFacts("G1", Commodity.GAS, place=Place("SL1", "A1")))
    assert say(store, gas) == []
    assert store.call("meter_at", "SL1").endpoint.meter_no == "G1"
    say(store, MeterAdded(MeterFacts("M1", Commodity.ELECTRIC, place=Place("SL1"))))
    entry = store.call("meter_at", "SL1")
    assert (entry.endpoint.meter_no, entry.service_point.service_location) == ("M1", "SL1")
    assert entry.service_point.service_point_no == "SL1/electric"
    assert store.call("meter_at", "SL9") is None


def test_documents_are_kept_by_kind_and_id(store: OpenStore) -> None:
    said = [DocumentSaid("rate", f"R{n}", {"rateCode": f"R{n}", "list": [1, None]}) for n in range(3)]
    assert say(store, *said, DocumentSaid("meterBase", "R1", {}, ended="removed")) == []
    assert store.call("document", "rate", "R1") == Document("rate", "R1", {"rateCode": "R1", "list": [1, None]})
    assert store.call("document", "meterBase", "R1").ended == "removed"
    assert store.call("document", "rate", "R9") is None
    page = store.call("documents", "rate", "", 2)
    assert ([one.object_id for one in page.items], page.remaining) == (["R0", "R1"], 1)
    assert store.call("documents", "rate", "R1", 2).remaining == 0


def test_ten_thousand_meters_are_one_transaction(store: OpenStore) -> None:
    said = [Said(f"M{n}", (added(f"M{n}", f"SL{n}"),)) for n in range(10_000)]
    assert store.call("take", said, CIS, NOW) == []
    assert store.call("summary").endpoints == 10_000
    assert {one.change_no for one in store.call("master_changes", 0, 1)} == {1}
    assert store.call("take", said, CIS, NOW) == []


def test_a_service_point_of_the_first_schema_is_its_own_location(database_url: str) -> None:
    engine = create_engine(parse_url(database_url))
    with engine.begin() as connection:
        migrate(connection, "0001")
        connection.execute(text("INSERT INTO account VALUES ('A1', 'Ann', '', '')"))
        connection.execute(text("INSERT INTO service_point VALUES ('SP1', 'electric', '', '', '', '', 'A1', '', NULL, NULL)"))
    with engine.begin() as connection:
        migrate(connection)
        assert connection.execute(text("SELECT location_no, account_no FROM service_point")).all() == [("SP1", "A1")]
        connection.execute(text("UPDATE service_point SET account_no = NULL"))
    engine.dispose()


@pytest.mark.parametrize("statement", [ServicePointSaid("SL7"), ServicePointSaid("SL7", Commodity.GAS, city="Ames")])
def test_a_vacant_service_point_has_no_account(store: OpenStore, statement: ServicePointSaid) -> None:
    assert say(store, statement, MeterAdded(MeterFacts("M1", place=Place("SL7")))) == []
    entry = store.call("meter", "M1")
    assert (entry.service_point.account_no, entry.customer, entry.endpoint.commodity) == ("", None, statement.commodity or "electric")
