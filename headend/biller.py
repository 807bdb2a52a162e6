"""Answers billing requests: batch by batch what is ready, the rest by the deadline, and later what late data changed.

Every item is answered once: in the first response where it is complete at once, in the second when everything is or the deadline is
there. Corrections are further responses that nobody asked for.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from headend.billing_export import Found, MeterReads, Places, answer_item, item_problem, needs_intervals, read_windows, stays_in
from headend.limits import BILLING_ITEMS_PER_STEP
from headend.model.billing_export import (
    Answer,
    BillingItem,
    BillingRequest,
    BillingStore,
    ItemStatus,
    KeptAnswer,
    OpenRequest,
    Recorded,
    ResponseHead,
    Wanting,
)
from headend.model.channels import ChannelId
from headend.model.endpoint import CONFIGURATIONS, EndpointId
from headend.model.partner import MeterScope
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import REGISTERS, Period, Quantities, quantities
from headend.model.utility import Utility
from headend.reading_engine import by_endpoint
from headend.reading_queries import Values

EARLY = timedelta(seconds=60)
"""How long before a deadline the rest is answered: making and delivering the response takes some of it."""

Render = Callable[[Answer], str]
"""An answer as the element of a response."""

Elsewhere = Callable[..., Awaitable[Any]]
"""Calls a function with arguments where it holds nobody up."""


ScopeOf = Callable[[str], MeterScope | None]
"""The meters that a partner knows of, by its user id; None where it knows all."""


def everything(partner: str) -> MeterScope | None:
    """Who asks, knows all meters."""
    return None


class BillingReadings(BillingStore, Protocol):
    """A billing store with readings beside it."""

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Awaitable[Values]:
        """What endpoints read in a period."""


class Reader(Protocol):
    """Has meters read whose items are not complete."""

    async def read(self, wanting: Sequence[Wanting], now: datetime) -> None:
        """Never raises: a meter that cannot be asked stays as it is."""


@dataclass(frozen=True, slots=True)
class Biller:
    """Answers the requests of one utility; `scope_of` says what its partners know of at present."""

    utility: Utility
    store: BillingReadings
    render: Render
    reader: Reader
    elsewhere: Elsewhere
    now: Callable[[], datetime]
    scope_of: ScopeOf = everything

    async def answer(self, request: OpenRequest, number: int, *, final: bool = False) -> ResponseHead | None:
        """Answer the items that are complete, with `final` all that are open; the response, None where nothing was to be said."""
        after = 0
        first = number == 1
        while items := await self.store.open_items(request.request_no, after, BILLING_ITEMS_PER_STEP):
            after = items[-1].position
            answers = await self.answers(items, request.request)
            now = self.now()
            recorded = await self.elsewhere(self._recorded, answers, now, final)
            if first or final:
                await self.reader.read(recorded.wanting, now)
            await self.store.record_answers(request.request_no, number, recorded, now)
        return await self.store.finish_response(request.request_no, number, self.now())

    async def all_complete(self, request: OpenRequest) -> bool:
        """Whether every item that waits could be answered as complete now."""
        after = 0
        while items := await self.store.open_items(request.request_no, after, BILLING_ITEMS_PER_STEP):
            after = items[-1].position
            if any(one.waiting for one in await self.answers(items, request.request)):
                return False
        return True

    async def answers(self, items: Sequence[BillingItem], request: BillingRequest) -> list[Answer]:
        """Answers to items as things are; what the partner does not know of is answered like what does not exist."""
        deadline = request.deadline
        points = sorted({one.service_point for one in items if one.service_point})
        meters = sorted({one.meter for one in items if one.meter and not one.service_point})
        accounts = sorted({one.account for one in items if one.account and not one.service_point and not one.meter})
        places = Places(await self.store.places(points, meters, accounts, self.scope_of(request.partner)))
        now = self.now()
        problems = [item_problem(one, deadline, now) for one in items]
        found = [Found(None, problem) if problem else places.of(one) for one, problem in zip(items, problems, strict=True)]
        reads = await self._reads(items, found)
        answered: list[Answer] = await self.elsewhere(_answered, items, found, reads, deadline, now)
        return answered

    async def corrections(self, request: OpenRequest, told: Mapping[int, str]) -> ResponseHead | None:
        """A response for those items whose answer is another one now; `told` are the last texts by position."""
        corrected = Recorded()
        positions = sorted(told)
        for start in range(0, len(positions), BILLING_ITEMS_PER_STEP):
            chosen = positions[start : start + BILLING_ITEMS_PER_STEP]
            items = await self.store.items_at(request.request_no, chosen)
            answers = await self.answers(items, request.request)
            fresh: Recorded = await self.elsewhere(self._recorded, answers, self.now(), True)
            corrected.answers += [one for one in fresh.answers if one.text != told[one.position]]
            corrected.settled += fresh.settled
        if not corrected.answers:
            return None
        number = max((one.number for one in await self.store.responses(request.request_no)), default=0) + 1
        await self.store.record_answers(request.request_no, max(number, 3), corrected, self.now(), unsolicited=True)
        return await self.store.finish_response(request.request_no, max(number, 3), self.now(), unsolicited=True)

    async def _reads(self, items: Sequence[BillingItem], found: Sequence[Found]) -> dict[EndpointId, MeterReads]:
        """Registers about bill stops and starts, and intervals where they are wanted; few queries where the items are alike."""
        registers: dict[Period, set[EndpointId]] = {}
        intervals: dict[Period, set[EndpointId]] = {}
        channels: set[ChannelId] = set()
        for item, one in zip(items, found, strict=True):
            for stay in stays_in(one.place, item) if one.place is not None and not one.problem else ():
                last, first = read_windows(item, stay)
                for window in (last, first) if item.priors else (last,):
                    registers.setdefault(Period(window.start, window.end), set()).add(stay.meter.endpoint_id)
                if needs_intervals(item, stay):
                    period = Period(max(item.start, stay.started), last.target)
                    intervals.setdefault(period, set()).add(stay.meter.endpoint_id)
                    channels |= REGISTERS.registers
        rows: dict[EndpointId, list[RegisterRow]] = {}
        blocks: dict[EndpointId, list[IntervalBlock]] = {}
        for period, ids in _together(registers):
            values = await self.store.values_of(sorted(ids), period, REGISTERS)
            for endpoint_id, own in by_endpoint(values.registers).items():
                rows.setdefault(endpoint_id, []).extend(own)
        for period, ids in intervals.items():
            for some in _some(sorted(ids), period):
                values = await self.store.values_of(some, period, quantities(intervals=channels))
                for endpoint_id, mine in by_endpoint(values.blocks).items():
                    blocks.setdefault(endpoint_id, []).extend(mine)
        return {one: MeterReads(_once(rows.get(one, [])), blocks.get(one, ())) for one in rows.keys() | blocks.keys()}

    def _recorded(self, answers: Sequence[Answer], now: datetime, final: bool) -> Recorded:
        """What is told now, and what follows from it."""
        recorded = Recorded()
        for answer in answers:
            meters = [one.meter for one in answer.sets]
            if answer.waiting and now >= answer.item.stop:
                recorded.wanting += [
                    Wanting(one.endpoint_id, one.meter_no, answer.reason, answer.item.stop, _may_command(answer, now)) for one in meters
                ]
            elif answer.status is ItemStatus.COMPLETE:
                recorded.settled += [one.meter_no for one in meters]
            if final or not answer.waiting:
                ids = tuple(one.endpoint_id for one in meters)
                item = answer.item
                recorded.answers.append(KeptAnswer(item.position, item.item_id, answer.status, self.render(answer), ids))
        return recorded


def _answered(
    items: Sequence[BillingItem], found: Sequence[Found], reads: Mapping[EndpointId, MeterReads], deadline: datetime, now: datetime
) -> list[Answer]:
    return [answer_item(item, one, reads, deadline, now) for item, one in zip(items, found, strict=True)]


def _may_command(answer: Answer, now: datetime) -> bool:
    """Whether a read taken now could count: within the window. Battery endpoints are asked when they wake."""
    item = answer.item
    polled = all(not CONFIGURATIONS[one.meter.configuration].battery for one in answer.sets)
    return polled and item.stop - item.lag <= now <= item.stop + item.lead


def _together(periods: Mapping[Period, set[EndpointId]]) -> list[tuple[Period, set[EndpointId]]]:
    """Periods with whom they are asked of; where there are many, all as one."""
    if len(periods) <= 4:
        return list(periods.items())
    joined = sorted(periods, key=lambda one: one.start)
    merged: list[tuple[Period, set[EndpointId]]] = []
    for period in joined:
        if merged and period.start <= merged[-1][0].end:
            before, ids = merged[-1]
            merged[-1] = (Period(before.start, max(before.end, period.end)), ids | periods[period])
        else:
            merged.append((period, set(periods[period])))
    return merged


def _some(ids: Sequence[EndpointId], period: Period) -> list[Sequence[EndpointId]]:
    """So many at once that their intervals fit into memory."""
    size = max(1, int(5_000 / (period.days + 1)))
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def _once(rows: list[RegisterRow]) -> list[RegisterRow]:
    """Each read once, although it lies in both windows."""
    return sorted(set(rows))
