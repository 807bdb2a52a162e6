"""The command machine, driven by anything that may happen in any order: one answer at most, nothing told twice, an end in time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from headend.commands.machine import (
    Answer,
    Cancelled,
    Ended,
    GoOn,
    Ignore,
    Speak,
    TakenUp,
    Telling,
    Unanswered,
    Understood,
    Wait,
    step,
)
from headend.commands.policy import CommandPolicy
from headend.model.command import Command, CommandId, FailureCode, Hindrance, Outcome, Told
from headend.model.deferred import DeferredKind, Priority, SwitchAction, TargetState
from headend.model.endpoint import EndpointId

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)
POLICY = CommandPolicy()
SUCCEEDED = Outcome(TargetState.SUCCEEDED)


def command(kind: DeferredKind = DeferredKind.READ, action: SwitchAction | None = None, **fields: object) -> Command:
    usual = Command(
        CommandId(1, EndpointId(1)), kind, action, Priority.PERSON, TargetState.ACCEPTED, 0, NOW, NOW + timedelta(hours=1)
    )
    return replace(usual, **fields)


def told(at: datetime = NOW) -> Told:
    return Told(2049, 7, at)


class CommandLife(RuleBasedStateMachine):
    """A command to which anything happens, at any time."""

    @initialize(
        kind=st.sampled_from([DeferredKind.READ, DeferredKind.SWITCH, DeferredKind.DEMAND_RESET, DeferredKind.PING]),
        priority=st.sampled_from(Priority),
        minutes=st.integers(0, 90),
    )
    def begin(self, kind: DeferredKind, priority: Priority, minutes: int) -> None:
        action = SwitchAction.DISCONNECT if kind is DeferredKind.SWITCH else None
        self.command = command(kind, action, priority=priority, expires=NOW + timedelta(minutes=minutes))
        self.now = NOW
        self.answers: list[Outcome] = []
        self.tellings = 0
        self.cancelled_after_telling = False

    def happens(self, happening: object) -> object:
        before = self.command
        self.command, decision = step(self.command, happening, self.now, POLICY)
        if before.state.terminal:
            assert (self.command, decision) == (before, Ignore())
        if isinstance(decision, Answer):
            assert self.command.state is decision.outcome.state
            self.answers.append(decision.outcome)
        if isinstance(decision, Wait):
            assert decision.until <= self.command.expires
        if isinstance(decision, Speak):
            assert self.now < decision.until or self.command.began != self.now
        return decision

    @rule(seconds=st.floats(0, 900))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(
        sleeps=st.booleans(),
        enabled=st.booleans(),
        cancelled=st.sampled_from(["", "cancelled by a person"]),
        protection=st.sampled_from(["", "", "protected (medical)"]),
        quiet_seconds=st.sampled_from([None, None, 60, 90_000]),
    )
    def is_taken_up(self, sleeps: bool, enabled: bool, cancelled: str, protection: str, quiet_seconds: int | None) -> None:
        quiet_until = None if quiet_seconds is None else self.now + timedelta(seconds=quiet_seconds)
        self.happens(TakenUp(sleeps, enabled, Hindrance(cancelled, protection, quiet_until)))

    @rule()
    def is_about_to_be_told(self) -> None:
        if isinstance(self.happens(Telling(told(self.now))), GoOn):
            self.tellings += 1
            assert self.now < self.command.expires

    @rule()
    def is_understood(self) -> None:
        if self.command.told is not None:
            self.happens(Understood())

    @rule(code=st.sampled_from([None, *FailureCode]))
    def ends(self, code: FailureCode | None) -> None:
        self.happens(Ended(SUCCEEDED if code is None else Outcome(TargetState.FAILED, code=code)))

    @rule()
    def is_not_answered(self) -> None:
        self.happens(Unanswered("no answer"))

    @rule()
    def is_cancelled(self) -> None:
        may_have_been_done = self.command.told is not None
        decision = self.happens(Cancelled("nobody wants it"))
        assert not (may_have_been_done and isinstance(decision, Answer)), "what may have been done is never said to be cancelled"

    @invariant()
    def one_answer_and_told_once(self) -> None:
        if not hasattr(self, "command"):
            return
        assert len(self.answers) == int(self.command.state.terminal)
        assert self.tellings <= 1
        assert (self.command.told is not None) == (self.tellings == 1)
        if self.command.told is not None and not self.command.state.terminal:
            assert self.command.state in {TargetState.SENT, TargetState.AWAITING}

    def teardown(self) -> None:
        """Whatever happened: taken up after its time it is answered."""
        if hasattr(self, "command") and not self.command.state.terminal:
            self.now = max(self.now, self.command.expires)
            self.happens(TakenUp(sleeps=False, switch_enabled=True))
            assert self.command.state.terminal


TestCommandLife = CommandLife.TestCase
TestCommandLife.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


def test_somebody_who_waits_is_answered_in_time_whatever_the_endpoint_does() -> None:
    one, decision = step(command(), TakenUp(sleeps=False, switch_enabled=True), NOW, POLICY)
    assert decision == Speak(NOW + timedelta(seconds=POLICY.answer_seconds))
    assert POLICY.answer_seconds < 45
    later = NOW + timedelta(seconds=16)
    one, decision = step(one, Unanswered("no answer"), later, POLICY)
    assert decision == Wait(NOW), "there is time for another try, before whatever was asked later"
    one, decision = step(one, TakenUp(sleeps=False, switch_enabled=True), later, POLICY)
    assert decision == Speak(NOW + timedelta(seconds=POLICY.answer_seconds)), "but no more of it"
    _, decision = step(one, Unanswered("no answer"), NOW + timedelta(seconds=37), POLICY)
    assert isinstance(decision, Answer)
    assert (decision.outcome.state, decision.outcome.code) == (TargetState.TIMED_OUT, FailureCode.NO_ANSWER)


def test_who_had_no_turn_in_time_is_told_so_and_one_that_nobody_was_there_for_is_tried() -> None:
    taken = TakenUp(sleeps=False, switch_enabled=True, since=NOW + timedelta(seconds=1))
    late = NOW + timedelta(seconds=37)
    _, decision = step(command(), taken, late, POLICY)
    assert isinstance(decision, Answer)
    assert (decision.outcome.code, "no turn" in decision.outcome.reason) == (FailureCode.NO_ANSWER, True)
    much_later = NOW + timedelta(minutes=5)
    _, decision = step(command(), replace(taken, since=much_later), much_later, POLICY)
    assert decision == Speak(much_later + timedelta(seconds=POLICY.answer_seconds)), "the head-end was away"
    one = command(DeferredKind.SWITCH, SwitchAction.DISCONNECT, state=TargetState.AWAITING, told=told(), began=NOW, attempts=1)
    _, decision = step(one, replace(taken, since=much_later), much_later, POLICY)
    assert decision == Speak(much_later + timedelta(seconds=POLICY.answer_seconds)), "what was told is looked at in peace"


def test_of_what_was_told_and_not_heard_of_it_is_said_that_it_is_not_known() -> None:
    one = command(DeferredKind.SWITCH, SwitchAction.DISCONNECT, state=TargetState.AWAITING, told=told(), began=NOW, attempts=2)
    _, decision = step(one, Unanswered("no answer to 4 transmissions"), NOW + timedelta(seconds=38), POLICY)
    assert isinstance(decision, Answer)
    assert decision.outcome.code is FailureCode.INDETERMINATE
    assert "whether it was done is not known" in decision.outcome.reason


def test_a_batch_tries_again_later_and_later_until_it_expires() -> None:
    one, now, waits = command(priority=Priority.BATCH, expires=NOW + timedelta(hours=2)), NOW, []
    while not one.state.terminal:
        one, decision = step(one, TakenUp(sleeps=False, switch_enabled=True), now, POLICY)
        if isinstance(decision, Speak):
            one, decision = step(one, Unanswered("no answer"), now, POLICY)
        if isinstance(decision, Wait):
            waits.append((decision.until - now).total_seconds())
            now = decision.until
    assert waits == [60, 120, 240, 480, 960, 1_920, 3_420]
    assert one.state is TargetState.TIMED_OUT


def test_an_endpoint_that_sleeps_is_waited_for_until_the_command_expires() -> None:
    one, decision = step(command(), TakenUp(sleeps=True, switch_enabled=True), NOW, POLICY)
    assert (one.state, decision) == (TargetState.QUEUED, Wait(one.expires))
    _, decision = step(one, TakenUp(sleeps=True, switch_enabled=True), one.expires, POLICY)
    assert isinstance(decision, Answer)
    assert decision.outcome.code is FailureCode.EXPIRED


def test_a_switch_that_is_disabled_is_told_nothing_but_what_was_told_is_followed_up() -> None:
    one = command(DeferredKind.SWITCH, SwitchAction.CONNECT)
    _, decision = step(one, TakenUp(sleeps=False, switch_enabled=False), NOW, POLICY)
    assert isinstance(decision, Answer)
    assert decision.outcome.code is FailureCode.SWITCH_DISABLED
    _, decision = step(replace(one, told=told()), TakenUp(sleeps=False, switch_enabled=False), NOW, POLICY)
    assert isinstance(decision, Speak)


@pytest.mark.parametrize(("action", "enabled"), [(SwitchAction.ENABLE, True), (SwitchAction.DISABLE, False)])
def test_enabling_and_disabling_are_done_here(action: SwitchAction, enabled: bool) -> None:
    one, decision = step(command(DeferredKind.SWITCH, action), TakenUp(sleeps=False, switch_enabled=True), NOW, POLICY)
    assert isinstance(decision, Answer)
    assert (one.state, decision.outcome.found.enabled) == (TargetState.SUCCEEDED, enabled)


@given(st.floats(1, 100_000))
def test_a_monitoring_asks_again_after_its_period(seconds: float) -> None:
    one = command(DeferredKind.MONITORING, every_seconds=seconds, expires=NOW + timedelta(days=9), attempts=1)
    again = NOW + timedelta(seconds=seconds)
    assert step(one, Ended(SUCCEEDED), NOW, POLICY)[1] == Wait(again)
    silent, decision = step(one, Unanswered("no answer"), NOW, POLICY)
    assert isinstance(decision, Wait)
    assert decision.until == again
    assert decision.report is not None
    assert decision.report.code is FailureCode.NO_ANSWER
    assert step(silent, Unanswered("no answer"), NOW, POLICY)[1] == Wait(again), "one silence is told once"
    back, _ = step(silent, Ended(SUCCEEDED), NOW, POLICY)
    following, decision = step(back, Unanswered("no answer"), NOW, POLICY)
    assert following.state is TargetState.QUEUED
    assert isinstance(decision, Wait)
    assert decision.report is not None


@pytest.mark.parametrize(
    ("hindrance", "code", "reason"),
    [
        (Hindrance(cancelled="cancelled by ann"), FailureCode.CANCELLED, "cancelled by ann"),
        (Hindrance(protection="protected (medical)"), FailureCode.PROTECTED, "protected (medical)"),
        (
            Hindrance(quiet_until=NOW + timedelta(hours=2)),
            FailureCode.EXPIRED,
            f"it expires before the quiet times end at {NOW + timedelta(hours=2):%Y-%m-%d %H:%M} UTC",
        ),
    ],
)
def test_what_stands_in_the_way_is_the_answer(hindrance: Hindrance, code: FailureCode, reason: str) -> None:
    one = command(DeferredKind.SWITCH, SwitchAction.DISCONNECT)
    for sleeps in (False, True):
        _, decision = step(one, TakenUp(sleeps, True, hindrance), NOW, POLICY)
        assert isinstance(decision, Answer)
        assert (decision.outcome.code, decision.outcome.reason) == (code, reason)
    _, decision = step(replace(one, told=told()), TakenUp(False, True, hindrance), NOW, POLICY)
    assert isinstance(decision, Speak), "what was told is followed up"


def test_quiet_times_are_waited_for() -> None:
    one, decision = step(
        command(DeferredKind.SWITCH, SwitchAction.DISCONNECT),
        TakenUp(False, True, Hindrance(quiet_until=NOW + timedelta(minutes=30))),
        NOW,
        POLICY,
    )
    assert (one.state, one.attempts, decision) == (TargetState.QUEUED, 0, Wait(NOW + timedelta(minutes=30)))
