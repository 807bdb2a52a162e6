"""The catalogue of events: complete, without doubles, and in the standards' own words."""

import json
from decimal import Decimal

import pytest

from emulators.device_events import SUPPORTED
from headend.c1219.event_log_tables import EventCode
from headend.errors import RequestError
from headend.event_catalogue import DEFAULT_CATALOGUE, MANUFACTURER
from headend.event_settings import EventKindSettings, VoltsSettings, catalogue_of
from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, CimCode, OutageMeaning, Severity
from headend.router_catalogue import ROUTER_EVENTS
from wsdl import contract_text

KINDS = DEFAULT_CATALOGUE.kinds


def test_phrases_are_those_of_the_contract_and_each_that_endpoints_log_has_a_kind() -> None:
    phrases = set(json.loads(contract_text("3.0"))["types"]["eventCode"]["enum"])
    used = {kind.phrase for kind in KINDS.values() if kind.phrase}
    assert used <= phrases
    assert phrases - used == {"Sustained outage"}, "a conclusion from events, which no endpoint logs"


def test_every_code_in_use_is_known() -> None:
    assert KINDS.keys() >= SUPPORTED
    assert {int(code) for code in EventCode} <= KINDS.keys()


def test_what_clears_a_condition_is_the_other_way_round_too() -> None:
    for kind in KINDS.values():
        if kind.clears is not None:
            assert kind.clears in KINDS
            assert DEFAULT_CATALOGUE.cleared_by[kind.clears] == kind.code
            assert kind.category is KINDS[kind.clears].category
    assert {code for code, kind in KINDS.items() if kind.outage is OutageMeaning.OUTAGE} == {1, MANUFACTURER | 130}
    assert DEFAULT_CATALOGUE.cleared_by[1] == 2
    assert KINDS[2].outage is OutageMeaning.RESTORATION


def test_names_are_unique_and_codes_have_meters() -> None:
    names = [kind.name for kind in KINDS.values()]
    assert len(names) == len(set(names))
    assert {code for code, kind in KINDS.items() if not kind.commodities} == set(ROUTER_EVENTS)


def test_a_code_of_the_standard_names_the_kind_of_meter_first() -> None:
    assert CimCode(26, 0, 47).of_device(Commodity.ELECTRIC) == "3.26.0.47"
    assert CimCode(12, 0, 257).of_device(Commodity.GAS) == "4.12.0.257"
    assert CimCode(12, 93, 219).of_device(Commodity.WATER) == "24.12.93.219"
    assert CimCode(26, 0, 47).of_device(None) == "5.26.0.47"


def test_a_utility_changes_entries_and_adds_its_own() -> None:
    changes = EventKindSettings(code=1, severity=Severity.MAJOR, cim="26.9.185")
    own = EventKindSettings(code=9_001, name="seal broken", severity=Severity.MAJOR, category=Category.TAMPER, clears=47)
    kinds = catalogue_of((changes, own)).kinds
    assert (kinds[1].severity, kinds[1].name, kinds[1].cim) == (Severity.MAJOR, "primary power down", CimCode(26, 9, 185))
    assert kinds[9_001].clears == 47
    assert kinds[2] == KINDS[2]
    assert catalogue_of(()) is DEFAULT_CATALOGUE


def test_a_utility_says_how_an_argument_holds_a_voltage() -> None:
    (kind,) = (catalogue_of((EventKindSettings(code=45, volts=VoltsSettings(exponent=-1, little_endian=True)),)).kinds[45],)
    assert kind.volts is not None
    assert kind.volts.volts(b"\xa3\x04") == Decimal("118.7")
    assert kind.volts.volts(b"\xa3") is None
    assert KINDS[45].volts is None


def test_an_entry_that_lacks_something_or_clears_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="needs name, severity and category"):
        catalogue_of((EventKindSettings(code=9_001, name="seal broken"),))
    with pytest.raises(RequestError, match="clears 77, which"):
        catalogue_of((EventKindSettings(code=1, clears=77),))
