"""ReadingQueries of a store."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial

from twisted.internet.defer import Deferred

from adapters.store import directory, meter_store, reading_store, register_list
from adapters.store.counted_lists import CountedLists
from adapters.store.database import Database
from adapters.store.gathering import Gathering
from adapters.store.limits import NAMES_GATHERED_MAX
from adapters.store.meter_store import Conditions
from adapters.store.newest_reading import MetersRead, NewestReading
from headend.model.billing import MeterTerm
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId, MeterEntry
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import IntervalBlock
from headend.model.selections import MeterSet, Period, Quantities
from headend.ports import Page
from headend.reading_queries import ListedRow, MeterPage, Position, RegisterPage, Values


class ReadingPart:
    """Each method is one transaction that only reads, and tells of endpoints that fulfil `_only`.

    What is asked of endpoint ids is not held against it: they were told here.
    """

    _database: Database
    _only: Conditions = ()

    def meter(self, meter_no: str) -> Deferred[MeterEntry | None]:
        return self._database.read(lambda c: directory.entry_by_meter(c, meter_no, self._only))

    def meters(self, after: str | None, limit: int) -> Deferred[Page[MeterEntry]]:
        return self._database.read(lambda c: meter_store.meters(c, after, limit, self._only))

    def meters_named(self, identifier: MeterIdentifier, names: Collection[str]) -> Deferred[list[Meter]]:
        return self._database.read(lambda c: meter_store.meters_named(c, identifier, names, self._only))

    def meter_page(self, meter_set: MeterSet, after: EndpointId, limit: int) -> Deferred[MeterPage]:
        return self._database.read(lambda c: meter_store.meter_page(c, meter_set, after, limit, self._only))

    def meters_in(self, meter_set: MeterSet, after: EndpointId, last: EndpointId, limit: int) -> Deferred[list[Meter]]:
        return self._database.read(lambda c: meter_store.meters_in(c, meter_set, after, last, limit, self._only))

    def terms(
        self, bill_cycle: str, installed: Period, endpoint_ids: Sequence[EndpointId]
    ) -> Deferred[list[tuple[EndpointId, MeterTerm]]]:
        return self._database.read(lambda c: meter_store.terms(c, bill_cycle, installed, endpoint_ids))

    def knows_bill_cycle(self, bill_cycle: str) -> Deferred[bool]:
        return self._database.read(lambda c: meter_store.knows_bill_cycle(c, bill_cycle))

    def register_page(
        self, period: Period, channels: Collection[ChannelId] | None, after: Position | None, limit: int
    ) -> Deferred[RegisterPage]:
        counted = CountedLists() if self._only else self._counted
        return self._database.read(lambda c: register_list.register_page(c, period, channels, after, limit, counted, self._only))

    def register_rows(
        self, period: Period, channels: Collection[ChannelId] | None, after: Position | None, last: Position, limit: int
    ) -> Deferred[list[ListedRow]]:
        return self._database.read(lambda c: register_list.register_rows(c, period, channels, after, last, limit, self._only))

    def latest_page(self, after: EndpointId, limit: int) -> Deferred[RegisterPage]:
        return self._database.read(lambda c: register_list.latest_page(c, after, limit, self._only))

    def latest_rows(self, after: EndpointId, last: EndpointId, limit: int) -> Deferred[list[ListedRow]]:
        return self._database.read(lambda c: register_list.latest_rows(c, after, last, limit, self._only))

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Deferred[Values]:
        return self._database.read(lambda c: reading_store.values_of(c, endpoint_ids, period, wanted))

    def latest_of(self, meters: Sequence[Meter], wanted: Quantities, period: Period | None, now: datetime) -> Deferred[Values]:
        return self._database.read(lambda c: reading_store.latest_of(c, meters, wanted, period, now))

    def newest_registers(self, identifier: MeterIdentifier, name: str) -> Deferred[MetersRead]:
        gathering = self._gatherings.get(identifier)
        if gathering is None:
            find = NewestReading(self._database.dialect, identifier, self._only)
            gathering = self._gatherings[identifier] = Gathering(partial(self._looked_up, find), [], NAMES_GATHERED_MAX)
        return gathering.ask(name)

    @cached_property
    def _counted(self) -> CountedLists:
        return CountedLists()

    @cached_property
    def _gatherings(self) -> dict[MeterIdentifier, Gathering[str, MetersRead]]:
        return {}

    def _looked_up(self, find: NewestReading, names: Sequence[str]) -> Deferred[Mapping[str, MetersRead]]:
        return self._database.look_up(lambda rows: find(rows, names))

    def interval_blocks(
        self, meter_no: str, start: datetime, end: datetime, channels: Collection[ChannelId] | None = None
    ) -> Deferred[list[IntervalBlock]]:
        """As the port has it; `channels` limits the answer to some."""
        return self._database.read(lambda c: reading_store.interval_blocks(c, meter_no, start, end, channels, self._only))
