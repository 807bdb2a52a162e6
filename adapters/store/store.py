"""One utility's store: the core's ports over its database, and `open_store`, which makes one ready."""

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, select
from twisted.internet.defer import Deferred

from adapters.store import collection_store, early_store, endpoint_store, leasing, schema
from adapters.store.asked_store import AskedPart
from adapters.store.batch_store import BatchPart
from adapters.store.billing_store import BillingPart
from adapters.store.cancelling import CancellingPart
from adapters.store.code_list_store import CodeListPart
from adapters.store.command_store import CommandPart
from adapters.store.completeness_store import CompletenessPart
from adapters.store.database import Database, Work, parse_url
from adapters.store.deferred_store import DeferredPart
from adapters.store.delivery_store import DeliveryPart
from adapters.store.device_store import DevicePart
from adapters.store.errors import PartitionMissingError, StoreMismatchError, database_name
from adapters.store.event_desk_store import EventDeskPart
from adapters.store.event_file_store import EventFilePart
from adapters.store.event_queue_store import EventQueuePart
from adapters.store.event_report_store import EventReportPart
from adapters.store.event_store import EventPart
from adapters.store.export_store import ExportPart
from adapters.store.gap_store import GapPart
from adapters.store.gas_day_store import GasDayPart
from adapters.store.gathering import Gathering
from adapters.store.group_store import GroupPart
from adapters.store.housekeeping_store import HousekeepingPart
from adapters.store.keys import KeySealer, create_key_file, read_key_file
from adapters.store.limits import TITLES_GATHERED_MAX
from adapters.store.master_store import MasterPart
from adapters.store.message_store import MessagePart
from adapters.store.migration import migrate
from adapters.store.monitoring_store import MonitoringPart
from adapters.store.partitions import DayKey, PartitionsWantedError, make_partitions
from adapters.store.plan_store import PlanPart
from adapters.store.protection_store import ProtectionPart
from adapters.store.reading_part import ReadingPart
from adapters.store.recording import record
from adapters.store.registration_store import RegistrationPart
from adapters.store.restricted_store import RestrictedStore
from adapters.store.router_store import RouterPart
from adapters.store.schedule_store import SchedulePart
from adapters.store.session_store import SessionPart
from adapters.store.silence_store import SilencePart
from adapters.store.silencing_store import SilencingPart
from adapters.store.status_store import StatusPart
from adapters.store.suspicion_store import SuspicionPart
from adapters.store.telling_store import TellingPart
from adapters.store.usage_store import UsagePart
from adapters.store.watched_store import WatchedPart
from adapters.store.work_item_store import WorkItemPart
from headend.errors import StoreError
from headend.model.collection import Assignment, Collected, CollectionSummary, EndpointSecurity, MeterProgramRecord
from headend.model.endpoint import Endpoint, EndpointId
from headend.model.events import EarlyEvent, EarlySender, ExceptionRecord
from headend.model.interval_runs import IntervalRuns
from headend.model.partner import MeterScope
from headend.model.utility import Utility
from headend.ports import CustomerItem, ShipmentItem
from headend.retries import NO_RETRIES, RetryPolicy
from headend.suspicion import suspicious_codes

T = TypeVar("T")

_CHECK = b"headend store"
"""What a database keeps sealed, so that a wrong key file is noticed when it is opened."""
_CHECK_OWNER = ""
"""In place of the meter number: no meter has an empty one."""


