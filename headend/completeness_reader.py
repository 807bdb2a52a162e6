"""Reads the completeness of a local day from a store, so many endpoints at a time."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from datetime import date, datetime
from typing import Protocol

from headend.completeness import EndpointDay, EndpointFacts, endpoint_day
from headend.limits import METERS_PER_FETCH_MAX
from headend.model.endpoint import EndpointId
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import EVERYTHING, Period, Quantities
from headend.model.utility import Utility
from headend.reading_queries import Values


class CompletenessQueries(Protocol):
    """What completeness is told from."""

    def endpoint_facts(self, after: EndpointId, limit: int, meter_no: str | None = None) -> Awaitable[Sequence[EndpointFacts]]:
        """Active endpoints that have been shipped, in order of their numbers, from the one after `after`; or one of them, by name."""

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Awaitable[Values]:
        """Their values of a period."""


async def endpoint_days(
    store: CompletenessQueries, utility: Utility, day: date, now: datetime, meter_no: str | None = None
) -> AsyncIterator[EndpointDay]:
    """Every endpoint's local day, or one meter's."""
    period = Period(*utility.day_bounds(day))
    after = EndpointId(0)
    while True:
        facts = await store.endpoint_facts(after, METERS_PER_FETCH_MAX, meter_no)
        if not facts:
            return
        values = await store.values_of([one.endpoint_id for one in facts], period, EVERYTHING)
        registers: dict[int, list[RegisterRow]] = {}
        blocks: dict[int, list[IntervalBlock]] = {}
        for read in values.registers:
            registers.setdefault(read.endpoint_id, []).append(read)
        for block in values.blocks:
            blocks.setdefault(block.endpoint_id, []).append(block)
        for one in facts:
            mine = registers.get(one.endpoint_id, ()), blocks.get(one.endpoint_id, ())
            yield endpoint_day(one, day, period, *mine, now)
        if meter_no is not None:
            return
        after = facts[-1].endpoint_id
