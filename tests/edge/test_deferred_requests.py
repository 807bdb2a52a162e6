"""Deferred operations over a real store: every one is accepted in both versions, answered object by object, and stored once."""

import json
from datetime import datetime, timedelta

import pytest

from adapters.store.instants import to_us
from multispeak import deferred_operations
from multispeak.contract import load_contract
from multispeak.deferred_operations import deferred_handlers
from tests.fakes.deferred_requests import OPERATIONS, SERVER_OF, TAIL, URL, call, errors, event, fault, furnished, request, stored
from tests.fakes.soap_world import NOW
from tests.fakes.store_site import SERVERS, StoreSite
from wsdl import VERSIONS


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    return furnished(store_site)


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


def test_a_message_without_what_says_nothing_new_is_accepted(site: StoreSite) -> None:
    inside = f"<meterNos><string>M000001</string></meterNos><responseURL>{URL}</responseURL><transactionId>t-9</transactionId>"
    assert errors(call(site, "3.0", "InitiateOutageDetectionEventRequest", inside)) == {}
    (one,) = stored(site)
    assert one["transaction_id"] == "t-9"
    assert errors(call(site, "3.0", "InitiateOutageDetectionEventRequest", inside)) == {}
    assert len(stored(site)) == 1


def test_only_one_actuation_can_be_under_way_at_an_endpoint(site: StoreSite) -> None:
    for transaction in ("a", "b"):
        call(site, "3.0", "InitiateConnectDisconnect", transaction=transaction)
    site.store.sql("UPDATE deferred_target SET state = 'sent' WHERE request_id = 1")
    with pytest.raises(Exception, match=r"uq_deferred_target_actuating|UNIQUE"):
        site.store.sql("UPDATE deferred_target SET state = 'sent' WHERE request_id = 2")


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
