"""What the core needs from the outside, as Protocols; a store belongs to one utility, which opened it.

Methods that touch a database return awaitables; adapters run them on their own threads, one transaction a call, and hand back plain
values. Store errors are `StoreError`s.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from headend.model.collection import Assignment, Collected, CollectionSummary, EndpointSecurity, MeterProgramRecord
from headend.model.endpoint import Customer, Endpoint, EndpointId, Installation, NativeAddress, ServicePoint
from headend.model.events import EarlyEvent, EarlySender, ExceptionRecord
from headend.model.interval_runs import IntervalRuns
from headend.retries import NO_RETRIES, RetryPolicy

T = TypeVar("T")


class EndpointLink(Protocol):
    """A way to endpoints; what arrives goes to the receiver the link was built with."""

    def send(self, octets: bytes, address: NativeAddress) -> None:
        """Send one APDU; never blocks, never raises for an unreachable peer: silence is what the poller knows how to handle."""


class LinkReceiver(Protocol):
    """Who takes what a link brings in."""

    def apdu_received(self, octets: bytes, address: NativeAddress) -> None:
        """One APDU (a whole datagram, or one framed off a stream) from `address`. Never raises."""


class CollectionStore(Protocol):
    """Work handed out by lease, and what came of it."""

    def lease(self, owner: str, count: int, now: datetime, until: datetime) -> Awaitable[list[Assignment]]:
        """Up to `count` due endpoints that nobody else holds, now held by `owner` until `until`; [] when none is due."""

    def record(
        self, collected: Sequence[Collected], now: datetime, runs: Sequence[IntervalRuns] = (), retries: RetryPolicy = NO_RETRIES
    ) -> Awaitable[None]:
        """Store each item wholly or not at all, release its lease; several items may share a transaction. Twice changes nothing.

        `runs` hold further intervals of the items' endpoints, which came before those in the items. An item whose lease has passed to
        another owner is stored all the same: reads are facts. An endpoint that missed its interrogation is due again when `retries` say so.
        """

    def release(self, owner: str) -> Awaitable[None]:
        """Give back every lease of `owner` (a graceful stop)."""

    def schedule(self, due: datetime, collect_from: datetime, meter_nos: Sequence[str] | None = None) -> Awaitable[int]:
        """Make all active polled endpoints (or the named ones) due at `due`; how many became due."""

    def summary(self) -> Awaitable[CollectionSummary]:
        """Counts over the present collection, cheap enough for a progress bar."""

    def pushed(self, read_until: datetime) -> Awaitable[tuple[int, int]]:
        """(active endpoints that push and whose newest register read is at or after `read_until`, all active endpoints that push)."""

    def program(self, fingerprint: bytes) -> Awaitable[MeterProgramRecord | None]:
        """A meter program stored before."""

    def security(self, ap_title: bytes) -> Awaitable[EndpointSecurity | None]:
        """What is needed to accept a message of this endpoint; None for a stranger."""

    def early_events(self, after: int, limit: int) -> Awaitable[Sequence[EarlySender]]:
        """Endpoints above a number whose early events wait and whose program is known, in order, with all of those events."""

    def early_events_of(self, endpoint_ids: Sequence[EndpointId]) -> Awaitable[Mapping[EndpointId, tuple[EarlyEvent, ...]]]:
        """The early events of some endpoints; those without any are left out."""

    def exceptions(self, limit: int) -> Awaitable[list[tuple[str, ExceptionRecord]]]:
        """The newest exceptions with their meter numbers."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Part of a list: `items` in order, and how many follow after them (exact)."""

    items: Sequence[T]
    remaining: int


@dataclass(frozen=True, slots=True)
class ShipmentItem:
    """One endpoint of a shipment file; `address` is None for one that registers when it is powered up."""

    meter_no: str
    serial_no: str
    model: str
    configuration: str
    ap_title: str
    key_id: int
    key: bytes = field(repr=False)
    address: NativeAddress | None
    router: str | None


@dataclass(frozen=True, slots=True)
class CustomerItem:
    """One line of a customer file: an account, its service point and the meter installed there."""

    customer: Customer
    service_point: ServicePoint
    installation: Installation | None


class WaitingRequests(Protocol):
    """Requests that wait for an endpoint which can only be spoken to in the acknowledgement of what it sent."""

    def for_acknowledgement(self, sender: EndpointSecurity, results: Sequence[bytes], octets_max: int) -> Awaitable[Sequence[bytes]]:
        """Services of requests, in order and no more octets than that, to go with an acknowledgement that is about to be sent.

        The push is stored when this is asked. What is handed out counts as sent; a repetition of the push gets the same acknowledgement.
        `results` are the procedure results (ST8) that the push brought, for whoever waits for them. A StoreError costs nothing but that
        nothing goes along.
        """


class ProvisioningStore(Protocol):
    """Makes endpoints, customers and service points known; idempotent, whole call in one transaction."""

    def import_shipment(self, items: Sequence[ShipmentItem], now: datetime) -> Awaitable[int]:
        """Add or update endpoints by meter number; how many changed."""

    def import_customers(self, items: Sequence[CustomerItem], now: datetime) -> Awaitable[int]:
        """Add or update accounts, service points and installations; how many changed. Raises UnknownMeterError."""

    def endpoint(self, endpoint_id: EndpointId) -> Awaitable[Endpoint | None]:
        """One endpoint."""
