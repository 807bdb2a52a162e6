"""Lists over a real store: meters modified since a session, meters with switches and their state, outage detection devices."""

from dataclasses import replace
from datetime import timedelta

import pytest
from lxml import etree

from headend.master_data.port import Author
from headend.master_data.statements import (
    MeterAdded,
    MeterChanged,
    MeterFacts,
    MeterRemoved,
    Place,
    Said,
    Statement,
    SwitchEnded,
    SwitchSaid,
)
from headend.model.endpoint import EndpointId
from headend.outage_devices import OutageState
from headend.switches import KnownBy, SwitchState
from tests.fakes.soap_world import fault_of
from tests.fakes.store_site import SERVERS, StoreSite
from tests.store.world import NOW, shipment
from wsdl import VERSIONS

V3, V4 = VERSIONS
MR, CD, OD = SERVERS
HOUR = timedelta(hours=1)


def say(site: StoreSite, *statements: Statement) -> None:
    site.now += HOUR
    said = [Said(str(i), (statement,)) for i, statement in enumerate(statements)]
    assert site.store.call("take", said, Author("cis", "test"), site.now) == []


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    """M000001 to M000003 residential, with switches; M000004 commercial, M000005 gas, without."""
    items = [*shipment(3), *shipment(1, configuration="commercial", first=4), *shipment(1, configuration="gas", first=5)]
    store_site.store.call("import_shipment", items, NOW)
    return store_site


def paging(answer: etree._Element) -> tuple[str, str, str]:
    header = next(answer.iter("{*}MultiSpeakMsgHeader"))
    return header.get("SessionID", ""), header.get("LastSent", ""), header.get("ObjectsRemaining", "")


Told = tuple[list[tuple[str, str]], str, str, str]


def modified(site: StoreSite, version: str, previous: str = "", last: str = "", which: str = "AMR") -> Told:
    """(objectID, verb) of each meter; SessionID, LastSent and ObjectsRemaining."""
    inside = f"<previousSessionID>{previous}</previousSessionID><lastReceived>{last}</lastReceived>"
    service = MR if which == "AMR" else CD
    answer = site.ask(version, service, f"GetModified{which}Meters", inside)
    meters = [e.getparent() for e in answer.iter("{*}meterNo")]
    return [(m.get("objectID"), m.get("verb", "")) for m in meters], *paging(answer)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_first_session_tells_all_and_the_next_what_has_changed(site: StoreSite, version: str) -> None:
    everything = [(f"M{n:06}", "") for n in range(1, 6)]
    told, session, last, remaining = modified(site, version)
    assert (sorted(told), last, remaining) == (everything, "", "0")
    assert modified(site, version, session)[0] == []
    say(site, MeterAdded(MeterFacts("M000009")), MeterRemoved(MeterFacts("M000002"), retired=True))
    say(site, MeterChanged(MeterFacts("M000001", muted=True)))
    say(site, MeterAdded(MeterFacts("M000003", place=Place("SL1", "A1"))))
    changed = [("M000001", "Change"), ("M000002", "Delete"), ("M000003", "Change"), ("M000009", "New")]
    told, after, _, _ = modified(site, version, session)
    assert sorted(told) == changed
    assert sorted(modified(site, version, session)[0]) == changed, "a session that was not received is told again"
    assert modified(site, version, after)[0] == []
    for unknown in ("AMR-99", "CD-1", "x" * 100, "AMR-²", "AMR-" + "9" * 40):
        assert len(modified(site, version, unknown)[0]) == 5, unknown


