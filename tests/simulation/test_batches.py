"""Batches under loss and lost answers, killed and cancelled on their way: one answer each, nothing moved twice, the pace kept."""

from datetime import date, timedelta

import pytest

from headend.model.command import FailureCode
from headend.model.command_rules import CommandRules, QuietTimes
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.model.protection import Protection, ProtectionKind
from headend.switches import SwitchState
from tests.simulation.batching import run_batch
from tests.simulation.commanding import CommandedField
from tests.simulation.field import CHICAGO


@pytest.mark.parametrize("seed", range(2))
def test_whatever_goes_wrong_each_is_answered_once_and_the_pace_is_kept(seed: int) -> None:
    run = run_batch(seed, commands=150, endpoints=270, rules=CommandRules(per_router_per_minute=20, per_minute=30))
    assert run.ends["succeeded"] > 40
    assert run.ends["cancelled"] > 20


QUIET = CommandRules(quiet=QuietTimes(CHICAGO, ((0, 120),)))
"""Half an hour more when the simulation begins: it is half past one."""


def test_a_valve_that_wakes_in_quiet_times_is_moved_when_it_wakes_after_them() -> None:
    field = CommandedField(7, 60, rules=QUIET)
    field.collector.start()
    field.wake_all(120)
    valve, other = [e.endpoint_id for e in field.store.endpoints.values() if e.configuration == "water-valve"][:2]
    transaction = field.order([valve, other], DeferredKind.SWITCH, SwitchAction.DISCONNECT, expires=timedelta(hours=3))

    def wake_both() -> None:
        field.wakeups.wake([valve - 1, other - 1], 1)
        field.pass_time(60)

    wake_both()
    assert (field.actuations(valve), field.actuations(other)) == (0, 0)
    field.pass_time(1_900, step=1.0)
    medical = Protection("", "", ProtectionKind.MEDICAL, date(2026, 7, 1), None)
    field.commands.protections[other] = (medical,)
    wake_both()
    wake_both()
    moved, protected = field.views(transaction)
    assert (moved.state, moved.found.switch, field.actuations(valve)) == (TargetState.SUCCEEDED, SwitchState.DISCONNECTED, 1)
    assert (protected.code, field.actuations(other)) == (FailureCode.PROTECTED, 0)
