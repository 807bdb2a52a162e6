"""Rules of master data: what takes effect, what is refused and why, and that saying a thing twice changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headend.master_data.book import Book
from headend.master_data.records import Account, CommunicationFacts, Meter, Switch
from headend.master_data.rules import follow_all
from headend.master_data.statements import (
    AccountEnded,
    AccountSaid,
    CustomerEnded,
    CustomerSaid,
    DocumentSaid,
    MeterAdded,
    MeterChanged,
    MeterExchanged,
    MeterFacts,
    MeterRemoved,
    MeterShipped,
    Place,
    Said,
    ServiceLocationEnded,
    ServicePointSaid,
    Statement,
    SwitchEnded,
    SwitchSaid,
)
from headend.model.endpoint import Commodity, Installation, ServicePoint
from headend.ports import ShipmentItem

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
POINT = ServicePoint("SL1", Commodity.ELECTRIC, "1 Main", "Ames", "IA", "50010", "A1", "C07")


def book(*more: object) -> Book:
    """M1 shipped and installed at SL1 since May, M2 shipped and nowhere, G1 a gas meter; SL2 is free."""
    known = Book()
    facts = CommunicationFacts(".100.1", 1, None, None)
    known.know([Meter("M1", "S1", "alpha", "residential", communication=facts), Meter("M2", "S2", "alpha", "residential")])
    known.know([Meter("G1", "S3", "beta", "gas"), Account("A1", "Ann")])
    known.know([POINT, ServicePoint("SL2", Commodity.ELECTRIC, "2 Main", "Ames", "IA", "50010", "A1", "C07")])
    known.know([Installation("M1", "SL1", MAY)])
    known.know(more)  # type: ignore[arg-type]
    return known


def say(known: Book, *statements: Statement, now: datetime = NOW) -> list[str]:
    """What is refused of statements told one by one."""
    said = [Said(f"{i}", (statement,)) for i, statement in enumerate(statements)]
    return [refusal.reason for refusal in follow_all(known, said, now)]


def at(location: str, **more: str) -> Place:
    return Place(location, **more)


def where(known: Book, meter_no: str) -> list[tuple[str, datetime, datetime | None]]:
    return sorted((i.service_point_no, i.started, i.ended) for i in known.installations_of(meter_no))


def test_a_meter_added_by_a_cis_is_known_without_being_shipped() -> None:
    known = book()
    assert say(known, MeterAdded(MeterFacts("M9", serial_no="S9", place=at("SL2"), installed=JUNE))) == []
    meter = known.meter("M9")
    assert meter is not None
    assert (meter.serial_no, meter.configuration, meter.communication, meter.active) == ("S9", "unshipped-electric", None, True)
    assert where(known, "M9") == [("SL2", JUNE, None)]


def test_a_shipment_gives_an_added_meter_what_it_takes_to_speak_with_it() -> None:
    known = book()
    item = ShipmentItem("M9", "S99", "gamma", "residential", ".100.9", 1, bytes(16), None, "north")
    assert say(known, MeterAdded(MeterFacts("M9", muted=True)), MeterShipped(item)) == []
    assert known.meter("M9") == Meter("M9", "S99", "gamma", "residential", True, True, CommunicationFacts(".100.9", 1, "north", None))


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (MeterAdded(MeterFacts("M9", place=at("SL9"))), "service location 'SL9' is not known"),
        (MeterAdded(MeterFacts("M1", place=at("SL2"))), "meter 'M1' is installed at service location 'SL1'; remove it there first"),
        (MeterAdded(MeterFacts("M2", place=at("SL1"))), "location 'SL1' has electric meter 'M1'; exchange or remove that one first"),
        (MeterAdded(MeterFacts("G1", Commodity.WATER)), "meter 'G1' measures gas, and is said to measure water"),
        (MeterAdded(MeterFacts("M9", place=at("SL2"), installed=NOW + timedelta(days=2))), "lies in the future"),
        (MeterChanged(MeterFacts("M9")), "meter 'M9' is not known"),
        (MeterChanged(MeterFacts("M1", installed=JUNE, ended=MAY)), "removed before it is installed; dates are reversed"),
        (MeterRemoved(MeterFacts("M9")), "meter 'M9' is not known"),
        (MeterRemoved(MeterFacts("M1", ended=MAY - timedelta(days=1))), "dates are reversed"),
        (MeterRemoved(MeterFacts("M1", place=at("SL2"))), "meter 'M1' is installed at service location 'SL1', not at 'SL2'"),
        (MeterRemoved(MeterFacts("M1", Commodity.GAS)), "meter 'M1' measures electric, and is said to measure gas"),
        (MeterExchanged("M9", "M2"), "meter 'M9' is not known"),
        (MeterExchanged("M2", "M9"), "meter 'M2' is not installed anywhere"),
        (MeterExchanged("M1", "M1"), "meter 'M1' is exchanged for itself"),
        (MeterExchanged("M1", "G1"), "meter 'G1' measures gas, and is said to measure electric"),
        (MeterExchanged("M1", "M2", commodity=Commodity.GAS), "meter 'M1' measures electric, and is said to measure gas"),
        (MeterExchanged("M1", "M2", "SL2"), "meter 'M1' is installed at service location 'SL1', not at 'SL2'"),
        (MeterExchanged("M1", "M2", at=MAY - timedelta(hours=1)), "dates are reversed"),
        (MeterShipped(ShipmentItem("M2", "", "", "residential", ".100.1", 1, b"", None, None)), "ApTitle .100.1 belongs to meter 'M1'"),
        (MeterShipped(ShipmentItem("G1", "", "", "residential", ".100.7", 1, b"", None, None)), "meter 'G1' measures gas"),
        (MeterShipped(ShipmentItem("M2", "", "", "unshipped-electric", ".100.7", 1, b"", None, None)), "is not one of residential"),
        (ServicePointSaid("SL2", meter_no="M1"), "meter 'M1' is installed at service location 'SL1'"),
        (ServicePointSaid("SL2", meter_no="M9"), "meter 'M9' is not known"),
        (ServicePointSaid("SL2", Commodity.ELECTRIC, meter_no="G1"), "'G1' measures gas, and service location 'SL2' has it as electric"),
        (ServiceLocationEnded("SL9"), "service location 'SL9' is not known"),
        (ServiceLocationEnded("SL1"), "service location 'SL1' has meter 'M1'; remove it first"),
        (CustomerEnded("7"), "customer '7' is not known"),
        (AccountEnded("A9"), "account 'A9' is not known"),
        (AccountEnded("A1"), "account 'A1', which pays at service location 'SL1'"),
        (AccountSaid("A1", location_nos=("SL9",)), "service location 'SL9' is not known"),
        (SwitchSaid("M9", "D1"), "meter 'M9' is not known"),
        (SwitchSaid("M1", "D1"), "device 'D1' is at meter 'M2'; remove it there first"),
        (SwitchSaid("M2", "D2"), "meter 'M2' has device 'D1'; exchange or remove that one first"),
        (SwitchEnded("G1", "D1"), "meter 'G1' has no connect/disconnect device"),
        (SwitchEnded("M2", "D2"), "meter 'M2' has device 'D1', not 'D2'"),
        (DocumentSaid("meterBase", "B1", {}, meter_nos=("M9",)), "meter 'M9' is not known"),
        (DocumentSaid("meterBase", "B1", {}, location_nos=("SL9",)), "service location 'SL9' is not known"),
        (DocumentSaid("rate", "R1", {"x": "y" * 1_000_000}), "1000000 are kept at most"),
    ],
)
def test_what_cannot_be_is_refused_by_name_and_leaves_no_trace(statement: Statement, reason: str) -> None:
    known = book(Switch("M2", "D1", present=True))
    (refused,) = say(known, statement)
    assert reason in refused
    assert known.changes() == []


def test_the_good_take_effect_beside_the_bad_and_doubles_are_named() -> None:
    known = book()
    said = [Said(no, (MeterAdded(MeterFacts(no)),)) for no in ("M7", "M8", "M7")]
    said += [Said("M9", (MeterChanged(MeterFacts("M9")),)), Said("", (), "meter number is missing")]
    assert [(r.object_id, r.reason) for r in follow_all(known, said, NOW)] == [
        ("M7", "'M7' stands in the list twice"),
        ("M9", "meter 'M9' is not known"),
        ("", "meter number is missing"),
    ]
    assert [str(change.key) for change in known.changes()] == ["M7", "M8"]


def test_an_object_of_several_statements_takes_effect_whole_or_not_at_all() -> None:
    known = book()
    said = Said("SL3", (ServicePointSaid("SL3", Commodity.WATER), ServicePointSaid("SL3", Commodity.ELECTRIC, meter_no="M9")))
    assert len(follow_all(known, [said], NOW)) == 1
    assert known.points_at("SL3") == {}


def test_a_removed_meter_stays_known_and_a_retired_one_is_not_in_use() -> None:
    known = book()
    assert say(known, MeterRemoved(MeterFacts("M1", ended=JUNE))) == []
    assert where(known, "M1") == [("SL1", MAY, JUNE)]
    assert known.meter("M1").active  # type: ignore[union-attr]
    assert say(known, MeterRemoved(MeterFacts("M1"), retired=True), MeterAdded(MeterFacts("M2", place=at("SL1")))) == []
    assert not known.meter("M1").active  # type: ignore[union-attr]
    item = ShipmentItem("M1", "S1", "alpha", "residential", ".100.1", 1, bytes(16), None, None)
    assert say(known, MeterShipped(item)) == []
    assert not known.meter("M1").active, "reading the shipment again does not put it back into use"  # type: ignore[union-attr]
    assert say(known, MeterAdded(MeterFacts("M1"))) == []
    assert known.meter("M1").active  # type: ignore[union-attr]


def test_an_exchange_keeps_both_histories_with_the_service_point() -> None:
    known = book()
    exchange = MeterExchanged("M1", "M9", "SL1", JUNE)
    assert say(known, exchange) == []
    assert sorted((i.meter_no, i.started, i.ended) for i in known.installations_at("SL1")) == [("M1", MAY, JUNE), ("M9", JUNE, None)]
    assert known.meter("M9").commodity is Commodity.ELECTRIC  # type: ignore[union-attr]
    before = known.changes()
    assert say(known, exchange, now=NOW + timedelta(days=1)) == []
    assert known.changes() == before


def test_a_changed_place_moves_a_meter() -> None:
    known = book()
    assert say(known, MeterChanged(MeterFacts("M1", place=at("SL2"), installed=JUNE))) == []
    assert where(known, "M1") == [("SL1", MAY, JUNE), ("SL2", JUNE, None)]


def test_a_meter_cannot_begin_where_another_had_not_ended() -> None:
    known = book()
    say(known, MeterRemoved(MeterFacts("M1", ended=JUNE)))
    (refused,) = say(known, MeterAdded(MeterFacts("M2", place=at("SL1"), installed=MAY)))
    assert "meter 'M1' was installed at service location 'SL1' until 2026-06-01" in refused


def test_what_began_and_ends_at_one_instant_has_never_been() -> None:
    known = book()
    assert say(known, MeterAdded(MeterFacts("M2", place=at("SL2"))), MeterRemoved(MeterFacts("M2"))) == []
    assert where(known, "M2") == []


def test_a_location_has_a_service_point_for_each_commodity() -> None:
    known = book()
    assert say(known, MeterAdded(MeterFacts("G1", Commodity.GAS, place=at("SL1", account_no="A2")))) == []
    gas = known.points_at("SL1")[Commodity.GAS]
    assert (gas.service_point_no, gas.service_location, gas.account_no, gas.city) == ("SL1/gas", "SL1", "A2", "Ames")
    assert known.points_at("SL1")[Commodity.ELECTRIC] == POINT


def test_a_place_that_says_who_pays_is_made() -> None:
    known = book()
    place = Place("SL7", "A7", "C7", "08")
    assert say(known, MeterAdded(MeterFacts("G1", place=place))) == []
    point = known.points_at("SL7")[Commodity.GAS]
    assert (point.account_no, point.bill_cycle) == ("A7", "08")
    assert known.account("A7") == Account("A7", customer_id="C7")


def test_customers_accounts_and_bill_cycles_hang_together() -> None:
    known = book()
    assert say(known, CustomerSaid("C1", "Bob", "555", account_nos=("A1",)), AccountSaid("A1", bill_cycle="09")) == []
    assert known.account("A1") == Account("A1", "Bob", "555", "", "C1")
    assert {point.bill_cycle for point in known.points_of("A1")} == {"09"}
    (refused,) = say(known, CustomerEnded("C1"))
    assert "customer 'C1' holds account 'A1', which pays at service location 'SL1'" in refused
    assert say(known, AccountSaid("A2", location_nos=("SL1", "SL2")), CustomerEnded("C1"), AccountEnded("A1")) == []
    assert (known.account("A1"), known.customer("C1")) == (None, None)


def test_a_location_that_had_meters_stays_for_their_history_and_is_nobodys() -> None:
    known = book()
    assert say(known, MeterRemoved(MeterFacts("M1")), ServiceLocationEnded("SL1"), ServiceLocationEnded("SL2")) == []
    assert known.points_at("SL1")[Commodity.ELECTRIC].account_no == ""
    assert known.points_at("SL2") == {}


def test_switches_come_and_go() -> None:
    known = book()
    assert say(known, SwitchSaid("G1", "D1"), SwitchSaid("G1", "D2", exchanged=True), SwitchEnded("G1", "D2")) == []
    assert known.switch("G1") == Switch("G1", "D2", present=False)
    assert say(known, SwitchEnded("M1", "built-in")) == []
    assert known.switch("M1") == Switch("M1", "built-in", present=False)


METERS = st.sampled_from(["M1", "M2", "M3", "G1"])
PLACES = st.none() | st.builds(Place, st.sampled_from(["SL1", "SL2", "SL3"]), st.sampled_from([None, "A1", "A2"]))
INSTANTS = st.none() | st.sampled_from([MAY, JUNE, NOW])
FACTS = st.builds(
    MeterFacts,
    METERS,
    st.sampled_from([None, *Commodity]),
    muted=st.sampled_from([None, True]),
    place=PLACES,
    installed=INSTANTS,
    ended=INSTANTS,
)
STATEMENTS = st.one_of(
    st.builds(MeterAdded, FACTS),
    st.builds(MeterChanged, FACTS),
    st.builds(MeterRemoved, FACTS, st.booleans()),
    st.builds(MeterExchanged, METERS, METERS, st.sampled_from([None, "SL1", "SL2"]), INSTANTS),
    st.builds(ServicePointSaid, st.sampled_from(["SL1", "SL2", "SL3"]), st.sampled_from([None, *Commodity]), meter_no=st.none() | METERS),
    st.builds(ServiceLocationEnded, st.sampled_from(["SL1", "SL2", "SL3"])),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(STATEMENTS, max_size=12))
def test_whatever_is_said_a_meter_is_in_one_place_and_a_place_has_one_meter(statements: Sequence[Statement]) -> None:
    known = book()
    for hours, statement in enumerate(statements):
        now = NOW + timedelta(hours=hours)
        first = say(known, statement, now=now)
        before = known.changes()
        if not first:
            assert say(known, statement, now=now) == [] or isinstance(statement, ServiceLocationEnded)
            assert known.changes() == before, "twice changes nothing"
    for owners in (known.installations_of, known.installations_at):
        for key in ("M1", "M2", "M3", "G1", "SL1", "SL2", "SL3", *(f"SL{n}/{c.value}" for n in (1, 2, 3) for c in Commodity)):
            periods = sorted((i.started, i.ended or datetime.max.replace(tzinfo=UTC)) for i in owners(key))
            assert all(end <= start for (_, end), (start, _) in pairwise(periods)), key
            assert all(start < end for start, end in periods)
