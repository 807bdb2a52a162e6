"""Commands over wires that lose, delay and repeat, to meters whose answers are lost: one answer each, in time, nothing moved twice."""

from collections import Counter as Tally
from random import Random

import pytest

from emulators.faults import Fault, FaultKind
from headend.errors import StoreError
from headend.model.command import FailureCode
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.switches import SwitchState
from tests.simulation.commanding import CommandedField

TROUBLE = (
    Fault(FaultKind.LOSS, 0.2),
    Fault(FaultKind.ANSWER_LOST, 0.15),
    Fault(FaultKind.DUPLICATE, 0.1),
    Fault(FaultKind.CORRUPT, 0.05),
    Fault(FaultKind.DELAY, 0.5, seconds=1.0),
)
CONNECT, DISCONNECT, ARM = SwitchAction.CONNECT, SwitchAction.DISCONNECT, SwitchAction.ARM
STANDS = {"OPEN": SwitchState.DISCONNECTED, "ARMED": SwitchState.ARMED, "CLOSED": SwitchState.CONNECTED}


def test_a_command_is_carried_out_and_answered_within_seconds() -> None:
    field = CommandedField(1)
    home = field.switched()[0]
    for kind in (DeferredKind.READ, DeferredKind.PING, DeferredKind.VOLTAGE, DeferredKind.SWITCH_STATE, DeferredKind.CLOCK_SET):
        began = field.clock.seconds()
        (view,) = field.views(order(field, [home], kind))
        assert view.state is TargetState.SUCCEEDED, view
        assert field.clock.seconds() - began < 5
    assert field.told() == Tally({(n, home): 1 for n in range(1, 6)})


def order(field: CommandedField, endpoints: list, kind: DeferredKind, action: SwitchAction | None = None, **more: object) -> str:
    """Order and have it carried out."""
    transaction = field.order(endpoints, kind, action, **more)
    field.carry_out()
    return transaction


def test_many_switches_are_opened_together_and_each_is_answered() -> None:
    field = CommandedField(2, 40)
    homes = field.switched()
    views = field.views(order(field, homes, SWITCH, DISCONNECT))
    assert {view.state for view in views} == {TargetState.SUCCEEDED}
    assert {view.found.switch for view in views} == {SwitchState.DISCONNECTED}
    assert all(len(view.found.registers) == 1 for view in views)
    assert [field.actuations(home) for home in homes] == [1] * len(homes)
    assert set(field.told().values()) == {1}


SWITCH = DeferredKind.SWITCH


@pytest.mark.parametrize("seed", range(4))
def test_under_loss_each_ends_once_and_nothing_is_moved_twice_and_what_is_told_is_so(seed: int) -> None:
    field = CommandedField(seed, 30)
    field.world.faults.install(TROUBLE)
    random, homes = Random(seed), field.switched()
    ordered: Tally = Tally()
    for _ in range(6):
        before = {home: field.actuations(home) for home in homes}
        chosen = random.sample(homes, 8)
        action = random.choice([CONNECT, DISCONNECT, ARM])
        views = field.views(order(field, chosen, SWITCH, action))
        ordered.update(chosen)
        assert all(view.state.terminal for view in views)
        for home, view in zip(chosen, views, strict=True):
            assert field.actuations(home) - before[home] <= 1
            stands = STANDS[field.world.state(home - 1).switch.name]
            if view.code is not FailureCode.INDETERMINATE and view.found.switch is not None:
                assert view.found.switch is stands, view
            if view.state is TargetState.SUCCEEDED:
                assert stands is {CONNECT: SwitchState.CONNECTED, DISCONNECT: SwitchState.DISCONNECTED, ARM: SwitchState.ARMED}[action]
    told = field.told()
    assert sum(told.values()) == len(told) == sum(ordered.values())


def test_an_endpoint_that_is_silent_is_answered_for_within_45_seconds() -> None:
    field = CommandedField(3)
    home = field.switched()[0]
    field.world.faults.install([Fault(FaultKind.SILENCE)])
    for kind, action in ((DeferredKind.READ, None), (DeferredKind.PING, None), (SWITCH, DISCONNECT)):
        began = field.clock.seconds()
        (view,) = field.views(order(field, [home], kind, action))
        assert (view.state, view.code) == (TargetState.TIMED_OUT, FailureCode.NO_ANSWER)
        assert field.clock.seconds() - began < 45
    assert field.actuations(home) == 0


def test_one_that_falls_silent_once_it_is_told_is_not_known_and_told_so_in_time() -> None:
    field = CommandedField(4)
    home = field.switched()[0]
    field.order([home], DeferredKind.READ)
    field.carry_out()
    transaction = field.order([home], SWITCH, DISCONNECT)
    began = field.clock.seconds()
    while field.actuations(home) == 0:
        field.clock.advance(0.01)
    field.world.faults.install([Fault(FaultKind.SILENCE)])
    field.carry_out()
    (view,) = field.views(transaction)
    assert (view.state, view.code) == (TargetState.TIMED_OUT, FailureCode.INDETERMINATE)
    assert field.clock.seconds() - began < 45
    assert field.commands.switches[field.store.endpoints[home].meter_no][0] is SwitchState.UNKNOWN


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_moment_each_still_ends_once(seed: int) -> None:
    field = CommandedField(seed, 20)
    random, homes = Random(seed), field.switched()
    transaction = field.order(homes, SWITCH, DISCONNECT)
    field.collector.start()
    for _ in range(12):
        for _ in range(random.randrange(1, 12)):
            field.clock.advance(0.05)
        field.kill()
        field.commands_released()
        field.collector.start()
    field.carry_out()
    views = field.views(transaction)
    assert all(view.state.terminal for view in views)
    assert all(field.actuations(home) <= 1 for home in homes)
    assert [view.found.switch for view in views] == [STANDS[field.world.state(home - 1).switch.name] for home in homes]
    assert set(field.told().values()) == {1}


def test_a_store_that_fails_for_a_while_loses_and_repeats_nothing() -> None:
    field = CommandedField(5, 20)
    homes = field.switched()
    field.commands.failures = [StoreError("gone")] * 4
    views = field.views(order(field, homes, SWITCH, DISCONNECT))
    assert {view.state for view in views} == {TargetState.SUCCEEDED}
    assert {field.actuations(home) for home in homes} == {1}
    assert set(field.told().values()) == {1}


def test_commands_go_on_while_everything_is_collected() -> None:
    field = CommandedField(6, 40)
    field.world.faults.install([Fault(FaultKind.DELAY, 1.0, seconds=0.5)])
    assert field.schedule() > 20
    began = field.clock.seconds()
    views = field.views(order(field, field.switched()[:10], DeferredKind.READ))
    assert {view.state for view in views} == {TargetState.SUCCEEDED}
    assert field.clock.seconds() - began < 15
