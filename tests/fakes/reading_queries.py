"""ReadingQueries in memory: plain lists, sorted on demand; says the same as a store, only slower."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from headend.model.endpoint import MeterEntry
from headend.model.readings import IntervalBlock, IntervalValue, RegisterRead
from headend.ports import MeterReadings, Page, PageEnd, ReadingKey


@dataclass
class MemoryQueries:
    """Endpoints with their reads; `add` them, then ask."""

    entries: dict[str, MeterEntry] = field(default_factory=dict)
    registers: dict[str, list[RegisterRead]] = field(default_factory=dict)
    intervals: dict[str, list[IntervalValue]] = field(default_factory=dict)

    def add(self, entry: MeterEntry, registers: Sequence[RegisterRead] = (), intervals: Sequence[IntervalValue] = ()) -> None:
        meter_no = entry.endpoint.meter_no
        self.entries[meter_no] = entry
        self.registers.setdefault(meter_no, []).extend(registers)
        self.intervals.setdefault(meter_no, []).extend(intervals)

    async def meter(self, meter_no: str) -> MeterEntry | None:
        return self.entries.get(meter_no)

    async def meters(self, after: str | None, limit: int) -> Page[MeterEntry]:
        found = [e for n, e in sorted(self.entries.items()) if e.endpoint.active and (after is None or n > after)]
        return Page(found[:limit], max(0, len(found) - limit))

    async def latest(self, meter_no: str) -> MeterReadings | None:
        return self._latest(meter_no) if meter_no in self.entries else None

    async def readings(self, meter_no: str, start: datetime, end: datetime, limit: int) -> MeterReadings | None:
        if meter_no not in self.entries:
            return None
        registers = self._registers(meter_no, start, end)
        intervals = sorted((i for i in self.intervals[meter_no] if start <= i.end <= end), key=lambda i: (i.end, i.channel_id))
        return MeterReadings(self.entries[meter_no], registers[:limit], intervals[: max(0, limit - len(registers))])

    async def latest_page(self, after: str | None, limit: int) -> Page[MeterReadings]:
        found = [self._latest(n) for n in sorted(self.entries) if self.registers[n] and (after is None or n > after)]
        return Page(found[:limit], max(0, len(found) - limit))

    async def readings_page(
        self, start: datetime, end: datetime, after: ReadingKey | None, limit: int, *, counted: bool = True
    ) -> Page[MeterReadings]:
        keys = sorted({(n, r.instant) for n in self.entries for r in self.registers[n] if start <= r.instant <= end})
        if after is not None:
            keys = [key for key in keys if key > (after.meter_no, after.instant)]
        items = [MeterReadings(self.entries[n], self._registers(n, instant, instant)) for n, instant in keys[:limit]]
        remaining = max(0, len(keys) - limit)
        return Page(items, remaining if counted else min(1, remaining))

    async def readings_page_end(self, start: datetime, end: datetime, after: ReadingKey | None, limit: int) -> PageEnd:
        page = await self.readings_page(start, end, after, limit)
        last = page.items[-1] if page.items else None
        key = ReadingKey(last.entry.endpoint.meter_no, last.registers[-1].instant) if last else None
        return PageEnd(key, len(page.items), page.remaining)

    async def interval_blocks(self, meter_no: str, start: datetime, end: datetime) -> list[IntervalBlock]:
        raise NotImplementedError("blocks are not kept here")

    def retire(self, meter_no: str) -> None:
        entry = self.entries[meter_no]
        self.entries[meter_no] = replace(entry, endpoint=replace(entry.endpoint, active=False))

    def _registers(self, meter_no: str, start: datetime, end: datetime) -> list[RegisterRead]:
        found = (r for r in self.registers[meter_no] if start <= r.instant <= end)
        return sorted(found, key=lambda r: (r.instant, r.channel_id, r.source))

    def _latest(self, meter_no: str) -> MeterReadings:
        newest = max((r.instant for r in self.registers[meter_no]), default=None)
        registers = self._registers(meter_no, newest, newest) if newest else []
        return MeterReadings(self.entries[meter_no], registers)
