"""Alarm hygiene, event by event: who is told, who waits, what is history, and the reason of each."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from headend.event_catalogue import DEFAULT_CATALOGUE
from headend.hygiene import HygienePolicy, Judgement, Memory, Rules, judge
from headend.model.endpoint import Commodity
from headend.model.event_case import CaseState, Decision, Device, EventCase, EventNumber
from headend.model.events import EventPath
from headend.model.silencing import Scope, Silencing

START = datetime(2026, 7, 2, 6, tzinfo=UTC)
OUT, BACK, TAMPER = 1, 2, 47
METER = Device(7, "M7", Commodity.ELECTRIC, "residential", router="R1", groups=frozenset({"north"}))


class Desk:
    """One meter's events, one after another; seconds count from the start."""

    def __init__(self, policy: HygienePolicy | None = None, silencings: Sequence[Silencing] = (), planned: str = "") -> None:
        self.rules = Rules(policy or HygienePolicy(), DEFAULT_CATALOGUE, silencings, {7: planned} if planned else {})
        self.memory = Memory()
        self.cases: dict[EventNumber, EventCase] = {}
        self.decisions: dict[EventNumber, Decision] = {}
        self.momentaries = 0

    def event(self, code: int, seconds: float, *, occurred: float | None = None, path: EventPath = EventPath.UNSOLICITED) -> EventNumber:
        number = EventNumber(len(self.cases) + 1, 0)
        received = START + timedelta(seconds=seconds)
        at = received if occurred is None else START + timedelta(seconds=occurred)
        self._judge(EventCase(number, METER, code, at, number.change_seq, path, b"", received), received)
        return number

    def later(self, number: EventNumber, seconds: float) -> None:
        """What waits is due."""
        due = self.decisions[number].due
        assert due is not None
        assert due <= START + timedelta(seconds=seconds)
        self._judge(replace(self.cases[number], state=CaseState.HELD), START + timedelta(seconds=seconds))

    def _judge(self, case: EventCase, now: datetime) -> None:
        self.cases[case.number] = case
        judgement: Judgement = judge(case, self.memory, self.rules, now)
        self.memory = judgement.memory
        self.decisions.update(judgement.decisions)
        self.momentaries = judgement.momentaries

    def said(self, number: EventNumber) -> tuple[CaseState, str]:
        return self.decisions[number].state, self.decisions[number].reason


def test_an_outage_waits_for_its_hold_off_and_is_told_then() -> None:
    desk = Desk()
    gasp = desk.event(OUT, 0)
    assert desk.said(gasp) == (CaseState.HELD, "hold-off: waits 30 s")
    desk.later(gasp, 30)
    assert desk.said(gasp)[0] is CaseState.TOLD
    back = desk.event(BACK, 600)
    assert desk.said(back) == (CaseState.TOLD, "")


def test_a_restoration_within_the_hold_off_makes_both_history() -> None:
    desk = Desk()
    gasp, back = desk.event(OUT, 0), desk.event(BACK, 12)
    assert desk.said(gasp) == (CaseState.LOGGED, "momentary: restored after 12 s (2.0)")
    assert desk.said(back) == (CaseState.LOGGED, "momentary: ends an outage of 12 s that nobody was told of (1.0)")
    assert desk.memory.held is None


def test_without_hold_off_an_outage_is_told_at_once_and_its_repetition_is_not() -> None:
    desk = Desk(HygienePolicy(hold_off_seconds=0))
    first, again, hours_later = desk.event(OUT, 0), desk.event(OUT, 5), desk.event(OUT, 7_200)
    assert desk.said(first)[0] is CaseState.TOLD
    assert desk.said(again) == (CaseState.LOGGED, "repeats: the outage was told")
    assert desk.said(hours_later)[0] is CaseState.TOLD, "another outage, whose predecessor's restoration was never heard"


