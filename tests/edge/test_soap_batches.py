"""Requests of partners for many meters: each bad object named, the good ones a batch; what is not done is told once and why."""

from datetime import date, timedelta
from typing import Any

import pytest
from lxml import etree

from headend.model.command import FailureCode, Outcome
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.model.protection import Protection, ProtectionKind
from headend.model.telling import Supply
from multispeak.deferred_operations import TABLE
from tests.edge.test_multispeak_outcomes import ANSWERS, OPERATIONS, tell, told
from tests.fakes.soap_world import NOW
from tests.fakes.store_site import StoreSite
from tests.store.world import shipment
from wsdl import VERSIONS

METERS = 40
CANCELLED = Outcome(TargetState.CANCELLED, code=FailureCode.CANCELLED, reason="cancelled by ann: they have paid")
PROTECTED = Outcome(TargetState.FAILED, code=FailureCode.PROTECTED, reason="protected (medical) until 2026-12-31")
TOO_LATE = Outcome(TargetState.EXPIRED, code=FailureCode.EXPIRED, reason="expired before it could be begun")


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    """M000001 to M000040 with switches, the third protected; M000041 measures gas."""
    items = [*shipment(METERS), *shipment(1, configuration="gas", first=METERS + 1)]
    store_site.store.call("import_shipment", items, NOW)
    protection = Protection("M000003", "", ProtectionKind.MEDICAL, date(2026, 1, 1), None, "oxygen")
    store_site.store.call("keep_protections", [protection], "ann", NOW)
    store_site.store.sql("UPDATE endpoint SET active = 0 WHERE meter_no = 'M000004'")
    return store_site


def disconnections(version: str, names: list[str], transaction: str = "t-1") -> str:
    meter = "meterNo" if version == "3.0" else "meterID"
    code = "<loadActionCode>Disconnect</loadActionCode>"
    events = "".join(
        f"<connectDisconnectEvent>{code}<meterNo>{one}</meterNo></connectDisconnectEvent>"
        if version == "3.0"
        else f"<connectDisconnectEvent><{meter}>{one}</{meter}>{code}</connectDisconnectEvent>"
        for one in names
    )
    tail = "<expirationTime>86400</expirationTime>" if version == "3.0" else '<expTime units="Hours">24</expTime>'
    return (
        f"<cdEvents>{events}</cdEvents><responseURL>https://cis.example/any</responseURL>"
        f"<transactionID>{transaction}</transactionID>{tail}"
    )


def errors(answer: etree._Element) -> dict[str, str]:
    assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
    return {e.get("objectID", ""): e.get("errorString", "") for e in answer.iter("{*}errorObject")}


def ask(site: StoreSite, version: str, names: list[str], transaction: str = "t-1") -> dict[str, str]:
    return errors(site.ask(version, "CD_Server", "InitiateConnectDisconnect", disconnections(version, names, transaction)))


@pytest.mark.parametrize("version", VERSIONS)
def test_each_bad_object_is_named_and_the_good_ones_are_a_batch(site: StoreSite, version: str) -> None:
    names = [f"M{n:06}" for n in range(1, METERS + 2)] + ["M000001", "M9"]
    refused = ask(site, version, names)
    assert refused == {
        "M000003": "meter 'M000003' is not disconnected: protected (medical)",
        "M000004": "meter 'M000004' is not active",
        "M000041": "meter 'M000041' has no switch",
        "M000001": "meter 'M000001' stands in the request twice",
        "M9": "meter 'M9' is not known",
    }
    (batch,) = site.store.call("batches", 10)
    assert (batch.title, batch.total, batch.refused, batch.what) == ("InitiateConnectDisconnect", METERS - 2, 5, ("disconnect",))
    assert ask(site, version, names) == refused, "the same again is answered as before"
    assert len(site.store.call("batches", 10)) == 1


def test_what_is_cancelled_waits_in_the_outbox_once_with_its_reason(site: StoreSite) -> None:
    ask(site, "4.1.6", [f"M{n:06}" for n in range(5, METERS + 1)])
    assert site.store.call("cancel_batch", 1, "cancelled by ann: they have paid", NOW) == METERS - 4
    assert site.store.call("cancel_batch", 1, "cancelled by bob", NOW) == 0
    partner = site.partner.user_id
    (telling,) = site.store.call("claim_tellings", partner, 500, NOW, NOW + timedelta(minutes=5))
    assert telling.transaction_id == "t-1"
    assert {one.outcome for one in telling.objects} == {CANCELLED}
    assert len({one.meter.meter_no for one in telling.objects}) == len(telling.objects) == METERS - 4
    assert site.store.call("claim_tellings", partner, 500, NOW, NOW + timedelta(minutes=5)) == []


@pytest.mark.parametrize(("version", "operation"), OPERATIONS)
def test_why_something_was_not_done_is_told_in_every_notification(version: str, operation: str) -> None:
    kind = TABLE[version][operation].kind
    supply: Any = Supply.NO_RESPONSE if kind in {DeferredKind.PING, DeferredKind.MONITORING} else None
    wanted = [CANCELLED, PROTECTED, TOO_LATE]
    objects = [
        told(n, outcome, action=SwitchAction.DISCONNECT, supply=supply, remark=outcome.reason if supply else "")
        for n, outcome in enumerate(wanted, 1)
    ]
    one = tell(version, operation, objects)
    whole = "".join(etree.tostring(element, encoding="unicode") for element in one.elements())
    assert {notice.name for notice in one.notices} <= set(ANSWERS[version][operation])
    assert [message_id for notice in one.notices for message_id in notice.message_ids] == [told_one.message_id for told_one in objects]
    for outcome in wanted:
        assert outcome.reason in whole


def test_a_partners_few_are_no_batch_and_go_first(site: StoreSite) -> None:
    ask(site, "3.0", [f"M{n:06}" for n in range(5, METERS + 1)], "many")
    ask(site, "3.0", ["M000001"], "few")
    first, *_ = site.store.call("take_commands", "me", 10, 5, NOW + timedelta(hours=1), NOW + timedelta(hours=2))
    assert first.meter_no == "M000001"
    assert [batch.total for batch in site.store.call("batches", 10)] == [METERS - 4]
