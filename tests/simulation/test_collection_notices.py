"""What an interrogation notices beside the data: clocks, other devices, other configurations, other interval lengths, restarts."""

from datetime import timedelta

import pytest

from emulators.faults import Fault, FaultKind
from headend.collection.policy import CollectionPolicy
from headend.model.channels import CHANNEL_BY_NAME
from headend.model.collection import Progress, SetProgress
from headend.model.endpoint import CONFIGURATIONS
from headend.model.events import ExceptionKind
from headend.model.readings import IntervalFlag
from tests.simulation.field import Field

CLOCK_FLAGS = int(IntervalFlag.CLOCK_FORWARD | IntervalFlag.CLOCK_BACK | IntervalFlag.PARTIAL | IntervalFlag.LONG)


def collected(seed: int, policy: CollectionPolicy | None = None) -> Field:
    """A field that has been collected once, five hours ago."""
    field = Field(seed, 12, policy=policy)
    again(field)
    field.hours(5)
    return field


def again(field: Field) -> None:
    field.schedule()
    field.run()


@pytest.mark.parametrize("seconds", [120, -70])
def test_a_clock_that_is_off_within_limits_is_set_right_over_the_wire(seconds):
    field = collected(5)
    victim = field.polled[2]
    field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, seconds=seconds, meter_no=victim.meter_no)])
    again(field)
    (notice,) = victim.notices
    assert notice.kind is ExceptionKind.CLOCK_SET
    assert notice.reason == f"the clock was {abs(seconds)} s {'ahead' if seconds > 0 else 'behind'} and is set right"
    meter = field.world.meter(victim.endpoint_id - 1)
    assert abs(meter.device_now - meter.now) <= 1
    assert victim.exceptions == []
    field.hours(9)
    again(field)
    assert len(victim.notices) == 1
    assert field.differences(victim, field.start - timedelta(days=1), victim.heard, CLOCK_FLAGS) == []
    assert {n.kind for e in field.polled if e is not victim for n in e.notices} <= {ExceptionKind.CONFIGURATION}


@pytest.mark.parametrize("seconds", [1_000, -7_200, 20])
def test_a_clock_that_is_off_too_far_or_too_little_is_left_alone(seconds):
    field = collected(5)
    victim = field.polled[2]
    field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, seconds=seconds, meter_no=victim.meter_no)])
    again(field)
    meter = field.world.meter(victim.endpoint_id - 1)
    assert meter.device_now - meter.now == seconds
    assert victim.notices == []
    assert [x.kind for x in victim.exceptions] == [ExceptionKind.CLOCK] * (abs(seconds) > 900)


def test_another_device_behind_the_same_title_is_noticed_and_read_from_when_the_first_was_there_last():
    field = collected(6)
    victim = field.polled[1]
    before = dict(victim.blocks)
    last = max(done.end for done in victim.progress.sets)
    device = victim.progress.device
    assert int(device) == int(field.world.population.identity(victim.endpoint_id - 1).serial_no)
    field.field.install_faults([Fault(FaultKind.SWAP, meter_no=victim.meter_no)])
    field.hours(4)
    again(field)
    (notice,) = victim.notices
    assert notice.kind is ExceptionKind.EXCHANGED
    assert repr(device) in notice.reason
    assert repr(victim.progress.device) in notice.reason
    for key, block in before.items():
        kept = victim.blocks[key]
        assert all(kept.values[i] == value for i, value in enumerate(block.values) if value is not None and block.end_of(i) <= last)
    assert field.differences(victim, field.start + timedelta(hours=6), victim.heard, CLOCK_FLAGS) == []
    field.hours(6)
    again(field)
    assert len(victim.notices) == 1
    assert {n.kind for e in field.polled if e is not victim for n in e.notices} <= {ExceptionKind.CONFIGURATION}


def test_a_configuration_that_is_not_the_one_shipped_is_named():
    field = Field(7, 12)
    victim = next(e for e in field.polled if e.configuration == "residential" and not field.world.population.is_changed(e.endpoint_id - 1))
    victim.configuration = "residential-net"
    again(field)
    (notice,) = victim.notices
    assert notice.kind is ExceptionKind.CONFIGURATION
    assert "no intervals of energy_net" in notice.reason
    assert victim.exceptions == []


def test_an_interval_length_that_changed_is_noticed_and_both_lengths_are_stored():
    field = Field(3, 60)
    changed = [e for e in field.polled if any(one.eras for one in field.world.kind(e.endpoint_id - 1).program.sets)]
    assert changed
    for e in changed:
        sets = field.world.kind(e.endpoint_id - 1).program.sets
        e.program, e.progress = bytes(16), Progress(tuple(SetProgress(0, 0, 1, field.start - timedelta(days=39)) for _ in sets))
    field.schedule(field.start - timedelta(days=39))
    field.run()
    for e in changed:
        notices = [n for n in e.notices if n.kind is ExceptionKind.INTERVAL_LENGTH]
        assert len(notices) == 1
        assert "minutes from block" in notices[0].reason
    lengths = {key[2] for e in changed for key in e.blocks if key[0] == CHANNEL_BY_NAME["energy_delivered"].channel_id}
    assert len(lengths) > 1


def test_a_restart_is_an_event_and_a_flag_and_costs_nothing():
    field = collected(8)
    victim = field.polled[0]
    field.field.install_faults([Fault(FaultKind.REBOOT, seconds=5, meter_no=victim.meter_no)])
    field.hours(2)
    again(field)
    assert {1, 2} <= {e.code for e in victim.events.values()}
    flags = {flag for block in victim.blocks.values() for flag in block.flags}
    assert any(flag & IntervalFlag.POWER_FAIL for flag in flags)
    assert field.differences(victim, field.start - timedelta(days=1), victim.heard) == []


def test_a_battery_endpoint_tells_its_device_and_configuration():
    field = Field(6, 20)
    battery = [e for e in field.store.endpoints.values() if CONFIGURATIONS[e.configuration].battery]
    victim = battery[0]
    field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, seconds=120, meter_no=victim.meter_no)])
    field.wake_all()
    assert all(e.progress.device for e in battery)
    assert [n.kind for n in victim.notices] == [ExceptionKind.CLOCK_SET]
