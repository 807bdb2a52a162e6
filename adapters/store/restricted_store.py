"""A store as a partner sees it whose profile names the meters that it knows: all others are unknown.

Whatever is not written here is refused: a port that knows no scopes yet would tell of every meter.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from adapters.store import directory, group_store, reading_store
from adapters.store.database import Database
from adapters.store.deferred_store import DeferredPart
from adapters.store.keys import KeySealer
from adapters.store.registration_store import RegistrationPart
from adapters.store.scopes import conditions, known
from headend.errors import RestrictedPartnerError
from headend.model.endpoint import MeterEntry
from headend.model.partner import MeterScope
from headend.model.readings import IntervalBlock
from headend.ports import MeterReadings, Page, PageEnd, ReadingKey

T = TypeVar("T")


class RestrictedStore(RegistrationPart, DeferredPart):
    """The ports that operations use, within a scope; what has nothing to do with meters is as in the whole store."""

    def __init__(self, database: Database, sealer: KeySealer, scope: MeterScope) -> None:
        self._database = database
        self._sealer = sealer
        self._only = conditions(scope)

    def __getattr__(self, name: str) -> Any:
        raise RestrictedPartnerError

    def meter(self, meter_no: str) -> Deferred[MeterEntry | None]:
        return self._of_meter(meter_no, lambda c: directory.entry_by_meter(c, meter_no), None)

    def meters(self, after: str | None, limit: int) -> Deferred[Page[MeterEntry]]:
        return self._database.read(lambda c: reading_store.meters(c, after, limit, self._only))

    def latest(self, meter_no: str) -> Deferred[MeterReadings | None]:
        return self._of_meter(meter_no, lambda c: reading_store.latest(c, meter_no), None)

    def readings(self, meter_no: str, start: datetime, end: datetime, limit: int) -> Deferred[MeterReadings | None]:
        return self._of_meter(meter_no, lambda c: reading_store.readings(c, meter_no, start, end, limit), None)

    def latest_page(self, after: str | None, limit: int) -> Deferred[Page[MeterReadings]]:
        return self._database.read(lambda c: reading_store.latest_page(c, after, limit, self._only))

    def readings_page(
        self, start: datetime, end: datetime, after: ReadingKey | None, limit: int, *, counted: bool = True
    ) -> Deferred[Page[MeterReadings]]:
        return self._database.read(lambda c: reading_store.readings_page(c, start, end, after, limit, self._only, counted=counted))

    def readings_page_end(self, start: datetime, end: datetime, after: ReadingKey | None, limit: int) -> Deferred[PageEnd]:
        return self._database.read(lambda c: reading_store.readings_page_end(c, start, end, after, limit, self._only))

    def interval_blocks(self, meter_no: str, start: datetime, end: datetime) -> Deferred[list[IntervalBlock]]:
        return self._of_meter(meter_no, lambda c: reading_store.interval_blocks(c, meter_no, start, end), [])

    def group_members(self, group_id: str) -> Deferred[Sequence[str] | None]:
        return self._database.read(lambda c: self._members(c, group_id))

    def _of_meter(self, meter_no: str, work: Callable[[Connection], T], otherwise: T) -> Deferred[T]:
        return self._database.read(lambda c: work(c) if known(c, self._only, [meter_no]) else otherwise)

    def _members(self, connection: Connection, group_id: str) -> Sequence[str] | None:
        """Those of a group's members that are known; a group without any is not known either."""
        members = group_store.members(connection, group_id) or ()
        inside = known(connection, self._only, members)
        return [meter_no for meter_no in members if meter_no in inside] or None
