"""Collecting a field in which things go wrong: every due read ends once, stored or excepted, and what is stored is what meters hold."""

from datetime import UTC, datetime, timedelta

import pytest

from emulators.faults import Fault, FaultKind
from headend.collection.counters import Dropped
from headend.collection.policy import CollectionPolicy
from headend.errors import StoreError
from headend.model.events import ExceptionKind
from headend.model.readings import IntervalFlag
from headend.retries import NO_RETRIES, RetryPolicy
from tests.memory_store import with_runs
from tests.simulation.field import Field

TROUBLES = (
    Fault(FaultKind.LOSS, 0.3),
    Fault(FaultKind.DUPLICATE, 0.1),
    Fault(FaultKind.DELAY, 0.3, seconds=2, seconds_max=15),
    Fault(FaultKind.CORRUPT, 0.05),
    Fault(FaultKind.ANSWER_LOST, 0.1),
)

CLOCK_FLAGS = int(IntervalFlag.CLOCK_FORWARD | IntervalFlag.CLOCK_BACK)

PATIENT = CollectionPolicy(transmissions_max=6, reply_seconds=1.5, retries=NO_RETRIES)
"""Two of five requests are answered."""


def check_ended_once_and_right(field: Field, due: int, since: datetime) -> None:
    endings = field.endings()
    assert sum(endings.values()) == due == len(field.polled)
    assert set(endings.values()) == {1}
    for item in field.store.recorded:
        endpoint = field.store.endpoints[item.endpoint_id]
        if item.exception is None and item.lease_id is not None:
            assert field.differences(endpoint, since, item.heard) == []
        else:
            assert item.exception is None or item.exception.reason


@pytest.mark.parametrize("seed", range(12))
def test_every_due_read_ends_once_stored_or_excepted(seed):
    field = Field(seed, 20, policy=PATIENT)
    field.field.install_faults(TROUBLES)
    due = field.schedule()
    field.run()
    check_ended_once_and_right(field, due, field.start - timedelta(days=1))
    assert sum(item.exception is None for item in field.store.recorded) > due // 3
    assert field.collector.counters.resent > 0


@pytest.mark.parametrize("seed", range(4))
def test_what_one_collection_missed_the_next_ones_bring(seed):
    field = Field(seed, 20)
    field.field.install_faults(TROUBLES)
    for _ in range(6):
        field.schedule(field.start - timedelta(days=1))
        field.run()
        field.hours(6)
    field.field.install_faults(())
    field.schedule(field.start - timedelta(days=1))
    field.run()
    for endpoint in field.polled:
        assert field.differences(endpoint, field.start - timedelta(days=1), endpoint.heard) == []


@pytest.mark.parametrize("start", [datetime(2026, 3, 8, 4, tzinfo=UTC), datetime(2026, 11, 1, 3, tzinfo=UTC)], ids=["spring", "autumn"])
def test_days_of_23_and_25_hours_are_read_right(start):
    field = Field(3, 20, start=start)
    for _ in range(5):
        field.schedule()
        field.run()
        field.hours(8)
    for endpoint in field.polled:
        assert endpoint.exceptions == []
        assert field.differences(endpoint, start - timedelta(days=1), endpoint.heard) == []


@pytest.mark.parametrize("seconds", [3 * 3600, -2 * 3600, 420, -200])
def test_clocks_that_jump_leave_what_the_meter_holds_and_are_reported_while_wrong(seconds):
    field = Field(5, 20)
    field.schedule()
    field.run()
    field.hours(5)
    field.field.install_faults([Fault(FaultKind.CLOCK_JUMP, seconds=seconds)])
    field.hours(9)
    field.schedule()
    field.run()
    wrong = abs(seconds) > field.policy.clock_drift_seconds_max
    for endpoint in field.polled:
        assert ([x.kind for x in endpoint.exceptions] == [ExceptionKind.CLOCK]) == wrong, endpoint.exceptions
        assert field.differences(endpoint, field.start - timedelta(days=1), endpoint.heard + timedelta(seconds=seconds), CLOCK_FLAGS) == []


@pytest.mark.parametrize(
    ("kind", "expected"), [(FaultKind.WRONG_KEY, ExceptionKind.SECURITY), (FaultKind.SILENCE, ExceptionKind.NO_ANSWER)]
)
def test_an_endpoint_that_fails_is_an_exception_with_its_reason_and_the_others_are_not(kind, expected):
    field = Field(7, 20)
    victim = field.polled[4]
    field.field.install_faults([Fault(kind, meter_no=victim.meter_no)])
    field.schedule()
    field.run()
    assert [x.kind for x in victim.exceptions] == [expected]
    assert not any(e.exceptions for e in field.polled if e is not victim)
    assert set(field.endings().values()) == {1}


def test_a_reboot_in_mid_collection_is_waited_for():
    field = Field(8, 20)
    field.field.install_faults([Fault(FaultKind.REBOOT, seconds=5)])
    field.schedule()
    field.run()
    assert set(field.endings().values()) == {1}
    assert not any(e.exceptions for e in field.polled)


