"""What endpoints send on their own: pushes, events, registrations; recorded once, acknowledged after, whatever the wires do to them."""

from datetime import UTC, datetime, timedelta

import pytest

from emulators.faults import Fault, FaultKind
from headend.c1222.acse import parse_apdu
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import Message, encode_message
from headend.collection.counters import Dropped
from headend.errors import StoreError
from headend.model.collection import Collected
from headend.model.endpoint import CONFIGURATIONS, NativeAddress, Transport
from headend.model.events import EarlyEvent, EventPath
from tests.simulation.field import HEAD_END, Field


def batteries(field: Field):
    return [e for e in field.store.endpoints.values() if CONFIGURATIONS[e.configuration].battery]


def check_all_is_there(field: Field) -> None:
    found = batteries(field)
    assert found
    for endpoint in found:
        assert endpoint.exceptions == []
        assert field.differences(endpoint, field.start - timedelta(days=30), endpoint.heard - timedelta(minutes=10)) == []


@pytest.mark.parametrize("seed", range(3))
def test_pushes_bring_all_that_battery_endpoints_hold(seed):
    field = Field(seed, 20)
    field.wake_all()
    check_all_is_there(field)
    assert field.wakeups.silences == 0


@pytest.mark.parametrize("seed", range(3))
def test_pushes_get_through_loss_duplicates_and_delay(seed):
    field = Field(seed, 20)
    delay = Fault(FaultKind.DELAY, 0.3, seconds=2)
    field.field.install_faults([Fault(FaultKind.LOSS, 0.25), Fault(FaultKind.DUPLICATE, 0.3), delay, Fault(FaultKind.CORRUPT, 0.05)])
    field.wake_all(600)
    field.field.install_faults([])
    for _ in range(2):
        field.hours(6.2)
        field.pass_time(120)
    check_all_is_there(field)
    assert field.collector.counters.repeated > 0


def test_a_push_is_acknowledged_only_when_it_is_stored():
    field = Field(4, 20)
    field.store.failures = [StoreError("disk full")] * 4
    acknowledged_before = []

    def watch(octets, address):
        if parse_apdu(octets).reply_to is not None:
            acknowledged_before.append(len(field.store.recorded))
        return send(octets, address)

    send, field.wires.send = field.wires.send, watch
    field.wake_all()
    assert acknowledged_before
    assert min(acknowledged_before) > 0
    assert field.collector.counters.store_failures == 4
    check_all_is_there(field)


def test_a_restarted_head_end_goes_on_and_refuses_what_it_has_seen():
    field = Field(5, 20)
    heard: list[tuple[bytes, NativeAddress]] = []
    field.wires.taps.append(lambda octets: heard.append((octets, field.polled[0].address)))
    field.wake_all()
    field.collector = field.new_collector()
    recorded = len(field.store.recorded)
    once = heard[:]
    for octets, address in once:
        field.wires.deliver(octets, address)
    field.pass_time(5)
    assert len(field.store.recorded) == recorded
    assert field.collector.counters.dropped[Dropped.REPLAYED] > 0
    field.hours(7)
    field.pass_time(60)
    assert len(field.store.recorded) > recorded
    check_all_is_there(field)


def test_a_clock_that_drifted_is_set_right_in_the_acknowledgement():
    field = Field(6, 20)
    victim = batteries(field)[0]
    index = victim.endpoint_id - 1
    field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, seconds=120, meter_no=victim.meter_no)])
    field.wake_all()
    meter = field.world.meter(index)
    assert abs(meter.device_now - meter.now) <= 2
    assert victim.exceptions == []


def test_an_event_arrives_at_once():
    field = Field(7, 20)
    field.schedule()
    field.run()
    victim = field.polled[0]
    field.field.install_faults([Fault(FaultKind.REBOOT, seconds=1, meter_no=victim.meter_no)])
    field.wakeups.alarm(victim.endpoint_id - 1, field.world.meter(victim.endpoint_id - 1).events()[-1])
    field.pass_time(2)
    (event,) = [e for e in victim.events.values() if e.path is EventPath.UNSOLICITED]
    assert event.code in {1, 2}
    assert abs((event.occurred - field.world_clock.now()).total_seconds()) < 60
    assert field.collector.counters.notifications == 1


