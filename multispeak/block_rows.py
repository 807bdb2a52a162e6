"""What meters read → rows of a formattedBlock. Pure.

One row has one cell a column; what is not there is an empty cell, and why a meter has nothing stands in its last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from headend.interval_series import IntervalSeries
from headend.model.billing import BillingRead, NoRead, PeakDemand
from headend.model.channels import ChannelId
from headend.model.partner import EnergyUnit, MeterIdentifier
from headend.model.quality import NOT_COLLECTED
from headend.model.readings import RegisterRow
from headend.model.utility import Utility
from headend.reading_engine import MeterValues
from multispeak.block_layouts import Channels, ColumnKind, Layout
from multispeak.field_names import FIELD_NAMES, decimal_text
from multispeak.mapping import first_sources, local_time, local_time_of_us, status_text

Cells = list[str]

_VALUE_KINDS = {ColumnKind.REGISTER: False, ColumnKind.INTERVAL: True}
_TIME_KINDS = {ColumnKind.REGISTER_TIME: False, ColumnKind.INTERVAL_TIME: True}


class _Place(NamedTuple):
    """Where a value and its instant stand; -1 for nowhere."""

    value: int
    time: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one meter; `channels` is None where they hold no value; `failed` where one is told to be lacking."""

    cells: list[Cells]
    channels: Channels | None
    failed: bool


class RowMaker:
    """Makes rows of one layout for one partner."""

    def __init__(self, layout: Layout, utility: Utility, energy_unit: EnergyUnit, identifier: MeterIdentifier) -> None:
        self._layout = layout
        self._zone: ZoneInfo = utility.time_zone
        self._names = FIELD_NAMES[energy_unit]
        self._energy_unit = energy_unit
        self._identifier = identifier
        self._width = len(layout.columns)
        self._registers, self._intervals = _places(layout, intervals=False), _places(layout, intervals=True)
        self._row_time = _only(layout, ColumnKind.ROW_TIME)
        self._status = _only(layout, ColumnKind.STATUS)
        self._error = _only(layout, ColumnKind.ERROR)
        self._peak = _Place(_only(layout, ColumnKind.PEAK), _only(layout, ColumnKind.PEAK_TIME))
        self._ambiguous = tuple(len(column.channels) > 1 for column in layout.columns)

    def rows(self, values: MeterValues) -> Rows:
        """All rows of one meter: at least one."""
        if values.billing:
            cells = [self._billing_row(values, read) for read in values.billing]
            failed = any(read.none is not None for read in values.billing)
            registers: Sequence[RegisterRow] = [row for read in values.billing for row in read.registers]
            return Rows(cells, self._chosen(registers, ()) if registers else None, failed)
        cells = self._by_instant(values) if self._layout.by_instant else self._by_meter(values)
        if not cells:
            return self.failure(values, values.problem or "nothing is known of what was asked for")
        return Rows(cells, self._chosen(values.registers, values.series), failed=False)

    def failure(self, values: MeterValues, reason: str) -> Rows:
        """The row of a meter that is told without values."""
        row = self._empty(values)
        row[self._error] = reason
        return Rows([row], None, failed=True)

    def _empty(self, values: MeterValues) -> Cells:
        cells = [""] * self._width
        cells[0] = values.target.called(self._identifier)
        cells[1] = values.meter.serial_no if values.meter else ""
        return cells

    def _by_instant(self, values: MeterValues) -> list[Cells]:
        empty = self._empty(values)
        rows: dict[int, Cells] = {}
        statuses: dict[int, int] = {}
        for read in first_sources(values.registers):
            if read.channel_id in self._registers:
                row = rows.setdefault(read.instant_us, empty.copy())
                row[self._registers[read.channel_id].value] = self._names[read.channel_id].text(read.value, read.exponent)
                statuses[read.instant_us] = statuses.get(read.instant_us, 0) | read.flags
        for series in values.series:
            if series.channel_id in self._intervals:
                self._add_series(series, self._intervals[series.channel_id].value, rows, statuses, empty)
        for us, row in rows.items():
            row[self._row_time] = local_time_of_us(us, self._zone)
            if statuses[us]:
                row[self._status] = status_text(statuses[us], " ")
        return [rows[us] for us in sorted(rows)]

    def _add_series(
        self, series: IntervalSeries, place: int, rows: dict[int, Cells], statuses: dict[int, int], empty: Cells
    ) -> None:
        text = self._text_of(series.channel_id, series.exponent)
        for i, (value, flags) in enumerate(zip(series.values, series.flags, strict=True)):
            us = series.end_us(series.first + i)
            row = rows.get(us)
            if row is None:
                row = rows[us] = empty.copy()
                statuses[us] = 0
            if value is not None:
                row[place] = text(value)
            statuses[us] |= flags or (NOT_COLLECTED if value is None else 0)

    def _by_meter(self, values: MeterValues) -> list[Cells]:
        row, newest, status = self._empty(values), 0, 0
        for read in first_sources(values.registers):
            if read.channel_id in self._registers:
                self._put(row, self._registers[read.channel_id], read.channel_id, read.value, read.exponent, read.instant_us)
                newest, status = max(newest, read.instant_us), status | read.flags
        for series in values.series:
            if series.channel_id in self._intervals and (value := series.values[-1]) is not None:
                end_us = series.end_us(series.last)
                self._put(row, self._intervals[series.channel_id], series.channel_id, value, series.exponent, end_us)
                newest, status = max(newest, end_us), status | series.flags[-1]
        if not newest:
            return []
        self._finish(row, newest, status)
        return [row]

    def _billing_row(self, values: MeterValues, read: BillingRead) -> Cells:
        row, newest, status = self._empty(values), 0, 0
        for register in read.registers:
            if register.channel_id in self._registers:
                place = self._registers[register.channel_id]
                self._put(row, place, register.channel_id, register.value, register.exponent, register.instant_us)
                newest, status = max(newest, register.instant_us), status | register.flags
        if read.peak is not None and self._peak.value >= 0:
            self._put_peak(row, read.peak)
            status |= NOT_COLLECTED if read.peak.gaps else 0
        if read.none is not None:
            row[self._error] = why_none(read.none, self._zone)
        self._finish(row, newest, status)
        return row

    def _put(self, row: Cells, place: _Place, channel: ChannelId, value: int, exponent: int, us: int) -> None:
        row[place.value] = self._text_of(channel, exponent)(value)
        if place.time >= 0:
            row[place.time] = local_time_of_us(us, self._zone)

    def _put_peak(self, row: Cells, peak: PeakDemand) -> None:
        row[self._peak.value] = demand_text(peak, self._energy_unit)
        row[self._peak.time] = local_time_of_us(peak.end_us, self._zone)

    def _finish(self, row: Cells, newest: int, status: int) -> None:
        if self._row_time >= 0 and newest:
            row[self._row_time] = local_time_of_us(newest, self._zone)
        if status:
            row[self._status] = status_text(status, " ")

    def _text_of(self, channel: ChannelId, exponent: int) -> Callable[[int], str]:
        return decimal_text(exponent + self._names[channel].power)

    def _chosen(self, registers: Sequence[RegisterRow], series: Sequence[IntervalSeries]) -> Channels:
        if not any(self._ambiguous):
            return ()
        present = {read.channel_id for read in registers} | {one.channel_id for one in series}
        return tuple(
            next((channel for channel in column.channels if channel in present), column.channels[0]) if ambiguous else None
            for column, ambiguous in zip(self._layout.columns, self._ambiguous, strict=True)
        )


