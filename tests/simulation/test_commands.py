"""Commands over wires that lose, delay and repeat, to meters whose answers are lost: one answer each, in time, nothing moved twice."""

from collections import Counter as Tally
from datetime import timedelta
from random import Random

import pytest

from emulators.faults import Fault, FaultKind
from headend.commands.policy import CommandPolicy
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


def test_one_that_cannot_be_begun_fails_and_those_taken_with_it_go_on() -> None:
    field = CommandedField(1)
    first, second, third = field.switched()[:3]
    field.store.endpoints[second].key = b"of no use"
    views = field.views(order(field, [first, second, third], DeferredKind.PING))
    assert [view.state for view in views] == [TargetState.SUCCEEDED, TargetState.FAILED, TargetState.SUCCEEDED]
    assert (views[1].code, views[1].reason) == (FailureCode.NOT_UNDERSTOOD, "not understood: SecurityError")
    assert set(field.told().values()) == {1}


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


def valves(field: CommandedField) -> list:
    return [e.endpoint_id for e in field.store.endpoints.values() if e.configuration == "water-valve"]


def awake(seed: int = 7) -> CommandedField:
    """A field whose battery endpoints have been heard once, so that their programs are known."""
    field = CommandedField(seed, 60)
    field.collector.start()
    field.wake_all(120)
    return field


def test_a_valve_is_closed_and_opened_at_its_next_wake_up_and_says_how_it_stands() -> None:
    field = awake()
    valve, *_ = valves(field)
    for action, stands in ((DISCONNECT, SwitchState.DISCONNECTED), (CONNECT, SwitchState.CONNECTED)):
        transaction = field.order([valve], SWITCH, action)
        field.pass_time(60)
        assert not field.views(transaction)[0].state.terminal, "it sleeps"
        field.wakeups.wake([valve - 1], 1)
        field.pass_time(60)
        (view,) = field.views(transaction)
        assert (view.state, view.found.switch) == (TargetState.SUCCEEDED, stands)
        assert view.found.registers
    assert field.actuations(valve) == 2


def test_a_gas_meter_is_read_when_it_wakes_and_expires_where_it_does_not() -> None:
    field = awake()
    gas = [e.endpoint_id for e in field.store.endpoints.values() if e.configuration == "gas"]
    read, expired = (field.order([one], DeferredKind.READ, expires=timedelta(minutes=20)) for one in gas[:2])
    field.pass_time(5)
    field.wakeups.wake([gas[0] - 1], 1)
    field.carry_out(1_500, step=0.5)
    assert field.views(read)[0].found.registers
    assert field.views(expired)[0].code is FailureCode.EXPIRED


@pytest.mark.parametrize("seed", range(3))
def test_valves_whose_acknowledgements_and_results_are_lost_are_moved_once_and_known(seed: int) -> None:
    field = awake(seed + 10)
    chosen = valves(field)
    transaction = field.order(chosen, SWITCH, DISCONNECT, expires=timedelta(hours=12))
    field.world.faults.install([Fault(FaultKind.LOSS, 0.4), Fault(FaultKind.DUPLICATE, 0.1)])
    for _ in range(12):
        field.wakeups.wake([valve - 1 for valve in chosen], 5)
        field.pass_time(120)
    field.world.faults.install([])
    for _ in range(3):
        field.wakeups.wake([valve - 1 for valve in chosen], 5)
        field.pass_time(120)
    for valve, view in zip(chosen, field.views(transaction), strict=True):
        assert view.state is TargetState.SUCCEEDED or view.code is FailureCode.NOT_CARRIED_OUT, view
        assert field.actuations(valve) <= 1
        assert view.found.switch is STANDS[field.world.state(valve - 1).switch.name]
    assert set(field.told().values()) == {1}


def test_two_commands_of_a_valve_follow_each_other() -> None:
    field = awake()
    valve, *_ = valves(field)
    first, second = field.order([valve], SWITCH, DISCONNECT), field.order([valve], SWITCH, CONNECT)
    for _ in range(4):
        field.wakeups.wake([valve - 1], 1)
        field.pass_time(60)
    assert [field.views(one)[0].found.switch for one in (first, second)] == [SwitchState.DISCONNECTED, SwitchState.CONNECTED]
    assert field.actuations(valve) == 2


def test_somebody_who_waits_is_not_held_up_by_a_batch_behind_the_same_router() -> None:
    field = CommandedField(8, 200)
    homes = field.switched()
    person, *many = homes
    field.order(many, DeferredKind.READ, expires=timedelta(hours=3))
    silent = [field.store.endpoints[home].meter_no for home in many]
    field.world.faults.install([Fault(FaultKind.SILENCE, meter_no=meter_no) for meter_no in silent])
    field.collector.start()
    for _ in range(400):
        field.clock.advance(0.1)
    assert field.collector.commands.active >= 24, "the batch takes all it may"
    began = field.clock.seconds()
    transaction = field.order([person], DeferredKind.PING)
    while not field.views(transaction)[0].state.terminal:
        field.clock.advance(0.05)
    assert field.clock.seconds() - began < 5


def test_a_program_that_the_store_cannot_give_is_read_from_the_meter() -> None:
    field = CommandedField(8)
    home = field.switched()[0]
    order(field, [home], DeferredKind.READ)
    assert field.store.endpoints[home].program is not None
    field.kill()
    field.commands_released()

    async def gone(_fingerprint: bytes) -> None:
        raise StoreError("locked")

    field.store.program = gone
    began = field.clock.seconds()
    (view,) = field.views(order(field, [home], DeferredKind.READ))
    assert view.state is TargetState.SUCCEEDED
    assert field.clock.seconds() - began < 10, "nobody holds it otherwise, until its lease expires"


def test_a_command_whose_lease_expires_while_it_waits_for_room_takes_no_room_for_ever() -> None:
    field = CommandedField(9, 20, CommandPolicy(conversations_per_router_max=1, lease_seconds=15.0))
    homes = field.switched()
    field.world.faults.install([Fault(FaultKind.SILENCE)])
    for home in homes[:6]:
        field.order([home], DeferredKind.PING)
    field.carry_out()
    assert field.open_commands() == 0
    field.world.faults.install([])
    views = field.views(order(field, homes, DeferredKind.PING))
    assert {view.state for view in views} == {TargetState.SUCCEEDED}
    assert set(field.told().values()) == {1}


def test_who_waits_while_all_conversations_are_taken_is_answered_in_time() -> None:
    """What has a conversation was asked for before, or leaves a quarter of them to people: each ends in time for the next to be told."""
    policy = CommandPolicy(conversations_max=4)
    field = CommandedField(10, 60, policy)
    homes = field.switched()
    field.world.faults.install([Fault(FaultKind.SILENCE)])
    field.order(homes[:20], DeferredKind.READ, expires=timedelta(hours=3))
    field.collector.start()
    waits: dict[str, float] = {}
    answered: dict[str, float] = {}
    for tenth in range(1_200):
        if tenth % 10 == 0 and len(waits) < 60:
            waits[field.order([homes[20 + len(waits) % (len(homes) - 20)]], DeferredKind.PING)] = field.clock.seconds()
        field.clock.advance(0.1)
        for one in waits.keys() - answered.keys():
            if field.views(one)[0].state.terminal:
                answered[one] = field.clock.seconds()
    assert answered.keys() == waits.keys()
    assert max(answered[one] - began for one, began in waits.items()) < policy.client_seconds
    assert any("had no turn" in field.views(one)[0].reason for one in waits), "there was never room for all of them"
    assert {field.views(one)[0].state for one in waits} == {TargetState.TIMED_OUT}
