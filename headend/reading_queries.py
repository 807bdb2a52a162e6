"""The port through which readings are asked for, and its values.

Lists have the order in which endpoints became known, and within an endpoint that of time: a position in it stays one whatever arrives.
Methods return awaitables; each answers from one state of the database.
"""

from collections.abc import Awaitable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from headend.model.billing import MeterTerm
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId, MeterEntry
from headend.model.meters import Meter
from headend.model.partner import MeterIdentifier
from headend.model.readings import IntervalBlock, RegisterRow
from headend.model.selections import MeterSet, Period, Quantities
from headend.ports import Page


class Position(NamedTuple):
    """The last register instant that was told; `instant_us` is microseconds since 1970 UTC."""

    endpoint_id: EndpointId
    instant_us: int


ListedRow = tuple[EndpointId, int, ChannelId, int, int, int, int, str, str, str, str]
"""A register read in a list over many meters, as the database's driver makes it, since there are hundreds of thousands a second.

Layout  what a `RegisterRow` has: endpoint, instant_us, channel, source, exponent, flags, value | what its meter is called: meter_no,
        serial_no, ap_title | configuration
"""


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """Where a page of register instants ends: the last one and its meter (None: the page is empty), and how many follow."""

    last: Position | None
    last_meter_no: str
    remaining: int


@dataclass(frozen=True, slots=True)
class MeterPage:
    """Where a page of meters ends: the last one (None: the page is empty), and how many follow."""

    last: Meter | None
    remaining: int


@dataclass(frozen=True, slots=True)
class Values:
    """What some endpoints read: registers by endpoint, instant, channel and source; blocks by endpoint, channel, day."""

    registers: Sequence[RegisterRow]
    blocks: Sequence[IntervalBlock]


class ReadingQueries(Protocol):
    """Readings of one utility."""

    def meter(self, meter_no: str) -> Awaitable[MeterEntry | None]:
        """The directory's entry for a meter number, active or not."""

    def meters(self, after: str | None, limit: int) -> Awaitable[Page[MeterEntry]]:
        """Active endpoints in order of meter number, from the one after `after`."""

    def meters_named(self, identifier: MeterIdentifier, names: Collection[str]) -> Awaitable[list[Meter]]:
        """Endpoints whose identifier is one of `names`, active or not; a serial number may be that of several."""

    def meter_page(self, meter_set: MeterSet, after: EndpointId, limit: int) -> Awaitable[MeterPage]:
        """Where a page of the meters of a set ends that begins after an endpoint; endpoint 0 is before all."""

    def meters_in(self, meter_set: MeterSet, after: EndpointId, last: EndpointId, limit: int) -> Awaitable[list[Meter]]:
        """Meters of a set after an endpoint, up to and with `last`."""

    def terms(
        self, bill_cycle: str, installed: Period, endpoint_ids: Sequence[EndpointId]
    ) -> Awaitable[list[tuple[EndpointId, MeterTerm]]]:
        """When these endpoints were installed at service points of a bill cycle, as far as that touches a period; by endpoint and start."""

    def knows_bill_cycle(self, bill_cycle: str) -> Awaitable[bool]:
        """Whether any service point has this bill cycle."""

    def register_page(
        self, period: Period, channels: Collection[ChannelId] | None, after: Position | None, limit: int
    ) -> Awaitable[RegisterPage]:
        """Where a page of the register instants of a period ends, of some channels or of all."""

    def register_rows(
        self, period: Period, channels: Collection[ChannelId] | None, after: Position | None, last: Position, limit: int
    ) -> Awaitable[list[ListedRow]]:
        """Reads after `after`, up to and with the instant `last`: about `limit` of them, whole instants; [] when there is none.

        `limit` is more than one instant can have.
        """

    def latest_page(self, after: EndpointId, limit: int) -> Awaitable[RegisterPage]:
        """The same for the newest instants of meters that have any, one a meter."""

    def latest_rows(self, after: EndpointId, last: EndpointId, limit: int) -> Awaitable[list[ListedRow]]:
        """Reads of the newest instants of up to `limit` meters after an endpoint, up to and with `last`."""

    def values_of(self, endpoint_ids: Sequence[EndpointId], period: Period, wanted: Quantities) -> Awaitable[Values]:
        """What endpoints read in a period; blocks hold the whole days that it touches."""

    def latest_of(self, meters: Sequence[Meter], wanted: Quantities, period: Period | None, now: datetime) -> Awaitable[Values]:
        """Registers of each meter's newest instant, in the period that which has any of those wanted; blocks of its newest days.

        Blocks are looked for as far back as the period, else `LATEST_LOOK_BACK_DAYS` before `now`; each channel's is that of its newest
        day with a value, among the few last days that have any.
        """

    def newest_registers(self, identifier: MeterIdentifier, name: str) -> Awaitable[list[tuple[Meter, list[RegisterRow]]]]:
        """Endpoints with an identifier, as `meters_named`, and what `latest_of` says of the registers of each; in one look."""

    def interval_blocks(self, meter_no: str, start: datetime, end: datetime) -> Awaitable[list[IntervalBlock]]:
        """Stored blocks that touch (start, end]."""
