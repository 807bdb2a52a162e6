"""What a transactionID stands for in deferred operations: one request, however often it is sent."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fakes.deferred_requests import URL, call, errors, fault, furnished, request, stored
from tests.fakes.soap_world import NOW
from tests.fakes.store_site import StoreSite
from wsdl import VERSIONS


@pytest.fixture
def site(store_site: StoreSite) -> StoreSite:
    return furnished(store_site)


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
