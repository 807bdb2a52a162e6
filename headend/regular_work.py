"""Regular work of a utility that one process at a time does: claimed, claimed anew while it lasts, others' once that process is gone."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol


class Claims(Protocol):
    """Where processes claim work."""

    def claim_work(self, work: str, owner: str, now: datetime, until: datetime, done_before: datetime) -> Awaitable[bool]:
        """Whether `owner` may do some regular work until `until`: nobody else has it, and it was last done before `done_before`."""

    def finish_work(self, work: str, owner: str, done: datetime, *, keep: bool = False) -> Awaitable[None]:
        """`owner` did it; `keep`: what follows of it is still its own, for as long as it was claimed."""


class RegularWork:
    """One process's turns at one kind of work. The process that had the last turn keeps it for `seconds`, and has the next one too."""

    def __init__(self, store: Claims, work: str, owner: str, now: Callable[[], datetime], seconds: float) -> None:
        self._store = store
        self._work = work
        self._owner = owner
        self._now = now
        self._claim = timedelta(seconds=seconds)
        self._claimed: datetime | None = None

    async def is_ours(self) -> bool:
        """Whether this process is to begin a turn. Raises StoreError."""
        now = self._now()
        ours = await self._store.claim_work(self._work, self._owner, now, now + self._claim, now)
        self._claimed = now if ours else None
        return ours

    async def is_done(self) -> None:
        """The turn has come to its end. Raises StoreError."""
        await self._store.finish_work(self._work, self._owner, self._now(), keep=True)

    async def lasts(self) -> bool:
        """Whether the turn may go on: asked often, it claims anew when a quarter of its time is over. Raises StoreError."""
        if self._claimed is not None and self._now() - self._claimed < self._claim / 4:
            return True
        return await self.is_ours()
