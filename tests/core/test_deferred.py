"""Deferred requests as values: when they expire, which targets they get, and what makes one the same again."""

from datetime import UTC, datetime, timedelta
from math import inf, nan
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headend.deferred_expiry import ExpirationError, expiry, ole_seconds
from headend.deferred_requests import fingerprint, settle
from headend.limits import DEFERRED_DAYS_DEFAULT, DEFERRED_DAYS_MAX
from headend.model.deferred import DeferredKind, KnownMeter, SwitchAction, TargetKey, TargetState, WantedTarget
from headend.model.endpoint import Commodity, EndpointId
from headend.model.utility import Utility, UtilityId

CHICAGO = ZoneInfo("America/Chicago")
NOW = datetime(2026, 3, 3, 15, tzinfo=UTC)
UTILITY = Utility(UtilityId("demo"), "Demo Electric", CHICAGO, ".1.4")
DAY = timedelta(days=1)


def ole(local: str) -> float:
    return (datetime.fromisoformat(local) - datetime.fromisoformat("1899-12-30")) / DAY


@pytest.mark.parametrize("absent", [None, 0, 0.0])
def test_nothing_and_zero_are_no_wish(absent: float | None) -> None:
    assert expiry(absent, NOW) == NOW + DEFERRED_DAYS_DEFAULT * DAY


def test_seconds_count_from_the_beginning() -> None:
    assert expiry(90.5, NOW) == NOW + timedelta(seconds=90.5)
    assert expiry(DEFERRED_DAYS_MAX * 86_400, NOW) == NOW + DEFERRED_DAYS_MAX * DAY


@pytest.mark.parametrize("number", [-1, -0.001, inf, -inf, nan, DEFERRED_DAYS_MAX * 86_400 + 1, 1e300])
def test_what_cannot_be_meant_is_refused(number: float) -> None:
    with pytest.raises(ExpirationError):
        expiry(number, NOW)


def test_an_ole_date_is_local_to_the_utility() -> None:
    assert ole_seconds(ole("2026-03-03T10:30"), NOW, CHICAGO) == pytest.approx(5_400, abs=0.01)


def test_an_ole_date_across_the_night_that_loses_an_hour() -> None:
    """On 2026-03-08 clocks go from 02:00 to 03:00: from 01:00 to 04:00 there are two hours."""
    one_o_clock = datetime(2026, 3, 8, 7, tzinfo=UTC)
    assert ole_seconds(ole("2026-03-08T04:00:01"), one_o_clock, CHICAGO) == pytest.approx(7_201, abs=0.01)


def test_an_ole_date_that_has_passed_is_expired_and_not_no_wish() -> None:
    passed = ole_seconds(ole("2026-03-03T08:59:59"), NOW, CHICAGO)
    assert passed == pytest.approx(-1, abs=0.01)
    with pytest.raises(ExpirationError, match="expired when it arrived"):
        expiry(passed, NOW)


@pytest.mark.parametrize("number", [60, 3_600, 43_006.707, 46_084.0, 46_080, 0, -5, 1e9, nan, inf])
def test_numbers_that_are_seconds(number: float) -> None:
    """43006.707 was a date in 2017; a whole number about now is seconds, because a date would be a midnight."""
    assert ole_seconds(number, NOW, CHICAGO) is None


def test_the_client_of_2017_was_right_in_2017() -> None:
    then = datetime(2017, 9, 28, 21, 0, tzinfo=UTC)
    assert ole_seconds(43_006.707, then, CHICAGO) == pytest.approx(3_484.8, abs=0.1)


METERS = {
    "E1": KnownMeter(EndpointId(1), "E1", "residential", active=True),
    "E2": KnownMeter(EndpointId(2), "E2", "commercial", active=True),
    "G1": KnownMeter(EndpointId(3), "G1", "gas", active=True),
    "W1": KnownMeter(EndpointId(4), "W1", "water-valve", active=True),
    "E9": KnownMeter(EndpointId(9), "E9", "residential", active=False),
}
KNOWN = {(TargetKey.METER_NO, name): [meter] for name, meter in METERS.items()} | {
    (TargetKey.SERVICE_POINT, "SP1"): [METERS["E1"], METERS["G1"]]
}


def meter(name: str, action: SwitchAction | None = None, **said: object) -> WantedTarget:
    return WantedTarget(TargetKey.METER_NO, name, name, action, **said)  # type: ignore[arg-type]


def settled(kind: DeferredKind, *wanted: WantedTarget) -> tuple[list[str], dict[str, str]]:
    targets, refusals = settle(wanted, KNOWN, kind, UTILITY)
    return [t.meter_no for t in targets], {r.object_id: r.reason for r in refusals}


