"""What drivers of commands rely on, held against both databases and the store in memory that simulations use."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from headend.model.collection import Collected
from headend.model.command import CommandAssignment, CommandUpdate, FailureCode, Found, Outcome, Told
from headend.model.deferred import DeferredKind, Priority, SwitchAction, TargetState
from headend.switches import KnownBy, SwitchState
from tests.contract.commands import MANY, NOW, UNTIL, CommandStoreUnderTest, request

SUCCEEDED = Outcome(TargetState.SUCCEEDED, Found(switch=SwitchState.DISCONNECTED, load_side_volts=Decimal("0.0"), powered=True))


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def commands(request: pytest.FixtureRequest) -> Any:
    """A store of commands over three residential endpoints and a fourth that was never shipped a key."""
    return CommandStoreUnderTest.of(request)


def taken(store: CommandStoreUnderTest, owner: str = "me", now: Any = NOW, count: int = 10) -> list[CommandAssignment]:
    return store.take(owner, count, count, now, now + timedelta(minutes=2))


def ended(assignment: CommandAssignment, outcome: Outcome = SUCCEEDED) -> CommandUpdate:
    command = replace(assignment.command, state=outcome.state)
    return CommandUpdate(command, assignment.lease_no, None, outcome=outcome, collected=Collected(assignment.endpoint_id, NOW))


def test_what_is_taken_has_all_that_a_talk_needs_and_is_nobody_elses(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, 2, parameters={"override": "work order 7"}))
    assert commands.due(NOW)
    one, two = taken(commands)
    assert (one.meter_no, two.meter_no) == ("M000001", "M000002")
    assert (one.command.kind, one.command.action, one.command.state) == (DeferredKind.SWITCH, SwitchAction.DISCONNECT, TargetState.ACCEPTED)
    assert (one.command.expires, one.command.override, one.until) == (NOW + timedelta(hours=1), "work order 7", UNTIL)
    assert (one.key, one.configuration, one.switch_enabled) == ((1).to_bytes(16, "big"), "residential", True)
    assert one.key.hex() not in repr(one)
    assert not commands.due(NOW)
    assert taken(commands, "you") == []
    again = taken(commands, "you", UNTIL)
    assert [each.lease_no for each in again] == [one.lease_no + 1, two.lease_no + 1]


def test_invocation_ids_are_never_handed_out_twice(commands: CommandStoreUnderTest) -> None:
    seen = set()
    for n in range(5):
        commands.accept(request(1, transaction=f"t-{n}"))
        (one,) = taken(commands)
        ids = {(one.first_invocation_id - 1 + k) % 32_767 + 1 for k in range(one.invocation_ids)}
        assert not ids & seen
        seen |= ids
        commands.record([ended(one)], NOW)


def test_of_one_endpoint_one_command_at_a_time_in_their_order(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, transaction="first"))
    commands.accept(request(1, transaction="second", action=SwitchAction.CONNECT))
    (one,) = taken(commands)
    assert one.command.action is SwitchAction.DISCONNECT
    assert taken(commands) == []
    commands.record([ended(one)], NOW)
    (two,) = taken(commands)
    assert two.command.action is SwitchAction.CONNECT


def test_somebody_who_waits_goes_before_many_that_may_wait(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(*MANY, transaction="many", kind=DeferredKind.READ, action=None))
    commands.accept(request(1, transaction="person", kind=DeferredKind.PING, action=None))
    (first,) = commands.take("me", 1, 1, NOW, UNTIL)
    assert (first.command.kind, first.command.priority) == (DeferredKind.PING, Priority.PERSON)
    assert commands.take("me", 10, 0, NOW, UNTIL) == [], "no room is kept for batches"
    batch = commands.take("me", 10, 2, NOW + timedelta(seconds=1), UNTIL)
    assert [each.command.priority for each in batch] == [Priority.BATCH] * 2


def test_what_a_killed_driver_was_about_is_taken_up_where_it_was(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1))
    (one,) = taken(commands)
    told = Told(2_049, 9, NOW)
    command = replace(one.command, state=TargetState.SENT, told=told, attempts=1, began=NOW)
    assert commands.record([CommandUpdate(command, one.lease_no, UNTIL, keeps_lease=True)], NOW) == [True]
    assert taken(commands, "you") == []
    commands.release("me", NOW)
    (again,) = taken(commands, "you")
    assert (again.command.told, again.command.state, again.command.attempts, again.command.began) == (told, TargetState.SENT, 1, NOW)
    assert commands.record([ended(one)], NOW) == [False], "it is another's by now"
    assert commands.record([ended(again)], NOW) == [True]
    assert commands.record([ended(again)], NOW) == [False], "it has ended"
    assert len(commands.told()) == 1


def test_two_actuations_of_an_endpoint_are_never_under_way_together(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, transaction="first"))
    commands.accept(request(1, transaction="second", action=SwitchAction.CONNECT))
    (one,) = taken(commands)
    sent = replace(one.command, state=TargetState.SENT, told=Told(2_049, 9, NOW))
    commands.record([CommandUpdate(sent, one.lease_no, NOW, keeps_lease=True)], NOW)
    (two,) = [each for each in taken(commands, "you", UNTIL) if each.command.command_id != one.command.command_id] or [None]
    if two is not None:
        other = replace(two.command, state=TargetState.SENT, told=Told(2_049, 10, NOW))
        assert commands.record([CommandUpdate(other, two.lease_no, UNTIL, keeps_lease=True)], NOW) == [False]


def test_an_outcome_is_told_with_all_that_was_found(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, details={"reasonCode": "NonPayment"}))
    (one,) = taken(commands)
    failed = Outcome(TargetState.FAILED, Found(switch=SwitchState.CONNECTED), FailureCode.NOT_CARRIED_OUT, "told, and not done")
    commands.record([ended(one, failed)], NOW)
    (message,) = commands.told()
    assert message["outcome"]["code"] == "not carried out"
    assert (message["meter_no"], message["action"], message["details"]) == ("M000001", "disconnect", {"reasonCode": "NonPayment"})
    (view,) = commands.views("cis", "t-1")
    assert (view.state, view.code, view.reason, view.found) == (TargetState.FAILED, failed.code, failed.reason, failed.found)
    assert commands.switch("M000001") == (SwitchState.CONNECTED, KnownBy.COMMAND)


def test_of_a_switch_that_may_have_moved_nobody_says_where_it_is(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1))
    (one,) = taken(commands)
    one = replace(one, command=replace(one.command, told=Told(2_049, 9, NOW)))
    commands.record([ended(one, Outcome(TargetState.TIMED_OUT, code=FailureCode.INDETERMINATE, reason="?"))], NOW)
    assert commands.switch("M000001")[0] is SwitchState.UNKNOWN


def test_who_has_no_address_to_be_told_at_is_not_told(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, url=""))
    (one,) = taken(commands)
    commands.record([ended(one)], NOW)
    assert commands.told() == []
    assert commands.views("cis", "t-1")[0].state is TargetState.SUCCEEDED


def test_one_that_cannot_be_reached_has_failed_at_once(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(4))
    assert taken(commands) == []
    (view,) = commands.views("cis", "t-1")
    assert (view.state, view.code) == (TargetState.FAILED, FailureCode.UNREACHABLE)
    assert len(commands.told()) == 1


def test_what_is_put_off_is_due_then(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1))
    (one,) = taken(commands)
    later = NOW + timedelta(minutes=1)
    commands.record([CommandUpdate(replace(one.command, state=TargetState.QUEUED, attempts=1), one.lease_no, later)], NOW)
    assert taken(commands) == []
    (again,) = taken(commands, now=later)
    assert (again.command.attempts, again.command.state) == (1, TargetState.QUEUED)


def test_what_waits_for_one_endpoint_is_handed_out_whenever_it_wakes(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, transaction="first"))
    commands.accept(request(1, transaction="second", kind=DeferredKind.READ, action=None))
    commands.accept(request(2, transaction="other"))
    for _ in range(2):
        for one in taken(commands):
            waiting = replace(one.command, state=TargetState.QUEUED)
            commands.record([CommandUpdate(waiting, one.lease_no, one.command.expires)], NOW)
    assert not commands.due(NOW)
    waiting = commands.waiting("me", 1, NOW, UNTIL)
    assert [each.command.kind for each in waiting] == [DeferredKind.SWITCH, DeferredKind.READ]
    assert commands.waiting("you", 1, NOW, UNTIL) == []
    assert commands.record([ended(each) for each in waiting], NOW) == [True, True]
    assert commands.waiting("me", 1, NOW, UNTIL) == []
    assert len(commands.waiting("me", 2, NOW, UNTIL)) == 1


def test_a_switch_is_disabled_and_enabled(commands: CommandStoreUnderTest) -> None:
    for action, enabled in ((SwitchAction.DISABLE, False), (SwitchAction.ENABLE, True)):
        commands.accept(request(1, transaction=action.value, action=action))
        (one,) = taken(commands)
        commands.record([ended(one, Outcome(TargetState.SUCCEEDED, Found(enabled=enabled)))], NOW)
        commands.accept(request(1, transaction=f"after {action.value}"))
        (following,) = taken(commands)
        assert following.switch_enabled is enabled
        commands.record([ended(following)], NOW)




def test_a_monitoring_reports_a_silence_once_and_goes_on(commands: CommandStoreUnderTest) -> None:
    commands.accept(request(1, kind=DeferredKind.MONITORING, action=None, parameters={"periodicity": "15"}))
    (one,) = taken(commands)
    assert (one.command.every_seconds, one.command.reported) == (900, False)
    silence = Outcome(TargetState.TIMED_OUT, code=FailureCode.NO_ANSWER, reason="no answer")
    queued = replace(one.command, state=TargetState.QUEUED, reported=True)
    assert commands.record([CommandUpdate(queued, one.lease_no, UNTIL, outcome=silence)], NOW) == [True]
    assert len(commands.told()) == 1
    (again,) = taken(commands, now=UNTIL)
    assert again.command.reported
    commands.record([CommandUpdate(again.command, again.lease_no, one.command.expires)], NOW)
    (last,) = taken(commands, now=one.command.expires)
    assert last.command.reported
    back = replace(last.command, reported=False)
    commands.record([CommandUpdate(back, last.lease_no, one.command.expires)], NOW)
    (following,) = taken(commands, now=one.command.expires)
    assert not following.command.reported
