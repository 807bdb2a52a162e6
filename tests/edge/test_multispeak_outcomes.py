"""Notifications of outcomes: every deferred operation of both versions, what succeeded and what failed, valid against the contract."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import pytest
from lxml import etree

from headend.interval_series import series_of
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.command import FailureCode, Found, Outcome
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.partner import Caller, NotificationProfile, Partner
from headend.model.readings import IntervalBlock, ReadSource, RegisterRead
from headend.model.selections import Period
from headend.model.telling import MessageId, Supply, Telling, ToldObject
from headend.reading_engine import MeterValues, Target
from headend.switches import SwitchState
from multispeak.calls import Call
from multispeak.deferred_operations import TABLE
from multispeak.message_header import RequestHeader
from multispeak.notifier import Face, Surroundings
from multispeak.outcome_bodies import Notice, OutcomeBodies
from tests.store.world import NOW, UTILITY
from wsdl import VERSIONS, deferred_text

ANSWERS: dict[str, dict[str, list[str]]] = json.loads(deferred_text())
OPERATIONS = [(version, name) for version in VERSIONS for name in TABLE[version]]
ENERGY = CHANNEL_BY_NAME["energy_delivered"].channel_id
PARTNER = Partner("cis", "Billing", "s3cret-word")
TRANSACTION = " t-1 <&> "
DETAILS = {"serviceLocationID": "SP1", "serviceLocation": "SP1", "inMeter": "NEW"}


def meter(number: int) -> Meter:
    return Meter(EndpointId(number), f"M{number:06}", f"S{number}", f".100.{number}", "residential", True, None)


def told(number: int, outcome: Outcome, **more: Any) -> ToldObject:
    return ToldObject(MessageId(bytes((number,))), meter(number), more.pop("action", None), DETAILS, outcome, NOW, **more)


def outcomes(kind: DeferredKind) -> list[ToldObject]:
    """One that succeeded, one that failed and one that nothing is known of."""
    read = RegisterRead(EndpointId(1), ENERGY, NOW, ReadSource.ON_DEMAND, 1_234_567, 0)
    found = Found(switch=SwitchState.DISCONNECTED, load_side_volts=Decimal("0.0"), registers=(read,), powered=True)
    failed = Outcome(TargetState.FAILED, Found(switch=SwitchState.CONNECTED), FailureCode.NOT_CARRIED_OUT, "told, and not done <&>")
    lost = Outcome(TargetState.TIMED_OUT, code=FailureCode.NO_ANSWER, reason="no answer to 4 transmissions within 16 s")
    asked = kind in {DeferredKind.PING, DeferredKind.MONITORING}
    supplies = (Supply.RESTORED, Supply.OUTAGE, Supply.NO_RESPONSE) if asked else (None, None, None)
    return [
        told(1, Outcome(TargetState.SUCCEEDED, found), action=SwitchAction.DISCONNECT, supply=supplies[0]),
        told(2, lost if asked else failed, action=SwitchAction.DISCONNECT, supply=supplies[1]),
        told(3, lost, supply=supplies[2], remark="its router is down"),
    ]


@cache
def face(version: str) -> Face:
    return Face(version, Surroundings(UTILITY, {}, {}, None, lambda: NOW, Random(1)))  # type: ignore[arg-type]


@dataclass
class Told:
    """Notices of one telling, as XML, valid."""

    version: str
    notices: list[Notice]

    def elements(self) -> Iterator[etree._Element]:
        binding = face(self.version).binding
        for notice in self.notices:
            element = etree.fromstring(binding.operations[notice.name].write_request(notice.values))
            binding.check.require_valid(element, frozenset(), lambda: NOW)
            yield element


def tell(version: str, operation: str, objects: list[ToldObject], *, plural: bool = True, objects_max: int = 500) -> Told:
    kind = TABLE[version][operation].kind
    telling = Telling(
        request_id=1,
        partner="cis",
        server="MR_Server",
        version=version,
        operation=operation,
        kind=kind,
        transaction_id=TRANSACTION,
        response_url="https://cis.example/cb",
        answers=tuple(ANSWERS[version][operation]),
        parameters={},
        accepted=NOW,
        objects=objects,
    )
    one = face(version)
    partner = replace(PARTNER, notifications=NotificationProfile(plural=plural))
    call = Call(operation, Caller(UTILITY, partner), RequestHeader(), None, None, one.binding, NOW, one.header.new_id)  # type: ignore[arg-type]
    bodies = OutcomeBodies(call, one.operations, plural=plural, objects_max=objects_max)
    return Told(version, bodies.notices(telling, stored()))


def stored() -> dict[EndpointId, MeterValues]:
    """A day of hours of the first meter."""
    day = NOW.date() - timedelta(days=1)
    block = IntervalBlock(EndpointId(1), ENERGY, day, 3_600, 0, list(range(24)), [0] * 24)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    series = series_of([block], Period(start, start + timedelta(days=1)))
    return {EndpointId(1): MeterValues(Target("M000001", meter(1)), series=series)}


@pytest.mark.parametrize("plural", [True, False])
@pytest.mark.parametrize(("version", "operation"), OPERATIONS)
def test_every_outcome_of_every_operation_is_told_once_and_valid(version: str, operation: str, plural: bool) -> None:
    kind = TABLE[version][operation].kind
    one = tell(version, operation, outcomes(kind), plural=plural)
    elements = list(one.elements())
    assert elements
    assert {notice.name for notice in one.notices} <= set(ANSWERS[version][operation])
    delivered = [message_id for notice in one.notices for message_id in notice.message_ids]
    assert delivered == [b"\x01", b"\x02", b"\x03"]
    whole = "".join(etree.tostring(element, encoding="unicode") for element in elements)
    for number in (1, 2, 3):
        assert f"M{number:06}" in whole
    for element in elements:
        transaction = element.findtext("{*}transactionID")
        if transaction is None:
            assert (version, kind) == ("3.0", DeferredKind.DEMAND_RESET)
            transaction = element.findtext(".//{*}extValue")
        assert transaction == TRANSACTION
    if not plural:
        assert len(elements) == 3


def texts(told_elements: Told, path: str) -> list[str | None]:
    return [found.text for element in told_elements.elements() for found in element.iterfind(path)]


@pytest.mark.parametrize(("version", "words"), [("3.0", ["Open", "Closed", "Unknown"]), ("4.1.6", ["Opened", "Closed", "Unknown"])])
def test_of_switches_the_verified_state_is_told_and_why_where_it_is_not_the_one_wanted(version: str, words: list[str]) -> None:
    for plural in (True, False):
        one = tell(version, "InitiateConnectDisconnect", outcomes(DeferredKind.SWITCH), plural=plural)
        found = texts(one, ".//{*}stateChange")
        assert [word for word in found if word and word.strip()] == words
        whole = "".join(etree.tostring(element, encoding="unicode") for element in one.elements())
        assert "not carried out: told, and not done" in whole
        assert "no answer: no answer to 4 transmissions" in whole


@pytest.mark.parametrize("version", VERSIONS)
def test_enabling_is_told_as_such(version: str) -> None:
    enabled = told(1, Outcome(TargetState.SUCCEEDED, Found(enabled=True)), action=SwitchAction.ENABLE)
    assert "Enabled" in texts(tell(version, "InitiateEnableCDDevice", [enabled]), ".//{*}stateChange")


@pytest.mark.parametrize("version", VERSIONS)
def test_outage_restoration_and_silence_are_told_apart(version: str) -> None:
    one = tell(version, "InitiateOutageDetectionEventRequest", outcomes(DeferredKind.PING))
    assert texts(one, ".//{*}outageEventType") == ["Restoration", "Outage", "NoResponse"]
    assert texts(one, ".//{*}comments") == ["its router is down"]


def test_registers_read_are_told_exactly() -> None:
    (element,) = tell("4.1.6", "InitiateMeterReadingsByMeterID", outcomes(DeferredKind.READ)[:1]).elements()
    assert [e.text for e in element.iter("{*}value")] == ["1234.567"]
    (element,) = tell("3.0", "InitiateMeterReadByMeterNumber", outcomes(DeferredKind.READ)[:1]).elements()
    assert element.findtext(".//{*}posKWh") == "1234"


def test_load_profiles_are_told_from_what_is_stored() -> None:
    (element,) = tell("4.1.6", "InitiateLPMeterReadingsByMeterID", outcomes(DeferredKind.LOAD_PROFILE_READ)).elements()
    assert etree.QName(element).localname == "IntervalDataNotification"
    assert any(e.text and e.text.count(",") >= 4 for e in element.iter("{*}d"))
    assert "M000002" in (element.findtext("{*}errorString") or "")


def test_many_objects_go_into_several_notifications() -> None:
    many = [told(n, Outcome(TargetState.SUCCEEDED, Found(switch=SwitchState.DISCONNECTED))) for n in range(1, 8)]
    one = tell("4.1.6", "InitiateConnectDisconnect", many, objects_max=3)
    assert [len(notice.message_ids) for notice in one.notices] == [3, 3, 1]
