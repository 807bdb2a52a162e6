"""What an operation is given and what it gives back."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from headend.code_lists import CodeLists
from headend.deferred_requests import DeferredRequests
from headend.errors import RequestError
from headend.event_queries import EventQueries
from headend.master_data.port import MasterData
from headend.meter_groups import MeterGroups
from headend.meter_sessions import MeterSessions
from headend.model.partner import Caller, Partner
from headend.model.utility import Utility
from headend.monitoring import MeterMonitoring
from headend.outage_devices import OutageDevices
from headend.reading_queries import ReadingQueries
from headend.registrations import Registrations
from headend.schedules import Schedules
from headend.switches import Switches
from multispeak.binding import ServiceBinding
from multispeak.message_header import Paging, RequestHeader
from multispeak.records import Records


class UtilityStore(
    ReadingQueries,
    EventQueries,
    MasterData,
    MeterSessions,
    Switches,
    OutageDevices,
    MeterGroups,
    MeterMonitoring,
    Schedules,
    Registrations,
    CodeLists,
    DeferredRequests,
    Protocol,
):
    """All that operations ask of the store of one utility, port by port."""


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated call: its operation, who calls, what was asked, whose store answers, and the classes to answer with.

    `new_id` gives ids that cannot be guessed.
    """

    operation: str
    caller: Caller
    header: RequestHeader
    request: Any
    store: UtilityStore
    binding: ServiceBinding
    now: datetime
    new_id: Callable[[], str]

    @property
    def utility(self) -> Utility:
        return self.caller.utility

    @property
    def partner(self) -> Partner:
        return self.caller.partner

    @property
    def records(self) -> Records:
        """The record classes of this version."""
        return self.binding.records

    @property
    def version(self) -> str:
        """The MultiSpeak version spoken."""
        return self.binding.contract.version

    def instant(self, value: datetime) -> datetime:
        """A request's dateTime in UTC; one without offset is local to the utility.

        Raises  RequestError for an instant outside of what a calendar holds
        """
        if value.tzinfo is None:
            value = value.replace(tzinfo=self.utility.time_zone)
        try:
            return value.astimezone(UTC)
        except OverflowError:
            raise RequestError(f"{value.isoformat()} is not a date this server can hold") from None


@dataclass(frozen=True, slots=True)
class Answer:
    """One result; None where the contract lets it out. `written`: it is XML already, the result's element."""

    result: Any
    paging: Paging | None = None
    written: bool = False


@dataclass(frozen=True, slots=True)
class ListAnswer:
    """Many objects, batch by batch; the first batch is asked for before anything is sent, so that its failure is still a fault.

    `written`: they are XML already, elements of the list.
    """

    batches: AsyncGenerator[Sequence[Any], None]
    paging: Paging | None = None
    written: bool = False


Handler = Callable[[Call], Awaitable[Answer | ListAnswer]]
Handlers = Mapping[str, Handler]
"""Implemented operations by name. The first line of a handler's docstring says, to people, what effect it has."""
