"""Battery endpoints whose clocks are too far off for their messages to be fresh: heard, told the time, and never fooled by old messages."""

from datetime import timedelta

import pytest

from emulators.faults import Fault, FaultKind
from headend.c1222.acse import parse_apdu
from headend.collection.counters import Dropped
from headend.collection.policy import CollectionPolicy
from headend.model.endpoint import CONFIGURATIONS
from headend.model.events import ExceptionKind
from headend.model.quality import DOUBTFUL
from headend.retries import NO_RETRIES
from tests.simulation.field import Field

HOUR, DAY = 3_600, 86_400


def battery(field: Field):
    return next(e for e in field.store.endpoints.values() if CONFIGURATIONS[e.configuration].battery)


def jumped(field: Field, endpoint, seconds: float) -> None:
    """The clock of an endpoint is so far off from now on."""
    while seconds:
        part = max(min(seconds, DAY), -DAY)
        field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, seconds=part, meter_no=endpoint.meter_no)])
        field.field.install_faults([])
        seconds -= part


def drift(field: Field, endpoint) -> int:
    meter = field.world.meter(endpoint.endpoint_id - 1)
    return meter.device_now - meter.now


def doubtful_ends(endpoint) -> list:
    return [b.end_of(i) for b in endpoint.blocks.values() for i, flag in enumerate(b.flags) if b.values[i] is not None and flag & DOUBTFUL]


def flags_of_changed(before: dict, after: dict) -> list[int]:
    """The flags of values that are other than they were."""
    nothing = {key: [None] * len(block.values) for key, block in after.items()} | {key: block.values for key, block in before.items()}
    return [
        flag
        for key, block in after.items()
        for flag, value, old in zip(block.flags, block.values, nothing[key], strict=True)
        if value is not None and value != old
    ]


def heard_lately(field: Field, endpoint) -> bool:
    return endpoint.heard is not None and field.world_clock.now() - endpoint.heard < timedelta(minutes=5)


@pytest.mark.parametrize("off", [-1_200, 1_200, 6 * HOUR, -3 * DAY, 40 * DAY, 900 * DAY])
def test_an_endpoint_never_heard_whose_clock_is_off_is_heard_and_set_right(off):
    field = Field(31, 20)
    victim = battery(field)
    jumped(field, victim, off)
    field.wake_all(120)
    assert heard_lately(field, victim)
    assert abs(drift(field, victim)) <= 2
    kinds = {e.kind for e in victim.exceptions}
    assert ExceptionKind.CLOCK in kinds
    assert ExceptionKind.CLOCK_SET in {n.kind for n in victim.notices}
    assert doubtful_ends(victim)
    assert field.collector.counters.dropped[Dropped.UNTIMELY] == 0


@pytest.mark.parametrize("off", [-1_200, -3 * DAY, -4_000 * DAY])
def test_one_whose_clock_was_set_back_is_told_the_time_and_heard_when_it_pushes_again(off):
    field = Field(32, 20)
    field.wake_all(120)
    victim = battery(field)
    field.hours(0.2)
    jumped(field, victim, off)
    before, heard = dict(victim.blocks), victim.heard
    asked = []
    field.wires.taps.append(lambda octets: asked.append((parse_apdu(octets).iv, victim.heard)))
    field.wakeups.wake([victim.endpoint_id - 1], 0)
    field.pass_time(30)
    untimely = [h for iv, h in asked if iv < field.world.wire() - 900]
    assert untimely == [heard] * len(untimely)
    assert untimely
    assert field.collector.counters.dropped[Dropped.UNTIMELY] == len(untimely)
    assert abs(drift(field, victim)) <= 2
    assert victim.heard > heard
    assert heard_lately(field, victim)
    assert "set wrong, or an old message" in next(e for e in victim.exceptions if e.kind is ExceptionKind.CLOCK).reason
    assert all(flag & DOUBTFUL for flag in flags_of_changed(before, victim.blocks))
    field.hours(7)
    field.pass_time(120)
    assert field.world_clock.now() - victim.heard < timedelta(hours=7)
    assert sum(e.kind is ExceptionKind.CLOCK for e in victim.exceptions) == 1


