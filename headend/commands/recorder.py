"""Brings what became of commands to the store: several a transaction, in order, tried again until the store takes it."""

from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from headend.collection.counters import Counters
from headend.commands.ports import CommandStore
from headend.errors import StoreError
from headend.limits import RECORD_BATCH_MAX
from headend.model.command import CommandUpdate
from headend.model.interval_runs import IntervalRuns

RETRY_SECONDS, RETRY_SECONDS_MAX = 0.5, 10.0
"""First and longest wait before a store that fails is tried again."""

Waiting = tuple[CommandUpdate, Sequence[IntervalRuns], Deferred[bool]]


class CommandRecorder:
    """A queue before the store; while a transaction is under way, what comes waits for the next one together."""

    log = Logger()

    def __init__(self, store: CommandStore, reactor: IReactorTime, now: Callable[[], datetime], counters: Counters) -> None:
        self._store = store
        self._reactor = reactor
        self._now = now
        self._counters = counters
        self._waiting: deque[Waiting] = deque()
        self._draining: Deferred[None] | None = None
        self._stopping = False

    def put(self, update: CommandUpdate, runs: Sequence[IntervalRuns] = ()) -> Deferred[bool]:
        """Record; fires with whether it counted, once that is durable. Never fails; fires not at all where the store never takes it."""
        recorded: Deferred[bool] = Deferred()
        self._waiting.append((update, runs, recorded))
        if self._draining is None:
            self._draining = Deferred()
            Deferred.fromCoroutine(self._drain()).addErrback(self._failed).addCallback(self._drained)
        return recorded

    async def stop(self) -> None:
        """Record what waits, if the store takes it; else leases expire, and others go on."""
        self._stopping = True
        if self._draining is not None:
            ended: Deferred[None] = Deferred()
            self._draining.chainDeferred(ended)
            await ended

    async def _drain(self) -> None:
        retry_seconds = RETRY_SECONDS
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), RECORD_BATCH_MAX))]
            try:
                counted = await self._record(batch)
            except StoreError as error:
                self._counters.store_failures += 1
                self.log.warn("{count} commands not recorded yet: {error}", count=len(batch), error=error)
                self._waiting.extendleft(reversed(batch))
                if self._stopping:
                    return
                await self._sleep(retry_seconds)
                retry_seconds = min(2 * retry_seconds, RETRY_SECONDS_MAX)
                continue
            retry_seconds = RETRY_SECONDS
            for (_, _, recorded), counts in zip(batch, counted, strict=True):
                recorded.callback(counts)

    async def _record(self, batch: Sequence[Waiting]) -> list[bool]:
        runs = [run for _, some, _ in batch for run in some]
        try:
            return await self._store.record_commands([update for update, _, _ in batch], self._now(), runs)
        except StoreError:
            raise
        except Exception:  # noqa: BLE001  # job ended: our mistake with one command must not cost the others theirs
            self.log.failure("recording {count} commands", count=len(batch))
            if len(batch) == 1:
                return [False]
            return [(await self._record([one]))[0] for one in batch]

    async def _sleep(self, seconds: float) -> None:
        slept: Deferred[None] = Deferred()
        self._reactor.callLater(seconds, slept.callback, None)
        await slept

    def _failed(self, failure: object) -> None:
        self.log.critical("recorder of commands ended: {failure}", failure=failure)

    def _drained(self, _: object) -> None:
        draining, self._draining = self._draining, None
        if draining is not None:
            draining.callback(None)
