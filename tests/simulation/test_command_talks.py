"""What commands come to at emulated meters of every model: verified, refused, lost on the way, done though nobody heard of it."""

from decimal import Decimal

import pytest

from emulators.meter_procedures import set_device_clock
from headend.c1219.manufacturer_tables import SwitchPosition
from headend.model.command import FailureCode
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.switches import SwitchState
from tests.simulation.emulated import make_world, one_of
from tests.simulation.talking import Talker

WITH_SWITCH = ["HE-R100", "HE-R150", "HE-G20", "HE-K5"]
CONNECT, DISCONNECT, ARM = SwitchAction.CONNECT, SwitchAction.DISCONNECT, SwitchAction.ARM
SWITCH = DeferredKind.SWITCH


def talker(model: str = "HE-R100") -> Talker:
    world = make_world(seed=5, endpoints=40)
    return Talker(world, one_of(world, model))


def is_write(message: bytes) -> bool:
    """Whether a message has a full write of ST7."""
    return b"\x40\x00\x07" in message


@pytest.mark.parametrize("model", WITH_SWITCH)
def test_a_switch_is_opened_armed_and_closed_and_what_is_told_is_what_it_is(model: str) -> None:
    one = talker(model)
    state = one.world.state(one.index)
    for action, position, told in (
        (DISCONNECT, SwitchPosition.OPEN, SwitchState.DISCONNECTED),
        (ARM, SwitchPosition.ARMED, SwitchState.ARMED),
        (CONNECT, SwitchPosition.CLOSED, SwitchState.CONNECTED),
    ):
        one.told = None
        ended = one.talk(SWITCH, action)
        assert ended.outcome is not None, ended
        assert (ended.outcome.state, ended.outcome.found.switch) == (TargetState.SUCCEEDED, told), ended
        assert state.switch is position
        assert ended.outcome.found.load_side_volts == (Decimal("240.0") if action is CONNECT else 0)
        (register,) = ended.outcome.found.registers
        assert register.quantity == one.world.meter(one.index).register(one.world.now)
    assert state.actuations == 3


def test_what_is_so_already_moves_nothing() -> None:
    one = talker()
    ended = one.talk(SWITCH, CONNECT)
    assert ended.outcome is not None
    assert ended.outcome.found.switch is SwitchState.CONNECTED
    assert one.told is None
    assert one.world.state(one.index).actuations == 0


def test_voltage_behind_an_open_switch_keeps_it_open_unless_overridden() -> None:
    one = talker()
    state = one.world.state(one.index)
    state.switch, state.back_feed_decivolts = SwitchPosition.OPEN, 1_195
    ended = one.talk(SWITCH, CONNECT)
    assert ended.outcome is not None
    assert (ended.outcome.state, ended.outcome.code) == (TargetState.FAILED, FailureCode.LOAD_SIDE_VOLTAGE)
    assert ended.outcome.found.load_side_volts == Decimal("119.5")
    assert (one.told, state.actuations) == (None, 0)
    ended = one.talk(SWITCH, CONNECT, override="work order 7: generator known")
    assert ended.outcome is not None
    assert ended.outcome.state is TargetState.SUCCEEDED
    assert state.switch is SwitchPosition.CLOSED


def test_without_a_measured_load_side_nothing_is_connected() -> None:
    one = talker()
    state = one.world.state(one.index)
    state.switch, state.back_feed_decivolts = SwitchPosition.OPEN, None
    assert one.talk(SWITCH, CONNECT).outcome.code is FailureCode.LOAD_SIDE_UNKNOWN
    assert one.talk(DeferredKind.VOLTAGE).outcome.code is FailureCode.LOAD_SIDE_UNKNOWN
    assert one.talk(SWITCH, ARM).outcome.found.switch is SwitchState.ARMED


def test_a_connected_switch_cannot_be_armed() -> None:
    one = talker()
    ended = one.talk(SWITCH, ARM)
    assert (ended.outcome.code, ended.outcome.found.switch) == (FailureCode.IMPOSSIBLE, SwitchState.CONNECTED)
    assert one.told is None


def test_a_switch_that_does_not_follow_is_an_error_and_says_where_it_is() -> None:
    one = talker()
    one.world.state(one.index).switch_stuck = True
    ended = one.talk(SWITCH, DISCONNECT)
    assert (ended.outcome.state, ended.outcome.code) == (TargetState.FAILED, FailureCode.SWITCH_ERROR)
    assert ended.outcome.found.switch is SwitchState.UNKNOWN


