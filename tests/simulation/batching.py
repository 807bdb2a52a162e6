"""A batch of disconnections under trouble on a hand-turned clock: killed and started again on its way, cancelled half-way."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from emulators.faults import Fault, FaultKind
from headend.commands.policy import CommandPolicy
from headend.commands.staggering import CATCH_UP_SECONDS, NO_ROUTER
from headend.model.command import FailureCode
from headend.model.command_rules import CommandRules
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.switches import SwitchState
from tests.simulation.commanding import CommandedField, result_of

TROUBLE = (
    Fault(FaultKind.LOSS, 0.15),
    Fault(FaultKind.ANSWER_LOST, 0.1),
    Fault(FaultKind.DUPLICATE, 0.05),
    Fault(FaultKind.DELAY, 0.5, seconds=0.7),
)
DOWN_SECONDS = 150.0
STANDS = {"OPEN": SwitchState.DISCONNECTED, "CLOSED": SwitchState.CONNECTED, "ARMED": SwitchState.ARMED}


@dataclass(frozen=True, slots=True)
class BatchRun:
    """What came of a batch: ends by state or failure, the most begun in a minute in all and behind one router, minutes it took."""

    ends: Counter[str]
    most: int
    most_behind_router: int
    minutes: float


def run_batch(seed: int, commands: int, endpoints: int, rules: CommandRules, policy: CommandPolicy | None = None) -> BatchRun:
    """Disconnect so many of the endpoints, under trouble, and hold against the world what is said of it."""
    field = CommandedField(seed, endpoints, policy, rules)
    field.world.faults.install(TROUBLE)
    homes = field.switched()[:commands]
    assert len(homes) == commands, "there are fewer homes with a switch"
    whole_seconds = 60 * max(commands / rules.per_minute, commands / (2 * rules.per_router_per_minute))
    transaction = field.order(homes, DeferredKind.SWITCH, SwitchAction.DISCONNECT, expires=timedelta(hours=4))
    field.collector.start()
    _pass(field, 0.3 * whole_seconds)
    field.kill()
    _pass(field, DOWN_SECONDS)
    field.commands_released()
    field.collector.start()
    _pass(field, 0.3 * whole_seconds)
    (request_id,) = {command_id.request_id for command_id in field.commands.rows}
    result_of(field.commands.cancel_deferred([request_id], field.world_clock.now(), "cancelled by ann"))
    field.carry_out(seconds=4 * 3_600, step=0.1)
    ends = _judged(field, transaction, homes)
    return BatchRun(ends, *_most(field), field.clock.seconds() / 60)


def _pass(field: CommandedField, seconds: float) -> None:
    until = field.clock.seconds() + seconds
    while field.clock.seconds() < until:
        field.clock.advance(0.1)


def _judged(field: CommandedField, transaction: str, homes: list) -> Counter[str]:
    """How they ended; each was answered once, none moved twice, and what is told is so."""
    told = field.told()
    assert len(told) == len(homes)
    assert set(told.values()) == {1}
    ends: Counter[str] = Counter()
    for home, view in zip(homes, field.views(transaction), strict=True):
        ends[view.state.value if view.code is None else view.code.value] += 1
        actuations, stands = field.actuations(home), STANDS[field.world.state(home - 1).switch.name]
        assert view.state.terminal, view
        assert actuations <= 1, view
        if view.state is TargetState.CANCELLED:
            assert (actuations, view.reason) == (0, "cancelled by ann")
        elif view.code is not FailureCode.INDETERMINATE and view.found.switch is not None:
            assert view.found.switch is stands, view
    return ends


def _most(field: CommandedField) -> tuple[int, int]:
    """The most commands begun in any minute, in all and behind one router, which the rules allow."""
    begun = field.commands.begun
    in_all: Counter[int] = Counter(int(at.timestamp()) // 60 for at, _ in begun)
    behind: Counter[tuple[int, int]] = Counter((int(at.timestamp()) // 60, router) for at, router in begun if router != NO_ROUTER)
    rules, late = field.rules, 1 + CATCH_UP_SECONDS / 60
    most, most_behind = max(in_all.values()), max(behind.values())
    assert most <= rules.per_minute * late + 1
    assert most_behind <= rules.per_router_per_minute * late + 1
    return most, most_behind
