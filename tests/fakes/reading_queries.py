"""ReadingQueries and EventQueries in memory: plain lists, sorted on demand; says the same as a store, only slower."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from headend.event_queries import EventRow, MeterLog
from headend.model.billing import MeterTerm
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId, MeterEntry
from headend.model.events import DeviceEvent
from headend.model.instants import to_us
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import IntervalBlock, RegisterRead, RegisterRow, day_start
from headend.model.selections import Cycle, Fleet, MeterSet, Period, Quantities
from headend.ports import Page
from headend.reading_queries import ListedRow, MeterPage, Position, RegisterPage, Values

Channels = Collection[ChannelId] | None


@dataclass
class MemoryQueries:
    """Endpoints with their reads; `add` them, then ask."""

    entries: dict[str, MeterEntry] = field(default_factory=dict)
    registers: dict[str, list[RegisterRead]] = field(default_factory=dict)
    blocks: dict[str, list[IntervalBlock]] = field(default_factory=dict)
    events: dict[str, list[DeviceEvent]] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)

    def add(
        self,
        entry: MeterEntry,
        registers: Sequence[RegisterRead] = (),
        blocks: Sequence[IntervalBlock] = (),
        events: Sequence[DeviceEvent] = (),
    ) -> None:
        meter_no = entry.endpoint.meter_no
        self.entries[meter_no] = entry
        self.registers.setdefault(meter_no, []).extend(registers)
        self.blocks.setdefault(meter_no, []).extend(blocks)
        self.events.setdefault(meter_no, []).extend(events)

    def retire(self, meter_no: str) -> None:
        entry = self.entries[meter_no]
        self.entries[meter_no] = replace(entry, endpoint=replace(entry.endpoint, active=False))

    async def meter(self, meter_no: str) -> MeterEntry | None:
        return self.entries.get(meter_no)

    async def meters(self, after: str | None, limit: int) -> Page[MeterEntry]:
        found = [e for n, e in sorted(self.entries.items()) if e.endpoint.active and (after is None or n > after)]
        return Page(found[:limit], max(0, len(found) - limit))

    async def meters_named(self, identifier: MeterIdentifier, names: Collection[str]) -> list[Meter]:
        if identifier is MeterIdentifier.METER_NO:
            return sorted(self._meter(meter_no) for meter_no in names if meter_no in self.entries)
        return [meter for meter in self._meters() if meter.called(identifier) in names]

    async def meter_page(self, meter_set: MeterSet, after: EndpointId, limit: int) -> MeterPage:
        found = [meter for meter in self._in(meter_set) if meter.endpoint_id > after]
        return MeterPage(found[:limit][-1] if found[:limit] else None, max(0, len(found) - limit))

    async def meters_in(self, meter_set: MeterSet, after: EndpointId, last: EndpointId, limit: int) -> list[Meter]:
        return [meter for meter in self._in(meter_set) if after < meter.endpoint_id <= last][:limit]

    async def terms(
        self, bill_cycle: str, installed: Period, endpoint_ids: Sequence[EndpointId]
    ) -> list[tuple[EndpointId, MeterTerm]]:
        return []

    async def knows_bill_cycle(self, bill_cycle: str) -> bool:
        return any(e.service_point is not None and e.service_point.bill_cycle == bill_cycle for e in self.entries.values())

    async def register_page(self, period: Period, channels: Channels, after: Position | None, limit: int) -> RegisterPage:
        rows = self._listed(period, channels, after)
        return self._page(sorted({row[:2] for row in rows}), limit)

    async def register_rows(
        self, period: Period, channels: Channels, after: Position | None, last: Position, limit: int
    ) -> list[ListedRow]:
        rows = [row for row in self._listed(period, channels, after) if row[:2] <= last]
        ends = [i for i in range(1, len(rows) + 1) if i == len(rows) or rows[i - 1][:2] != rows[i][:2]]
        return rows[: next((end for end in ends if end >= limit), len(rows))]

    async def latest_page(self, after: EndpointId, limit: int) -> RegisterPage:
        return self._page([key for key in self._newest() if key[0] > after], limit)

    async def latest_rows(self, after: EndpointId, last: EndpointId, limit: int) -> list[ListedRow]:
        keys = [key for key in self._newest() if after < key[0] <= last][:limit]
        return [row for row in self._all_rows() if row[:2] in keys]

    async def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Values:
        registers = [
            RegisterRow(*row[:7])
            for row in self._all_rows()
            if row[0] in endpoint_ids and row[2] in wanted.registers and _inside(row[1], period)
        ]
        blocks = [b for b in self._blocks(endpoint_ids, wanted) if _touches(b, period)]
        return Values(registers, blocks)

    async def latest_of(self, meters: Sequence[Meter], wanted: Quantities, period: Period | None, now: datetime) -> Values:
        registers: list[RegisterRow] = []
        for meter in meters:
            rows = [RegisterRow(*row[:7]) for row in self._rows(meter.meter_no)]
            if period is not None:
                rows = [row for row in rows if _inside(row.instant_us, period) and row.channel_id in wanted.registers]
            newest = max((row.instant_us for row in rows), default=0)
            registers += [row for row in rows if row.instant_us == newest and row.channel_id in wanted.registers]
        newest_blocks: dict[Any, IntervalBlock] = {}
        for block in self._blocks([meter.endpoint_id for meter in meters], wanted):
            if period is None or _touches(block, period):
                newest_blocks[block.endpoint_id, block.channel_id] = block
        return Values(registers, list(newest_blocks.values()))

    async def newest_registers(self, identifier: MeterIdentifier, name: str) -> list[tuple[Meter, list[RegisterRow]]]:
        found = []
        for meter in await self.meters_named(identifier, [name]):
            rows = [RegisterRow(*row[:7]) for row in self._rows(meter.meter_no)]
            found.append((meter, [row for row in rows if row.instant_us == meter.newest_us]))
        return found

    async def interval_blocks(self, meter_no: str, start: datetime, end: datetime) -> list[IntervalBlock]:
        return [block for block in self.blocks.get(meter_no, ()) if _touches(block, Period(start, end))]

    async def group_members(self, group_id: str) -> Sequence[str] | None:
        return self.groups.get(group_id)

    async def log_page(self, period: Period, codes: Collection[int] | None, after: EndpointId, limit: int) -> MeterPage:
        found = [log.meter for log in self._logs(period, codes, 1) if log.meter.endpoint_id > after]
        return MeterPage(found[:limit][-1] if found[:limit] else None, max(0, len(found) - limit))

    async def logs(
        self, period: Period, codes: Collection[int] | None, after: EndpointId, last: EndpointId, limit: int
    ) -> list[MeterLog]:
        return [log for log in self._logs(period, codes, limit) if after < log.meter.endpoint_id <= last]

    async def log_of(self, meter: Meter, period: Period, codes: Collection[int] | None, limit: int) -> MeterLog:
        found = [log for log in self._logs(period, codes, limit) if log.meter.endpoint_id == meter.endpoint_id]
        return found[0] if found else MeterLog(meter, [], False)

    def _meters(self) -> list[Meter]:
        return sorted(self._meter(meter_no) for meter_no in self.entries)

    def _meter(self, meter_no: str) -> Meter:
        e = self.entries[meter_no].endpoint
        newest = max((read.instant for read in self.registers[meter_no]), default=None)
        return Meter(
            e.endpoint_id, meter_no, e.serial_no, e.ap_title, e.configuration, e.active, None if newest is None else to_us(newest)
        )

    def _in(self, meter_set: MeterSet) -> list[Meter]:
        match meter_set:
            case Fleet(commodities, since):
                return [
                    meter
                    for meter in self._meters()
                    if meter.commodity in commodities
                    and (meter.active or (since is not None and (meter.newest_us or 0) >= to_us(since)))
                ]
            case Cycle(bill_cycle, _):
                points = {n: entry.service_point for n, entry in self.entries.items()}
                return [m for m in self._meters() if (point := points[m.meter_no]) is not None and point.bill_cycle == bill_cycle]

    def _all_rows(self) -> list[ListedRow]:
        return sorted(row for meter_no in self.entries for row in self._rows(meter_no))

    def _rows(self, meter_no: str) -> list[ListedRow]:
        e = self.entries[meter_no].endpoint
        names = (meter_no, e.serial_no, e.ap_title, e.configuration)
        return sorted(
            (e.endpoint_id, to_us(r.instant), r.channel_id, r.source.value, r.exponent, r.flags, r.value, *names)
            for r in self.registers[meter_no]
        )

    def _listed(self, period: Period, channels: Channels, after: Position | None) -> list[ListedRow]:
        begin = after or Position(EndpointId(0), 0)
        return [
            row
            for row in self._all_rows()
            if _inside(row[1], period) and row[:2] > begin and (channels is None or row[2] in channels)
        ]

    def _newest(self) -> list[tuple[int, int]]:
        newest: dict[int, int] = {}
        for row in self._all_rows():
            newest[row[0]] = row[1]
        return sorted(newest.items())

    def _page(self, keys: Sequence[tuple[int, int]], limit: int) -> RegisterPage:
        if not keys[:limit]:
            return RegisterPage(None, "", len(keys))
        last = Position(EndpointId(keys[:limit][-1][0]), keys[:limit][-1][1])
        (meter_no,) = [n for n, entry in self.entries.items() if entry.endpoint.endpoint_id == last.endpoint_id]
        return RegisterPage(last, meter_no, max(0, len(keys) - limit))

    def _blocks(self, endpoint_ids: Iterable[EndpointId], wanted: Quantities) -> list[IntervalBlock]:
        found = [block for blocks in self.blocks.values() for block in blocks if block.endpoint_id in set(endpoint_ids)]
        found = [b for b in found if b.channel_id in wanted.intervals and wanted.interval_seconds in {None, b.interval_seconds}]
        return sorted(found, key=lambda b: (b.endpoint_id, b.channel_id, b.day, b.interval_seconds))

    def _logs(self, period: Period, codes: Collection[int] | None, limit: int) -> list[MeterLog]:
        logs = []
        for meter in self._meters():
            rows = sorted(
                EventRow(meter.endpoint_id, to_us(e.occurred), e.code, e.sequence, e.argument)
                for e in self.events[meter.meter_no]
                if _inside(to_us(e.occurred), period) and (codes is None or e.code in codes)
            )
            if rows:
                logs.append(MeterLog(meter, rows[:limit], len(rows) > limit))
        return logs


def _inside(us: int, period: Period) -> bool:
    return to_us(period.start) <= us <= to_us(period.end)


def _touches(block: IntervalBlock, period: Period) -> bool:
    begin = day_start(block.day)
    return begin < period.end and period.start < begin + timedelta(days=1)