class Store(
    ReadingPart,
    EventPart,
    GroupPart,
    MasterPart,
    DevicePart,
    SessionPart,
    MonitoringPart,
    SchedulePart,
    PlanPart,
    CompletenessPart,
    GapPart,
    GasDayPart,
    RegistrationPart,
    CodeListPart,
    DeferredPart,
    CommandPart,
    CancellingPart,
    BatchPart,
    AskedPart,
    ProtectionPart,
    TellingPart,
    EventDeskPart,
    EventQueuePart,
    EventFilePart,
    EventReportPart,
    SilencingPart,
    MessagePart,
    RouterPart,
    WorkItemPart,
    SilencePart,
    SuspicionPart,
    WatchedPart,
    HousekeepingPart,
    StatusPart,
    UsagePart,
    DeliveryPart,
    ExportPart,
    BillingPart,
):
    """CollectionStore and ProvisioningStore of one utility, and the ports of its parts.

    Every method starts at once and gives a Deferred.
    """

    def __init__(self, database: Database, utility: Utility, sealer: KeySealer) -> None:
        self.utility = utility
        self._database = database
        self._sealer = sealer
        self._partitions: set[DayKey] | None = None if database.is_sqlite else set()
        self._suspicious = suspicious_codes(utility.events)
        self._restricted: dict[MeterScope, RestrictedStore] = {}
        self._securities: Gathering[bytes, EndpointSecurity | StoreError | None] = Gathering(self._look_up, None, TITLES_GATHERED_MAX)

    def close(self) -> Awaitable[None]:
        """Let what was begun end, then give back threads, connections and files."""
        return Deferred.fromCoroutine(self._database.close())

    def seen_by(self, scope: MeterScope | None) -> "Store":
        """The store as a partner sees it that knows only the meters of a scope; all of it without one."""
        # No subclass: it answers for every port by refusing what it does not have.
        if scope is None:
            return self
        if scope not in self._restricted:
            self._restricted[scope] = RestrictedStore(
                self.utility, self._database, self._sealer, scope, self._partitions, self.with_partitions
            )
        return cast("Store", self._restricted[scope])

    def lease(self, owner: str, count: int, now: datetime, until: datetime) -> Deferred[list[Assignment]]:
        return self._database.run(lambda c: leasing.lease(c, self._sealer, owner, count, now=now, until=until))

    def record(
        self, collected: Sequence[Collected], now: datetime, runs: Sequence[IntervalRuns] = (), retries: RetryPolicy = NO_RETRIES
    ) -> Deferred[None]:
        return Deferred.fromCoroutine(self._record(list(collected), list(runs), now, retries))

    def release(self, owner: str) -> Deferred[None]:
        return self._database.run(lambda c: leasing.release(c, owner))

    def schedule(self, due: datetime, collect_from: datetime, meter_nos: Sequence[str] | None = None) -> Deferred[int]:
        return self._database.run(lambda c: leasing.schedule(c, due, collect_from, meter_nos))

    def summary(self) -> Deferred[CollectionSummary]:
        return self._database.read(collection_store.summary)

    def pushed(self, read_until: datetime) -> Deferred[tuple[int, int]]:
        return self._database.read(lambda c: collection_store.pushed(c, read_until))

    def program(self, fingerprint: bytes) -> Deferred[MeterProgramRecord | None]:
        return self._database.read(lambda c: collection_store.program(c, fingerprint))

    def security(self, ap_title: bytes) -> Deferred[EndpointSecurity | None]:
        return self._securities.ask(ap_title).addCallback(collection_store.checked)

    def _look_up(self, ap_titles: Sequence[bytes]) -> Deferred[Mapping[bytes, EndpointSecurity | StoreError | None]]:
        return self._database.read(lambda c: collection_store.securities(c, self._sealer, ap_titles))

    def early_events(self, after: int, limit: int) -> Deferred[Sequence[EarlySender]]:
        return self._database.read(lambda c: early_store.waiting(c, after, limit))

    def early_events_of(self, endpoint_ids: Sequence[EndpointId]) -> Deferred[dict[EndpointId, tuple[EarlyEvent, ...]]]:
        return self._database.read(lambda c: early_store.kept_of(c, endpoint_ids))

    def exceptions(self, limit: int) -> Deferred[list[tuple[str, ExceptionRecord]]]:
        return self._database.read(lambda c: collection_store.exceptions(c, limit))

    def import_shipment(self, items: Sequence[ShipmentItem], now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: endpoint_store.import_shipment(c, items, self._sealer, now))

    def import_customers(self, items: Sequence[CustomerItem], now: datetime) -> Deferred[int]:
        return self._database.run(lambda c: endpoint_store.import_customers(c, items, now))

    def endpoint(self, endpoint_id: EndpointId) -> Deferred[Endpoint | None]:
        return self._database.read(lambda c: endpoint_store.endpoint(c, endpoint_id))

    async def _record(self, batch: list[Collected], runs: list[IntervalRuns], now: datetime, retries: RetryPolicy) -> None:
        if batch:
            await self.with_partitions(partial(self._record_work, batch, runs, now, retries))

    async def with_partitions(self, work: Work[T]) -> T:
        """One transaction that records, once the days that it writes to have their partitions."""
        try:
            return await self._database.run(work)
        except PartitionMissingError:
            # Another process dropped a day that this one remembers; forget them all, and ask again.
            self._partitions = set()
        except PartitionsWantedError as wanted:
            await self._make_partitions(wanted.days)
        try:
            return await self._database.run(work)
        except PartitionsWantedError as wanted:
            await self._make_partitions(wanted.days)
            return await self._database.run(work)

    def _record_work(
        self, batch: list[Collected], runs: list[IntervalRuns], now: datetime, retries: RetryPolicy, connection: Connection
    ) -> None:
        record(connection, batch, runs, now, retries, self._partitions, self._suspicious)

    async def _make_partitions(self, days: set[DayKey]) -> None:
        await self._database.run(lambda c: make_partitions(c, days))
        if self._partitions is not None:
            self._partitions |= days


async def open_store(url: str, utility: Utility, key_file: Path, reactor: Any, *, create_keys: bool = False) -> Store:
    """A utility's store, its schema brought up to date.

    `create_keys` makes the key file where none stands. Raises StoreError: a database that cannot be opened, is another utility's or a
    newer version's; a key file that is not the one.
    """
    parsed = parse_url(url)
    sealer = _keys(key_file, utility, create=create_keys)
    database = Database(parsed, reactor)
    try:
        await database.open(lambda c: _make_ready(c, utility, sealer))
    except BaseException:
        await database.close()
        raise
    return Store(database, utility, sealer)


def _keys(key_file: Path, utility: Utility, *, create: bool) -> KeySealer:
    if create and not key_file.exists():
        create_key_file(key_file)
    return read_key_file(key_file, str(utility.utility_id))


def _make_ready(connection: Connection, utility: Utility, sealer: KeySealer) -> None:
    migrate(connection)
    _identify(connection, utility, sealer)


def _identify(connection: Connection, utility: Utility, sealer: KeySealer) -> None:
    """Check that the database is this utility's and its keys are this file's; a new one becomes so."""
    row = connection.execute(select(schema.store_identity)).first()
    utility_id = str(utility.utility_id)
    if row is None:
        values = {"one": 1, "utility_id": utility_id, "key_check": sealer.seal(_CHECK, _CHECK_OWNER, 0)}
        connection.execute(schema.store_identity.insert().values(values))
    elif row.utility_id != utility_id:
        name = database_name(connection.engine.url)
        raise StoreMismatchError(f"{name} belongs to utility {row.utility_id!r}, not to {utility_id!r}")
    else:
        sealer.open(row.key_check, _CHECK_OWNER, 0)
