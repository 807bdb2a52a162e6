"""What a storm comes to: whom it strikes, what is told, what comes back."""

from random import Random

import pytest

from emulators.device_events import POWER_DOWN, POWER_UP
from emulators.population import Population, router_name
from emulators.storm import StormOrder, counted, feeder_name, is_electric, plan_storm, storm_from_json, strikes_from_json, transformer_name
from headend.errors import RequestError

TOWN = Population(seed=3, size=5_000, routers=10)


def plan(**order):
    return plan_storm(StormOrder(**order), TOWN, Random(7))


def test_a_transformer_takes_down_its_electric_neighbours_and_no_other():
    out = {strike.endpoint for strike in plan(transformer="T-7")}
    assert out == {i for i in range(5_000) if transformer_name(i) == "T-00007" and is_electric(TOWN, i)}
    assert 10 < len(out) <= 20


def test_places_add_up():
    out = {strike.endpoint for strike in plan(feeder="F-2", router="router-003")}
    assert out
    assert {feeder_name(i) for i in out} == {"F-002"}
    assert {router_name(TOWN.router(i)) for i in out} == {"router-003"}
    assert plan(feeder="F-1", transformer="T-101") == []


def test_shares_are_about_what_was_asked_and_the_same_again():
    strikes = plan(percent=50, lost_percent=20, seconds=60)
    whole = counted(plan())
    told = counted(strikes)
    assert 0.45 < told["endpoints"] / whole["endpoints"] < 0.55
    assert 0.15 < told["lost"] / told["events"] < 0.25
    assert 50 < told["seconds"] <= 60
    assert [s.at for s in strikes] == sorted(s.at for s in strikes)
    assert strikes == plan(percent=50, lost_percent=20, seconds=60)


def test_flicker_comes_and_goes_before_it_stays_away_and_comes_back():
    strikes = plan(transformer="T-1", percent=100, flicker_percent=100, flickers=2, flicker_seconds=10, restore_after=100)
    index = strikes[0].endpoint
    assert [(s.at, s.code) for s in strikes if s.endpoint == index] == [
        (0, POWER_DOWN), (5, POWER_UP), (10, POWER_DOWN), (15, POWER_UP), (20, POWER_DOWN), (120, POWER_UP),
    ]  # fmt: skip


def test_delays_have_the_mean_that_was_asked():
    delays = [strike.delay for strike in plan(delay_seconds=4)]
    assert 3.5 < sum(delays) / len(delays) < 4.5
    assert max(delays) <= 40


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"percent": 101}, "percent: 101 is not a number within 0 and 100"),
        ({"flickers": True}, "flickers: True"),
        ({"flicker_seconds": 1}, "flicker_seconds: 1 is not a number within 2"),
        ({"feeder": 4}, "feeder: text is wanted"),
    ],
)
def test_orders_that_cannot_be_are_refused(body, words):
    with pytest.raises(RequestError, match=words):
        storm_from_json(body)


@pytest.mark.parametrize("order", [{"feeder": "F-9"}, {"feeder": "F-0"}, {"transformer": "north"}])
def test_places_there_are_none_of_are_refused(order):
    with pytest.raises(RequestError, match="is none; they are numbered"):
        plan(**order)


def test_a_recording_names_meters_of_here_and_others():
    meter_no = TOWN.meter_no(3)
    entries = [{"at": 2, "meter_no": meter_no, "code": 47, "argument": 5}, {"meter_no": meter_no, "event": "power-down"}, {"meter_no": "X"}]
    strikes, strangers = strikes_from_json({"events": entries}, TOWN)
    assert [(s.at, s.endpoint, s.code, s.argument) for s in strikes] == [(0, 3, POWER_DOWN, 0), (2, 3, 47, 5)]
    assert strangers == ["X"]
    with pytest.raises(RequestError, match=r"events\[0\]: neither an event"):
        strikes_from_json({"events": [{"meter_no": meter_no}]}, TOWN)