def test_a_router_is_never_asked_more_at_once_than_it_bears():
    field = Field(9, 60)
    field.policy = type(field.policy)(conversations_per_router_max=3, conversations_max=8)
    field.collector = field.new_collector()
    most = 0

    def watch(octets: bytes) -> None:
        nonlocal most
        most = max(most, field.collector.poller.active)

    field.wires.taps.append(watch)
    field.schedule()
    field.run()
    assert set(field.endings().values()) == {1}
    assert 4 <= most <= 8


def test_a_store_that_fails_for_a_while_loses_nothing():
    field = Field(10, 20)
    field.store.failures = [StoreError("locked")] * 3
    field.schedule()
    field.run()
    assert field.collector.counters.store_failures == 3
    assert set(field.endings().values()) == {1}
    assert len(field.endings()) == len(field.polled)


def test_an_item_the_store_cannot_take_is_an_exception_and_does_not_take_others_with_it():
    field = Field(10, 20)
    victim = field.polled[0].endpoint_id
    plain = field.store._record

    def record(item):
        if item.endpoint_id == victim and item.register_reads:
            raise ValueError("does not fit")
        plain(item)

    async def atomically(items, now, runs, retries):
        items = with_runs(items, runs)
        if any(i.endpoint_id == victim and i.register_reads for i in items):
            raise ValueError("does not fit")
        for item in items:
            record(item)
        field.store.recorded += items

    field.store.record = atomically
    field.schedule()
    field.run()
    assert [x.kind for x in field.store.endpoints[victim].exceptions] == [ExceptionKind.STORE]
    assert set(field.endings().values()) == {1}
    assert len(field.endings()) == len(field.polled)


def test_a_missed_interrogation_is_tried_again_with_back_off_until_it_is_given_up():
    retries = RetryPolicy(first_seconds=600, seconds_max=2_400, give_up_seconds=7_200)
    field = Field(12, 20, policy=CollectionPolicy(transmissions_max=2, retries=retries, idle_seconds=30))
    silent = field.polled[3]
    field.field.install_faults([Fault(FaultKind.SILENCE, meter_no=silent.meter_no)])
    field.schedule()
    field.run(4 * 3_600, step=2)
    tries = [i for i in field.store.recorded if i.endpoint_id == silent.endpoint_id]
    assert silent.misses.in_a_row == len(tries) == 6, "at 0, 10, 30, 70, 110 and, 2 hours being not over, 150 minutes"
    waits = [b.occurred - a.occurred for a, b in zip(silent.exceptions, silent.exceptions[1:], strict=False)]
    for wait, minutes in zip(waits, (10, 20, 40, 40, 40), strict=True):
        assert timedelta(minutes=minutes * 0.9) <= wait <= timedelta(minutes=minutes * 1.1 + 2)
    assert all(count == 1 for number, count in field.endings().items() if number != silent.endpoint_id)


def test_a_retry_that_succeeds_brings_what_was_missed():
    field = Field(13, 20, policy=CollectionPolicy(transmissions_max=2, idle_seconds=5))
    silent = field.polled[3]
    field.field.install_faults([Fault(FaultKind.SILENCE, meter_no=silent.meter_no)])
    field.schedule()
    field.collector.start()
    field.pass_time(120, step=1)
    assert silent.misses.in_a_row == 1
    assert silent.due is not None
    field.field.install_faults([])
    field.pass_time(1_200, step=1)
    assert (silent.misses.in_a_row, silent.due) == (0, None)
    (_, good) = [i for i in field.store.recorded if i.endpoint_id == silent.endpoint_id]
    assert field.differences(silent, field.start - timedelta(days=1), good.heard) == []


def test_a_restart_in_mid_collection_finishes_the_rest():
    field = Field(11, 40)
    field.field.install_faults([Fault(FaultKind.DELAY, seconds=1)])
    field.schedule()
    field.collector.start()
    while len(field.store.recorded) < 5:
        field.clock.advance(0.05)
    done = len(field.store.recorded)
    assert 0 < done < len(field.polled)
    field.kill()
    field.run(900)
    assert set(field.endings()) == {e.endpoint_id for e in field.polled}
    for endpoint in field.polled:
        assert endpoint.exceptions == []
        assert field.differences(endpoint, field.start - timedelta(days=1), endpoint.heard) == []


def test_forged_replayed_and_stray_datagrams_change_nothing():
    field = Field(12, 20)
    seen: list[bytes] = []

    def forge(octets: bytes) -> None:
        address = field.polled[0].address
        seen.append(octets)
        spoiled = bytearray(octets)
        spoiled[-1] ^= 1
        for fake in (bytes(spoiled), octets[:-9], b"", b"\x60\x05hello", seen[0], bytes(len(octets))):
            field.clock.callLater(0, field.wires.receiver.apdu_received, fake, address)

    field.wires.taps.append(forge)
    field.schedule()
    field.run()
    for endpoint in field.polled:
        assert endpoint.exceptions == []
        assert field.differences(endpoint, field.start - timedelta(days=1), endpoint.heard) == []
    dropped = field.collector.counters.dropped
    assert dropped[Dropped.MALFORMED] > 0
    assert dropped[Dropped.LATE_REPLY] + dropped[Dropped.STRAY_REPLY] > 0
    assert Dropped.FAILED not in dropped
