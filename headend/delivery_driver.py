"""Delivers files: each target's in order and one at a time, again later where that fails; a dead target delays no other."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from headend.delivery import DeliveryPolicy
from headend.errors import StoreError
from headend.limits import DONE_FILES_AT_ONCE
from headend.model.delivery import Delivery, DeliveryError, DeliveryId, DeliveryState, DeliveryStore, FileTarget, TargetUnreachableError

LOOK_SECONDS = 1.0
"""How often it is looked whether there is something to deliver."""

HOLD_SECONDS = 120.0
"""How long a claim lasts, in seconds; it is renewed at a quarter of it. After that another process takes a killed one's file."""


@dataclass(frozen=True, slots=True)
class ServedTarget:
    """A target and how it is tried."""

    target: FileTarget
    policy: DeliveryPolicy = field(default_factory=DeliveryPolicy)


class DeliveryDriver:
    """The deliveries of one utility in one process. Files that every target had for `keep_days` are removed by `remove`."""

    log = Logger()

    def __init__(
        self,
        store: DeliveryStore,
        targets: Mapping[str, ServedTarget],
        now: Callable[[], datetime],
        clock: IReactorTime,
        remove: Callable[[list[Path]], Awaitable[None]],
        keep_days: float = 7.0,
    ) -> None:
        self._store = store
        self._targets = targets
        self._now = now
        self._clock = clock
        self._remove = remove
        self._keep = timedelta(days=keep_days)
        self._busy: dict[str, Deferred[None]] = {}
        self._not_before: dict[str, datetime] = {}
        self._held: dict[DeliveryId, IDelayedCall] = {}
        self._stopping = False

    async def look(self) -> None:
        """Begin what is due, tell of what is late. Never raises for a store that cannot answer: a later look does it."""
        try:
            now = self._now()
            for batch, target in await self._store.alert_late({name: one.policy.ahead for name, one in self._targets.items()}, now):
                self.log.warn("{batch} is not yet at {target}, and its deadline is near or past", batch=batch, target=target)
            for name in await self._store.due_targets(now):
                self._begin(name, now)
            await self._forget(now)
        except StoreError as error:
            self.log.warn("deliveries not looked at: {error}", error=error)

    async def idle(self) -> None:
        """Wait until all that was begun has ended."""
        for serving in list(self._busy.values()):
            ended: Deferred[None] = Deferred()
            serving.chainDeferred(ended)
            await ended

    async def stop(self) -> None:
        """Take up nothing more, and let the files that are on their way arrive or fail."""
        self._stopping = True
        await self.idle()

    def _begin(self, name: str, now: datetime) -> None:
        served = self._targets.get(name)
        if served is None or name in self._busy or self._stopping or now < self._not_before.get(name, now):
            return
        self._busy[name] = Deferred()
        Deferred.fromCoroutine(self._serve(name, served)).addErrback(self._failed, name).addCallback(self._served, name)

    def _served(self, _: object, name: str) -> None:
        self._busy.pop(name).callback(None)

    def _failed(self, failure: Failure, name: str) -> None:
        if failure.check(StoreError):
            self.log.warn("delivering to {target}: {error}", target=name, error=failure.value)
        else:
            self.log.failure("delivering to {target}", failure, target=name)

    async def _serve(self, name: str, served: ServedTarget) -> None:
        """All that is due for a target, until nothing is or nobody is there."""
        while not self._stopping:
            now = self._now()
            delivery = await self._store.claim_delivery(name, now, self._until())
            if delivery is None or not await self._deliver(delivery, served):
                return

    async def _deliver(self, delivery: Delivery, served: ServedTarget) -> bool:
        """Whether the target is there."""
        self._hold_on(delivery)
        try:
            await served.target.deliver(delivery.file, lambda: self._note_sent(delivery))
        except DeliveryError as error:
            return await self._put_off(delivery, served.policy, error)
        finally:
            self._held.pop(delivery.delivery_id).cancel()
        await self._store.mark_delivery(delivery.delivery_id, DeliveryState.VERIFIED, self._now())
        self.log.info("{file} is at {target}", file=delivery.file.name, target=delivery.target)
        return True

    async def _put_off(self, delivery: Delivery, policy: DeliveryPolicy, error: DeliveryError) -> bool:
        now = self._now()
        state, again = policy.after_failure(delivery.tries, delivery.created, now)
        await self._store.mark_delivery(delivery.delivery_id, state, now, reason=str(error), again=again)
        words = {"file": delivery.file.name, "target": delivery.target, "error": str(error), "state": state.value}
        self.log.warn("{file} not delivered to {target}, {state}: {error}", **words)
        if isinstance(error, TargetUnreachableError):
            self._not_before[delivery.target] = again or now + timedelta(seconds=policy.retry_seconds_max)
            return False
        return True

    def _hold_on(self, delivery: Delivery) -> None:
        """Renew a claim again and again, until its timer is cancelled."""

        async def hold() -> None:
            try:
                await self._store.hold_delivery(delivery.delivery_id, self._until())
            except StoreError as error:
                self.log.warn("a claim is not renewed: {error}", error=error)

        def renew() -> None:
            Deferred.fromCoroutine(hold())
            self._hold_on(delivery)

        self._held[delivery.delivery_id] = self._clock.callLater(HOLD_SECONDS / 4, renew)

    async def _note_sent(self, delivery: Delivery) -> None:
        await self._store.mark_delivery(delivery.delivery_id, DeliveryState.SENT, self._now(), again=self._until())

    def _until(self) -> datetime:
        return self._now() + timedelta(seconds=HOLD_SECONDS)

    async def _forget(self, now: datetime) -> None:
        paths = await self._store.done_files(now - self._keep, DONE_FILES_AT_ONCE)
        if paths:
            await self._remove(paths)
            await self._store.forget_files(paths)