def why_none(none: NoRead, zone: ZoneInfo) -> str:
    """The reason in words, with the instant of the newest reading, where there is one."""
    if none.newest is None:
        return none.reason.value
    return f"{none.reason.value}: the newest is of {local_time(none.newest, zone)}"


def demand_text(peak: PeakDemand, energy_unit: EnergyUnit) -> str:
    """Mean power in kW or W; exact where the interval is a part of an hour, else cut after six places more."""
    power = peak.exponent - (3 if energy_unit is EnergyUnit.KILOWATT_HOUR else 0)
    per_hour, rest = divmod(3600, peak.interval_seconds)
    if not rest:
        return decimal_text(power)(peak.energy * per_hour)
    return decimal_text(power - 6)(peak.energy * 3600 * 10**6 // peak.interval_seconds)


def _places(layout: Layout, *, intervals: bool) -> dict[ChannelId, _Place]:
    times = {c.channels: i for i, c in enumerate(layout.columns) if _TIME_KINDS.get(c.kind) is intervals}
    values = [(c, i) for i, c in enumerate(layout.columns) if _VALUE_KINDS.get(c.kind) is intervals]
    return {channel: _Place(i, times.get(column.channels, -1)) for column, i in values for channel in column.channels}


def _only(layout: Layout, kind: ColumnKind) -> int:
    return next((i for i, column in enumerate(layout.columns) if column.kind is kind), -1)
