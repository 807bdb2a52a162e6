"""When an endpoint's silence is what, whose it is, and what follows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from headend.limits import SILENCE_STEPS_MAX
from headend.model.endpoint import EndpointId, RouterId
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.model.router import RouterStatus
from headend.model.work_item import Party
from headend.router_health import RouterHealth
from headend.silence import EndpointContact, Judgement, Silence, SilencePolicy, SilenceState, judge
from headend.silence_diagnosis import Evidence, diagnose

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
POLICY = SilencePolicy()
MAINS = EndpointContact(EndpointId(1), "M1", "north", False, True, NOW - timedelta(hours=1), None, 1, NOW)
BATTERY = EndpointContact(EndpointId(2), "G2", "north", True, True, NOW)
UP = {"north": RouterHealth(RouterId(1), heard=NOW)}
OK, LATE, LOST, CASE = SilenceState


class Watched:
    """One endpoint judged again and again; time is hours from NOW."""

    def __init__(self, contact: EndpointContact) -> None:
        self.contact = contact
        self.routers = UP
        self.silence: Silence | None = None
        self.judgements: list[Judgement] = []

    def at(self, hours: float) -> "Watched":
        judgement = judge(self.silence, self.contact, self.routers, NOW + timedelta(hours=hours), POLICY)
        if judgement is not None:
            self.silence = judgement.silence
            self.judgements.append(judgement)
        return self

    def heard(self, hours: float, **facts: int) -> "Watched":
        self.contact = replace(self.contact, heard=NOW + timedelta(hours=hours), **facts)
        return self

    def router(self, **health: object) -> "Watched":
        self.routers = {"north": replace(UP["north"], **health)}  # type: ignore[arg-type]
        return self

    @property
    def states(self) -> list[SilenceState]:
        return [] if self.silence is None else [step.state for step in self.silence.steps]

    @property
    def opened(self) -> int:
        return sum(judgement.opens for judgement in self.judgements)


@pytest.mark.parametrize(
    ("hours", "state"), [(5.9, OK), (6, LATE), (23.9, LATE), (24, LOST), (71.9, LOST), (72, CASE), (9_999, CASE)]
)
def test_a_silence_is_what_its_length_makes_it(hours: float, state: SilenceState) -> None:
    watched = Watched(MAINS).at(hours)
    assert (OK if watched.silence is None else watched.silence.state) is state
    assert watched.opened == (state is CASE)


def test_it_goes_through_all_states_once_and_ends_with_any_valid_frame() -> None:
    watched = Watched(MAINS)
    for hour in range(100):
        watched.at(hour)
    assert watched.states == [LATE, LOST, CASE]
    assert watched.opened == 1
    watched.heard(100, missed=9).at(100.1)
    assert watched.states == [LATE, LOST, CASE, OK]
    last = watched.judgements[-1]
    assert (last.closes, last.ask) == (True, True)
    assert last.silence.steps[-1].why == "heard again 2026-07-06 10:00 UTC"
    assert Watched(MAINS).at(101).heard(100).at(102).judgements[-1].silence.state is OK


def test_one_that_was_read_needs_not_be_asked_again() -> None:
    watched = Watched(MAINS).at(80)
    watched.contact = replace(MAINS, heard=NOW + timedelta(hours=81), missed=0, missed_since=None)
    last = watched.at(81).judgements[-1]
    assert (last.closes, last.ask) == (True, False)


def test_of_a_router_that_is_down_it_is_never_a_case_of_its_own() -> None:
    watched = Watched(MAINS).router(silent=True)
    for hour in range(0, 200, 5):
        watched.at(hour)
    assert watched.states == [LATE, LOST]
    assert watched.opened == 0
    assert watched.silence is not None
    assert watched.silence.owner == "north"
    back = NOW + timedelta(hours=200)
    watched.router(silent=False, restored=back)
    watched.at(200.1)
    assert watched.judgements[-1].ask, "it is asked as soon as somebody can answer"
    assert watched.silence.owner is None
    for hour in range(201, 272):
        watched.at(hour)
    assert watched.opened == 0, "time is given from the router's return"
    watched.at(272)
    assert watched.opened == 1
    assert "silent for 3.0 days" in watched.judgements[-1].why


def test_a_case_stays_one_when_its_router_goes_down() -> None:
    watched = Watched(MAINS).at(73).router(silent=True).at(74)
    assert watched.silence is not None
    assert (watched.silence.state, watched.silence.owner) == (CASE, "north")
    assert not any(judgement.closes for judgement in watched.judgements)


def test_battery_endpoints_are_judged_by_missed_wakeups_each_told_once() -> None:
    watched = Watched(BATTERY)
    for quarter in range(4 * 80):
        watched.at(quarter / 4)
    assert watched.states == [LATE, LOST, CASE]
    told = [x for judgement in watched.judgements for x in judgement.exceptions]
    assert [x.reason.split(";")[0] for x in told] == [f"wake-up {n} missed" for n in range(1, 14)]
    assert {x.kind for x in told} == {ExceptionKind.NO_PUSH}
    assert [x.occurred - NOW for x in told] == [timedelta(hours=6 * n, minutes=15) for n in range(1, 14)]
    assert watched.judgements[0].silence.changed == NOW + timedelta(hours=6.25), "it may be late by a quarter of an hour"
    last = watched.heard(80).at(80.1).judgements[-1]
    assert (last.silence.state, last.closes, last.ask) == (OK, True, False)


def test_one_that_wakes_once_a_day_is_not_late_before_its_next_wakeup() -> None:
    daily = Watched(replace(BATTERY, wake=timedelta(days=1)))
    for hour in range(100):
        daily.at(hour)
    assert [step.state for step in daily.silence.steps] == [LOST, CASE]  # type: ignore[union-attr]
    assert [len(judgement.exceptions) for judgement in daily.judgements] == [1, 1, 1, 1]
    assert daily.judgements[0].silence.changed == NOW + timedelta(hours=25)


def test_wakeups_missed_while_nobody_looked_are_told_but_not_without_end() -> None:
    first = Watched(BATTERY).at(24 * 100).judgements[0]
    assert len(first.exceptions) == 100
    assert first.silence.wakeups == 399
    assert first.exceptions[-1].reason.startswith("wake-up 399 ")


@pytest.mark.parametrize(
    "contact",
    [
        replace(MAINS, missed=0, missed_since=None),
        replace(MAINS, heard=NOW),
        replace(MAINS, present=False),
        replace(BATTERY, heard=None),
        replace(BATTERY, heard=None, expected=NOW, present=False),
    ],
    ids=["nothing asked", "heard", "removed", "in the warehouse", "removed battery"],
)
def test_nobody_is_missed_of_whom_nothing_is_expected(contact: EndpointContact) -> None:
    assert Watched(contact).at(1_000).judgements == []


def test_one_that_was_never_heard_is_missed_from_when_it_should_have_been() -> None:
    assert Watched(replace(MAINS, heard=None)).at(72).opened == 1
    assert Watched(replace(BATTERY, heard=None, expected=NOW)).at(73).opened == 1


def test_one_that_is_removed_ends_its_case() -> None:
    watched = Watched(MAINS).at(80)
    watched.contact = replace(MAINS, present=False)
    last = watched.at(81).judgements[-1]
    assert (last.closes, last.ask, last.why) == (True, False, "no longer collected")


def test_the_history_keeps_its_beginning_and_its_end_and_knows_the_present_silence() -> None:
    watched = Watched(MAINS)
    for day in range(0, 600, 4):
        watched.contact = replace(MAINS, heard=NOW + timedelta(days=day - 1), missed_since=NOW + timedelta(days=day))
        watched.at(day * 24 + 80).heard(day * 24 + 81).at(day * 24 + 82)
    assert watched.silence is not None
    assert len(watched.silence.steps) == SILENCE_STEPS_MAX
    assert watched.silence.steps[0].at == NOW + timedelta(hours=80)
    assert [step.state for step in watched.silence.present_steps] == [CASE, OK]


TOLD = RouterStatus(mesh_nodes=93, rssi_dbm=-71)
EVIDENCE = Evidence("udp://10.0.0.7:1153", False, NOW, "north", replace(UP["north"], status=TOLD), 92, 1)


@pytest.mark.parametrize(
    ("changes", "verdict", "turn"),
    [
        ({}, "it alone is silent: power", Party.UTILITY),
        ({"battery": True}, "it alone is silent: battery", Party.UTILITY),
        ({"heard": None}, "never heard", Party.UTILITY),
        ({"neighbours_silent": 46}, "not alone", Party.UTILITY),
        ({"neighbours": 2, "neighbours_silent": 2}, "it alone", Party.UTILITY),
        ({"outage_since": NOW}, "it reported an outage", Party.UTILITY),
        ({"health": replace(UP["north"], silent=True)}, "its router north is down", Party.UTILITY),
        (
            {"last_exception": ExceptionRecord(EndpointId(1), ExceptionKind.SECURITY, NOW, "4 replies had a wrong authentication code")},
            "it answers, and what it says cannot be verified",
            Party.OPERATOR,
        ),
        (
            {"battery": True, "heard": None, "last_exception": ExceptionRecord(EndpointId(1), ExceptionKind.CLOCK, NOW, "dated wrongly")},
            "what comes from it is dated wrongly",
            Party.UTILITY,
        ),
    ],
)
def test_the_likeliest_cause_is_told_first(changes: dict[str, object], verdict: str, turn: Party) -> None:
    diagnosis = diagnose(replace(EVIDENCE, **changes))  # type: ignore[arg-type]
    assert diagnosis.verdict.startswith(verdict)
    assert diagnosis.routed_to is turn


def test_what_was_found_is_told_with_it() -> None:
    exception = ExceptionRecord(EndpointId(1), ExceptionKind.NO_ANSWER, NOW, "no answer to 4 transmissions within 30 s")
    text = diagnose(replace(EVIDENCE, last_exception=exception)).text
    for part in ("last heard 2026-07-02 06:00 UTC", "udp://10.0.0.7:1153", "router north up", "93 nodes in its mesh", "-71 dBm",
                 "1 of its 92 neighbours silent", "no outage reported", "no answer to 4 transmissions"):  # fmt: skip
        assert part in text
    alone = diagnose(replace(EVIDENCE, router=None, health=None)).text
    assert "no router before it" in alone
    assert "neighbours" not in alone


def test_two_silences_with_a_word_between_two_looks_are_two() -> None:
    watched = Watched(MAINS).at(80)
    watched.contact = replace(MAINS, heard=NOW + timedelta(hours=81), missed_since=NOW + timedelta(hours=82))
    watched.at(90)
    assert watched.judgements[-1].closes
    watched.at(90.1)
    assert watched.states == [CASE, OK, LATE]