def test_a_session_of_many_pages_does_not_see_what_changes_meanwhile(site: StoreSite) -> None:
    _, first, _, _ = modified(site, V3)
    say(site, *(MeterChanged(MeterFacts(f"M{n:06}", muted=True)) for n in (1, 2, 4)))
    site.partner = replace(site.partner, page_size=2)
    told, session, last, remaining = modified(site, V3, first)
    assert (told, last, remaining) == ([("M000001", "Change"), ("M000002", "Change")], "M000002", "1")
    say(site, MeterChanged(MeterFacts("M000003", muted=True)), MeterAdded(MeterFacts("M000008")))
    told, same, last, remaining = modified(site, V3, first, last)
    assert (told, same, last, remaining) == ([("M000004", "Change")], session, "", "0")
    assert modified(site, V3, session)[0] == [("M000003", "Change"), ("M000008", "New")]


def test_a_session_of_all_meters_has_those_it_began_with(site: StoreSite) -> None:
    site.partner = replace(site.partner, page_size=3)
    _, session, last, remaining = modified(site, V3)
    assert remaining == "2"
    say(site, MeterAdded(MeterFacts("M000008")), MeterRemoved(MeterFacts("M000005"), retired=True))
    told, same, _, remaining = modified(site, V3, last=last)
    assert (told, same, remaining) == ([("M000004", ""), ("M000005", "Delete")], session, "0")


def test_a_place_without_a_session_is_none(site: StoreSite) -> None:
    inside = "<previousSessionID/><lastReceived>{}</lastReceived>"
    for last in ("M000001", "nobody"):
        code, _ = fault_of(etree.tostring(site.ask(V3, MR, "GetModifiedAMRMeters", inside.format(last))))
        assert code == "Client.InvalidLastReceived"


