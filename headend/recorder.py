"""Brings what was collected to the store: many endpoints a transaction, one transaction at a time.

While the store fails, what was collected waits; nothing is dropped.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from headend.collection.counters import Counters
from headend.errors import StoreError
from headend.limits import RECORD_BATCH_MAX, UNRECORDED_MAX
from headend.model.collection import Collected
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.ports import CollectionStore

LINGER_SECONDS = 0.05
"""How long a lone item waits for company: a commit costs as much as ten endpoints."""

RETRY_SECONDS = 1.0
RETRY_SECONDS_MAX = 30.0
"""First and longest wait before a store that fails is tried again."""

Waiting = tuple[Collected, Deferred[None] | None]


class Recorder:
    """A queue before the store. `on_recorded` is called after each transaction."""

    log = Logger()

    def __init__(
        self,
        store: CollectionStore,
        reactor: IReactorTime,
        now: Callable[[], datetime],
        counters: Counters,
        on_recorded: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_recorded = on_recorded
        self._store = store
        self._reactor = reactor
        self._now = now
        self._counters = counters
        self._waiting: deque[Waiting] = deque()
        self._in_flight = 0
        self._draining = False
        self._stopping = False
        self._pause: Deferred[None] | None = None
        self._idle: list[Deferred[None]] = []

    @property
    def unrecorded(self) -> int:
        """Items not yet durable."""
        return len(self._waiting) + self._in_flight

    @property
    def full(self) -> bool:
        """Whether no more work should be started."""
        return self.unrecorded >= UNRECORDED_MAX

    def put(self, collected: Collected) -> None:
        """Record some time soon."""
        self._add((collected, None))

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

    async def _drain(self) -> None:
        retry_seconds = RETRY_SECONDS
        try:
            while self._waiting:
                if len(self._waiting) < RECORD_BATCH_MAX:
                    await self._sleep(LINGER_SECONDS)
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
            await self._store.record([collected for collected, _ in batch], self._now())
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
        ((collected, done),) = batch
        if done is not None:
            done.errback(StoreError("it cannot be recorded"))
        if collected.exception is None or collected.exception.kind is not ExceptionKind.STORE:
            now = self._now()
            reason = ExceptionRecord(collected.endpoint_id, ExceptionKind.STORE, now, "what was collected cannot be recorded")
            self._waiting.append((replace(_bare(collected), exception=reason), None))

    async def _sleep(self, seconds: float) -> None:
        if self._stopping:
            return
        pause: Deferred[None] = Deferred()
        timer = self._reactor.callLater(seconds, pause.callback, None)
        self._pause = pause
        try:
            await pause
        except CancelledError:
            timer.cancel()
        finally:
            self._pause = None

    def _failed(self, failure: object) -> None:
        self.log.critical("recorder ended: {failure}", failure=failure)


def _bare(collected: Collected) -> Collected:
    """Who it was and whose lease, and nothing that could be wrong."""
    return Collected(collected.endpoint_id, collected.heard, collected.lease_id)
