"""Deferred operations over a real store: every one is accepted in both versions, answered object by object, and stored once."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from adapters.store.instants import to_us
from headend.meter_groups import GroupKind, MeterGroup
from headend.model.endpoint import Commodity, Customer, Installation, ServicePoint
from headend.model.habits import Habit
from headend.model.partner import MeterIdentifier, MeterScope, NotificationProfile, PeerServer
from headend.ports import CustomerItem
from multispeak import deferred_operations
from multispeak.contract import load_contract
from multispeak.deferred_operations import deferred_handlers
from tests.fakes.soap_world import NOW, fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import shipment
from wsdl import VERSIONS

URL = "https://cis.example/any"
TAIL = {"3.0": "<expirationTime>600</expirationTime>", "4.1.6": '<expTime units="Minutes">10</expTime>'}
OPERATIONS = [(version, name) for version in VERSIONS for name in deferred_handlers(version)]
SERVER_OF = {
    (version, name): server
    for version, name in OPERATIONS
    for server in SERVERS
    if name in load_contract(version).services[server].operations
}


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    """M000001 to M000003 residential (with switch), M000004 commercial, M000005 gas; M000001 and the gas meter at service location SP1."""
    items = [*shipment(3), *shipment(1, configuration="commercial", first=4), *shipment(1, configuration="gas", first=5)]
    store_site.store.call("import_shipment", items, NOW)
    store_site.store.call("import_customers", [customer("M000001", Commodity.ELECTRIC, "1"), customer("M000005", Commodity.GAS, "5")], NOW)
    group = MeterGroup(GroupKind.METERS, "F7", "Feeder seven", ("M000002", "M000005"))
    store_site.store.call("establish_group", group, None, NOW)
    return store_site


def customer(meter_no: str, commodity: Commodity, number: str) -> CustomerItem:
    point = ServicePoint(f"SP{number}", commodity, "1 Main St", "Ames", "IA", "50010", f"A{number}", "01")
    return CustomerItem(Customer(f"A{number}", "Ann"), point, Installation(meter_no, f"SP{number}", NOW - timedelta(days=30)))


def request(
    version: str, operation: str, *, meter: str = "M000001", transaction: str = "t-1", url: str = URL, tail: str | None = None
) -> str:
    """A request for one meter, with every parameter of the contract that an honest client sends."""
    return "".join(
        _parameter(version, operation, e.name, meter, transaction, url, TAIL[version] if tail is None else tail)
        for e in load_contract(version).services[SERVER_OF[version, operation]].operations[operation].request
    )


def _parameter(version: str, operation: str, name: str, meter: str, transaction: str, url: str, tail: str) -> str:
    ident = f"<meterNo>{meter}</meterNo>" if version == "3.0" else f"<meterID>{meter}</meterID>"
    values = {
        "meterNo": meter,
        "meterNos": f"<string>{meter}</string>",
        "meterNumbers": f"<string>{meter}</string>",
        "meterID": meter,
        "meterIDs": f"<meterIdentifier>{ident}</meterIdentifier>" if version == "3.0" else ident,
        "states": f"<CDState>{ident}</CDState>",
        "cdEvents": f"<connectDisconnectEvent>{event(version, meter, 'Disconnect')}</connectDisconnectEvent>",
        "meterGroupName": "F7",
        "timeToRead": "2026-03-04T02:00:00Z",
        "date": "2026-02-01T00:00:00Z",
        "requestDate": "2026-03-03T15:00:00Z",
        "objectName": "SP1",
        "nounType": "serviceLocation",
        "PhaseCode": "ABC",
        "periodicity": "15",
        "servLoc": "<string>SP1</string>",
        "serviceLocationID": "<string>SP1</string>",
        "readingType": "Register",
        "fieldName": "posKWh",
        "fieldNames": "<string>posKWh</string><string>kWh</string>",
        "formattedBlockTemplateName": "standard",
        "serviceType": "All",
        "responseURL": url,
        "transactionID": transaction,
        "exchanges": "<electricMeterExchanges><electricMeterExchange><serviceLocationID>SP1</serviceLocationID><outMeterReading>"
        f"<meterID>{meter}</meterID></outMeterReading><inMeterReading><meterID>NEW</meterID></inMeterReading></electricMeterExchange>"
        "</electricMeterExchanges>",
        "installLocations": '<serviceLocation objectID="SP1"><electricServiceList><electricService><electricMeterID>'
        f"{meter}</electricMeterID></electricService></electricServiceList></serviceLocation>",
    }
    return tail if name in {"expirationTime", "expTime"} else f"<{name}>{values[name]}</{name}>"


def event(version: str, meter: str, action: str) -> str:
    code = f"<loadActionCode>{action}</loadActionCode>" if action else ""
    return f"{code}<meterNo>{meter}</meterNo>" if version == "3.0" else f"<meterID>{meter}</meterID>{code}"


def call(site: StoreSite, version: str, operation: str, inside: str | None = None, **how: Any) -> etree._Element:
    return site.ask(version, SERVER_OF[version, operation], operation, request(version, operation, **how) if inside is None else inside)


def errors(answer: etree._Element) -> dict[str, str]:
    assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
    return {e.get("objectID", ""): e.get("errorString", "") for e in answer.iter("{*}errorObject")}


def fault(answer: etree._Element) -> tuple[str, str]:
    return fault_of(etree.tostring(answer))


def stored(site: StoreSite) -> list[dict[str, Any]]:
    """Every stored request with the meters of its targets."""
    columns = [
        *("request_id", "kind", "operation", "server", "version", "response_url", "answers"),
        *("parameters", "accepted_us", "begins_us", "expires_us", "transaction_id", "partner"),
    ]
    rows = site.store.sql(f"SELECT {', '.join(columns)} FROM deferred_request ORDER BY request_id")
    found = [dict(zip(columns, row, strict=True)) for row in rows]
    for one in found:
        targets = site.store.sql(
            "SELECT e.meter_no, t.action, t.details, t.state, t.due_us FROM deferred_target t"
            f" JOIN endpoint e ON e.endpoint_id = t.endpoint_id WHERE t.request_id = {one['request_id']} ORDER BY t.position"
        )
        one["targets"] = {meter_no: rest for meter_no, *rest in targets}
    return found


def test_every_deferred_operation_of_the_contract_has_its_row() -> None:
    """All Initiate… and Schedule… operations but those that are about monitoring and about planned or disconnected status."""
    elsewhere = {
        *("InitiatePlannedOutage", "InitiateUsageMonitoring", "InitiateDisconnectedStatus"),
        *("InitiateMeterEventMonitoring", "InitiateThresholdMonitoring"),
    }
    for version in VERSIONS:
        operations = {name for server in SERVERS for name in load_contract(version).services[server].operations}
        wanted = {n for n in operations if n.startswith(("Initiate", "ScheduleGroup"))} - elsewhere
        assert set(deferred_handlers(version)) == wanted


@pytest.mark.parametrize(("version", "operation"), OPERATIONS)
def test_every_operation_is_accepted_and_kept(site: StoreSite, version: str, operation: str) -> None:
    assert errors(call(site, version, operation)) == {}
    (one,) = stored(site)
    assert (one["operation"], one["version"], one["partner"], one["transaction_id"]) == (operation, version, "cis", "t-1")
    assert one["server"] == SERVER_OF[version, operation]
    assert (one["response_url"], one["accepted_us"]) == (URL, to_us(NOW))
    assert json.loads(one["answers"])[0].endswith("Notification")
    group = operation.startswith(("InitiateGroup", "ScheduleGroup"))
    assert list(one["targets"]) == (["M000002", "M000005"] if group else ["M000001"])
    begins = datetime.fromisoformat("2026-03-04T02:00:00Z") if "Schedule" in operation else NOW
    expires = "expirationTime" in request(version, operation) or "expTime" in request(version, operation)
    awaited = operation in {"InitiateMeterExchange", "InitiateMeterInstallation"}
    assert one["expires_us"] == to_us(begins + (timedelta(minutes=10) if expires else timedelta(days=30 if awaited else 1)))
    action = {"InitiateConnectDisconnect": "disconnect", "InitiateArmCDDevice": "arm"}.get(operation)
    for told, _, state, due_us in one["targets"].values():
        assert (state, due_us) == ("accepted", to_us(begins))
        if action:
            assert told == action


@pytest.mark.parametrize("version", VERSIONS)
def test_parameters_are_kept_by_their_names(site: StoreSite, version: str) -> None:
    operation = "InitiateMeterReadsByFieldName" if version == "3.0" else "InitiateMeterReadingsByFieldName"
    call(site, version, operation)
    kept = json.loads(stored(site)[0]["parameters"])
    assert json.loads(kept["fieldNames"]) == ["posKWh", "kWh"]
    assert kept["formattedBlockTemplateName"] == "standard"
    assert "transactionID" not in kept


@pytest.mark.parametrize("version", VERSIONS)
def test_bad_objects_are_told_and_the_others_take_effect(site: StoreSite, version: str) -> None:
    site.store.sql("UPDATE endpoint SET active = 0 WHERE meter_no = 'M000003'")
    actions = {
        "M000001": "Connect",
        "M000002": "Armed",
        "M000003": "Connect",
        "M000004": "Connect",
        "M000005": "Connect",
        "nobody": "Connect",
    }
    events = [*actions.items(), ("M000001", "Disconnect"), ("M000002", ""), ("", "Arm")]
    inside = "".join(f"<connectDisconnectEvent>{event(version, m, a)}</connectDisconnectEvent>" for m, a in events)
    body = f"<cdEvents>{inside}</cdEvents><responseURL>{URL}</responseURL><transactionID>t</transactionID>{TAIL[version]}"
    answer = call(site, version, "InitiateConnectDisconnect", body)
    told = [(e.get("objectID"), e.get("errorString")) for e in answer.iter("{*}errorObject")]
    assert told == [
        ("M000002", "loadActionCode Armed is a state, not a command"),
        ("M000003", "meter 'M000003' is not active"),
        ("M000004", "meter 'M000004' has no switch"),
        ("M000005", "meter 'M000005' has no switch"),
        ("nobody", "meter 'nobody' is not known"),
        ("M000001", "meter 'M000001' stands in the request twice"),
        ("M000002", "loadActionCode is missing"),
        ("", "object 9 of the request names no meter"),
    ]
    assert {e.get("nounType") for e in answer.iter("{*}errorObject")} == {"meter"}
    assert {e.get("eventTime", "")[:16] for e in answer.iter("{*}errorObject")} == {"2026-03-03T09:00"}
    (one,) = stored(site)
    assert {meter: told for meter, (told, *_) in one["targets"].items()} == {"M000001": "connect"}


def test_where_nothing_can_be_done_nothing_is_stored_and_the_transaction_is_free(site: StoreSite) -> None:
    assert list(errors(call(site, "3.0", "InitiateMeterReadByMeterNumber", meter="nobody"))) == ["nobody"]
    assert stored(site) == []
    assert errors(call(site, "3.0", "InitiateMeterReadByMeterNumber")) == {}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_same_request_again_is_answered_alike_and_stored_once(site: StoreSite, version: str) -> None:
    operation = "InitiateOutageDetectionEventRequest"
    inside = request(version, operation)
    more = "<string>nobody</string>" if version == "3.0" else "<meterID>nobody</meterID>"
    inside = inside.replace("</meterNos>", f"{more}</meterNos>").replace("</meterIDs>", f"{more}</meterIDs>")
    first = errors(call(site, version, operation, inside))
    site.now = NOW + timedelta(minutes=1)
    later = inside.replace("2026-03-03T15:00:00Z", "2026-03-03T15:01:00Z").replace("600", "500").replace(">10<", ">20<")
    assert errors(call(site, version, operation, later)) == first == {"nobody": "meter 'nobody' is not known"}
    assert len(stored(site)) == 1
    # Even where the objects would be answered otherwise by now.
    site.store.sql("UPDATE endpoint SET active = 0")
    assert errors(call(site, version, operation, inside)) == first


def test_a_transaction_id_stands_for_one_request(site: StoreSite) -> None:
    operation = "InitiateMeterReadByMeterNumber"
    call(site, "3.0", operation)
    code, text = fault(call(site, "3.0", operation, meter="M000002"))
    assert (code, "'t-1'" in text) == ("Client.TransactionReused", True)
    assert fault(call(site, "3.0", operation, url=URL + "/2"))[0] == "Client.TransactionReused"
    assert fault(call(site, "3.0", "InitiateOutageDetectionEventRequest"))[0] == "Client.TransactionReused"
    assert errors(call(site, "3.0", operation, meter="M000002", transaction="t-2")) == {}
    site.partner = replace(site.partner, page_size=1)
    assert len(stored(site)) == 2
    # A week later and done, it may stand for another one.
    site.now = NOW + timedelta(days=8)
    assert fault(call(site, "3.0", operation, meter="M000002"))[0] == "Client.TransactionReused"
    site.store.sql("UPDATE deferred_target SET state = 'expired', due_us = NULL")
    assert errors(call(site, "3.0", operation, meter="M000002")) == {}


@pytest.mark.parametrize("transaction", [" t ", "{B5A0-ü}", "0"])
def test_a_transaction_id_is_kept_untouched(site: StoreSite, transaction: str) -> None:
    call(site, "3.0", "InitiateMeterReadByMeterNumber", transaction=transaction)
    assert stored(site)[0]["transaction_id"] == transaction


def test_without_a_transaction_id_each_call_is_a_request_of_its_own(site: StoreSite) -> None:
    for _ in range(2):
        assert errors(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", transaction="")) == {}
    assert [one["transaction_id"] for one in stored(site)] == [None, None]


@pytest.mark.parametrize(
    ("version", "tail", "expected"),
    [
        ("3.0", "<expirationTime>0</expirationTime>", timedelta(days=1)),
        ("3.0", "", timedelta(days=1)),
        ("3.0", "<expirationTime>1.5</expirationTime>", timedelta(seconds=1.5)),
        ("3.0", "<expirationTime>46084.4375</expirationTime>", timedelta(minutes=90)),
        ("3.0", "<expirationTime>-1</expirationTime>", "expired when it arrived"),
        ("3.0", "<expirationTime>46084.25</expirationTime>", "expired when it arrived"),
        ("3.0", "<expirationTime>NaN</expirationTime>", "is no time"),
        ("3.0", "<expirationTime>1e30</expirationTime>", "more than 366 days"),
        ("4.1.6", "", timedelta(days=1)),
        ("4.1.6", '<expTime units="Milliseconds">1500</expTime>', timedelta(seconds=1.5)),
        ("4.1.6", "<expTime>90</expTime>", timedelta(seconds=90)),
        ("4.1.6", '<expTime units="Hours">0.5</expTime>', timedelta(minutes=30)),
        ("4.1.6", '<expTime units="Weeks">1</expTime>', timedelta(days=7)),
        ("4.1.6", '<expTime units="Months">1</expTime>', timedelta(days=30)),
        ("4.1.6", '<expTime units="Years">1</expTime>', timedelta(days=365)),
        ("4.1.6", '<expTime units="Years">2</expTime>', "more than 366 days"),
        ("4.1.6", '<expTime units="Other">2</expTime>', "units 'Other'"),
        ("4.1.6", '<expTime units="Days">-2</expTime>', "expired when it arrived"),
    ],
)
def test_expirations(site: StoreSite, version: str, tail: str, expected: timedelta | str) -> None:
    operation = "InitiateDemandReset"
    answer = call(site, version, operation, tail=tail)
    if isinstance(expected, str):
        code, text = fault(answer)
        assert (code, expected in text) == ("Client.InvalidExpiration", True)
        assert stored(site) == []
    else:
        assert errors(answer) == {}
        assert stored(site)[0]["expires_us"] == to_us(NOW + expected)


def test_an_ole_date_is_seconds_for_a_partner_that_is_not_tolerated_it(site: StoreSite) -> None:
    site.partner = replace(site.partner, tolerated=site.partner.tolerated - {Habit.OLE_EXPIRATION})
    call(site, "3.0", "InitiateDemandReset", tail="<expirationTime>46084.4375</expirationTime>")
    assert stored(site)[0]["expires_us"] == to_us(NOW + timedelta(seconds=46_084.4375))


@pytest.mark.parametrize("url", ["", "nowhere", "https://cis.example/3.0/CB_Server", "https://cis.example/OA_Server"])
def test_an_address_that_will_not_do_falls_back_to_the_profile_or_is_refused(site: StoreSite, url: str) -> None:
    code, text = fault(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", url=url))
    assert (code, "no address for ReadingChangedNotification" in text) == ("Client.ResponseURL", True)
    profile = NotificationProfile(urls={PeerServer.OA: "https://oa.example/", PeerServer.CB: "https://cb.example/"})
    site.partner = replace(site.partner, notifications=profile)
    assert errors(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", url=url)) == {}
    assert stored(site)[0]["response_url"] == "https://cb.example/"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("noun", "name", "taken", "said"),
    [
        ("meter", "M000002", ["M000002"], ""),
        ("ms:electricMeter", "M000002", ["M000002"], ""),
        ("serviceLocation", "SP5", ["M000005"], ""),
        ("account", "A1", ["M000001"], ""),
        ("meterGroup", "Feeder seven", ["M000002", "M000005"], ""),
        ("serviceLocation", "SP9", [], "service location 'SP9' is not known or has no meter"),
        ("meterGroup", "F8", [], "meter group 'F8' is not known"),
        ("transformer", "T1", [], "nounType 'transformer' is none that this head-end resolves; it resolves meter, serviceLocation"),
        ("", "T1", [], "nounType is missing"),
    ],
)
def test_objects_are_resolved_as_far_as_the_store_knows(
    site: StoreSite, version: str, noun: str, name: str, taken: list[str], said: str
) -> None:
    operation = "InitiateMeterReadByObject" if version == "3.0" else "InitiateMeterReadingByObject"
    inside = request(version, operation).replace(">SP1<", f">{name}<").replace(">serviceLocation<", f">{noun}<")
    told = errors(call(site, version, operation, inside))
    assert [meter for one in stored(site) for meter in one["targets"]] == taken
    assert said in told.get(name, "")
    assert bool(told) == bool(said)


def test_a_group_of_another_commodity_and_one_without_meters(site: StoreSite) -> None:
    inside = request("4.1.6", "InitiateGroupMeterReading").replace(">All<", ">Electric<")
    told = errors(call(site, "4.1.6", "InitiateGroupMeterReading", inside))
    assert told == {"M000005": "meter 'M000005' measures gas, and the object says electric"}
    site.store.call("establish_group", MeterGroup(GroupKind.METERS, "F0", "Nothing", ()), None, NOW)
    inside = request("3.0", "InitiateGroupMeterRead", transaction="x").replace("F7", "F0")
    told = errors(call(site, "3.0", "InitiateGroupMeterRead", inside))
    assert told == {"F0": "meter group 'F0' has no meters"}


@pytest.mark.parametrize(
    ("version", "operation", "old", "new", "code", "said"),
    [
        ("3.0", "ScheduleGroupMeterRead", "2026-03-04T02", "2026-03-03T02", "Client.InvalidPeriod", "must be ahead"),
        ("3.0", "ScheduleGroupMeterRead", "2026-03-04T02", "2028-03-04T02", "Client.InvalidPeriod", "at most 366 days"),
        ("3.0", "ScheduleGroupMeterRead", "2026-03-04T02", "0001-01-01T00", "Client.InvalidPeriod", "years 1990"),
        ("3.0", "InitiateOutageDetectionEventRequest", "2026-03-03T15", "0001-01-01T00", "Client.InvalidPeriod", "requestDate"),
        ("3.0", "InitiateODMonitoringRequestByObject", ">15<", ">0<", "Client.InvalidPeriod", "periodicity is 0"),
        ("3.0", "InitiateMeterReadByMeterNumber", "<string>M000001</string>", "", "Client.MissingParameter", "names no meter"),
        ("3.0", "InitiateODEventRequestByServiceLocation", "<string>SP1</string>", "", "Client.MissingParameter", "serviceLocation"),
        ("3.0", "InitiateMeterReadByObject", ">SP1<", "><", "Client.MissingParameter", "names no"),
        ("3.0", "InitiateMeterReadByMeterNumber", "t-1", "t" * 300, "Client.InvalidMessage", "transactionID has 300"),
        ("4.1.6", "InitiateMeterReadingsByFieldName", ">posKWh<", f">{'x' * 20_001}<", "Client.InvalidMessage", "fieldNames has"),
    ],
)
def test_what_makes_a_whole_request_bad_is_a_fault(
    site: StoreSite, version: str, operation: str, old: str, new: str, code: str, said: str
) -> None:
    found, text = fault(call(site, version, operation, request(version, operation).replace(old, new)))
    assert (found, said in text) == (code, True), text
    assert stored(site) == []


def test_there_is_a_most_of_targets(site: StoreSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferred_operations, "DEFERRED_TARGETS_MAX", 1)
    inside = request("3.0", "InitiateMeterReadByMeterNumber").replace("</meterNos>", "<string>M000002</string></meterNos>")
    code, text = fault(call(site, "3.0", "InitiateMeterReadByMeterNumber", inside))
    assert (code, "1 are taken in one call" in text) == ("Client.TooManyObjects", True)


def test_fifty_thousand_meters_in_a_call_are_each_answered_and_one_more_is_a_fault(site: StoreSite) -> None:
    names = [f"M{number:06}" for number in range(1, deferred_operations.DEFERRED_TARGETS_MAX + 1)]
    for more, transaction in ((0, "t-most"), (1, "t-more")):
        listed = "".join(f"<string>{name}</string>" for name in names + ["M0"] * more)
        inside = request("3.0", "InitiateMeterReadByMeterNumber", transaction=transaction).replace("<string>M000001</string>", listed)
        answer = call(site, "3.0", "InitiateMeterReadByMeterNumber", inside)
        if more:
            assert fault(answer)[0] == "Client.TooManyObjects"
            continue
        taken = list(stored(site)[0]["targets"])
        refused = errors(answer)
        assert "M000001" in taken
        assert sorted([*taken, *refused]) == names, "each once: taken, or why not"
    assert [one["transaction_id"] for one in stored(site)] == ["t-most"]


def test_meters_by_the_identifier_of_a_partner(site: StoreSite) -> None:
    site.partner = replace(site.partner, identifier=MeterIdentifier.SERIAL_NO)
    assert errors(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", meter="S2")) == {}
    assert list(stored(site)[0]["targets"]) == ["M000002"]
    assert "is not known" in errors(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", meter="M000002", transaction="t"))["M000002"]
    assert errors(call(site, "4.1.6", "InitiateMeterExchange", meter="S2", transaction="x")) == {}
    exchange = json.loads(stored(site)[-1]["targets"]["M000002"][1])
    assert (exchange["inMeter"], exchange["inMeterCalledBy"]) == ("NEW", "serial_no")


def test_a_partner_that_knows_some_meters_reaches_no_other(site: StoreSite) -> None:
    site.partner = replace(site.partner, meters=MeterScope(commodity=Commodity.GAS))
    inside = request("3.0", "InitiateMeterReadByMeterNumber").replace("</meterNos>", "<string>M000005</string></meterNos>")
    assert errors(call(site, "3.0", "InitiateMeterReadByMeterNumber", inside)) == {"M000001": "meter 'M000001' is not known"}
    assert errors(call(site, "3.0", "InitiateGroupMeterRead", transaction="t-2")) == {}
    assert [list(one["targets"]) for one in stored(site)] == [["M000005"], ["M000005"]]


def test_meter_ids_with_attributes_and_utilities(site: StoreSite) -> None:
    ids = (
        '<meterID meterNo="M000001" serviceType="Electric" utility="demo">AMI-7</meterID><meterID utility="other">M000002</meterID>'
        '<meterID serviceType="Sewer">M000003</meterID>'
    )
    inside = request("4.1.6", "InitiateMeterReadingsByMeterID").replace("<meterID>M000001</meterID>", ids)
    assert errors(call(site, "4.1.6", "InitiateMeterReadingsByMeterID", inside)) == {
        "M000002": "the object belongs to utility 'other', and this is 'demo'",
        "M000003": "serviceType Sewer has no meters here",
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_switches_by_service_location_and_the_details_of_an_event(site: StoreSite, version: str) -> None:
    place = "servLoc" if version == "3.0" else "serviceLocationID"
    reason = "reasonCode" if version == "3.0" else "CDReasonCode"
    body = f"<{place}>SP1</{place}><accountNumber>A1</accountNumber><loadActionCode>Connect</loadActionCode><{reason}>NonPayment</{reason}>"
    inside = (
        f"<cdEvents><connectDisconnectEvent>{body}<amountDue>12.5</amountDue></connectDisconnectEvent></cdEvents>"
        f"<responseURL>{URL}</responseURL><transactionID>t</transactionID>{TAIL[version]}"
    )
    assert errors(call(site, version, "InitiateConnectDisconnect", inside)) == {}
    (action, details, *_) = stored(site)[0]["targets"]["M000001"]
    kept = json.loads(details)
    assert (action, kept[reason], kept["accountNumber"]) == ("connect", "NonPayment", "A1")
    assert "12.5" in kept["amountDue"]


def test_open_and_close_are_commands_in_4_1_6_only(site: StoreSite) -> None:
    for version, code, action in (("4.1.6", "Open", "disconnect"), ("4.1.6", "Close", "connect"), ("3.0", "Open", None)):
        inside = request(version, "InitiateConnectDisconnect", transaction=code + version).replace("Disconnect<", f"{code}<")
        told = errors(call(site, version, "InitiateConnectDisconnect", inside))
        assert bool(told) == (action is None)
        if action:
            assert stored(site)[-1]["targets"]["M000001"][0] == action


def test_exchanges_and_installations_keep_what_comes_in_and_where(site: StoreSite) -> None:
    call(site, "4.1.6", "InitiateMeterExchange", transaction="x")
    call(site, "4.1.6", "InitiateMeterInstallation", transaction="y")
    exchange, installation = (json.loads(one["targets"]["M000001"][1]) for one in stored(site))
    assert exchange == {"serviceLocationID": "SP1", "inMeter": "NEW", "inMeterCalledBy": "meter_no"}
    assert installation == {"serviceLocation": "SP1"}
    days = [(one["expires_us"] - one["accepted_us"]) / 86_400e6 for one in stored(site)]
    assert days == [30, 30], "the contract lets nobody say how long, and crews take their time"
    bare = '<installLocations><serviceLocation objectID="SP2"/></installLocations>'
    told = errors(call(site, "4.1.6", "InitiateMeterInstallation", bare + f"<responseURL>{URL}</responseURL>"))
    assert told == {"SP2": "the service location names no meter to install"}
    extended = "<exchanges><extensionsList><extensionsItem/></extensionsList></exchanges>"
    answer = call(site, "4.1.6", "InitiateMeterExchange", extended + f"<responseURL>{URL}</responseURL>")
    assert fault(answer) == ("Client.MissingParameter", "InitiateMeterExchange names no meterExchange"), "extensions are no exchanges"


@pytest.mark.parametrize("version", VERSIONS)
def test_outage_monitoring_is_shown_and_cancelled(site: StoreSite, version: str) -> None:
    operation = "InitiateODMonitoringRequestByObject"
    assert errors(call(site, version, operation)) == {}
    other = request(version, operation, transaction="t-2").replace("SP1", "F7").replace("serviceLocation", "meterGroup")
    call(site, version, operation, other)
    shown = site.ask(version, "OD_Server", "DisplayODMonitoringRequests")
    assert [(e.get("objectID"), e.get("noun")) for e in shown.iter("{*}objectRef")] == [("SP1", "serviceLocation"), ("F7", "meterGroup")]

    def cancel(*references: str) -> dict[str, str]:
        inside = f"<ObjectRef>{''.join(references)}</ObjectRef><requestDate>2026-03-03T15:00:00Z</requestDate>"
        return errors(site.ask(version, "OD_Server", "CancelODMonitoringRequestByObject", inside))

    assert cancel('<objectRef objectID="SP1" noun="transformer"/>') == {"SP1": "no outage monitoring of 'SP1' is under way"}
    assert cancel('<objectRef name="SP1"/>', '<objectRef objectID="T1"/>') == {"T1": "no outage monitoring of 'T1' is under way"}
    assert [tuple(t[2] for t in one["targets"].values()) for one in stored(site)] == [("cancelled",), ("accepted",)]
    shown = site.ask(version, "OD_Server", "DisplayODMonitoringRequests")
    assert [e.get("objectID") for e in shown.iter("{*}objectRef")] == ["F7"]
    assert site.store.call("monitorings", "somebody else", NOW) == []
    site.now = NOW + timedelta(days=2)
    assert site.store.call("monitorings", "cis", site.now) == [], "what has expired is over"


def test_only_one_actuation_can_be_under_way_at_an_endpoint(site: StoreSite) -> None:
    for transaction in ("a", "b"):
        call(site, "3.0", "InitiateConnectDisconnect", transaction=transaction)
    site.store.sql("UPDATE deferred_target SET state = 'sent' WHERE request_id = 1")
    with pytest.raises(Exception, match=r"uq_deferred_target_actuating|UNIQUE"):
        site.store.sql("UPDATE deferred_target SET state = 'sent' WHERE request_id = 2")


def test_a_message_without_what_says_nothing_new_is_accepted(site: StoreSite) -> None:
    inside = f"<meterNos><string>M000001</string></meterNos><responseURL>{URL}</responseURL><transactionId>t-9</transactionId>"
    assert errors(call(site, "3.0", "InitiateOutageDetectionEventRequest", inside)) == {}
    (one,) = stored(site)
    assert one["transaction_id"] == "t-9"
    assert errors(call(site, "3.0", "InitiateOutageDetectionEventRequest", inside)) == {}
    assert len(stored(site)) == 1
