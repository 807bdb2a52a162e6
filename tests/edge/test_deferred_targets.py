"""What the objects of deferred operations name: meters, places, groups, switches, exchanges, monitorings."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from headend.meter_groups import GroupKind, MeterGroup
from headend.model.endpoint import Commodity
from headend.model.partner import MeterIdentifier, MeterScope
from tests.fakes.deferred_requests import TAIL, URL, call, errors, fault, furnished, request, stored
from tests.fakes.soap_world import NOW
from tests.fakes.store_site import StoreSite
from wsdl import VERSIONS


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    return furnished(store_site)


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
