"""How long what was collected waits for company before it is recorded."""

from collections.abc import Sequence
from datetime import UTC, datetime

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from headend.collection.counters import Counters
from headend.limits import RECORD_BATCH_MAX
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.interval_runs import IntervalRuns
from headend.recorder import LINGER_AWAITED_SECONDS, LINGER_SECONDS, Recorder
from headend.retries import RetryPolicy

NOW = datetime(2026, 7, 2, 6, tzinfo=UTC)


class Batches:
    """A store that keeps the sizes of batches with when they came, and answers when told to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.came: list[tuple[int, float]] = []
        self.answers: list[Deferred[None]] = []

    def record(self, collected: Sequence[Collected], now: datetime, runs: Sequence[IntervalRuns], retries: RetryPolicy) -> Deferred[None]:
        self.came.append((len(collected), round(self.clock.seconds(), 3)))
        self.answers.append(Deferred())
        return self.answers[-1]


def made() -> tuple[Clock, Batches, Recorder]:
    clock = Clock()
    store = Batches(clock)
    return clock, store, Recorder(store, clock, lambda: NOW, Counters())  # type: ignore[arg-type]


def item(number: int) -> Collected:
    return Collected(EndpointId(number), NOW)


def test_a_lone_item_waits_for_company_for_a_while() -> None:
    clock, store, recorder = made()
    recorder.put(item(1))
    clock.advance(LINGER_SECONDS / 2)
    recorder.put(item(2))
    assert store.came == []
    clock.advance(LINGER_SECONDS / 2)
    assert store.came == [(2, LINGER_SECONDS)]


def test_a_full_batch_waits_no_longer() -> None:
    clock, store, recorder = made()
    for number in range(RECORD_BATCH_MAX):
        recorder.put(item(number))
    clock.advance(0)
    assert store.came == [(RECORD_BATCH_MAX, 0.0)]


def test_an_endpoint_that_waits_is_made_to_wait_less() -> None:
    clock, store, recorder = made()
    recorder.put(item(1))
    clock.advance(LINGER_SECONDS / 3)
    durable = recorder.put_and_wait(item(2))
    clock.advance(LINGER_AWAITED_SECONDS)
    assert store.came == [(2, round(LINGER_SECONDS / 3 + LINGER_AWAITED_SECONDS, 3))]
    assert not durable.called
    store.answers[0].callback(None)
    assert durable.called


def test_what_comes_meanwhile_is_the_next_batch_and_stopping_waits_for_nothing() -> None:
    clock, store, recorder = made()
    recorder.put(item(1))
    clock.advance(LINGER_SECONDS)
    recorder.put(item(2))
    stopped = Deferred.fromCoroutine(recorder.stop())
    store.answers[0].callback(None)
    assert [size for size, _ in store.came] == [1, 1]
    store.answers[1].callback(None)
    assert stopped.result is True
    assert recorder.unrecorded == 0
