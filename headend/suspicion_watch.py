"""Looks for theft in what is stored: at events as they come, at each local day once it is over; what is found becomes work items.

One process a utility does so at a time. Meters are taken a page at a time, so that memory stays small.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from twisted.logger import Logger

from headend.errors import StoreError
from headend.limits import METERS_PER_FETCH_MAX, SUSPECT_EVENTS_PER_LOOK
from headend.model.endpoint import EndpointId
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import Period, quantities
from headend.model.utility import Utility
from headend.reading_queries import Values
from headend.regular_work import RegularWork
from headend.suspicion import (
    DELIVERED,
    MEASURES_FEEDING_IN,
    RECEIVED,
    VOLTAGES,
    Suspect,
    Suspicion,
    SuspicionPolicy,
    of_event,
    of_feeding_in,
    of_no_use,
    of_open_switch,
)
from headend.suspicion_ports import SuspicionStore

SUSPICION = "suspicion"
"""The name of this work among those that processes claim."""

LOOK_SECONDS = 300.0
"""How often events are looked at, and whether a day is over."""

CLAIM_SECONDS = 4 * LOOK_SECONDS

DAYS_LATER = 2
"""A day is looked at so many days after its beginning: late pushes and retries have had their time."""

OPEN_DAYS_MAX = 60
"""How far back it is looked what passed an open switch."""

Page = Callable[[EndpointId], Awaitable[Sequence[Suspect]]]
Judge = Callable[[Suspect, list[RegisterRow], list[IntervalBlock]], Suspicion | None]


class SuspicionWatch:
    """One utility's meters."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: SuspicionStore, now: Callable[[], datetime], owner: str, policy: SuspicionPolicy
    ) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._work = RegularWork(store, SUSPICION, owner, now, CLAIM_SECONDS)
        self._policy = policy

    async def look(self) -> int:
        """Look at what is new; how many suspicions are. Never raises for a store that cannot answer: the next look finds the same."""
        now, found = self._now(), 0
        try:
            if await self._work.is_ours():
                found = await self._look_at_events(now) + await self._look_at_day(now)
                await self._work.is_done()
        except StoreError as error:
            self.log.warn("{utility} not looked at for theft: {error}", utility=self._utility.utility_id, error=error)
        if found:
            self.log.info("{found} new suspicions of theft at {utility}", found=found, utility=self._utility.utility_id)
        return found

    async def _look_at_events(self, now: datetime) -> int:
        found = 0
        while events := await self._store.suspect_events(SUSPECT_EVENTS_PER_LOOK):
            judged = (of_event(event, self._utility.events) for event in events)
            suspicions = [suspicion for suspicion in judged if suspicion is not None]
            found += await self._store.keep_suspicions(suspicions, now, events=events)
        return found

    async def _look_at_day(self, now: datetime) -> int:
        """Only at the newest that is over: what lasts lasts still, and a day that nobody looked at is past."""
        day = self._utility.local_day(now) - timedelta(days=DAYS_LATER)
        until = await self._store.suspected_until()
        if until is not None and until >= day:
            return 0
        start, end = self._utility.day_bounds(day)
        found = await self._look_for_no_use(end, now)
        found += await self._look_at_open_switches(end, now)
        found += await self._look_for_feeding_in(Period(start, end), now)
        if not await self._work.lasts():
            return found
        return found + await self._store.keep_suspicions([], now, day=day)

    async def _look_for_no_use(self, end: datetime, now: datetime) -> int:
        days, most = self._policy.no_use_days, self._policy.no_use_wh
        if not days:
            return 0
        first = self._utility.local_day(end) - timedelta(days=days)
        period = Period(self._utility.day_bounds(first)[0], end)
        wanted = quantities(registers=[DELIVERED], intervals=VOLTAGES)
        return await self._look_at_pages(
            lambda after: self._store.unused_meters(period, most, after, METERS_PER_FETCH_MAX),
            lambda ids: self._store.values_of(ids, period, wanted),
            lambda suspect, registers, blocks: of_no_use(suspect, registers, blocks, self._policy),
            now,
        )

    async def _look_at_open_switches(self, end: datetime, now: datetime) -> int:
        period = Period(end - timedelta(days=OPEN_DAYS_MAX), end)
        return await self._look_at_pages(
            lambda after: self._store.open_switches(after, METERS_PER_FETCH_MAX),
            lambda ids: self._store.values_of(ids, period, quantities(registers=[DELIVERED])),
            lambda suspect, registers, _blocks: of_open_switch(suspect, registers, self._policy),
            now,
        )

    async def _look_for_feeding_in(self, period: Period, now: datetime) -> int:
        return await self._look_at_pages(
            lambda after: self._store.meters_configured(MEASURES_FEEDING_IN, after, METERS_PER_FETCH_MAX),
            lambda ids: self._store.values_of(ids, period, quantities(intervals=[RECEIVED])),
            lambda suspect, _registers, blocks: of_feeding_in(suspect, blocks, period.start, self._policy),
            now,
        )

    async def _look_at_pages(
        self, page: Page, values_of: Callable[[Sequence[EndpointId]], Awaitable[Values]], judge: Judge, now: datetime
    ) -> int:
        found, after = 0, EndpointId(0)
        while (suspects := await page(after)) and await self._work.lasts():
            after = suspects[-1].endpoint_id
            values = await values_of([suspect.endpoint_id for suspect in suspects])
            registers: dict[int, list[RegisterRow]] = defaultdict(list)
            blocks: dict[int, list[IntervalBlock]] = defaultdict(list)
            for row in values.registers:
                registers[row.endpoint_id].append(row)
            for block in values.blocks:
                blocks[block.endpoint_id].append(block)
            judged = [judge(one, registers[one.endpoint_id], blocks[one.endpoint_id]) for one in suspects]
            suspicions = [suspicion for suspicion in judged if suspicion is not None]
            if suspicions:
                found += await self._store.keep_suspicions(suspicions, now)
        return found
