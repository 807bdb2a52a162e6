"""Has meters read whose billing items are not complete: an on-demand read where it could count, and a collection of what was missed."""

from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import NAMESPACE_OID, uuid5

from twisted.logger import Logger

from headend.commands.ordering import order, wanted_of
from headend.deferred_requests import Known
from headend.errors import HeadEndError
from headend.model.billing_export import Wanting
from headend.model.deferred import DeferredKind, DeferredRequest, TargetKey
from headend.model.refusal import Refusal
from headend.model.utility import Utility

EXPIRES_SECONDS = 14_400.0
"""How long an on-demand read is tried, in seconds."""

WHO = "billing"
"""Who asks, among the people who give orders."""


class Reads(Protocol):
    """What is asked of a store."""

    def known_meters(self, wanted: Iterable[tuple[TargetKey, str]]) -> Awaitable[Known]:
        """The endpoints behind names."""

    def accept_deferred(self, request: DeferredRequest) -> Awaitable[tuple[Refusal, ...]]:
        """Store a request with its targets."""

    def schedule(self, due: datetime, collect_from: datetime, meter_nos: Sequence[str] | None = None) -> Awaitable[int]:
        """Make polled endpoints due."""


@dataclass(frozen=True, slots=True)
class BillingReads:
    """Reads meters of one utility."""

    utility: Utility
    store: Reads

    log = Logger()

    async def read(self, wanting: Sequence[Wanting], now: datetime) -> None:
        """See `biller.Reader`: a collection brings self-reads that were missed, a command the register as it is now."""
        try:
            meters = sorted({one.meter_no for one in wanting})
            if meters:
                await self.store.schedule(now, min(one.since for one in wanting) - timedelta(days=3), meters)
            commanded = sorted({one.meter_no for one in wanting if one.may_command})
            if commanded:
                await self._command(commanded, now)
        except HeadEndError as error:
            self.log.warn("meters without a billing read are not asked: {error}", error=error)

    async def _command(self, meter_nos: Sequence[str], now: datetime) -> None:
        targets = wanted_of(meter_nos, None)
        known = await self.store.known_meters({(one.key, one.name) for one in targets})
        # The same meters at the same time are the same order.
        order_id = uuid5(NAMESPACE_OID, f"{now.isoformat()} {' '.join(meter_nos)}").hex
        request, _ = order(DeferredKind.READ, targets, known, self.utility, WHO, order_id, now, EXPIRES_SECONDS, {})
        if request.targets:
            await self.store.accept_deferred(request)
