"""Every operation that reads, in both versions over a store: each answers validly, and what each says is what was collected."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from headend.errors import StoreError
from headend.model.channels import ChannelId
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent
from headend.model.partner import EnergyUnit, MeterIdentifier
from headend.model.readings import IntervalBlock, day_start
from multispeak.contract import load_contract
from multispeak.operations import operation_handlers
from tests.conftest import RunningReactor
from tests.fakes.reading_world import CYCLE, DELIVERED, IDS, METERS, MIDNIGHTS, NOW, fill, register, xml
from tests.fakes.soap_world import FIRST_MIDNIGHT, ask, demo_queries, envelope, fault_of, server
from tests.fakes.store_site import StoreSite
from tests.store.world import OpenStore, one_store, shipment
from wsdl import VERSIONS

CONTRACTS = {version: load_contract(version) for version in VERSIONS}


def parameters(version: str, operation: str) -> str:
    """A value for every parameter of an operation."""
    values: dict[str, Any] = {
        "startDate": MIDNIGHTS[0],
        "endDate": MIDNIGHTS[2],
        "profileStartDate": MIDNIGHTS[0],
        "profileEndDate": MIDNIGHTS[2],
        "profileDate": MIDNIGHTS[0],
        "billingDate": MIDNIGHTS[2],
        "kWhLookBack": 1,
        "kWLookBack": 1,
        "kWLookForward": 0,
        "billingCycle": CYCLE,
        "meterGroupID": "mixed",
        "serviceType": "Electric",
        "uomData": "kWh",
        "readingType": "Register",
        "eventCode": "Primary power down" if version == "3.0" else "3.26.0.47",
        "meterNumber": "M1",
        "meterID": "M1",
        "meterNo": "M1",
        "meterIDs": ["M1", "M2"],
    }
    told = []
    for element in CONTRACTS[version].services["MR_Server"].operations[operation].request:
        value = values.get(element.name)
        if element.type_name == "ArrayOfString" and element.name == "meterNo":
            value = ["M1", "M2"]
        elif element.type_name == "ArrayOfMeterIdentifier":
            value = ("M1", "M2")
        elif element.type_name == "meterIdentifier":
            told.append("<meterID><meterNo>M1</meterNo></meterID>")
            continue
        told.append(xml(**{element.name: value}))
    return "".join(told)


def reading_operations() -> list[tuple[str, str]]:
    """All operations of MR_Server that tell of readings, events or their names."""
    words = ("Reading", "History", "FormattedBlock", "LPData", "Supported", "IsAMR")
    others = ("Schedule", "AMRSupported")
    return [
        (version, name)
        for version in VERSIONS
        for name in sorted(CONTRACTS[version].services["MR_Server"].operations)
        if name.startswith(("Get", "Is")) and any(w in name for w in words) and not any(o in name for o in others)
    ]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def filled_store(request: pytest.FixtureRequest, running: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStore]:
    yield from one_store(request, running, tmp_path_factory, fill)


@pytest.fixture
def site(filled_store: OpenStore, running: RunningReactor) -> StoreSite:
    found = StoreSite(filled_store, running)
    found.now = NOW
    return found


def texts(answer: etree._Element, name: str) -> list[str]:
    return [element.text or "" for element in answer.iter("{*}" + name)]


def test_every_reading_operation_is_implemented() -> None:
    assert [(v, name) for v, name in reading_operations() if name not in operation_handlers(v)] == []


@pytest.mark.parametrize(("version", "operation"), reading_operations())
def test_every_reading_operation_answers_what_it_was_asked(site: StoreSite, version: str, operation: str) -> None:
    answer = site.ask(version, "MR_Server", operation, parameters(version, operation))
    assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
    (result,) = answer.find("{*}Body")[0]
    assert len(result) or result.text, etree.tostring(answer)


def rows(answer: etree._Element) -> list[dict[str, str]]:
    """Rows of all formattedBlocks, cells by fieldName; what is empty is left out."""
    found = []
    for block in (separator.getparent() for separator in answer.iter("{*}separator")):
        names = texts(block, "fieldName")
        assert texts(block, "position") == [str(place) for place in range(len(names))]
        separator = block.findtext("{*}separator")
        for val in texts(block, "val"):
            cells = val.split(separator)
            assert len(cells) == len(names), val
            found.append({name: cell for name, cell in zip(names, cells, strict=True) if cell})
    return found


def asked(site: StoreSite, version: str, operation: str, **told: Any) -> etree._Element:
    answer = site.ask(version, "MR_Server", operation, xml(**told))
    assert answer.find(".//{*}Fault") is None, etree.tostring(answer)
    return answer


def refused(site: StoreSite, version: str, operation: str, **told: Any) -> tuple[str, str]:
    return fault_of(etree.tostring(site.ask(version, "MR_Server", operation, xml(**told))))


LOCAL = ["2026-06-29T00:00:00-05:00", "2026-06-30T00:00:00-05:00", "2026-07-01T00:00:00-05:00"]
BILLING = {"billingDate": MIDNIGHTS[2], "kWhLookBack": 0, "kWLookBack": 1, "kWLookForward": 0}
CYCLE_READS = {"billingCycle": CYCLE, **BILLING}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_meter_of_a_bill_cycle_is_answered(site: StoreSite, version: str) -> None:
    told = {row["meterNo"]: row for row in rows(asked(site, version, "GetReadingsByBillingCycle", **CYCLE_READS))}
    assert list(told) == ["M1", "M2", "M3", "G1", "M9"]
    assert (told["M1"]["posKWh"], told["M1"]["posKWhDateTime"]) == ("12393.678", LOCAL[2])
    assert (told["M1"]["peakDemand"], told["M1"]["peakDemandDateTime"]) == ("1.047", LOCAL[2])
    assert (told["M2"]["negKWh"], "peakDemand" in told["M2"]) == ("4.003", False)
    assert told["M3"] == {"meterNo": "M3", "transponderID": "SM3", "errorString": "no reading of this meter has been collected yet"}
    assert told["G1"]["gasVolume"] == "123.458"
    assert (told["M9"]["posKWh"], told["M9"]["posKWhDateTime"]) == ("5024.000", LOCAL[1]), "the last read before its removal"


def test_a_look_back_finds_an_earlier_read_and_none_says_why(site: StoreSite) -> None:
    later = {**CYCLE_READS, "billingDate": MIDNIGHTS[2] + timedelta(days=2)}
    told = {row["meterNo"]: row for row in rows(asked(site, "3.0", "GetReadingsByBillingCycle", **later))}
    assert told["M2"]["errorString"] == f"the newest reading is older than the look-back: the newest is of {LOCAL[2]}"
    assert "posKWh" not in told["M2"]
    told = {row["meterNo"]: row for row in rows(asked(site, "3.0", "GetReadingsByBillingCycle", **{**later, "kWhLookBack": 2}))}
    assert told["M2"]["posKWhDateTime"] == LOCAL[2]


def test_billing_in_interval_data_has_end_readings_and_remarks(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetReadingsByBillingCycleIntervalData", **CYCLE_READS)
    data = list(answer.iter("{*}intervalData"))
    assert [one.find(".//{*}meterID").text for one in data] == ["M1", "M2", "M3", "G1", "M9"]
    assert texts(data[0], "reading") == ["12393.678"]
    assert texts(data[0], "readingDate") == [LOCAL[2]]
    assert texts(data[2], "comment") == ["M3: no reading of this meter has been collected yet"]
    assert texts(data[2], "reading") == []


@pytest.mark.parametrize(("days", "word"), [({"kWhLookBack": -1}, "kWhLookBack is -1"), ({"kWLookForward": 101}, "0 to 100 days")])
def test_days_to_look_around_are_bounded(site: StoreSite, days: dict[str, int], word: str) -> None:
    code, text = refused(site, "3.0", "GetReadingsByBillingCycle", **{**CYCLE_READS, **days})
    assert (code, word in text) == ("Client.InvalidPeriod", True)


def test_a_bill_cycle_that_is_not_there_is_a_fault(site: StoreSite) -> None:
    assert refused(site, "3.0", "GetReadingsByBillingCycle", billingCycle="99", **BILLING) == (
        "Client.UnknownBillCycle",
        "billingCycle '99' is not known",
    )
    assert refused(site, "3.0", "GetReadingsByBillingCycle", **BILLING)[0] == "Client.MissingParameter"


@pytest.mark.parametrize("version", VERSIONS)
def test_billing_of_all_meters_and_of_one(site: StoreSite, version: str) -> None:
    told = rows(asked(site, version, "GetReadingsByDateFormattedBlock", **BILLING))
    assert [row["meterNo"] for row in told] == list(METERS)
    one = {"3.0": ("GetReadingByMeterNumberFormattedBlock", "meterNumber"), "4.1.6": ("GetReadingByMeterIDFormattedBlock", "meterID")}
    operation, name = one[version]
    (row,) = rows(asked(site, version, operation, **{name: "M1"}, **BILLING))
    assert row == {
        "meterNo": "M1",
        "transponderID": "SM1",
        "posKWh": "12393.678",
        "posKWhDateTime": LOCAL[2],
        "peakDemand": "1.047",
        "peakDemandDateTime": LOCAL[2],
        "status": "NOT_COLLECTED",
    }


def test_at_a_billing_date_an_intervals_field_stands_for_its_register(site: StoreSite) -> None:
    answer = asked(site, "3.0", "GetReadingByMeterNumberFormattedBlock", meterNumber="M1", **BILLING, fieldName=["kWh", "PEAKDEMAND"])
    assert texts(answer, "fieldName")[2:6] == ["posKWh", "posKWhDateTime", "peakDemand", "peakDemandDateTime"]
    code, text = refused(
        site, "3.0", "GetReadingByMeterNumberFormattedBlock", meterNumber="M1", **BILLING, fieldName=["voltagePhaseA"]
    )
    assert (code, "'voltagePhaseA'" in text) == ("Client.UnknownFieldName", True)


PERIOD = {"startDate": MIDNIGHTS[0], "endDate": MIDNIGHTS[2]}


def test_rows_of_a_period_are_instants_and_gaps_are_told(site: StoreSite) -> None:
    told = rows(asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", meterID="M1", **PERIOD, fieldName=["kWh", "posKWh"]))
    assert len(told) == 49
    assert told[0] == {"meterNo": "M1", "transponderID": "SM1", "readingDateTime": LOCAL[0], "posKWh": "12345.678"}
    assert told[24]["posKWh"], told[24]["kWh"] == ("12369.678", "1.023")
    by_time = {row["readingDateTime"][:16]: row for row in told}
    assert by_time["2026-06-30T03:00"]["status"] == "NOT_COLLECTED"
    assert by_time["2026-06-30T05:00"]["status"] == "SKIPPED"
    assert (by_time["2026-06-30T07:00"]["status"], by_time["2026-06-30T07:00"]["kWh"]) == ("PARTIAL POWER_FAIL", "1.030")
    assert "kWh" not in by_time["2026-06-30T05:00"]


def test_an_unknown_field_is_a_remark_beside_known_ones_and_a_fault_alone(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", meterID="M1", **PERIOD, fieldName=["kWh", "wattage"])
    assert texts(answer, "comment") == ["fieldName 'wattage' is not known here"]
    code, text = refused(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", meterID="M1", **PERIOD, fieldName=["wattage"])
    assert (code, "'wattage'" in text) == ("Client.UnknownFieldName", True)
    code, text = refused(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", meterID="M1", **PERIOD, fieldName=["kWh"] * 201)
    assert (code, "200 are the most" in text) == ("Client.TooManyObjects", True)


def test_a_type_selects_registers_or_intervals_of_a_length(site: StoreSite) -> None:
    def of_type(reading_type: str) -> list[dict[str, str]]:
        return rows(asked(site, "3.0", "GetReadingsByMeterNoAndType", meterNo="M1", **PERIOD, readingType=reading_type))

    assert [row["posKWh"] for row in of_type("register")] == ["12345.678", "12369.678", "12393.678"]
    assert len(of_type("Interval PT60M")) == len(of_type("interval")) == 48
    assert of_type("Interval PT15M") == [{"meterNo": "M1", "transponderID": "SM1", "errorString": NOT_THEN}]
    code, text = refused(site, "3.0", "GetReadingsByMeterNoAndType", meterNo="M1", **PERIOD, readingType="Interval PT5X")
    assert (code, "Interval PT15M" in text) == ("Client.UnknownReadingType", True)
    told = {"meterNo": "M1", **PERIOD, "readingType": "Interval", "fieldName": ["posKWh"]}
    assert refused(site, "3.0", "GetReadingsByMeterNoAndType", **told)[0] == "Client.UnknownFieldName"


NOT_THEN = "no such value of this meter lies in the period"


def test_templates_are_layouts_by_name_and_a_preference(site: StoreSite) -> None:
    told = {"meterID": "M1", **PERIOD}
    voltage = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", **told, formattedBlockTemplateName="electricvoltage")
    assert len(rows(voltage)) == 192
    assert {row["voltagePhaseA"] for row in rows(voltage)} == {f"{240 + i / 10:.1f}" for i in range(7)}
    profile = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", **told, formattedBlockTemplateName="ElectricLoadProfile")
    assert len(rows(profile)) == 48
    own = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldName", **told, formattedBlockTemplateName="yours")
    assert [row["posKWh"] for row in rows(own)] == ["12345.678", "12369.678", "12393.678"]


@pytest.mark.parametrize("version", VERSIONS)
def test_templates_that_are_told_are_the_layouts_that_are_answered(site: StoreSite, version: str) -> None:
    answer = asked(site, version, "GetFormattedBlockTemplates")
    layouts = {t.findtext("{*}templateName"): texts(t, "fieldName") for t in answer.iter("{*}formattedBlockTemplate")}
    assert list(layouts) == sorted(layouts)
    assert set(layouts) >= {"ElectricBilling", "ElectricLoadProfile", "ElectricVoltage", "GasBilling", "WaterLoadProfile"}
    assert layouts["ElectricBilling"] == texts(asked(site, version, "GetReadingsByBillingCycle", **CYCLE_READS), "fieldName")[:14]
    pages, last = [], ""
    for _ in layouts:
        site.partner = replace(site.partner, page_size=1)
        page = asked(site, version, "GetFormattedBlockTemplates", lastReceived=last)
        pages += texts(page, "templateName")
        last = page.find("{*}Header")[0].get("LastSent")
    assert pages == list(layouts)
    assert refused(site, version, "GetFormattedBlockTemplates", lastReceived="mine")[0] == "Client.InvalidLastReceived"


def test_gas_in_cubic_feet_is_a_block_of_its_own(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetLatestReadingByFieldName", fieldName=["gasVolume"])
    blocks = list(answer.iter("{*}formattedBlock"))
    assert [texts(block, "uom")[0] for block in blocks] == ["cubic meter", "cubic feet"]
    assert [row["meterNo"] for row in rows(answer)] == ["G1", "G2"]


@pytest.mark.parametrize("version", VERSIONS)
def test_lists_answer_every_name_once(site: StoreSite, version: str) -> None:
    names = ["M2", "nobody", "M1", "M2", " M1 ", "M3"]
    listed = {"meterNo": names, **PERIOD, "serviceType": "Electric"} if version == "3.0" else {"meterIDs": names, **PERIOD}
    operation = {"3.0": "GetLatestReadingsByMeterNoListFormattedBlock", "4.1.6": "GetLatestReadingsByMeterIDList"}[version]
    told = {row["meterNo"]: row for row in rows(asked(site, version, operation, **listed))}
    assert sorted(told) == ["M1", "M2", "M3", "nobody"]
    assert told["nobody"]["errorString"] == "meter 'nobody' is not known"
    assert told["M3"]["errorString"] == "no reading of this meter has been collected yet"
    assert told["M2"]["posKWh"] == "1047.999"


def test_lists_of_meters_in_interval_data_too(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetReadingsByMeterIDListAndFieldNameIntervalData", meterIDs=["M1", "nobody"], **PERIOD)
    unknown, known = answer.iter("{*}intervalData")
    assert texts(unknown, "comment") == ["nobody: meter 'nobody' is not known"]
    assert texts(unknown, "meterID") == ["nobody"]
    assert len(texts(known, "d")) == 2


def test_lists_are_bounded_and_not_empty(site: StoreSite) -> None:
    many = [f"X{n}" for n in range(10_001)]
    code, text = refused(site, "4.1.6", "GetLatestReadingsByMeterIDList", meterIDs=many, **PERIOD)
    assert (code, "10000 are the most" in text) == ("Client.TooManyObjects", True)
    assert refused(site, "4.1.6", "GetLatestReadingsByMeterIDList", **PERIOD)[0] == "Client.MissingParameter"
    assert refused(site, "4.1.6", "GetLatestReadingsByMeterIDList", meterIDs=[], **PERIOD)[0] == "Client.MissingParameter"


def test_a_meter_of_another_service_is_told_so(site: StoreSite) -> None:
    told = {"meterNo": ["M1", "G1"], **PERIOD, "serviceType": "Gas"}
    found = {row["meterNo"]: row for row in rows(asked(site, "3.0", "GetLatestReadingsByMeterNoList", **told))}
    assert found["M1"]["errorString"] == "meter 'M1' measures electric and not gas"
    assert found["G1"]["gasVolume"] == "123.458"


@pytest.mark.parametrize("version", VERSIONS)
def test_groups_are_read_in_one_block(site: StoreSite, version: str) -> None:
    group = {"meterGroupID": "mixed"} | ({"serviceType": "All"} if version == "4.1.6" else {})
    answer = asked(site, version, "GetLatestMeterReadingsByMeterGroup", **group)
    assert [(row["meterNo"], row.get("posKWh"), row.get("gasVolume")) for row in rows(answer)] == [
        ("G1", None, "123.458"),
        ("M1", "12393.678", None),
        ("M3", None, None),
    ]
    unknown = {**group, "meterGroupID": "nobody's"}
    assert refused(site, version, "GetLatestMeterReadingsByMeterGroup", **unknown)[0] == "Client.UnknownGroup"
    assert refused(site, version, "GetLatestMeterReadingsByMeterGroup", **{**group, "meterGroupID": ""})[0] == "Client.MissingParameter"


def test_a_group_in_one_interval_data_has_pages_in_4_1_6(site: StoreSite) -> None:
    site.partner = replace(site.partner, page_size=2)
    group = {"meterGroupID": "mixed", "serviceType": "All"}
    first = asked(site, "4.1.6", "GetLatestMeterReadingsByMeterGroupIntervalData", **group)
    assert texts(first, "meterID") == ["G1", "M1"]
    assert len(set(texts(first, "profileID"))) == 2, "profiles are told once for all meters that have them"
    header = first.find("{*}Header")[0]
    assert (header.get("ObjectsRemaining"), header.get("LastSent")) == ("1", "M1")
    rest = asked(site, "4.1.6", "GetLatestMeterReadingsByMeterGroupIntervalData", **group, lastReceived="M1")
    assert texts(rest, "meterID") == ["M3"]
    assert rest.find("{*}Header")[0].get("ObjectsRemaining") == "0"
    electric = asked(site, "4.1.6", "GetLatestMeterReadingsByMeterGroupIntervalData", meterGroupID="mixed", serviceType="Electric")
    assert set(texts(electric, "meterID")) == {"M1", "M3"}


def test_interval_data_has_local_days_with_gaps_and_end_readings(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldNameIntervalData", meterID="M1", **PERIOD, fieldName=["kWh"])
    blocks = list(answer.iter("{*}block"))
    assert [block.findtext("{*}intervalStart") for block in blocks] == LOCAL[:2]
    assert [block.findtext("{*}logTime") for block in blocks] == LOCAL[1:]
    assert [texts(block, "reading") for block in blocks] == [["12369.678"], ["12393.678"]]
    values = blocks[1].findtext(".//{*}d").split(",")
    statuses = blocks[1].findtext(".//{*}cS").split(",")
    assert values[:6] == ["1.024", "1.025", "", "", "", "1.029"]
    assert statuses[:7] == ["", "", "NOT_COLLECTED", "NOT_COLLECTED", "SKIPPED", "", "PARTIAL POWER_FAIL"]
    assert len(values) == len(statuses) == 24
    assert answer.find(".//{*}intervalLength").get("units") == "Minutes"


def test_registers_that_end_no_block_have_blocks_of_their_own(site: StoreSite) -> None:
    told = {"meterID": "M1", "startDate": MIDNIGHTS[0], "endDate": MIDNIGHTS[1] - timedelta(hours=1)}
    answer = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldNameIntervalData", **told, fieldName=["kWh", "posKWh"])
    assert texts(answer, "profileID") == ["1", "2"]
    assert [p.findtext("{*}name") for p in answer.iter("{*}profile")] == ["60 minutes", "registers"]
    last = list(answer.iter("{*}block"))[-1]
    assert (texts(last, "readingDate"), last.find("{*}dB")) == ([LOCAL[0]], None)


def test_intervals_of_several_channels_of_a_length_share_their_profile(site: StoreSite) -> None:
    both = ["kWh", "voltagePhaseA"]
    answer = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldNameIntervalData", meterID="M1", **PERIOD, fieldName=both)
    assert texts(answer, "name") == ["15 minutes", "60 minutes"]
    assert len(texts(answer, "d")[0].split(",")) == 96


def test_a_load_profile_is_a_local_day_without_voltages(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetLPReadingsByDateIntervalData", profileDate=MIDNIGHTS[0] + timedelta(hours=5))
    told = {data.find(".//{*}meterID").text: data for data in answer.iter("{*}intervalData")}
    assert list(told) == list(METERS)
    assert texts(told["M1"], "fieldName") == ["kWh"]
    assert texts(told["G1"], "d")[0].split(",")[0] == "0.005"
    assert texts(told["W1"], "comment") == ["W1: no such value of this meter lies in the period"]
    cycle = rows(asked(site, "4.1.6", "GetLPReadingsByBillingCycle", billingCycle=CYCLE, profileDate=MIDNIGHTS[0]))
    assert {row["meterNo"] for row in cycle} == {"M2", "M3", "G1", "M9"}, "M1 came to the cycle a day later"


def test_the_latest_interval_is_told_beside_the_latest_register(site: StoreSite) -> None:
    answer = asked(site, "3.0", "GetLatestReadingByFieldNameIntervalData", fieldName=["kWh", "posKWh"])
    data = next(iter(answer.iter("{*}intervalData")))
    assert (texts(data, "d"), texts(data, "reading"), texts(data, "intervalStart")) == (
        ["1.047"],
        ["12393.678"],
        ["2026-06-30T23:00:00-05:00"],
    )


def test_load_profile_data_are_runs_with_flags(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetLPDataByMeterID", meterID="M1")
    blocks = list(answer.iter("{*}block"))
    assert [(block.get("endTime"), len(block)) for block in blocks] == [("2026-06-30T02:00:00-05:00", 26), (LOCAL[2], 20)]
    assert [block.get("intervalPeriod") for block in blocks] == ["60", "60"]
    skipped, _, disturbed = list(blocks[1])[:3]
    assert (skipped.text, skipped.get("invalid")) == ("NaN", "true")
    assert (disturbed.text, disturbed.get("partialInterval")) == ("1.03", "true")
    none = asked(site, "4.1.6", "GetLPDataByMeterID", meterID="M3")
    assert none.find(".//{*}profileObject").get("errorString") == "no load profile of the last 7 days has been collected"


def test_readings_by_unit(site: StoreSite) -> None:
    answer = asked(site, "4.1.6", "GetReadingsByUOMAndDate", uomData="kWh", **PERIOD)
    assert set(texts(answer, "units")) == {"kWh"}
    assert len(texts(answer, "deviceID")) == 8
    assert set(texts(asked(site, "3.0", "GetReadingsByUOMAndDate", uomData="wh", **PERIOD), "value")) >= {"12345678", "4001"}
    voltages = asked(site, "4.1.6", "GetReadingsByUOMAndDate", uomData="V", **PERIOD)
    told = {reading.find("{*}meterID").text: reading for reading in voltages.iter("{*}meterReading")}
    assert list(told) == ["M1", "M2", "M3", "M9"]
    assert len(texts(told["M1"], "value")) == 192
    assert told["M2"].get("errorString") == NOT_THEN
    code, text = refused(site, "3.0", "GetReadingsByUOMAndDate", uomData="furlongs", **PERIOD)
    assert (code, "'furlongs'" in text, "cubic meter" in text) == ("Client.UnknownUnit", True, True)


def test_a_partner_who_counts_watt_hours_is_told_watt_hours(site: StoreSite) -> None:
    site.partner = replace(site.partner, energy_unit=EnergyUnit.WATT_HOUR)
    answer = asked(site, "3.0", "GetLatestReadingByMeterNo", meterNo="M2")
    assert (texts(answer, "units"), texts(answer, "value")) == (["Wh", "Wh"], ["1047999", "4003"])
    assert texts(answer, "posKWh") == ["1047"], "whole kWh by its name"
    block = asked(site, "3.0", "GetReadingByMeterNumberFormattedBlock", meterNumber="M1", **BILLING)
    assert (rows(block)[0]["posKWh"], rows(block)[0]["peakDemand"]) == ("12393678", "1047")
    assert {"Wh", "W", "VARh"} <= set(texts(block, "uom"))
    data = asked(site, "4.1.6", "GetReadingsByMeterIDAndFieldNameIntervalData", meterID="M1", **PERIOD, fieldName=["kWh"])
    assert texts(data, "d")[0].split(",")[0] == "1000"
    listed = asked(site, "3.0", "GetReadingsByDate", **PERIOD)
    assert "12345678" in texts(listed, "value")


@pytest.mark.parametrize(("identifier", "name"), [(MeterIdentifier.SERIAL_NO, "SM1"), (MeterIdentifier.AP_TITLE, ".100.0")])
def test_a_partner_calls_meters_by_its_own_identifier(site: StoreSite, identifier: MeterIdentifier, name: str) -> None:
    site.partner = replace(site.partner, identifier=identifier)
    assert texts(asked(site, "4.1.6", "IsAMRMeter", meterID=name), "IsAMRMeterResult") == ["true"]
    assert texts(asked(site, "4.1.6", "IsAMRMeter", meterID="M1"), "IsAMRMeterResult") == ["false"]
    reading = asked(site, "4.1.6", "GetLatestReadingByMeterID", meterID=name)
    assert (texts(reading, "meterID"), reading.find(".//{*}GetLatestReadingByMeterIDResult").get("objectID")) == (
        [name],
        "M1@2026-07-01T05:00:00Z",
    )
    assert refused(site, "4.1.6", "GetLatestReadingByMeterID", meterID="M1") == ("Client.UnknownMeter", "meter 'M1' is not known")
    told = rows(asked(site, "4.1.6", "GetLatestReadingsByMeterIDList", meterIDs=[name, "M1"], **PERIOD))
    assert [(row["meterNo"], "posKWh" in row) for row in told] == [("M1", False), (name, True)]
    assert name in texts(asked(site, "3.0", "GetReadingsByDate", **PERIOD), "meterNo")
    assert name in texts(asked(site, "3.0", "GetLatestReadings"), "meterNo")
    assert name in texts(asked(site, "3.0", "GetAMRSupportedMeters"), "meterNo")
    assert texts(asked(site, "4.1.6", "GetHistoryLogByMeterID", meterID=name, **PERIOD), "meterID") == [name]


def test_history_logs_have_what_was_logged(site: StoreSite) -> None:
    log = asked(site, "3.0", "GetHistoryLogByMeterNo", meterNo="M1", **PERIOD)
    assert texts(log, "eventCode") == ["Primary power down", "Primary power up"]
    assert texts(log, "argument") == ["0010", "event 4000"]
    assert [event.get("sequenceNumber") for event in log.iter("{*}event")] == ["11", "12", "13"]
    newer = asked(site, "4.1.6", "GetHistoryLogByMeterID", meterID="M1", **PERIOD)
    codes = [event.get("codeString") for event in newer.iter("{*}meterEvent")]
    assert codes == ["3.26.0.47", "3.26.0.216", None]
    logs = asked(site, "3.0", "GetHistoryLogsByDate", **PERIOD)
    assert [one.get("objectID") for one in logs.iter("{*}historyLog")] == ["M1", "W1"]
    assert texts(logs, "argument")[-1] == "consumer leak", "3.0 has no phrase for it"
    assert texts(asked(site, "3.0", "GetHistoryLogByMeterNo", meterNo="M3", **PERIOD), "event") == []


@pytest.mark.parametrize(
    "meter_event",
    [
        '<eventCode codeString="3.26.0.216"/>',
        '<eventCode domain="3" domainPart="26" type="0" index="216">anything</eventCode>',
        '<eventCode domainPart="26" index="216"/>',
        "<eventCode>Primary Power Up</eventCode>",
        "<eventCode>3.26.0.216</eventCode>",
        "<eventCode>2</eventCode>",
    ],
)
def test_events_are_asked_for_by_code_in_several_ways(site: StoreSite, meter_event: str) -> None:
    inside = meter_event + xml(**PERIOD)
    answer = site.ask("4.1.6", "MR_Server", "GetHistoryLogsByDateAndEventCode", inside)
    assert [event.text for event in answer.iter("{*}meterEvent")] == ["primary power up"]


def test_an_event_code_that_is_none_is_a_fault_and_one_without_events_an_empty_list(site: StoreSite) -> None:
    inside = '<eventCode codeString="3.99.9.9"/>' + xml(**PERIOD)
    code, text = fault_of(etree.tostring(site.ask("4.1.6", "MR_Server", "GetHistoryLogsByDateAndEventCode", inside)))
    assert (code, "'3.99.9.9'" in text) == ("Client.UnknownEventCode", True)
    answer = asked(site, "3.0", "GetHistoryLogsByDateAndEventCode", eventCode="Sustained outage", **PERIOD)
    assert texts(answer, "historyLog") == []
    answer = asked(site, "3.0", "GetHistoryLogsByMeterNoAndEventCode", meterNo="M1", eventCode="Primary power up", **PERIOD)
    assert texts(answer, "eventCode") == ["Primary power up"]


def test_history_logs_have_pages(site: StoreSite) -> None:
    site.partner = replace(site.partner, page_size=1)
    first = asked(site, "3.0", "GetHistoryLogsByDate", **PERIOD)
    header = first.find("{*}Header")[0]
    assert (header.get("LastSent"), header.get("ObjectsRemaining")) == ("M1", "1")
    rest = asked(site, "3.0", "GetHistoryLogsByDate", **PERIOD, lastReceived="M1")
    assert [one.get("objectID") for one in rest.iter("{*}historyLog")] == ["W1"]
    assert rest.find("{*}Header")[0].get("ObjectsRemaining") == "0"
    assert refused(site, "3.0", "GetHistoryLogsByDate", **PERIOD, lastReceived="page 2")[0] == "Client.InvalidLastReceived"


def test_catalogues_list_what_can_be_asked_for(site: StoreSite) -> None:
    names = texts(asked(site, "4.1.6", "GetSupportedFieldNames"), "string")
    assert {"posKWh", "kWh", "maxVoltagePhaseC", "gasVolume", "peakDemand"} <= set(names)
    for name in set(names) - {"peakDemand"}:
        asked(site, "4.1.6", "GetLatestReadingByFieldName", fieldName=[name])
    types = texts(asked(site, "3.0", "GetSupportedReadingTypes"), "string")
    assert types == ["Register", "Interval", "Interval PT15M", "Interval PT60M"]
    for reading_type in types:
        asked(site, "3.0", "GetLatestReadingByType", readingType=reading_type)
    statuses = asked(site, "4.1.6", "GetSupportedReadingStatusCodes")
    assert [code.get("codeIndex") for code in statuses.iter("{*}readingStatusCode")] == [str(1 << bit) for bit in range(16)]
    assert all(texts(statuses, "description"))
    events = list(asked(site, "4.1.6", "GetSupportedMeterEventCodes").iter("{*}meterEvent"))
    assert ("primary power down", "3.26.0.47") in {(event.text, event.get("codeString")) for event in events}
    assert {event.get("domain") for event in events} == {"3", "4", "24"}


@pytest.mark.parametrize(
    "operation", ["GetReadingsByDateAndFieldNameIntervalData", "GetReadingsByDateAndFieldName", "GetReadingsByUOMAndDate"]
)
def test_periods_of_all_values_of_meters_are_bounded(site: StoreSite, operation: str) -> None:
    told: dict[str, Any] = {"startDate": MIDNIGHTS[0] - timedelta(days=500), "endDate": MIDNIGHTS[0], "lastReceived": ""}
    if operation.endswith("UOMAndDate"):
        told = {"uomData": "V", **told}
    code, text = refused(site, "4.1.6", operation, **told)
    assert (code, "400 are the most" in text) == ("Client.InvalidPeriod", True)


def test_a_meter_number_with_the_separator_in_it_takes_another_separator(store_site: StoreSite) -> None:
    (item,) = shipment(1)
    store_site.store.call("import_shipment", [replace(item, meter_no="A,1;B")], NOW)
    read = register("M1", DELIVERED, MIDNIGHTS[0], 5)
    store_site.store.call("record", [Collected(read.endpoint_id, NOW, register_reads=(read,))], NOW)
    answer = asked(store_site, "4.1.6", "GetLatestReadingByFieldName", fieldName=["posKWh"])
    assert texts(answer, "separator") == ["|"]
    assert rows(answer)[0]["meterNo"] == "A,1;B"


def test_a_serial_number_of_two_meters_is_that_of_the_active_one_or_of_none(store_site: StoreSite) -> None:
    one, two = shipment(2)
    store_site.store.call("import_shipment", [one, replace(two, serial_no=one.serial_no)], NOW)
    store_site.partner = replace(store_site.partner, identifier=MeterIdentifier.SERIAL_NO)
    code, text = refused(store_site, "3.0", "GetLatestReadingByMeterNo", meterNo=one.serial_no)
    assert (code, text) == ("Client.UnknownMeter", "meter 'S1' is that of several: M000001 and M000002")
    store_site.store.sql("UPDATE endpoint SET active = 0 WHERE meter_no = 'M000001'")
    answer = asked(store_site, "3.0", "GetLatestReadingByMeterNo", meterNo=one.serial_no)
    assert answer.find(".//{*}GetLatestReadingByMeterNoResult").get("objectID") == "M000002"


def test_intervals_wait_for_their_register_however_the_period_is_fetched(store_site: StoreSite) -> None:
    """Three weeks without a register read, then one, then a day: one object with all that it ends, and one with the rest."""
    store_site.store.call("import_shipment", shipment(1), NOW)
    first = (NOW - timedelta(days=23)).date()
    days = [IntervalBlock(IDS["M1"], ChannelId(DELIVERED), first + timedelta(days=n), 3600, 0, [n] * 24, [0] * 24) for n in range(22)]
    instant = day_start(first) + timedelta(days=21)
    read = register("M1", DELIVERED, instant, 5)
    store_site.store.call("record", [Collected(IDS["M1"], NOW, register_reads=(read,), interval_blocks=tuple(days))], NOW)
    told = {"meterID": "M000001", "startDate": day_start(first), "endDate": NOW}
    readings = list(asked(store_site, "4.1.6", "GetReadingsByMeterID", **told).iter("{*}meterReading"))
    assert [len(texts(reading, "value")) for reading in readings] == [21 * 24 + 1, 24]
    times = [time for reading in readings for time in texts(reading, "timeStamp")]
    assert len(set(times)) == 22 * 24
    wide = {**told, "startDate": NOW.replace(year=1990), "endDate": NOW.replace(year=2100)}
    assert texts(asked(store_site, "4.1.6", "GetReadingsByMeterID", **wide), "timeStamp") == times


@pytest.mark.parametrize(
    "operation", ["GetReadingsByDate", "GetReadingsByDateAndFieldName", "GetHistoryLogsByDate", "GetReadingsByMeterID"]
)
def test_a_store_that_fails_at_the_first_piece_is_a_fault(operation: str) -> None:
    class Broken(type(demo_queries())):  # type: ignore[misc]
        async def register_rows(self, *_: Any) -> None:
            raise StoreError("the database is locked")

        logs = values_of = register_rows

    queries = demo_queries()
    broken = Broken(queries.entries, queries.registers, queries.blocks, {"E1": [DeviceEvent(EndpointId(1), 1, FIRST_MIDNIGHT, 1)]})
    broken.events |= {meter_no: [] for meter_no in queries.entries if meter_no != "E1"}
    dates = {"startDate": FIRST_MIDNIGHT, "endDate": FIRST_MIDNIGHT + timedelta(days=1)}
    inside = xml(**({"meterID": "E1"} if operation.endswith("ID") else {}), **dates)
    status, octets = ask(server(broken, "4.1.6"), envelope("4.1.6", operation, inside))
    assert (status, fault_of(octets)) == (500, ("Server.Store", "the database is locked"))
