"""Client stacks that are not ours, built from the standard's own WSDL, over real sockets: each is told what the store holds."""

import os

import pytest

from tests.interop.clients import COMMANDS, WITHOUT, MissingToolError, ask
from tests.interop.plan import Exchange, exchanges, plan_of, transaction
from tests.interop.recording import record
from tests.interop.served import Served, official_wsdls

pytestmark = pytest.mark.skipif(not official_wsdls("3.0"), reason="HEADEND_REFERENCE_DIR does not name the folder with contracts/")

RUNS = [
    ("zeep", "3.0", "1.2"),
    ("zeep", "4.1.6", "1.1"),
    ("node", "3.0", "1.1"),
    ("node", "4.1.6", "1.2"),
    ("php", "3.0", "1.1"),
    ("php", "4.1.6", "1.2"),
    ("gsoap", "3.0", "1.1"),
    ("gsoap", "4.1.6", "1.2"),
]


@pytest.mark.parametrize(("client", "version", "soap"), RUNS, ids=["-".join(run) for run in RUNS])
def test_a_client_of_the_standards_wsdl_is_told_what_the_store_holds(head_end: Served, client: str, version: str, soap: str) -> None:
    try:
        command = COMMANDS[client](version, soap)
    except MissingToolError as missing:
        pytest.skip(str(missing))
    calls = exchanges(client, version, WITHOUT.get(client, ()))
    answers = ask(command, plan_of(calls, version, soap, official_wsdls(version), head_end.addresses(version)))
    told = [(call, _told(call, answer)) for call, answer in zip(calls, answers, strict=True)]
    wrong = [f"{call.operation}\n  is    {found}\n  to be {call.expected}" for call, found in told if found != call.expected]
    assert not wrong, "\n".join(wrong)
    _took_effect(head_end, client, version)
    if os.environ.get("HEADEND_REWRITE_GOLDEN"):
        record(head_end, client, version)


def _told(call: Exchange, answer: dict[str, object]) -> object:
    fault, pages = answer.get("fault"), answer.get("pages")
    if isinstance(fault, dict):
        return fault["text"]
    assert isinstance(pages, list), f"{call.operation}: neither pages nor a fault"
    return call.told(pages)


def _took_effect(head_end: Served, client: str, version: str) -> None:
    """What the good objects of a client's arrays left in the store."""
    deferred = head_end.stored(
        "SELECT r.operation, count(*) FROM deferred_request AS r JOIN deferred_target AS t ON t.request_id = r.request_id"
        f" WHERE r.transaction_id LIKE '{transaction(client, version, '%')}' GROUP BY r.operation ORDER BY r.operation"
    )
    read = "InitiateMeterReadByMeterNumber" if version == "3.0" else "InitiateMeterReadingsByMeterID"
    assert deferred == [("InitiateConnectDisconnect", 1), (read, 2), ("InitiateOutageDetectionEventRequest", 1)]
    if "MeterAddNotification" in WITHOUT.get(client, ()):
        return
    new = f"N-{client}-{version}"
    assert head_end.stored(f"SELECT serial_no FROM endpoint WHERE meter_no = '{new}'") == [("S" + new,)]
    assert head_end.stored("SELECT count(*) FROM endpoint WHERE meter_no = 'D1'") == [(0,)]