def test_sessions_have_a_bound(site: StoreSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.store.session_store.METER_SESSIONS_MAX", 2)
    sessions = [modified(site, V3)[1] for _ in range(4)]
    assert site.store.sql("SELECT count(*) FROM meter_session") == [(2,)]
    assert [len(modified(site, V3, session)[0]) for session in (sessions[0], sessions[3])] == [5, 0]


@pytest.mark.parametrize("version", VERSIONS)
def test_meters_with_switches_and_those_that_lost_theirs(site: StoreSite, version: str) -> None:
    def listed() -> list[str]:
        return sorted(e.text or "" for e in site.ask(version, CD, "GetCDSupportedMeters").iter("{*}meterNo"))

    assert listed() == ["M000001", "M000002", "M000003"]
    _, session, _, _ = modified(site, version, which="CD")
    say(site, SwitchSaid("M000004", "D4"), SwitchEnded("M000002", "built-in"), MeterChanged(MeterFacts("M000005", muted=True)))
    assert listed() == ["M000001", "M000003", "M000004"]
    told, _, _, _ = modified(site, version, session, which="CD")
    assert sorted(told) == [("M000002", "Delete"), ("M000004", "Change")]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_state_of_a_switch_is_told_as_it_is_known(site: StoreSite, version: str) -> None:
    name = "meterNo" if version == V3 else "meterID"

    def state(meter_no: str) -> str:
        answer = site.ask(version, CD, "GetCDMeterState", f"<{name}>{meter_no}</{name}>")
        if answer.find(".//{*}Fault") is not None:
            return fault_of(etree.tostring(answer))[0]
        result = next(answer.iter("{*}GetCDMeterStateResult"))
        return result.text if version == V3 else result.findtext("{*}RCDState")

    assert [state(no) for no in ("M000001", "M000004", "M9", "")] == [
        "Unknown",
        "Client.NoSwitch",
        "Client.UnknownMeter",
        "Client.MissingParameter",
    ]
    site.store.call("note_switch_state", "M000001", SwitchState.DISCONNECTED, NOW, KnownBy.COMMAND)
    site.store.call("note_switch_state", "M000001", SwitchState.CONNECTED, NOW - HOUR, KnownBy.READ)
    assert state("M000001") == ("Open" if version == V3 else "Opened"), "older news changes nothing"
    site.store.call("note_switch_state", "M000001", SwitchState.ARMED, NOW + HOUR, KnownBy.READ)
    assert state("M000001") == "Armed"
    site.store.call("enable_switch", "M000002", enabled=False)
    assert state("M000002") == "Disabled"
    say(site, SwitchSaid("M000001", "D1"))
    assert state("M000001") == "Armed", "naming the device says nothing of its state"
    say(site, SwitchSaid("M000001", "D2", exchanged=True))
    assert state("M000001") == "Unknown"


def test_a_switch_is_supported_where_there_is_one_that_is_enabled(site: StoreSite) -> None:
    say(site, MeterChanged(MeterFacts("M000003", place=Place("SL1", "A1"))))
    site.store.call("enable_switch", "M000002", enabled=False)

    def supported(inside: str) -> str:
        answer = site.ask(V4, CD, "IsCDSupported", f"<location>{inside}</location>")
        return answer.findtext(".//{*}IsCDSupportedResult") or fault_of(etree.tostring(answer))[0]

    meters = {no: supported(f"<meterID>{no}</meterID>") for no in ("M000001", "M000002", "M000004", "M9")}
    assert meters == {"M000001": "true", "M000002": "false", "M000004": "false", "M9": "false"}
    assert supported("<serviceLocationID>SL1</serviceLocationID>") == "true"
    assert supported("<serviceLocationID>SL9</serviceLocationID>") == "false"
    assert supported("") == "Client.MissingParameter"


@pytest.mark.parametrize("version", VERSIONS)
def test_switches_come_by_notification(site: StoreSite, version: str) -> None:
    def device(meter_no: str, device_id: str, tag: str = "CDDevice") -> str:
        named = f"<meterIdentifier><meterNo>{meter_no}</meterNo></meterIdentifier>" if version == V3 else f"<meterID>{meter_no}</meterID>"
        if tag != "CDDevice" and version == V3:
            named = f"<meterNo>{meter_no}</meterNo>"
        return f'<{tag} objectID="{device_id}">{named}</{tag}>'

    def send(operation: str, parameter: str, *devices: str) -> list[tuple[str, str, str]]:
        return site.errors(version, CD, operation, f"<{parameter}>{''.join(devices)}</{parameter}>")

    adds = (device("M000004", "D4"), device("M9", "D9"), device("M000005", "D4"), device("", "D7"))
    assert [e[:2] for e in send("CDDeviceAddNotification", "addedCDDs", *adds)] == [
        ("D9", "meter 'M9' is not known"),
        ("D4", "'D4' stands in the list twice"),
        ("D7", "meter number is missing"),
    ]
    assert send("CDDeviceChangedNotification", "changedCDDs", device("M000004", "D4")) == []
    site.store.call("note_switch_state", "M000004", SwitchState.CONNECTED, NOW, KnownBy.READ)
    assert send("CDDeviceExchangeNotification", "CDDChangeout", device("M000004", "D5", "CDDeviceExchange")) == []
    assert site.store.call("switch", "M000004").state is SwitchState.UNKNOWN
    assert "has device 'D5', not 'D4'" in send("CDDeviceRemoveNotification", "removedCDDs", device("M000004", "D4"))[0][1]
    assert send("CDDeviceRemoveNotification", "removedCDDs", device("M000004", "D5")) == []
    assert send("CDDeviceRetireNotification", "retiredCDDs", device("M000004", "D5")) == []
    assert not site.store.call("switch", "M000004").present


@pytest.mark.parametrize("version", VERSIONS)
def test_outage_detection_devices_are_the_electric_meters(site: StoreSite, version: str) -> None:
    def devices(operation: str, inside: str = "") -> list[tuple[str, str]]:
        found = site.ask(version, OD, operation, inside).iter("{*}outageDetectionDevice")
        return [(e.get("objectID"), e.findtext("{*}outageDetectDeviceStatus")) for e in found]

    say(site, MeterAdded(MeterFacts("M000008")), MeterRemoved(MeterFacts("M000003"), retired=True))
    site.store.call("note_outage_state", [EndpointId(1), EndpointId(99)], OutageState.OUTAGED, NOW)
    site.store.call("note_outage_state", [EndpointId(1)], OutageState.RESTORED, NOW - HOUR)
    out, in_service = "OutofService", "InService"
    everything = [("M000001", out), ("M000002", in_service), ("M000004", in_service), ("M000008", out)]
    assert devices("GetAllOutageDetectionDevices") == everything
    assert devices("GetOutageDetectionDevicesByStatus", f"<oDDStatus>{in_service}</oDDStatus>") == everything[1:3]
    assert devices("GetOutageDetectionDevicesByStatus", "<oDDStatus>Defective</oDDStatus>") == []
    assert devices("GetOutageDetectionDevicesByType", "<oDDType>Meter</oDDType>") == everything
    assert devices("GetOutageDetectionDevicesByType", "<oDDType>Call</oDDType>") == []
    assert devices("GetOutagedODDevices") == everything[:1]
    by, name = ("ByMeterNo", "meterNo") if version == V3 else ("ByMeterID", "meterID")
    one = f"<{name}>{{}}</{name}>"
    assert devices("GetOutageDetectionDevices" + by, one.format("M000002")) == everything[1:2]
    assert devices("GetOutageDetectionDevices" + by, one.format("M000005")) == []
    code, _ = fault_of(etree.tostring(site.ask(version, OD, "GetOutageDetectionDevices" + by, one.format("M9"))))
    assert code == "Client.UnknownMeter"
    site.partner = replace(site.partner, page_size=3)
    assert paging(site.ask(version, OD, "GetAllOutageDetectionDevices"))[1:] == ("M000004", "1")
    assert devices("GetAllOutageDetectionDevices", "<lastReceived>M000004</lastReceived>") == everything[3:]
    site.store.call("note_outage_state", [EndpointId(1)], OutageState.RESTORED, NOW + HOUR)
    assert devices("GetOutagedODDevices") == []


@pytest.mark.parametrize("version", VERSIONS)
def test_a_partner_says_that_a_device_is_defective_and_that_it_is_not(site: StoreSite, version: str) -> None:
    named = "<meterNo>{}</meterNo>" if version == V3 else "<meterID>{}</meterID>"

    def modify(meter_no: str, status: str, kind: str = "Meter") -> str:
        inside = (
            f"<oDDevice><outageDetectDeviceType>{kind}</outageDetectDeviceType>{named.format(meter_no)}"
            f"<outageDetectDeviceStatus>{status}</outageDetectDeviceStatus></oDDevice>"
        )
        answer = site.ask(version, OD, "ModifyODDataForOutageDetectionDevice", inside)
        error = next(answer.iter("{*}errorObject"), None)
        if error is not None:
            return error.get("errorString", "")
        return fault_of(etree.tostring(answer))[1] if answer.find(".//{*}Fault") is not None else ""

    assert modify("M000001", "Defective") == ""
    assert site.store.call("outage_device", "M000001").status == "defective"
    assert modify("M000001", "InService") == ""
    assert site.store.call("outage_device", "M000001").status == "in service"
    assert modify("M9", "Defective") == "meter 'M9' is not known"
    assert modify("M000005", "Defective") == "meter 'M000005' is no outage detection device"
    assert modify("M000001", "Defective", "Call") == "meter 'M000001' is a device of type Meter, not Call"
    assert "names no meter" in modify("", "Defective")


def test_many_devices_without_power_are_streamed(site: StoreSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multispeak.outage_detection.FETCH_OBJECTS", 2)
    site.store.call("note_outage_state", [EndpointId(n) for n in (1, 2, 3, 4)], OutageState.OUTAGED, NOW)
    found = site.ask(V4, OD, "GetOutagedODDevices").iter("{*}outageDetectionDevice")
    assert [e.get("objectID") for e in found] == [f"M{n:06}" for n in (1, 2, 3, 4)]