@pytest.mark.parametrize("is_killed_between", [False, True])
def test_an_event_of_an_endpoint_never_spoken_to_is_kept_and_understood_when_its_program_is_known(is_killed_between: bool):
    field = Field(7, 20)
    victim = field.polled[0]
    field.field.install_faults([Fault(FaultKind.REBOOT, seconds=1, meter_no=victim.meter_no)])
    truth = field.world.meter(victim.endpoint_id - 1).events()[-1]
    field.wakeups.alarm(victim.endpoint_id - 1, truth)
    field.pass_time(2)
    came = field.world_clock.now()
    assert (len(victim.early), victim.events, victim.exceptions) == (1, {}, [])
    field.look_at_early_events()
    assert len(victim.early) == 1, "nothing is known yet that would make sense of it"
    if is_killed_between:  # the program was recorded by one who did not see the event that another had just kept
        field.collector.recorder.beside = None
    field.schedule()
    field.run()
    if is_killed_between:
        assert len(victim.early) == 1
        victim.events.clear()
        field.look_at_early_events()
    assert victim.early == []
    (event,) = [one for one in victim.events.values() if one.code == truth.code and abs((one.occurred - came).total_seconds()) < 60]
    assert event.path is EventPath.UNSOLICITED, "an alarm, although the log has told of it in the same breath"


def test_early_octets_that_are_no_event_end_as_an_exception():
    field = Field(7, 20)
    victim = field.polled[0]
    came = datetime(2026, 3, 1, 12, tzinfo=UTC)
    field.collector.recorder.put(Collected(victim.endpoint_id, None, early_events=(EarlyEvent(came, b"\xff" * 9),)))
    field.schedule()
    field.run()
    assert victim.early == []
    assert "an event of 2026-03-01 12:00:00Z, ffffffffffffffffff" in victim.exceptions[-1].reason


def test_a_registration_updates_the_address():
    field = Field(8, 60)
    cellular = next(e for e in field.store.endpoints.values() if e.router is None)
    cellular.address = NativeAddress(Transport.UDP, "elsewhere", 9)
    field.wakeups.start(wake_within=None, register=True)
    field.pass_time(30)
    assert field.collector.counters.registrations >= 1
    assert cellular.address == field.wires.address(cellular.endpoint_id - 1)


def test_strangers_clear_and_forged_messages_are_dropped_and_counted():
    field = Field(9, 20)
    sent: list[bytes] = []
    field.wires.taps.append(sent.append)
    field.wake_all(30)
    push = next(octets for octets in sent if parse_apdu(octets).reply_to is None)
    address = batteries(field)[0].address
    forged = bytearray(push)
    forged[-3] ^= 0x40
    stranger = Message(ApTitle.parse(HEAD_END), ApTitle.parse(".7.7"), 5, (b"\x40\x00\x4c\x00\x00\x00",))
    before = len(field.store.recorded)
    for octets in (bytes(forged), encode_message(stranger, None), push[:40]):
        field.wires.deliver(octets, address)
    field.pass_time(1)
    dropped = field.collector.counters.dropped
    assert dropped[Dropped.WRONG_CODE] == 1
    assert dropped[Dropped.CLEAR] == 1
    assert dropped[Dropped.MALFORMED] == 1
    assert len(field.store.recorded) == before


def test_a_guesser_of_keys_is_throttled():
    field = Field(9, 20)
    sent: list[bytes] = []
    field.wires.taps.append(sent.append)
    field.wake_all(30)
    push = next(octets for octets in sent if parse_apdu(octets).reply_to is None)
    for guess in range(40):
        field.wires.deliver(push[:-1] + bytes((push[-1] ^ (guess + 1),)), batteries(field)[0].address)
        field.pass_time(0.1)
    dropped = field.collector.counters.dropped
    assert dropped[Dropped.THROTTLED] >= 30
    assert dropped[Dropped.WRONG_CODE] <= 10
