"""Brings what came of watching routers to the store: records of one router joined, one transaction at a time, tried until it succeeds."""

from collections.abc import Callable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from headend.errors import StoreError
from headend.limits import ROUTER_EVENTS_KEPT
from headend.model.endpoint import RouterId
from headend.router_ports import RouterRecord, RouterStore

RETRY_SECONDS = 5.0
"""Wait before a store that fails is tried again."""

WORK_ITEMS_MAX = 100
"""Changes of one router's work items kept while the store fails, the newest."""


class RouterBook:
    """A queue before the store, one place a router. `failures` counts transactions that had to be tried again."""

    log = Logger()

    def __init__(self, store: RouterStore, reactor: IReactorTime) -> None:
        self._store = store
        self._reactor = reactor
        self._waiting: dict[RouterId, RouterRecord] = {}
        self._writing = False
        self._closing = False
        self._retry: tuple[IDelayedCall, Callable[[None], None]] | None = None
        self._settled: list[Deferred[None]] = []
        self.failures = 0

    def put(self, record: RouterRecord) -> None:
        """Record some time soon."""
        self._keep(record)
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write()).addErrback(self._failed)

    def settled(self) -> Deferred[None]:
        """Fires once nothing waits."""
        settled: Deferred[None] = Deferred()
        if self._writing:
            self._settled.append(settled)
        else:
            settled.callback(None)
        return settled

    async def close(self) -> None:
        """Write what waits, if the store takes it."""
        self._closing = True
        if self._retry is not None:
            timer, go_on = self._retry
            timer.cancel()
            go_on(None)
        await self.settled()
        if self._waiting:
            self.log.warn("what came of {count} routers is not recorded", count=len(self._waiting))

    def _keep(self, record: RouterRecord) -> None:
        router_id = record.case.router.router_id
        before = self._waiting.get(router_id)
        self._waiting[router_id] = record if before is None else _joined(before, record)

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                if await self._record(list(batch.values())):
                    continue
                later, self._waiting = self._waiting, batch
                for record in later.values():
                    self._keep(record)
                if self._closing:
                    break
                await self._wait()
        finally:
            self._writing = False
            settled, self._settled = self._settled, []
            for waiter in settled:
                waiter.callback(None)

    async def _record(self, batch: list[RouterRecord]) -> bool:
        """One transaction; False where the store is to be tried again."""
        try:
            await self._store.record_routers(batch)
        except StoreError as error:
            self.failures += 1
            self.log.warn("what came of {count} routers is not recorded yet: {error}", count=len(batch), error=error)
            return False
        except Exception:  # noqa: BLE001  # job ended: one router's record must not cost the others theirs
            self.log.failure("recording {count} routers", count=len(batch))
            if len(batch) > 1:
                for record in batch:
                    if not await self._record([record]):
                        self._keep(record)
        return True

    async def _wait(self) -> None:
        waited: Deferred[None] = Deferred()
        self._retry = (self._reactor.callLater(RETRY_SECONDS, waited.callback, None), waited.callback)
        await waited
        self._retry = None

    def _failed(self, failure: object) -> None:
        self.log.critical("the routers' book ended: {failure}", failure=failure)


def _joined(before: RouterRecord, after: RouterRecord) -> RouterRecord:
    """Both, the later state."""
    return replace(
        after,
        events=(*before.events, *after.events)[-ROUTER_EVENTS_KEPT:],
        finished=(*before.finished, *after.finished)[-WORK_ITEMS_MAX:],
        work_items=(*before.work_items, *after.work_items)[-WORK_ITEMS_MAX:],
    )
