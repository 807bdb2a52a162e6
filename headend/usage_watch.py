"""Looks at registers of meters that partners have watched: usage where none is expected, values that are reached. Each becomes an event.

One process a utility does so at a time, a page of meters at a time. The same read found again is the same event.
"""

import hashlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

from twisted.logger import Logger

from headend.errors import StoreError
from headend.event_catalogue import THRESHOLD_REACHED, USAGE_SEEN
from headend.limits import METERS_PER_FETCH_MAX
from headend.model.channels import CHANNELS, Unit
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, EventPath
from headend.model.instants import from_us, to_us
from headend.model.quality import DOUBTFUL, WORTHLESS
from headend.model.readings import RegisterRow
from headend.model.selections import Period, Quantities, quantities
from headend.model.watched_use import USE_CHANNELS, WATCHED_CODES, WatchedUse, whose
from headend.monitoring import Monitoring, MonitoringKind
from headend.reading_queries import Values
from headend.regular_work import Claims, RegularWork

USE_SECONDS = 60.0
"""How often it is looked what was read at watched meters."""

CLAIM_SECONDS = 5 * USE_SECONDS

LOOK_BACK = timedelta(days=4)
"""How far back reads are looked at: what is retried for three days has come by then."""


class WatchedStore(Claims, Protocol):
    """What is asked of a store. Its errors are StoreErrors."""

    def watched_meters(
        self, kinds: Sequence[MonitoringKind], at: datetime, after: EndpointId, limit: int
    ) -> Awaitable[Mapping[EndpointId, Sequence[Monitoring]]]:
        """What is watched at an instant at some meters, in order of id, from the one after `after`."""

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Awaitable[Values]:
        """Their values of a period."""

    def keep_found(self, events: Sequence[DeviceEvent], now: datetime) -> Awaitable[int]:
        """Store events that are not stored yet; how many those are."""


def found_at(monitoring: Monitoring, endpoint_id: EndpointId, registers: Iterable[RegisterRow]) -> list[DeviceEvent]:
    """Events of one thing watched at one meter, by its reads of some days: usage since it is watched, the value reached since then.

    A threshold's details say its `value`, of energy in Wh × 10^-`power`, and the `channel_id` where it is of only one of `USE_CHANNELS`.
    """
    by_channel: dict[int, dict[int, RegisterRow]] = {}
    for row in registers:
        if row.channel_id in USE_CHANNELS and not row.flags & (WORTHLESS | DOUBTFUL):
            by_channel.setdefault(row.channel_id, {}).setdefault(row.instant_us, row)
    events = []
    for rows in by_channel.values():
        for before, row in pairwise(sorted(rows.values(), key=lambda one: one.instant_us)):
            if before.exponent == row.exponent and _is_worth_telling(monitoring, before, row):
                events.append(_event(monitoring, endpoint_id, before, row))
    return events


def _is_worth_telling(monitoring: Monitoring, before: RegisterRow, row: RegisterRow) -> bool:
    starts_us = to_us(monitoring.starts)
    if monitoring.kind is MonitoringKind.USAGE:
        return before.instant_us >= starts_us and row.value > before.value
    details = monitoring.details
    if details.get("channel_id", row.channel_id) != row.channel_id:
        return False
    power = row.exponent + (details.get("power", 0) if CHANNELS[row.channel_id].unit is Unit.WATT_HOUR else 0)
    value = Decimal(details["value"])
    return row.instant_us >= starts_us and Decimal(before.value).scaleb(power) < value <= Decimal(row.value).scaleb(power)


def _event(monitoring: Monitoring, endpoint_id: EndpointId, before: RegisterRow, row: RegisterRow) -> DeviceEvent:
    code = USAGE_SEEN if monitoring.kind is MonitoringKind.USAGE else THRESHOLD_REACHED
    use = WatchedUse(
        whose(monitoring.partner), monitoring.item_id, row.channel_id, row.exponent, row.flags, row.value, row.value - before.value
    )
    name = f"{monitoring.partner}\n{monitoring.item_id}\n{row.channel_id}".encode()
    sequence = int.from_bytes(hashlib.sha256(name).digest()[:4]) & 0x7FFFFFFF
    return DeviceEvent(endpoint_id, code, from_us(row.instant_us), sequence, use.pack(), EventPath.FOUND)


class UsageWatch:
    """One utility's meters, as one process looks at them."""

    log = Logger()

    def __init__(self, store: WatchedStore, now: Callable[[], datetime], owner: str) -> None:
        self._store = store
        self._now = now
        self._work = RegularWork(store, "usage watch", owner, now, CLAIM_SECONDS)

    async def look(self) -> int:
        """Look at what was read; how many events are new. Never raises for a store that cannot answer: the next look finds the same."""
        found = 0
        try:
            if await self._work.is_ours():
                found = await self._look()
                await self._work.is_done()
        except StoreError as error:
            self.log.warn("watched meters not looked at: {error}", error=error)
        return found

    async def _look(self) -> int:
        now, after, found = self._now(), EndpointId(0), 0
        kinds, wanted = list(WATCHED_CODES.values()), quantities(registers=USE_CHANNELS)
        period = Period(now - LOOK_BACK, now)
        while watched := await self._store.watched_meters(kinds, now, after, METERS_PER_FETCH_MAX):
            registers: dict[int, list[RegisterRow]] = defaultdict(list)
            for row in (await self._store.values_of(list(watched), period, wanted)).registers:
                registers[row.endpoint_id].append(row)
            events = [
                event
                for endpoint_id, monitorings in watched.items()
                for one in monitorings
                for event in found_at(one, endpoint_id, registers[endpoint_id])
            ]
            found += await self._store.keep_found(events, now) if events else 0
            after = max(watched)
            if len(watched) < METERS_PER_FETCH_MAX or not await self._work.lasts():
                break
        return found
