"""zeep over real HTTP, in a process of its own: with our WSDL and with the standard's, SOAP 1.1 and 1.2."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zeep

from multispeak.contract import load_contract
from multispeak.wsdl_rendering import BINDINGS
from tests.fakes.soap_world import PASSWORD, loopback_site
from wsdl import VERSIONS

REFERENCE = os.environ.get("HEADEND_REFERENCE_DIR", "")
SOURCES = ["ours", "official"]
PORTS = {"1.1": "MR_ServerSoap", "1.2": "MR_ServerSoap12"}
START, END = datetime(2026, 3, 1, 6, tzinfo=UTC), datetime(2026, 3, 4, tzinfo=UTC)
_CLIENTS: dict[tuple[str, str], zeep.Client] = {}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with loopback_site() as found:
        yield found
    _CLIENTS.clear()


def client(address: str, version: str, source: str) -> zeep.Client:
    location = f"{address}/multispeak/{version}/MR_Server?wsdl"
    if source == "official":
        if not REFERENCE:
            pytest.skip("HEADEND_REFERENCE_DIR does not name the folder with contracts/official")
        location = str(Path(REFERENCE) / "contracts" / "official" / version / "MR_Server.wsdl")
    if (version, source) not in _CLIENTS:
        _CLIENTS[version, source] = zeep.Client(location)
    return _CLIENTS[version, source]


class Caller:
    """Calls one endpoint through zeep, header included."""

    def __init__(self, address: str, version: str, source: str, soap: str) -> None:
        found = client(address, version, source)
        binding = f"{{{load_contract(version).namespace}}}{PORTS[soap]}"
        self._service = found.create_service(binding, f"{address}/multispeak/{version}/MR_Server.asmx")
        self.header = {"UserID": "cis", "Pwd": PASSWORD} | ({} if version == "3.0" else {"BuildString": "Release"})

    def __call__(self, operation: str, **arguments: Any) -> Any:
        return self._service[operation](**arguments, _soapheaders={"MultiSpeakMsgHeader": self.header})


@pytest.fixture(params=[(v, w, s) for v in VERSIONS for w in SOURCES for s in PORTS], ids="-".join)
def caller(request: pytest.FixtureRequest, address: str) -> Caller:
    caller = Caller(address, *request.param)
    caller.version = request.param[0]
    return caller


def test_zeep_reads_everything(caller: Any) -> None:
    old = caller.version == "3.0"
    by, meter = ("ByMeterNo", {"meterNo": "E1"}) if old else ("ByMeterID", {"meterID": {"_value_1": "E1", "meterNo": "E1"}})
    answer = caller("PingURL")
    assert not answer.body.PingURLResult
    assert answer.header.MultiSpeakMsgHeader.Company == "Demo Cooperative"
    assert "GetReadings" + by in caller("GetMethods").body.GetMethodsResult.string
    meters = caller("GetAMRSupportedMeters", lastReceived="").body.GetAMRSupportedMetersResult
    listed = meters.meter if old else meters.electricMeters.electricMeter + meters.gasMeters.gasMeter + meters.waterMeters.waterMeter
    assert [m.meterNo for m in listed] == ["E1", "E2", "E3", "G1", "W1"]
    assert caller("IsAMRMeter", **meter).body.IsAMRMeterResult is True

    latest = caller("GetLatestReading" + by, **meter).body["GetLatestReading" + by + "Result"]
    values = latest.readingValues.readingValue
    assert {v.fieldName: Decimal(v.value) for v in values} == {"posKWh": Decimal("12393.678"), "negKWh": Decimal("4.003")}

    answer = caller("GetReadings" + by, **meter, startDate=START, endDate=END).body["GetReadings" + by + "Result"]
    reads = answer.meterRead if old else answer.meterReading
    hourly = [v for r in reads for v in r.readingValues.readingValue if v.fieldName == "kWh"]
    assert [v.value and Decimal(v.value) * 1000 for v in hourly] == [None if i == 5 else 1000 + i for i in range(1, 51)]
    times = [v.dateTime if old else v.timeStamp for v in hourly]
    assert times[0] == datetime(2026, 3, 1, 7, tzinfo=UTC)

    for operation, arguments in (("GetReadingsByDate", {"startDate": START, "endDate": END}), ("GetLatestReadings", {})):
        answer = caller(operation, **arguments, lastReceived=None)
        assert answer.header.MultiSpeakMsgHeader.ObjectsRemaining == 0
        assert answer.header.MultiSpeakMsgHeader.LastSent == "E9@2026-03-01T06:00:00Z"


def test_zeep_pages_as_real_clients_do(caller: Any) -> None:
    caller.header["UserID"] = "cis-4"
    last, seen, remaining = "", 0, 1
    while remaining > 0:
        answer = caller("GetReadingsByDate", startDate=START, endDate=END, lastReceived=last)
        header = answer.header.MultiSpeakMsgHeader
        last, remaining = header.LastSent, header.ObjectsRemaining
        result = answer.body.GetReadingsByDateResult
        seen += len(result.meterRead if caller.version == "3.0" else result.meterReading)
    assert seen == 13


def test_zeep_gets_faults(caller: Any) -> None:
    caller.header["Pwd"] = "guess"
    with pytest.raises(zeep.exceptions.Fault, match="do not match a partner") as caught:
        caller("PingURL")
    codes = [caught.value.code, *(c.localname for c in caught.value.subcodes or [])]
    assert codes in (["soap:Client.Authentication"], ["soap:Sender", "Authentication"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_wsdl_names_the_configured_address_whatever_the_host_header_says(address: str, version: str) -> None:
    import urllib.request

    request = urllib.request.Request(f"{address}/multispeak/{version}/mr_server?WSDL", headers={"Host": "evil.example"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        text = reply.read().decode()
    assert f'location="{address}/multispeak/{version}/MR_Server"' in text
    assert "evil" not in text
    assert all(namespace in text for namespace in BINDINGS.values())
