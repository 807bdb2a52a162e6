"""The catalogue of events: complete, without doubles, and in the standards' own words."""

import json

from emulators.device_events import SUPPORTED
from headend.c1219.event_log_tables import EventCode
from headend.event_catalogue import DEFAULT_CATALOGUE
from headend.model.endpoint import Commodity
from headend.model.event_kinds import CimCode, OutageMeaning
from wsdl import contract_text

KINDS = DEFAULT_CATALOGUE.kinds


def test_phrases_are_those_of_the_contract_and_each_that_endpoints_log_has_a_kind() -> None:
    phrases = set(json.loads(contract_text("3.0"))["types"]["eventCode"]["enum"])
    used = {kind.phrase for kind in KINDS.values() if kind.phrase}
    assert used <= phrases
    assert phrases - used == {"Momentary interruption", "Sustained outage"}, "conclusions from events, which no endpoint logs"


def test_every_code_in_use_is_known() -> None:
    assert KINDS.keys() >= SUPPORTED
    assert {int(code) for code in EventCode} <= KINDS.keys()


def test_what_clears_a_condition_is_the_other_way_round_too() -> None:
    for kind in KINDS.values():
        if kind.clears is not None:
            assert kind.clears in KINDS
            assert DEFAULT_CATALOGUE.cleared_by[kind.clears] == kind.code
            assert kind.category is KINDS[kind.clears].category
    assert {code for code, kind in KINDS.items() if kind.outage is OutageMeaning.OUTAGE} == {1}
    assert DEFAULT_CATALOGUE.cleared_by[1] == 2
    assert KINDS[2].outage is OutageMeaning.RESTORATION


def test_names_are_unique_and_codes_have_meters() -> None:
    names = [kind.name for kind in KINDS.values()]
    assert len(names) == len(set(names))
    assert all(kind.commodities for kind in KINDS.values())


def test_a_code_of_the_standard_names_the_kind_of_meter_first() -> None:
    assert CimCode(26, 0, 47).of_device(Commodity.ELECTRIC) == "3.26.0.47"
    assert CimCode(12, 0, 257).of_device(Commodity.GAS) == "4.12.0.257"
    assert CimCode(12, 93, 219).of_device(Commodity.WATER) == "24.12.93.219"