def test_old_messages_are_answered_with_the_time_at_most_and_change_nothing():
    field = Field(33, 20)
    pushes: list[bytes] = []
    field.wires.taps.append(pushes.append)
    field.wake_all(120)
    victim = battery(field)
    title = victim.ap_title
    old = [octets for octets in pushes if parse_apdu(octets).calling.absolute == title]
    assert old
    field.collector = field.new_collector()
    field.hours(48)
    field.pass_time(120)
    state = (dict(victim.blocks), dict(victim.registers), victim.heard, victim.replay_window, victim.progress)
    sent_before, drift_before = field.wires.sent, drift(field, victim)
    for _ in range(3):
        for octets in old:
            field.wires.deliver(octets, victim.address)
        field.pass_time(2)
    assert (victim.blocks, victim.registers, victim.heard, victim.replay_window, victim.progress) == state
    assert field.collector.counters.dropped[Dropped.UNTIMELY] == len(old)
    assert field.wires.sent - sent_before == 3 * len(old)
    assert sum(e.kind is ExceptionKind.CLOCK for e in victim.exceptions) == 1
    assert drift(field, victim) == drift_before


@pytest.mark.parametrize("off", [DAY, -DAY])
def test_doubtful_messages_played_again_are_refused_also_when_their_time_has_come(off):
    field = Field(34, 20)
    victim = battery(field)
    jumped(field, victim, off)
    pushes: list[bytes] = []
    field.wires.taps.append(pushes.append)
    field.wake_all(120)
    doubtful = [o for o in pushes if parse_apdu(o).calling.absolute == victim.ap_title and abs(parse_apdu(o).iv - field.world.wire()) > 900]
    assert doubtful
    field.wakeups.stop()
    for hours in (0, 23.9, 0.1, 0.2, 30):
        field.hours(hours)
        field.collector = field.new_collector()
        state = victim.heard, victim.replay_window, dict(victim.blocks)
        for octets in doubtful:
            field.wires.deliver(octets, victim.address)
        field.pass_time(1)
        assert (victim.heard, victim.replay_window, victim.blocks) == state


def test_forged_messages_dated_far_off_are_wrong_codes():
    field = Field(35, 20)
    victim = battery(field)
    jumped(field, victim, 3 * DAY)
    pushes: list[bytes] = []

    def keep(index, octets, send=field.wires.from_endpoint):
        if index == victim.endpoint_id - 1:
            pushes.append(octets)
        send(index, octets)

    field.wakeups._initiator._send = keep
    field.field.install_faults([Fault(FaultKind.LOSS, meter_no=victim.meter_no)])
    field.wake_all(40)
    assert victim.heard is None
    assert pushes
    forged = bytearray(pushes[0])
    forged[-1] ^= 1
    field.wires.deliver(bytes(forged), victim.address)
    field.pass_time(1)
    assert field.collector.counters.dropped[Dropped.WRONG_CODE] == 1
    assert (victim.heard, victim.exceptions, victim.replay_window) == (None, [], b"")


def test_a_clock_that_may_not_be_set_for_smallness_is_set_when_too_far_off_to_be_heard():
    policy = CollectionPolicy(retries=NO_RETRIES, clock_set_seconds=30, clock_set_seconds_max=60)
    field = Field(36, 20, policy=policy)
    victim = battery(field)
    jumped(field, victim, 600)
    off = drift(field, victim)
    field.wake_all(60)
    assert drift(field, victim) == off  # heard, and for a person
    jumped(field, victim, 600)
    field.wakeups.wake([victim.endpoint_id - 1], 0)
    field.pass_time(20)
    assert abs(drift(field, victim)) <= 2
