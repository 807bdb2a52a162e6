"""Brings what was collected to the store: many endpoints a transaction, one transaction at a time.

While the store fails, what was collected waits; nothing is dropped.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from headend.collection.batch_harvest import harvest_all
from headend.collection.counters import Counters
from headend.collection.transcript import Transcript
from headend.errors import StoreError
from headend.limits import RECORD_BATCH_MAX, UNRECORDED_MAX
from headend.model.collection import Collected
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.ports import CollectionStore
from headend.retries import NO_RETRIES, RetryPolicy

LINGER_SECONDS, LINGER_AWAITED_SECONDS = 0.3, 0.05
"""How long an item waits for company, and how long where an endpoint waits for it to be durable: a transaction by itself costs as much as
thirty endpoints in it."""

RETRY_SECONDS = 1.0
RETRY_SECONDS_MAX = 30.0
"""First and longest wait before a store that fails is tried again."""

Beside = Callable[[Sequence[Collected]], Awaitable[Sequence[Collected]]]
"""What is to be recorded before some items, in the same transaction. May raise StoreError."""

Waiting = tuple[Collected | Transcript, Deferred[None] | None]


class Recorder:
    """A queue before the store.

    `on_recorded` is called after each transaction; `retries` say when what was missed is due again. `beside` is asked for what goes with
    the items of each.
    """

    log = Logger()

    def __init__(
        self,
        store: CollectionStore,
        reactor: IReactorTime,
        now: Callable[[], datetime],
        counters: Counters,
        on_recorded: Callable[[], None] = lambda: None,
        retries: RetryPolicy = NO_RETRIES,
    ) -> None:
        self.on_recorded = on_recorded
        self.beside: Beside | None = None
        self._store = store
        self._reactor = reactor
        self._now = now
        self._counters = counters
        self._retries = retries
        self._waiting: deque[Waiting] = deque()
        self._in_flight = 0
        self._draining = False
        self._stopping = False
        self._pause: Deferred[None] | None = None
        self._linger: IDelayedCall | None = None
        self._idle: list[Deferred[None]] = []

    @property
    def unrecorded(self) -> int:
        """Items not yet durable."""
        return len(self._waiting) + self._in_flight

    @property
    def full(self) -> bool:
        """Whether no more work should be started."""
        return self.unrecorded >= UNRECORDED_MAX

    def put(self, item: Collected | Transcript) -> None:
        """Record some time soon; what a transcript comes to is found out together with that of many others."""
        self._add((item, None))

    def put_and_wait(self, collected: Collected) -> Deferred[None]:
        """Record; fires once it is durable, fails with StoreError if it never will be."""
        done: Deferred[None] = Deferred()
        self._add((collected, done))
        return done

    async def stop(self) -> bool:
        """Record what waits; False where the store would not take it: its leases expire, and others collect it again."""
        self._stopping = True
        if self._pause is not None:
            self._pause.cancel()
        if self._draining:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            await idle
        return not self._waiting

    def _add(self, item: Waiting) -> None:
        self._waiting.append(item)
        if not self._draining:
            self._draining = True
            Deferred.fromCoroutine(self._drain()).addErrback(self._failed)
        elif self._linger is not None:
            seconds = self._linger_seconds(item)
            if self._linger.getTime() > self._reactor.seconds() + seconds:
                self._linger.reset(seconds)

    def _linger_seconds(self, newest: Waiting) -> float:
        """How much longer a batch that ends with `newest` is to wait for more."""
        if len(self._waiting) >= RECORD_BATCH_MAX:
            return 0
        return LINGER_SECONDS if newest[1] is None else LINGER_AWAITED_SECONDS

    async def _drain(self) -> None:
        retry_seconds = RETRY_SECONDS
        try:
            while self._waiting:
                seconds = min(map(self._linger_seconds, self._waiting))
                if seconds:
                    await self._sleep(seconds, lingering=True)
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), RECORD_BATCH_MAX))]
                if await self._record(batch):
                    retry_seconds = RETRY_SECONDS
                    continue
                self._waiting.extendleft(reversed(batch))
                if self._stopping:
                    break
                await self._sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, RETRY_SECONDS_MAX)
        finally:
            self._draining = False
            idle, self._idle = self._idle, []
            for waiter in idle:
                waiter.callback(None)

    async def _record(self, batch: list[Waiting]) -> bool:
        """One transaction; False where the store is to be tried again."""
        self._in_flight = len(batch)
        try:
            harvested = harvest_all([item for item, _ in batch])
            items = harvested.items if self.beside is None else [*await self.beside(harvested.items), *harvested.items]
            await self._store.record(items, self._now(), harvested.runs, self._retries)
        except StoreError as error:
            self._counters.store_failures += 1
            self.log.warn("{count} endpoints not recorded yet: {error}", count=len(batch), error=error)
            return False
        except Exception:  # noqa: BLE001  # job ended: our mistake must not cost the others their readings
            self.log.failure("recording {count} endpoints", count=len(batch))
            await self._record_singly(batch)
            return True
        finally:
            self._in_flight = 0
        self._counters.recorded += len(batch)
        self._counters.excepted += sum([one.exception is not None for one in harvested.items])
        for _, done in batch:
            if done is not None:
                done.callback(None)
        self.on_recorded()
        return True

    async def _record_singly(self, batch: list[Waiting]) -> None:
        """The good ones of a batch, and for each other an exception in its place."""
        if len(batch) > 1:
            for item in batch:
                if not await self._record([item]):
                    self._waiting.append(item)
            return
        ((single, done),) = batch
        if done is not None:
            done.errback(StoreError("it cannot be recorded"))
        if not _says_why(single):
            reason = ExceptionRecord(single.endpoint_id, ExceptionKind.STORE, self._now(), "what was collected cannot be recorded")
            self._waiting.append((Collected(single.endpoint_id, single.heard, single.lease_id, exception=reason), None))

    async def _sleep(self, seconds: float, *, lingering: bool = False) -> None:
        if self._stopping:
            return
        pause: Deferred[None] = Deferred()
        timer = self._reactor.callLater(seconds, pause.callback, None)
        self._pause = pause
        self._linger = timer if lingering else None
        try:
            await pause
        except CancelledError:
            timer.cancel()
        finally:
            self._pause = self._linger = None

    def _failed(self, failure: object) -> None:
        self.log.critical("recorder ended: {failure}", failure=failure)


def _says_why(item: Collected | Transcript) -> bool:
    """Whether it is what stands in the place of something that cannot be recorded."""
    return isinstance(item, Collected) and item.exception is not None and item.exception.kind is ExceptionKind.STORE