def test_good_targets_stay_in_order_and_each_bad_one_has_its_reason() -> None:
    wanted = [meter("G1"), meter("?"), meter("E1"), meter("E9"), meter("G1"), meter(""), meter("E2", utility="other")]
    taken, refused = settled(DeferredKind.READ, *wanted)
    assert taken == ["G1", "E1"]
    assert refused == {
        "?": "meter '?' is not known",
        "E9": "meter 'E9' is not active",
        "G1": "meter 'G1' stands in the request twice",
        "": "object 6 of the request names no meter",
        "E2": "the object belongs to utility 'other', and this is 'demo'",
    }


@pytest.mark.parametrize("said", ["demo", "DEMO", "demo electric", ""])
def test_a_utility_goes_by_its_id_or_its_name(said: str) -> None:
    assert settled(DeferredKind.READ, meter("E1", utility=said)) == (["E1"], {})


@pytest.mark.parametrize(
    ("kind", "name", "reason"),
    [
        (DeferredKind.SWITCH, "E2", "has no switch"),
        (DeferredKind.SWITCH, "G1", "has no switch"),
        (DeferredKind.SWITCH_STATE, "E2", "has no switch"),
        (DeferredKind.PING, "G1", "has no outage to detect"),
        (DeferredKind.MONITORING, "W1", "has no outage to detect"),
        (DeferredKind.DEMAND_RESET, "W1", "has no demand to reset"),
    ],
)
def test_what_a_meter_cannot_do(kind: DeferredKind, name: str, reason: str) -> None:
    taken, refused = settled(kind, meter(name, SwitchAction.CONNECT if kind is DeferredKind.SWITCH else None))
    assert taken == []
    assert reason in refused[name]


def test_a_valve_is_a_switch_and_none_of_ours_limits_power() -> None:
    assert settled(DeferredKind.SWITCH, meter("W1", SwitchAction.DISCONNECT))[0] == ["W1"]
    assert "cannot limit power" in settled(DeferredKind.SWITCH, meter("E1", SwitchAction.LIMIT_POWER))[1]["E1"]


def test_a_commodity_that_is_said_must_be_the_meters() -> None:
    assert "measures gas, and the object says electric" in settled(DeferredKind.READ, meter("G1", commodity=Commodity.ELECTRIC))[1]["G1"]


def test_all_meters_of_a_service_location_are_targets_as_far_as_they_can_be() -> None:
    place = WantedTarget(TargetKey.SERVICE_POINT, "SP1", "SP1")
    assert settled(DeferredKind.READ, place)[0] == ["E1", "G1"]
    taken, refused = settled(DeferredKind.PING, place)
    assert taken == ["E1"]
    assert "meter 'G1'" in refused["SP1"]
    nowhere = WantedTarget(TargetKey.SERVICE_POINT, "SP2", "SP2")
    assert settled(DeferredKind.READ, nowhere) == ([], {"SP2": "service location 'SP2' is not known or has no meter"})


@given(st.lists(st.sampled_from(["E1", "E2", "E9", "G1", "W1", "?", ""]), max_size=12), st.sampled_from(DeferredKind))
def test_every_object_is_taken_or_refused_and_no_endpoint_twice(names: list[str], kind: DeferredKind) -> None:
    targets, refusals = settle([meter(name) for name in names], KNOWN, kind, UTILITY)
    assert len(targets) + len(refusals) == len(names)
    assert len({t.endpoint_id for t in targets}) == len(targets)


def test_a_fingerprint_is_of_all_that_was_asked() -> None:
    def of(operation: str = "Op", url: str = "u", parameters: dict[str, str] | None = None, *names: str) -> bytes:
        return fingerprint(operation, "3.0", url, parameters or {}, [meter(name) for name in names])

    same = of("Op", "u", {"a": "1", "b": "2"}, "E1", "E2")
    assert same == of("Op", "u", {"b": "2", "a": "1"}, "E1", "E2")
    others = [
        of("Op2", "u", {"a": "1", "b": "2"}, "E1", "E2"),
        of("Op", "v", {"a": "1", "b": "2"}, "E1", "E2"),
        of("Op", "u", {"a": "1", "b": "3"}, "E1", "E2"),
        of("Op", "u", {"a": "1", "b": "2"}, "E2", "E1"),
        of("Op", "u", {"a": "1", "b": "2"}, "E1"),
    ]
    assert same not in others


def test_terminal_states() -> None:
    assert [s.value for s in TargetState if s.terminal] == ["succeeded", "failed", "timed out", "expired", "cancelled"]
