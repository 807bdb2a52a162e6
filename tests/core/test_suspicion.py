"""What looks like theft, and what does not."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from headend.event_catalogue import DEFAULT_CATALOGUE, LOAD_SIDE_VOLTAGE, MANUFACTURER
from headend.event_settings import EventKindSettings, catalogue_of
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.endpoint import EndpointId
from headend.model.event_kinds import Category, Severity
from headend.model.instants import to_us
from headend.model.readings import IntervalBlock, IntervalFlag, ReadSource, RegisterRow
from headend.suspicion import (
    DELIVERED,
    RECEIVED,
    Suspect,
    SuspectEvent,
    SuspicionKind,
    SuspicionPolicy,
    of_event,
    of_feeding_in,
    of_no_use,
    of_open_switch,
    suspicious_codes,
)

MIDNIGHT = datetime(2026, 7, 2, 5, tzinfo=UTC)
HOUSE = Suspect(EndpointId(1), "M1", "residential")
SHOP = Suspect(EndpointId(2), "M2", "commercial")
POLICY = SuspicionPolicy()
VOLTAGE = CHANNEL_BY_NAME["voltage_average_a"].channel_id


def told(code: int, suspect: Suspect = HOUSE, argument: bytes = b"") -> tuple[SuspicionKind, str] | None:
    found = of_event(SuspectEvent(suspect, code, MIDNIGHT, 1, argument), DEFAULT_CATALOGUE)
    if found is None:
        return None
    assert (found.meter_no, found.since, found.lasts) == (suspect.meter_no, MIDNIGHT, False)
    return found.kind, found.detail


def reads(*values: int, days: int = 1, flags: int = 0, exponent: int = 0) -> list[RegisterRow]:
    """Registers at midnights, the last at MIDNIGHT, so many days apart."""
    first = MIDNIGHT - timedelta(days=days * (len(values) - 1))
    return [
        RegisterRow(1, to_us(first + timedelta(days=days * n)), DELIVERED, ReadSource.SELF_READ, exponent, flags, value)
        for n, value in enumerate(values)
    ]


def block(channel: int, values: list[int | None], flags: int = 0, exponent: int = 0) -> IntervalBlock:
    seconds = 86_400 // len(values)
    return IntervalBlock(EndpointId(1), channel, date(2026, 7, 1), seconds, exponent, values, [flags] * len(values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (47, SuspicionKind.TAMPER),
        (MANUFACTURER | 4, SuspicionKind.TAMPER),
        (MANUFACTURER | 18, SuspicionKind.TAMPER),
        (48, SuspicionKind.REVERSE),
        (MANUFACTURER | 9, SuspicionKind.REVERSE),
        (MANUFACTURER | 19, None),
        (1, None),
        (60_000, None),
    ],
)
def test_events_that_tell_of_tampering_and_of_flow_the_wrong_way(code: int, kind: SuspicionKind | None) -> None:
    found = told(code)
    assert (None if found is None else found[0]) is kind


def test_the_utility_says_what_tampering_is() -> None:
    sealed = EventKindSettings(code=9_001, name="seal broken", severity=Severity.MAJOR, category=Category.TAMPER)
    catalogue = catalogue_of((sealed, EventKindSettings(code=47, category=Category.HARDWARE)))
    assert {9_001, 48, LOAD_SIDE_VOLTAGE} < suspicious_codes(catalogue)
    assert 47 not in suspicious_codes(catalogue)
    told = [of_event(SuspectEvent(HOUSE, code, MIDNIGHT), catalogue) for code in (9_001, 47)]
    assert [one and one.text for one in told] == ["tamper: the meter told of a seal broken", None]


def test_who_may_feed_in_may_turn_backwards_but_not_be_opened() -> None:
    net = replace(HOUSE, configuration="residential-net")
    assert told(48, net) is None
    assert told(47, net) == (SuspicionKind.TAMPER, "the meter told of a tamper attempt")


def test_voltage_behind_an_open_switch_is_told_with_its_volts() -> None:
    seen = "118.7 V were measured behind the open switch"
    assert told(LOAD_SIDE_VOLTAGE, argument=(1_187).to_bytes(2)) == (SuspicionKind.LIVE_LOAD, seen)


@pytest.mark.parametrize(
    ("values", "seen"), [((1_000, 1_000, 1_499), False), ((1_000, 1_000, 1_500), True), ((1_000,), False), ((1_500, 1_000), False)]
)
def test_what_passes_an_open_switch(values: tuple[int, ...], seen: bool) -> None:
    opened = replace(HOUSE, open_since=MIDNIGHT - timedelta(days=5))
    found = of_open_switch(opened, reads(*values), POLICY)
    assert (found is not None) == seen
    if found is not None:
        assert (found.kind, found.since) == (SuspicionKind.LIVE_LOAD, opened.open_since)
        assert found.detail == "500 Wh passed the switch from 2026-06-30 to 2026-07-02, which is open since 2026-06-27"


def test_what_passed_before_the_switch_was_opened_is_the_customers() -> None:
    opened = replace(HOUSE, open_since=MIDNIGHT - timedelta(hours=30))
    assert of_open_switch(opened, reads(1_000, 9_000, 9_100), POLICY) is None
    assert of_open_switch(HOUSE, reads(1_000, 9_000), POLICY) is None


@pytest.mark.parametrize(
    ("values", "volts", "seen"),
    [
        ((700, 700), [120] * 96, True),
        ((700, 701), [120] * 96, False),
        ((701, 700), [120] * 96, False),
        ((700, 700), [0] * 96, False),
        ((700, 700), [120] * 87 + [0] * 9, True),
        ((700, 700), [120] * 86 + [0] * 10, False),
        ((700, 700), [], False),
    ],
    ids=["nothing used", "a little used", "register went back", "no voltage", "short outage", "long outage", "voltage not measured"],
)
def test_no_use_is_suspect_only_with_voltage(values: tuple[int, int], volts: list[int | None], seen: bool) -> None:
    blocks = [block(VOLTAGE, volts)] if volts else []
    found = of_no_use(HOUSE, reads(*values, days=14), blocks, POLICY)
    assert (found is not None) == seen
    if found is not None:
        assert (found.kind, found.since, found.lasts) == (SuspicionKind.NO_USE, MIDNIGHT - timedelta(days=14), True)
        assert found.detail.startswith("0 Wh from 2026-06-18 to 2026-07-02, with voltage in ")


def test_no_use_needs_all_its_days_and_a_closed_switch() -> None:
    blocks = [block(VOLTAGE, [120] * 96)]
    assert of_no_use(HOUSE, reads(700, 700, days=13), blocks, POLICY) is None
    assert of_no_use(HOUSE, reads(700, 700, days=14, flags=IntervalFlag.CLOCK_BACK), blocks, POLICY) is None
    assert of_no_use(replace(HOUSE, open_since=MIDNIGHT), reads(700, 700, days=14), blocks, POLICY) is None
    assert of_no_use(replace(HOUSE, configuration="gas"), reads(700, 700, days=14), blocks, POLICY) is None
    generous = replace(POLICY, no_use_wh=1_000, no_use_days=13)
    assert of_no_use(HOUSE, reads(7, 8, days=13, exponent=3), blocks, generous) is not None, "registers in kWh"


@pytest.mark.parametrize(
    ("suspect", "values", "flags", "seen"),
    [
        (SHOP, [10] * 50, 0, True),
        (SHOP, [10] * 49 + [9], 0, False),
        (SHOP, [None] * 46 + [250, 250, 0, 0], 0, True),
        (SHOP, [10] * 50, int(IntervalFlag.TEST_MODE), False),
        (replace(SHOP, configuration="commercial-net"), [10] * 50, 0, False),
    ],
    ids=["enough", "not enough", "few values", "in test mode", "one who may"],
)
def test_feeding_in_is_suspect_of_who_may_not(suspect: Suspect, values: list[int | None], flags: int, seen: bool) -> None:
    found = of_feeding_in(suspect, [block(RECEIVED, values, flags), block(DELIVERED, [999] * 24)], MIDNIGHT, POLICY)
    assert (found is not None) == seen
    if found is not None:
        assert (found.kind, found.detail) == (SuspicionKind.REVERSE, "500 Wh were fed in on 2026-07-02")
