"""Sees to billing requests that are open: the rest at the deadline, or as soon as all is there; later what late data changed."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.biller import EARLY, Biller
from headend.billing_requests import BillingPolicy
from headend.errors import HeadEndError
from headend.model.billing_export import BillingStore, OpenRequest, RequestNo, ResponseHead
from headend.regular_work import Claims, RegularWork

LOOK_SECONDS = 5
"""How often it is looked; less than the rest of a deadline for which answers are made early."""

ABANDONED = timedelta(minutes=15)
"""After how long a request that nobody answers is taken to be one whose process was killed."""

CLAIM_SECONDS = 300.0
"""After how long another process sees to them, in seconds, when this one is gone."""

Tell = Callable[[ResponseHead], Awaitable[None]]
"""Has a response delivered."""


class DrivenStore(BillingStore, Claims, Protocol):
    """What the driver needs of a store."""


class BillingDriver:
    """The open requests of one utility in one process."""

    log = Logger()

    def __init__(self, store: DrivenStore, biller: Biller, policy: BillingPolicy, tell: Tell, owner: str) -> None:
        self._store = store
        self._biller = biller
        self._policy = policy
        self._tell = tell
        self._turn = RegularWork(store, "billing", owner, biller.now, CLAIM_SECONDS)
        self._looked_at: int | None = None

    async def look(self) -> None:
        """Do what is due. Never raises for what cannot be done now: a later look does it."""
        try:
            if await self._turn.is_ours():
                await self._look()
        except HeadEndError as error:
            self.log.warn("billing requests not seen to: {error}", error=error)

    async def _look(self) -> None:
        seen, present = await self._store.billing_mark()
        is_fresh = present != self._looked_at
        for request in await self._store.open_requests():
            await self._see_to(request, is_fresh=is_fresh)
            await self._turn.lasts()
        self._looked_at = present
        await self._correct(seen, present)

    async def _see_to(self, request: OpenRequest, *, is_fresh: bool) -> None:
        now, deadline = self._biller.now(), request.request.deadline
        if await self._store.response(request.request_no, 1) is None:
            if now - request.request.received < ABANDONED and now < deadline - EARLY:
                return
            await self._said(await self._biller.answer(request, 1))
        if now >= deadline - EARLY or (is_fresh and await self._biller.all_complete(request)):
            await self._said(await self._biller.answer(request, 2, final=True))

    async def _correct(self, seen: int, present: int) -> None:
        """Answers of late whose meters' data changed since they were looked at last."""
        if seen < present:
            since = self._biller.now() - timedelta(days=self._policy.correct_days)
            told: dict[RequestNo, dict[int, str]] = {}
            for request_no, position, text in await self._store.stale_answers(seen, present, since):
                told.setdefault(request_no, {})[position] = text
            for request_no, texts in told.items():
                request = await self._store.request_numbered(request_no)
                if request is not None:
                    await self._said(await self._biller.corrections(request, texts))
        await self._store.keep_billing_mark(present)

    async def _said(self, head: ResponseHead | None) -> None:
        if head is None:
            return
        words = {"request": head.request.request.request_id, "number": head.number, "items": sum(head.counts.values())}
        self.log.info("billing request {request}: response {number} with {items} items", **words)
        await self._tell(head)
