"""Readings within conditions: endpoints that do not fulfil them are as if they were not there, in every query that tells of endpoints."""

from typing import Any

import pytest

from adapters.store import schema
from adapters.store.event_store import EventPart
from adapters.store.reading_part import ReadingPart
from headend.model.endpoint import Commodity, EndpointId
from headend.model.partner import MeterIdentifier
from headend.model.selections import Cycle, Fleet, Period
from headend.reading_queries import Position
from tests.fakes.reading_world import CYCLE, IDS, METERS, MIDNIGHTS, fill
from tests.store.world import OpenStore


class GasOnly(ReadingPart, EventPart):
    """A store's readings as one sees them who may know of gas meters only."""

    def __init__(self, store: OpenStore) -> None:
        self._database = store.store._database
        self._only = [schema.endpoint.c.configuration.in_(["gas", "it's"])]


PERIOD = Period(MIDNIGHTS[0], MIDNIGHTS[2])
GAS = ["G1", "G2"]


@pytest.fixture
def gas(store: OpenStore) -> Any:
    fill(store)
    part = GasOnly(store)
    return lambda name, *arguments: store.running.wait(getattr(part, name), *arguments)


def test_only_meters_that_fulfil_the_conditions_are_told_of(gas: Any) -> None:
    assert gas("meter", "M1") is None
    assert gas("meter", "G1").endpoint.meter_no == "G1"
    assert [entry.endpoint.meter_no for entry in gas("meters", None, 10).items] == GAS
    assert gas("meters", None, 1).remaining == 1
    assert [meter.meter_no for meter in gas("meters_named", MeterIdentifier.METER_NO, list(METERS))] == GAS
    every = Fleet(frozenset(Commodity))
    page = gas("meter_page", every, EndpointId(0), 10)
    assert (page.last.meter_no, page.remaining) == ("G2", 0)
    assert [meter.meter_no for meter in gas("meters_in", every, EndpointId(0), EndpointId(99), 10)] == GAS
    assert [meter.meter_no for meter in gas("meters_in", Cycle(CYCLE, PERIOD), EndpointId(0), EndpointId(99), 10)] == ["G1"]
    assert gas("interval_blocks", "M1", *(PERIOD.start, PERIOD.end)) == []
    assert gas("interval_blocks", "G1", *(PERIOD.start, PERIOD.end)) != []


def test_only_their_reads_and_events_are_listed(gas: Any) -> None:
    page = gas("register_page", PERIOD, None, None, 5)
    assert (page.last_meter_no, page.remaining) == ("G2", 1)
    last = Position(EndpointId(99), 0)
    assert [row[7] for row in gas("register_rows", PERIOD, None, None, last, 1_000)] == ["G1"] * 3 + ["G2"] * 3
    assert (gas("latest_page", EndpointId(0), 10).last_meter_no, gas("latest_page", EndpointId(0), 1).remaining) == ("G2", 1)
    assert [row[7] for row in gas("latest_rows", EndpointId(0), EndpointId(99), 10)] == GAS
    assert gas("log_page", PERIOD, None, EndpointId(0), 10).last is None
    assert gas("logs", PERIOD, None, EndpointId(0), EndpointId(99), 10) == []


def test_a_meter_removed_within_a_period_is_of_the_cycle_and_one_removed_before_is_not(store: OpenStore) -> None:
    fill(store)
    first_day, second_day = Period(MIDNIGHTS[0], MIDNIGHTS[1]), Period(MIDNIGHTS[2], MIDNIGHTS[2])

    def of(period: Period) -> list[str]:
        return [meter.meter_no for meter in store.call("meters_in", Cycle(CYCLE, period), EndpointId(0), EndpointId(99), 10)]

    assert of(first_day) == ["M2", "M3", "G1", "M9"]
    assert of(second_day) == ["M1", "M2", "M3", "G1"]
    terms = store.call("terms", CYCLE, PERIOD, [IDS["M9"], IDS["M1"], IDS["W1"]])
    assert [(endpoint_id, term.service_point_no) for endpoint_id, term in terms] == [(IDS["M1"], "SP9"), (IDS["M9"], "SP9")]
    assert store.call("knows_bill_cycle", CYCLE)
    assert not store.call("knows_bill_cycle", "99")


def test_a_retired_meter_is_told_of_while_its_reads_are(store: OpenStore) -> None:
    fill(store)
    store.sql("UPDATE endpoint SET active = 0 WHERE meter_no = 'M2'")
    electric = frozenset({Commodity.ELECTRIC})

    def of(fleet: Fleet) -> list[str]:
        return [meter.meter_no for meter in store.call("meters_in", fleet, EndpointId(0), EndpointId(99), 10)]

    assert of(Fleet(electric)) == ["M1", "M3", "M9"]
    assert of(Fleet(electric, MIDNIGHTS[2])) == ["M1", "M2", "M3", "M9"]
    assert of(Fleet(electric, MIDNIGHTS[2].replace(year=2027))) == ["M1", "M3", "M9"]