def test_what_came_late_does_not_undo_what_happened_after_it() -> None:
    desk = Desk(HygienePolicy(hold_off_seconds=0))
    back, gasp = desk.event(BACK, 100, occurred=90), desk.event(OUT, 101, occurred=20)
    assert desk.said(back)[0] is CaseState.TOLD
    assert desk.said(gasp) == (CaseState.LOGGED, "overtaken: the restoration came before it")


def test_a_flicker_is_told_once_when_it_has_come_to_rest() -> None:
    desk = Desk(HygienePolicy(hold_off_seconds=0, flicker_changes=4, quiet_seconds=60))
    events = [desk.event(OUT if place % 2 == 0 else BACK, 2 * place) for place in range(9)]
    told = [number for number in events if desk.said(number)[0] is CaseState.TOLD]
    assert told == events[:3]
    assert desk.said(events[-1]) == (CaseState.LOGGED, "flicker: on for 2 s (8.0)"), "an outage lasts that was told"
    rest = desk.event(BACK, 18)
    assert desk.said(rest) == (CaseState.HELD, "flicker: 10 changes within 600 s: waits 60 s")
    desk.later(rest, 90)
    assert desk.said(rest)[0] is CaseState.TOLD
    assert desk.memory.held is None


def test_outages_read_from_a_log_are_history_but_a_restoration_ends_what_was_told() -> None:
    desk = Desk(HygienePolicy(hold_off_seconds=0))
    assert desk.said(desk.event(OUT, 0, occurred=-9_000, path=EventPath.LOG)) == (
        CaseState.LOGGED,
        "read from the log: whoever answers has power",
    )
    assert desk.said(desk.event(BACK, 0, occurred=-8_000, path=EventPath.LOG))[0] is CaseState.LOGGED
    desk.event(OUT, 10)
    assert desk.said(desk.event(BACK, 900, occurred=800, path=EventPath.LOG))[0] is CaseState.TOLD


def test_momentaries_of_a_day_are_an_event_of_their_own() -> None:
    desk = Desk(HygienePolicy(momentaries_a_day=3, flicker_changes=0))
    for place in range(3):
        desk.event(OUT, 1_000 * place)
        desk.event(BACK, 1_000 * place + 5)
    assert desk.momentaries == 3
    assert desk.memory.momentaries == ()


def test_a_flood_of_one_device_is_withheld_and_says_so() -> None:
    desk = Desk(HygienePolicy(flood_events=3))
    events = [desk.event(TAMPER, place) for place in range(5)]
    assert [desk.said(number)[0] for number in events] == [CaseState.TOLD] * 3 + [CaseState.WITHHELD] * 2
    assert desk.said(events[-1])[1] == "flood: the 5th event of this device within 3600 s"
    assert desk.said(desk.event(TAMPER, 4_000))[0] is CaseState.TOLD


def silencing(scope: Scope, name: str, codes: frozenset[int] = frozenset(), *, minutes: int = 60) -> Silencing:
    return Silencing(3, scope, name, codes, START, START + timedelta(minutes=minutes), True, "line work", "ann")


def test_who_is_silenced_and_until_when() -> None:
    for scope, name in ((Scope.METER, "M7"), (Scope.ROUTER, "R1"), (Scope.GROUP, "north"), (Scope.EVERYBODY, "")):
        desk = Desk(silencings=[silencing(scope, name)])
        state, reason = desk.said(desk.event(TAMPER, 60))
        assert state is CaseState.WITHHELD
        assert reason.startswith(f"maintenance: {scope.value}")
        assert "line work (silencing 3, by ann)" in reason
        assert desk.said(desk.event(TAMPER, 3_601))[0] is CaseState.TOLD
    assert Desk(silencings=[silencing(Scope.METER, "M8")]).event(TAMPER, 1)
    other = Desk(silencings=[silencing(Scope.METER, "M7", frozenset({OUT}))])
    assert other.said(other.event(TAMPER, 1))[0] is CaseState.TOLD


def test_a_planned_outage_raises_no_alarm() -> None:
    desk = Desk(planned="of oms until noon")
    assert desk.said(desk.event(OUT, 0)) == (CaseState.LOGGED, "planned outage: of oms until noon")
