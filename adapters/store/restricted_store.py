"""A store as a partner sees it whose profile names the meters that it knows: all others are unknown.

Whatever is not written here is refused: a port that knows no scopes yet would tell of every meter.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred

from adapters.store import group_store
from adapters.store.cancelling import CancellingPart
from adapters.store.database import Database, Work
from adapters.store.deferred_store import DeferredPart
from adapters.store.event_store import EventPart
from adapters.store.keys import KeySealer
from adapters.store.partitions import DayKey
from adapters.store.reading_part import ReadingPart
from adapters.store.registration_store import RegistrationPart
from adapters.store.scopes import conditions, known
from headend.errors import RestrictedPartnerError
from headend.model.partner import MeterScope
from headend.model.utility import Utility


class RestrictedStore(ReadingPart, EventPart, RegistrationPart, DeferredPart, CancellingPart):
    """The ports that operations use, within a scope; what has nothing to do with meters is as in the whole store."""

    def __init__(
        self,
        utility: Utility,
        database: Database,
        sealer: KeySealer,
        scope: MeterScope,
        partitions: set[DayKey] | None,
        with_partitions: Callable[[Work[Any]], Coroutine[Any, Any, Any]],
    ) -> None:
        self.utility = utility
        self._database = database
        self._sealer = sealer
        self._partitions = partitions
        self.with_partitions = with_partitions
        self._only = conditions(scope)

    def __getattr__(self, name: str) -> Any:
        raise RestrictedPartnerError

    def group_members(self, group_id: str) -> Deferred[Sequence[str] | None]:
        return self._database.read(lambda c: self._members(c, group_id))

    def _members(self, connection: Connection, group_id: str) -> Sequence[str] | None:
        """Those of a group's members that are known; a group without any is not known either."""
        members = group_store.members(connection, group_id) or ()
        inside = known(connection, self._only, members)
        return [meter_no for meter_no in members if meter_no in inside] or None