@pytest.mark.parametrize("model", WITH_SWITCH)
def test_done_though_nobody_heard_of_it_is_found_out_and_not_told_again(model: str) -> None:
    one = talker(model)
    one.fate = lambda message: "done" if is_write(message) else "answered"
    assert "no answer" in one.talk(SWITCH, DISCONNECT).unanswered
    told = one.told
    assert told is not None
    ended = one.talk(SWITCH, DISCONNECT)
    assert (ended.outcome.state, ended.outcome.found.switch) == (TargetState.SUCCEEDED, SwitchState.DISCONNECTED)
    assert (sum(map(is_write, one.asked)), one.told, one.world.state(one.index).actuations) == (1, told, 1)


def test_what_never_arrived_is_found_out_and_not_told_again() -> None:
    one = talker()
    one.fate = lambda message: "lost" if is_write(message) else "answered"
    assert one.talk(SWITCH, DISCONNECT).unanswered
    ended = one.talk(SWITCH, DISCONNECT)
    assert (ended.outcome.code, ended.outcome.found.switch) == (FailureCode.NOT_CARRIED_OUT, SwitchState.CONNECTED)
    assert sum(map(is_write, one.asked)) == 1


def test_what_may_not_be_told_is_not() -> None:
    one = talker()
    one.allowed = False
    ended = one.talk(SWITCH, DISCONNECT)
    assert (ended.outcome, ended.unanswered) == (None, "")
    assert one.world.state(one.index).actuations == 0


@pytest.mark.parametrize("model", ["HE-C300", "HE-GM5"])
@pytest.mark.parametrize("kind", [SWITCH, DeferredKind.VOLTAGE, DeferredKind.SWITCH_STATE])
def test_a_meter_without_a_switch_says_so(model: str, kind: DeferredKind) -> None:
    one = talker(model)
    assert one.talk(kind, DISCONNECT if kind is SWITCH else None).outcome.code is FailureCode.UNSUPPORTED


@pytest.mark.parametrize("model", ["HE-R100", "HE-G20", "HE-K5", "HE-C300", "HE-C500", "HE-GM7", "HE-WM9"])
def test_reads_and_pings(model: str) -> None:
    one = talker(model)
    found = one.talk(DeferredKind.READ).outcome.found
    assert len(found.registers) == 1
    assert found.registers[0].instant == one.world.clock.now()
    assert one.talk(DeferredKind.PING).outcome.found.powered is True
    messages = len(one.asked)
    one.talk(DeferredKind.READ)
    assert len(one.asked) == messages + 1, "one that is known is read in one exchange"


def test_a_demand_reset_is_done_once_whatever_is_heard() -> None:
    one = talker("HE-C500")
    one.fate = lambda message: "done" if is_write(message) else "answered"
    assert one.talk(DeferredKind.DEMAND_RESET).unanswered
    assert one.talk(DeferredKind.DEMAND_RESET).outcome.state is TargetState.SUCCEEDED
    assert one.world.state(one.index).resets == 1
    one.told, one.fate = None, lambda message: "lost" if is_write(message) else "answered"
    assert one.talk(DeferredKind.DEMAND_RESET).unanswered
    assert one.talk(DeferredKind.DEMAND_RESET).outcome.code is FailureCode.NOT_CARRIED_OUT
    assert one.world.state(one.index).resets == 1


@pytest.mark.parametrize("model", ["HE-R100", "HE-K5", "HE-C500"])
def test_a_clock_is_set_and_looked_at(model: str) -> None:
    one = talker(model)
    meter = one.world.meter(one.index)
    set_device_clock(meter, meter.device_now + 4_000)
    ended = one.talk(DeferredKind.CLOCK_SET)
    assert ended.outcome.state is TargetState.SUCCEEDED, ended
    assert abs(ended.outcome.found.clock_off_seconds) < 2


def test_a_meter_that_was_reprogrammed_is_understood_anew() -> None:
    one = talker("HE-R100")
    one.talk(DeferredKind.READ)
    other = talker("HE-G20")
    other.talk(DeferredKind.READ)
    one.program = other.program
    ended = one.talk(DeferredKind.READ)
    assert ended.outcome.state is TargetState.SUCCEEDED
    assert one.program.identification.model == "HE-R100"
