"""Registers of rates of time of use, as partners, files and thresholds see them."""

from typing import Any

import pytest

from adapters.exports.cmep import _units
from adapters.exports.reading_types import register_type
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.selections import LOAD_PROFILE
from headend.model.watched_use import USE_CHANNELS
from tests.store.world import MIDNIGHT, NOW, OpenStore, register, shipment

A, B = CHANNEL_BY_NAME["energy_delivered_a"].channel_id, CHANNEL_BY_NAME["energy_delivered_b"].channel_id


@pytest.fixture
def site(store: OpenStore, store_site: Any) -> Any:
    """Meter 1 has two rates, meter 2 has none."""
    store.call("import_shipment", [*shipment(1, configuration="residential-tou"), *shipment(1, first=2)], NOW)
    reads = tuple(register(1, value, channel=channel) for channel, value in ((1, 9_700_800), (A, 2_301_900), (B, 7_398_900)))
    other = (register(2, 5_000),)
    store.call("record", [Collected(EndpointId(1), NOW, register_reads=reads), Collected(EndpointId(2), NOW, register_reads=other)], NOW)
    store_site.now = NOW
    return store_site


DATES = f"<startDate>{MIDNIGHT.isoformat()}</startDate><endDate>{NOW.isoformat()}</endDate>"


@pytest.mark.parametrize(
    ("operation", "inside"),
    [
        ("GetLatestReadingByMeterNo", "<meterNo>M000001</meterNo>"),
        ("GetReadingsByMeterNo", f"<meterNo>M000001</meterNo>{DATES}"),
        ("GetReadingsByDate", f"{DATES}<lastReceived/>"),
        ("GetLatestReadings", "<lastReceived/>"),
    ],
)
def test_a_meter_read_tells_each_rate(site: Any, operation: str, inside: str) -> None:
    answer = site.ask("3.0", "MR_Server", operation, inside)
    reads = {one.findtext("{*}meterNo"): one for one in answer.iter("{*}meterRead", f"{{*}}{operation}Result")}
    read = reads["M000001"]
    assert read.findtext("{*}posKWh") == "9700"
    rates = [(one.findtext("{*}ratePeriod"), one.findtext("{*}kWh")) for one in read.iter("{*}TOUReading")]
    assert rates == [("1", "2301"), ("2", "7398")]
    exact = {one.findtext("{*}fieldName"): one.findtext("{*}value") for one in read.iter("{*}readingValue")}
    assert exact == {"posKWh": "9700.800", "posKWhTOUA": "2301.900", "posKWhTOUB": "7398.900"}
    if "M000002" in reads:
        assert reads["M000002"].find("{*}TOUReadings") is None


def test_a_meter_reading_tells_each_rate(site: Any) -> None:
    answer = site.ask("4.1.6", "MR_Server", "GetLatestReadingByMeterID", '<meterID meterNo="M000001">M000001</meterID>')
    told = {one.findtext("{*}fieldName"): one.findtext("{*}value") for one in answer.iter("{*}readingValue")}
    assert told == {"posKWh": "9700.800", "posKWhTOUA": "2301.900", "posKWhTOUB": "7398.900"}


def test_they_can_be_asked_for_by_name_and_by_template(site: Any) -> None:
    names = "<formattedBlockTemplateName/><fieldName><string>posKWhTOUB</string></fieldName>"
    look = "<kWhLookBack>3</kWhLookBack><kWLookBack>0</kWLookBack><kWLookForward>0</kWLookForward>"
    inside = f"<meterNumber>M000001</meterNumber><billingDate>{NOW.isoformat()}</billingDate>{look}<lastReceived/>{names}"
    answer = site.ask("3.0", "MR_Server", "GetReadingByMeterNumberFormattedBlock", inside)
    assert [val.text.split(",")[2] for val in answer.iter("{*}val")] == ["7398.900"]
    assert "ElectricTimeOfUse" in set(site.ask("3.0", "MR_Server", "GetFormattedBlockTemplates").itertext())


def test_files_say_which_rate() -> None:
    channels = [CHANNEL_BY_NAME[name].channel_id for name in ("energy_delivered", "energy_delivered_a", "energy_delivered_b")]
    types = [register_type(channel).split(".") for channel in channels]
    assert [one[11] for one in types] == ["0", "1", "2"]
    assert {(*one[:11], *one[12:]) for one in types} == {(*types[0][:11], *types[0][12:])}
    assert [_units(channel)[0] for channel in channels[:2]] == ["KWH", "KWHTOUA"]


def test_a_rate_is_a_share_and_not_more_use() -> None:
    assert not {A, B} & USE_CHANNELS
    assert not {A, B} & LOAD_PROFILE.intervals
