"""Keeps a utility's database in order: makes room ahead of what comes, counts what is used, purges what is past its time.

One process at a time does it. Purging goes in small steps with pauses in proportion to them, so that whoever collects or asks never waits
for more than one step.
"""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from headend.errors import StoreError
from headend.limits import PURGE_CLAIM_SECONDS, PURGE_STEP_SECONDS, PURGE_WORK_FIRST, PURGE_WORK_MAX
from headend.model.retention import DataClass, Overdue, Retention
from headend.regular_work import Claims
from headend.usage import Accounting, UsageStore

T = TypeVar("T")

LOOK_SECONDS = 3_600.0
"""How often it is looked whether there is something to do."""

PURGE_EVERY = timedelta(hours=24)
"""How often everything is purged: retention counts days."""

ACCOUNT_EVERY = timedelta(minutes=55)
"""How often traffic is counted, a little less than looks are apart: so near to the truth is the day that it is put to."""

PAUSE_PART = 2.0
"""A step is followed by a pause of so many times its own length: purging takes at most a third of the thread that writes."""

PURGE, ACCOUNT = "purge", "account"
"""Names of these works among those that processes claim."""

Position = tuple[int, ...]
"""Where a purge of one class goes on; what it means is the store's. Empty at the beginning."""


@dataclass(frozen=True, slots=True)
class PurgeStep:
    """What one step came to: rows that went, and where to go on, None at the end."""

    rows: int
    position: Position | None


class HousekeepingStore(UsageStore, Claims, Protocol):
    """What housekeeping needs of a store."""

    def release_work(self, owner: str) -> Awaitable[None]:
        """`owner` does none of it any more, done or not."""

    def make_room(self, now: datetime) -> Awaitable[None]:
        """Prepare for the days to come, and note how far changes have been counted today."""

    def purge_step(self, retention: Retention, data_class: DataClass, now: datetime, position: Position, work: int) -> Awaitable[PurgeStep]:
        """Forget some of what is past its time, about `work` rows or fewer, in a transaction of its own."""

    def overdue(self, retention: Retention, now: datetime) -> Awaitable[list[Overdue]]:
        """What purging would forget now."""


class Housekeeping:
    """One utility's housekeeping in one process."""

    log = Logger()

    def __init__(
        self, utility: str, store: HousekeepingStore, reactor: IReactorTime, now: Callable[[], datetime], owner: str, retention: Retention
    ) -> None:
        self._utility = utility
        self._store = store
        self._accounting = Accounting(store)
        self._reactor = reactor
        self._now = now
        self._owner = owner
        self._retention = retention

    async def look(self) -> dict[DataClass, int]:
        """Do what is due, unless another process does; rows forgotten by class. Never raises for a store that cannot answer."""
        try:
            await self._store.make_room(self._now())
            if await self._claim(ACCOUNT, self._now() - ACCOUNT_EVERY):
                await self._done(ACCOUNT, self._accounting.account(self._now()))
            return await self._purge_if_due()
        except StoreError as error:
            self.log.warn("housekeeping of {utility} not done: {error}", utility=self._utility, error=error)
            return {}

    async def purge(self, on_rows: Callable[[DataClass, int], None] = lambda _data_class, _rows: None) -> dict[DataClass, int]:
        """Forget all that is past its time, now; rows forgotten by class. `on_rows` hears of each step. Raises StoreError."""
        forgotten = {}
        for data_class in DataClass:
            rows = await self._purge_class(data_class, on_rows)
            if rows:
                forgotten[data_class] = rows
        return forgotten

    async def _purge_if_due(self) -> dict[DataClass, int]:
        if not await self._claim(PURGE, self._now() - PURGE_EVERY):
            return {}
        forgotten = await self._done(PURGE, self.purge())
        if forgotten:
            rows = ", ".join(f"{count} of {data_class}" for data_class, count in forgotten.items())
            self.log.info("purged of {utility}: {rows}", utility=self._utility, rows=rows)
        return forgotten

    async def _done(self, work: str, doing: Coroutine[Any, Any, T]) -> T:
        """Do what was claimed, and note that it is done."""
        try:
            result = await doing
        except StoreError:
            await self._store.release_work(self._owner)
            raise
        await self._store.finish_work(work, self._owner, self._now())
        return result

    def _claim(self, work: str, done_before: datetime) -> Awaitable[bool]:
        now = self._now()
        return self._store.claim_work(work, self._owner, now, now + timedelta(seconds=PURGE_CLAIM_SECONDS), done_before)

    async def _purge_class(self, data_class: DataClass, on_rows: Callable[[DataClass, int], None]) -> int:
        position: Position | None = ()
        work, rows, claimed_at = PURGE_WORK_FIRST, 0, self._reactor.seconds()
        while position is not None:
            began = self._reactor.seconds()
            step = await self._store.purge_step(self._retention, data_class, self._now(), position, work)
            taken = self._reactor.seconds() - began
            position, rows = step.position, rows + step.rows
            on_rows(data_class, step.rows)
            work = _next_work(work, taken)
            if self._reactor.seconds() - claimed_at > PURGE_CLAIM_SECONDS / 4:
                await self._claim(PURGE, self._now())
                claimed_at = self._reactor.seconds()
            await self._pause(PAUSE_PART * taken)
        return rows

    async def _pause(self, seconds: float) -> None:
        pause: Deferred[None] = Deferred()
        timer = self._reactor.callLater(seconds, pause.callback, None)
        try:
            await pause
        finally:
            if timer.active():
                timer.cancel()


def _next_work(work: int, seconds: float) -> int:
    """How much the next step is to do, after one that took so long."""
    if seconds > PURGE_STEP_SECONDS:
        return max(1, work // 2)
    return min(2 * work, PURGE_WORK_MAX) if seconds < PURGE_STEP_SECONDS / 4 else work
