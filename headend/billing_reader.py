"""Reads the billing reads of many meters at once, by the rules of `billing_reads`: a reader of the reading engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from headend.billing_reads import billing_read, demand_period, energy_window, peak_demand, window_of_term
from headend.interval_series import series_of
from headend.model.billing import BillingRead, LookAround, PeakDemand, ReadRule, ReadWindow, spanning
from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.readings import RegisterRow
from headend.model.selections import Period, Quantities, quantities
from headend.model.utility import Utility
from headend.reading_engine import MeterValues, Target, by_endpoint, known_meters, meters_per_fetch
from headend.reading_queries import ReadingQueries


@dataclass(frozen=True, slots=True)
class BillingReader:
    """The read of each meter at a billing date, and where intervals are wanted its peak demand; the reason where there is no read.

    A meter that was at several service points of the cycle has a read for each.
    """

    store: ReadingQueries
    utility: Utility
    billing: datetime
    look: LookAround
    wanted: Quantities
    now: datetime
    rule: ReadRule = ReadRule.CLOSEST

    @property
    def meters_per_fetch(self) -> int:
        reads = meters_per_fetch(spanning([self._window]).days, quantities(self.wanted.registers))
        return min(reads, meters_per_fetch(self._demand.days, self.wanted)) if self.wanted.intervals else reads

    @property
    def _window(self) -> ReadWindow:
        return energy_window(self.utility, self.billing, self.look)

    @property
    def _demand(self) -> Period:
        return demand_period(self.utility, self.billing, self.look, self.now)

    async def read(self, targets: Sequence[Target]) -> list[MeterValues]:
        """See `ValueReader`."""
        windows = self._windows(targets)
        endpoint_ids = [meter.endpoint_id for meter in known_meters(targets)]
        period = spanning([window for of_meter in windows for window in of_meter])
        values = await self.store.values_of(endpoint_ids, period, quantities(self.wanted.registers))
        reads, peaks = by_endpoint(values.registers), await self._peaks(endpoint_ids)
        told = []
        for target, of_meter in zip(targets, windows, strict=True):
            if target.meter is None:
                told.append(MeterValues(target, problem=target.problem))
            else:
                billing = self._reads(target, target.meter, of_meter, reads.get(target.meter.endpoint_id, ()), peaks)
                told.append(MeterValues(target, billing=billing))
        return told

    def _windows(self, targets: Sequence[Target]) -> list[list[ReadWindow]]:
        window = self._window
        return [[window_of_term(self.utility, window, term, self.look) for term in target.terms or (None,)] for target in targets]

    def _reads(
        self,
        target: Target,
        meter: Meter,
        windows: Sequence[ReadWindow],
        reads: Sequence[RegisterRow],
        peaks: dict[EndpointId, PeakDemand | None],
    ) -> list[BillingRead]:
        found = []
        for window, term in zip(windows, target.terms or (None,), strict=True):
            read = billing_read(reads, window, meter.newest_us, self.rule)
            found.append(BillingRead(window, read.registers, read.none, peaks.get(meter.endpoint_id), term))
        return found

    async def _peaks(self, endpoint_ids: Sequence[EndpointId]) -> dict[EndpointId, PeakDemand | None]:
        if not self.wanted.intervals:
            return {}
        demand = self._demand
        values = await self.store.values_of(endpoint_ids, demand, quantities(intervals=self.wanted.intervals))
        return {one: peak_demand(series_of(blocks, demand), demand) for one, blocks in by_endpoint(values.blocks).items()}
