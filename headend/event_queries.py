"""The port through which events of meters are asked for, and its values; lists have the order of `reading_queries`."""

from collections.abc import Awaitable, Collection
from typing import NamedTuple, Protocol

from headend.model.endpoint import EndpointId
from headend.model.meters import Meter
from headend.model.selections import Period
from headend.reading_queries import MeterPage


class EventRow(NamedTuple):
    """An event as logs carry it; `occurred_us` is microseconds since 1970 UTC."""

    endpoint_id: EndpointId
    occurred_us: int
    code: int
    sequence: int
    argument: bytes


class MeterLog(NamedTuple):
    """Events of one meter in time order, the first `limit` that were asked for; `more` says whether there are further ones."""

    meter: Meter
    events: list[EventRow]
    more: bool


class EventQueries(Protocol):
    """Events of one utility's meters; `codes` of None are all."""

    def log_page(self, period: Period, codes: Collection[int] | None, after: EndpointId, limit: int) -> Awaitable[MeterPage]:
        """Where a page of the meters that had events in a period ends, and how many follow."""

    def logs(
        self, period: Period, codes: Collection[int] | None, after: EndpointId, last: EndpointId, limit: int
    ) -> Awaitable[list[MeterLog]]:
        """Logs of meters after an endpoint, up to and with `last`: as many as have about `EVENTS_PER_FETCH` events, [] when none is left.

        A log holds `limit` events at most.
        """

    def log_of(self, meter: Meter, period: Period, codes: Collection[int] | None, limit: int) -> Awaitable[MeterLog]:
        """The log of one meter."""
