"""Events as notifications: every kind of them in both versions, valid by the contract, with what errorObjects say of single ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from lxml import etree

from headend.event_catalogue import MANUFACTURER, MOMENTARIES, SWITCH_CLOSED, THRESHOLD_REACHED, USAGE_SEEN
from headend.event_settings import EventKindSettings, VoltsSettings, catalogue_of
from headend.model.endpoint import Commodity
from headend.model.event_case import MOMENTARY, CaseState, Device, EventCase, EventNumber
from headend.model.event_telling import EventTelling, ToldEvent
from headend.model.events import EventPath
from headend.model.partner import Caller, Credentials, EventChoice, MeterIdentifier, Partner
from headend.model.subscription import NOT_IN_V3, SUBJECT_OF, WATCHED, Subscription
from headend.model.telling import MessageId
from headend.model.utility import Utility
from headend.model.watched_use import WatchedUse, whose
from multispeak.answer_reading import object_answers
from multispeak.calls import Call
from multispeak.contract import load_contract
from multispeak.event_bodies import EventBodies
from multispeak.message_header import RequestHeader
from multispeak.notifier import ALL_NOTIFICATIONS, Face
from multispeak.outcome_bodies import Notice
from multispeak.schema import compile_schema
from tests.fakes.soap_world import UTILITY
from wsdl import VERSIONS

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
METERS = [Device(n, f"M{n}", Commodity.ELECTRIC, "residential", f"S{n}", f".100.{n}") for n in range(1, 4)]
ROUTER = Device(1, "R-1", None)
USE = WatchedUse(whose("oms"), "I1", 1, 0, 0, 12_345_678, 500)
CODES = {
    "ODEventNotification": (1, 2),
    "MeterEventNotification": (1, 47, 9_999),
    "HistoryLogChangedNotification": (1, 47, 9_999),
    "CDStatesChangedNotification": (SWITCH_CLOSED,),
    "CDStateChangedNotification": (SWITCH_CLOSED,),
    "VoltageAlarmNotification": (MANUFACTURER | 100, MANUFACTURER | 101),
    "BlinkAlarmNotification": (MOMENTARIES,),
    "UsageMonitoringNotification": (USAGE_SEEN,),
    "ThresholdEventNotification": (THRESHOLD_REACHED,),
}
ALL = [(version, name) for version in VERSIONS for name in SUBJECT_OF if version != "3.0" or name not in NOT_IN_V3]


@pytest.fixture(scope="module")
def faces() -> dict[str, Face]:
    return {version: face_of(version) for version in VERSIONS}


def face_of(version: str) -> Face:
    around: Any = type("Around", (), {"random": Random(1), "now": lambda: NOW, "app_version": ""})()
    return Face(version, around)


@pytest.fixture(scope="module")
def schemas() -> dict[str, etree.XMLSchema]:
    contracts = {version: load_contract(version) for version in VERSIONS}
    return {version: compile_schema(contract, contract.services[ALL_NOTIFICATIONS]) for version, contract in contracts.items()}


def notices(
    face: Face, name: str, devices: list[Device], *, plural: bool = True, late: float = 0.0, utility: Utility = UTILITY, reason: str = ""
) -> list[Notice]:
    partner = Partner("oms", "Outages", "s3cret-word", identifier=MeterIdentifier.SERIAL_NO)
    version = face.binding.contract.version
    call = Call("Op", Caller(utility, partner), RequestHeader(), None, None, face.binding, NOW, lambda: "id")  # type: ignore[arg-type]
    told = []
    for place, device in enumerate(devices):
        for code in CODES[name]:
            number = EventNumber(17, len(told))
            received = NOW + timedelta(seconds=late)
            argument = USE.pack() if code in WATCHED else b"\x04\xa3"
            case = EventCase(number, device, code, NOW, place, EventPath.UNSOLICITED, argument, received, CaseState.LOGGED, reason)
            told.append(ToldEvent(MessageId(bytes((len(told),)) * 16), name, case, 1))
    credentials = Credentials("ami", "their-word")
    subscription = Subscription(
        "reg-1", "oms", version, "OD_Server", "http://oms/", credentials, (name,), EventChoice(), transaction_id="t-7"
    )
    return EventBodies(call, plural=plural).notices(EventTelling("oms", subscription, told), subscription)


@pytest.mark.parametrize(("version", "name"), ALL)
def test_every_notification_is_valid_and_tells_each_event_once(
    version: str, name: str, faces: dict[str, Face], schemas: dict[str, etree.XMLSchema]
) -> None:
    face = faces[version]
    for plural in (True, False):
        made = notices(face, name, METERS, plural=plural)
        one_each = not plural or name == "CDStateChangedNotification"
        assert len(made) == (3 * len(CODES[name]) if one_each else 1)
        assert len({message_id for notice in made for message_id in notice.message_ids}) == 3 * len(CODES[name])
        for notice in made:
            assert (notice.registration_id, notice.credentials) == ("reg-1", Credentials("ami", "their-word"))
            body = face.binding.operations[name].write_request(notice.values)
            assert schemas[version].validate(etree.fromstring(body)), (body, schemas[version].error_log)
            assert "S1" in body or not plural or one_each, "the meter as this partner calls it"


WATCHES = [
    *((version, "UsageMonitoringNotification") for version in VERSIONS),
    *(("4.1.6", name) for name in ("MeterEventNotification", "ThresholdEventNotification")),
]


@pytest.mark.parametrize(("version", "name"), WATCHES)
def test_what_answers_a_request_for_monitoring_bears_its_transaction_id(version: str, name: str, faces: dict[str, Face]) -> None:
    (notice,) = notices(faces[version], name, METERS)
    body = etree.fromstring(faces[version].binding.operations[name].write_request(notice.values))
    assert body.findtext("{*}transactionID") == "t-7"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_router_is_told_of_as_a_gateway(version: str, faces: dict[str, Face], schemas: dict[str, etree.XMLSchema]) -> None:
    (notice,) = notices(faces[version], "MeterEventNotification", [ROUTER])
    body = faces[version].binding.operations["MeterEventNotification"].write_request(notice.values)
    assert schemas[version].validate(etree.fromstring(body)), schemas[version].error_log
    assert 'domain="5"' in body
    assert "R-1" in body


def test_a_doubtful_clock_is_said_to_be_one(faces: dict[str, Face]) -> None:
    (notice,) = notices(faces["4.1.6"], "ODEventNotification", METERS[:1], late=3_600)
    body = faces["4.1.6"].binding.operations["ODEventNotification"].write_request(notice.values)
    assert "the device's clock is doubtful: received 3600 s after it says that it happened" in body


@pytest.mark.parametrize("version", VERSIONS)
def test_a_momentary_outage_is_instantaneous(version: str, faces: dict[str, Face]) -> None:
    (notice,) = notices(faces[version], "ODEventNotification", METERS[:1], reason=f"{MOMENTARY} after 5 s (17.3)")
    body = faces[version].binding.operations["ODEventNotification"].write_request(notice.values)
    assert "<outageEventType>Instantaneous</outageEventType>" in body


def test_a_voltage_alarm_tells_the_volts_that_its_argument_holds(faces: dict[str, Face], schemas: dict[str, etree.XMLSchema]) -> None:
    events = catalogue_of([EventKindSettings(code=MANUFACTURER | 100, volts=VoltsSettings(exponent=-1))])
    (notice,) = notices(faces["4.1.6"], "VoltageAlarmNotification", METERS[:1], utility=replace(UTILITY, events=events))
    body = faces["4.1.6"].binding.operations["VoltageAlarmNotification"].write_request(notice.values)
    assert schemas["4.1.6"].validate(etree.fromstring(body)), schemas["4.1.6"].error_log
    assert body.count("<voltageValue") == 1
    assert '<voltageValue units="V">118.7</voltageValue>' in body


@pytest.mark.parametrize("version", VERSIONS)
def test_usage_is_told_with_the_read_that_showed_it(version: str, faces: dict[str, Face]) -> None:
    (notice,) = notices(faces[version], "UsageMonitoringNotification", METERS)
    body = faces[version].binding.operations["UsageMonitoringNotification"].write_request(notice.values)
    assert "<transactionID>t-7</transactionID>" in body
    assert body.count("12345.678") == 3


def test_a_threshold_is_told_under_the_name_of_its_item_in_the_unit_it_was_asked_in(faces: dict[str, Face]) -> None:
    (notice,) = notices(faces["4.1.6"], "ThresholdEventNotification", METERS[:1])
    body = faces["4.1.6"].binding.operations["ThresholdEventNotification"].write_request(notice.values)
    assert 'objectID="I1"' in body
    assert "<value>12345.678</value>" in body


def test_error_objects_are_put_to_the_messages_that_they_name(faces: dict[str, Face]) -> None:
    (notice,) = notices(faces["3.0"], "ODEventNotification", METERS)
    answer = (
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><r><errorObject objectID="17.2" errorString="unknown"/>'
        b'<errorObject objectID="S3" errorString="inactive"/><errorObject objectID="nobody" errorString="lost"/></r></e:Body></e:Envelope>'
    )
    said = object_answers(answer, notice.object_ids, notice.message_ids)
    expected = {2: "errorObject: unknown", 4: "errorObject: inactive", 5: "errorObject: inactive"}
    assert said == {notice.message_ids[place]: words for place, words in expected.items()}
    assert object_answers(b"<errorObject", notice.object_ids, notice.message_ids) == {}
