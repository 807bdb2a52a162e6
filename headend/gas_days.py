"""Takes gas days at their deadline, closes them, and adjusts closed ones when late data comes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.errors import StoreError
from headend.gas_day import GAS_CHANNELS, GasAdjustment, GasDayRule, GasTake, GasVolume, gas_volume
from headend.limits import METERS_PER_FETCH_MAX
from headend.model.endpoint import EndpointId
from headend.model.readings import IntervalBlock, RegisterRow, day_start
from headend.model.selections import Period, Quantities, quantities
from headend.model.utility import Utility
from headend.reading_queries import Values
from headend.regular_work import Claims, RegularWork

LOOK_SECONDS = 30
"""How often it is looked whether a day is to be taken: a take is at most so late."""

GAS_DAYS = "gas days"
"""The name of this work among those that processes claim."""

CLAIM_SECONDS = 4 * LOOK_SECONDS
"""How long others leave it to the process that looked last."""

CATCH_UP_DAYS = 7
"""Days back that are taken and closed when no process ran."""

ADJUSTED_DAYS = 430
"""Days back that late data still adjusts: as long as data is usually kept."""

WANTED = quantities(registers=GAS_CHANNELS, intervals=GAS_CHANNELS)


@dataclass(frozen=True, slots=True)
class GasMark:
    """How far gas days have been seen to: the last one taken, the last one closed, the last change of data looked at."""

    taken: date
    closed: date
    change_seq: int


@dataclass(frozen=True, slots=True)
class GasChange:
    """Data of a gas endpoint that changed: of UTC days `first` to `last`."""

    endpoint_id: EndpointId
    first: date
    last: date


class GasDays(Claims, Protocol):
    """Gas days of a utility."""

    def gas_mark(self) -> Awaitable[tuple[GasMark | None, int]]:
        """How far they have been seen to, None before the first time; and the present change of data."""

    def keep_gas_mark(self, mark: GasMark) -> Awaitable[None]:
        """So far they have been seen to."""

    def gas_endpoints(self, after: EndpointId, limit: int) -> Awaitable[Sequence[EndpointId]]:
        """Active gas endpoints in order of their numbers."""

    def gas_changes(self, after_seq: int, until_seq: int) -> Awaitable[Sequence[GasChange]]:
        """Of gas endpoints, what changed after one number up to another."""

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Awaitable[Values]:
        """Their values of a period."""

    def take_gas(self, day: date, volumes: Sequence[GasVolume], now: datetime, *, closing: bool) -> Awaitable[int]:
        """Keep what endpoints delivered in a day, see `gas_day.taken`; how many closed ones were adjusted."""

    def gas_takes(self, day: date, after: EndpointId, limit: int) -> Awaitable[Sequence[tuple[str, GasTake]]]:
        """A day's takes with their meter numbers, in order of endpoints."""

    def gas_adjustments(self, day: date) -> Awaitable[Sequence[tuple[str, GasAdjustment]]]:
        """A day's adjustments with their meter numbers, oldest first."""


class GasDayDriver:
    """One utility's gas days. One process a utility sees to them at a time, `owner` is this one."""

    log = Logger()

    def __init__(self, utility: Utility, store: GasDays, now: Callable[[], datetime], rule: GasDayRule, owner: str) -> None:
        self._utility = utility
        self._store = store
        self._now = now
        self._rule = rule
        self._work = RegularWork(store, GAS_DAYS, owner, now, CLAIM_SECONDS)

    async def look(self) -> None:
        """Take, close and adjust what is due. Never raises for a store that cannot answer: a later look does it."""
        try:
            if await self._work.is_ours() and await self._look(self._now()):
                await self._work.is_done()
        except StoreError as error:
            self.log.warn("gas days of {utility} not seen to: {error}", utility=self._utility.utility_id, error=error)

    async def _look(self, now: datetime) -> bool:
        """Whether all was seen to: not where another process has taken over."""
        mark, present_seq = await self._store.gas_mark()
        newest_taken, newest_closed = self._rule.newest_taken(now), self._rule.newest_closed(now)
        before = timedelta(days=1)
        if mark is None:
            mark = GasMark(newest_taken - before, newest_closed - before, present_seq)
        mark = replace(mark, taken=max(mark.taken, newest_taken - CATCH_UP_DAYS * before))
        mark = replace(mark, closed=max(mark.closed, newest_closed - CATCH_UP_DAYS * before))
        while mark.taken < newest_taken:
            mark = replace(mark, taken=mark.taken + before)
            if not await self._take_all(mark.taken, now, closing=False):
                return False
            await self._store.keep_gas_mark(mark)
        while mark.closed < newest_closed:
            mark = replace(mark, closed=mark.closed + before)
            if not await self._take_all(mark.closed, now, closing=True):
                return False
            await self._store.keep_gas_mark(mark)
        if mark.change_seq < present_seq:
            if not await self._adjust(mark, present_seq, now):
                return False
            await self._store.keep_gas_mark(replace(mark, change_seq=present_seq))
        return True

    async def _take_all(self, day: date, now: datetime, *, closing: bool) -> bool:
        """Whether all were: not where another process has taken over."""
        after, count = EndpointId(0), 0
        while endpoint_ids := await self._store.gas_endpoints(after, METERS_PER_FETCH_MAX):
            await self._take(day, endpoint_ids, now, closing=closing)
            after, count = endpoint_ids[-1], count + len(endpoint_ids)
            if not await self._work.lasts():
                return False
        utility, what = self._utility.utility_id, "closed" if closing else "taken"
        self.log.info("gas day {day} of {utility} {what}: {count} endpoints", day=day, utility=utility, what=what, count=count)
        return True

    async def _take(self, day: date, endpoint_ids: Sequence[EndpointId], now: datetime, *, closing: bool) -> int:
        period = self._rule.bounds(day)
        values = await self._store.values_of(endpoint_ids, period, WANTED)
        blocks: dict[int, list[IntervalBlock]] = {}
        registers: dict[int, list[RegisterRow]] = {}
        for block in values.blocks:
            blocks.setdefault(block.endpoint_id, []).append(block)
        for row in values.registers:
            registers.setdefault(row.endpoint_id, []).append(row)
        volumes = [gas_volume(one, period, blocks.get(one, ()), registers.get(one, ())) for one in endpoint_ids]
        return await self._store.take_gas(day, volumes, now, closing=closing)

    async def _adjust(self, mark: GasMark, present_seq: int, now: datetime) -> bool:
        """Closed days whose data changed since the last look; whether all were seen to."""
        changed: dict[date, list[EndpointId]] = {}
        for one in await self._store.gas_changes(mark.change_seq, present_seq):
            # A read at the last day's end belongs to that day, so its next midnight counts too.
            touched = Period(day_start(one.first), day_start(one.last) + timedelta(days=1))
            for day in self._rule.days_of(touched):
                if mark.closed - timedelta(days=ADJUSTED_DAYS) <= day <= mark.closed:
                    changed.setdefault(day, []).append(one.endpoint_id)
        for day, endpoint_ids in sorted(changed.items()):
            ids = sorted(set(endpoint_ids))
            for start in range(0, len(ids), METERS_PER_FETCH_MAX):
                if not await self._work.lasts():
                    return False
                adjusted = await self._take(day, ids[start : start + METERS_PER_FETCH_MAX], now, closing=True)
                if adjusted:
                    self.log.info("gas day {day}: {adjusted} endpoints adjusted by late data", day=day, adjusted=adjusted)
        return True
