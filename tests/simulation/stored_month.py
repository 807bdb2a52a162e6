"""A month of a small utility on a real database: the same world and head-end as `month`, recorded by SQLite or PostgreSQL."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text
from twisted.internet.defer import Deferred

from adapters.store import Store, open_store
from adapters.store.instants import from_us
from headend.model.channels import ChannelId
from headend.model.collection import Assignment, Collected
from headend.model.endpoint import CONFIGURATIONS, Commodity, Customer, EndpointId, Installation, ServicePoint
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.model.interval_runs import IntervalRuns
from headend.model.readings import ReadSource, RegisterRead
from headend.model.work_item import WorkItem
from headend.ports import CustomerItem, ShipmentItem
from headend.retries import NO_RETRIES, Misses, RetryPolicy
from tests.memory_store import MemoryEndpoint
from tests.simulation.month import Month


class Noted:
    """A store whose leases and endings are counted in a Ledger."""

    def __init__(self, store: Store, month: "StoredMonth") -> None:
        self._store = store
        self._ledger = month.store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def lease(self, owner: str, count: int, now: datetime, until: datetime) -> list[Assignment]:
        assignments = await self._store.lease(owner, count, now, until)
        self._ledger.handed_out |= {one.lease_id for one in assignments}
        return assignments

    async def record(
        self, collected: list[Collected], now: datetime, runs: tuple[IntervalRuns, ...] = (), retries: RetryPolicy = NO_RETRIES
    ) -> None:
        await self._store.record(collected, now, runs, retries)
        for item in collected:
            if item.lease_id is not None:
                self._ledger.endings[item.lease_id] += 1


class StoredMonth(Month):
    """`store` is what the database has come to, once the month is over. Looks are fewer: each is a transaction."""

    idle_seconds = 1_800.0
    router_seconds = 3_600.0

    def open(self, url: str, directory: Path) -> None:
        """Use a database. Before the month begins."""
        self.clock.is_busy = lambda: False
        opening: list[Any] = []
        Deferred.fromCoroutine(open_store(url, self.utility, directory / "keys", self.clock, create_keys=True)).addBoth(opening.append)
        while not opening:
            self.clock._from_threads.get(timeout=60)()
        assert isinstance(opening[0], Store), opening[0]
        self.database: Store = opening[0]
        waiting = self.database._database._waiting
        self.clock.is_busy = lambda: bool(waiting)
        self.collection = self.router_store = self.silence_store = Noted(self.database, self)
        self.asked(self.database.import_shipment([self._shipped(e) for e in self.store.endpoints.values()], self.start))
        self.asked(self.database.import_customers([self._installed(e) for e in self.store.endpoints.values()], self.start))
        self.begin()

    def asked(self, answer: Any) -> Any:
        """What the database answers."""
        answers: list[Any] = []
        answer.addBoth(answers.append)
        self.clock.settle()
        if hasattr(answers[0], "raiseException"):
            answers[0].raiseException()
        return answers[0]

    def _shipped(self, e: MemoryEndpoint) -> ShipmentItem:
        identity = self.world.population.identity(e.endpoint_id - 1)
        return ShipmentItem(
            e.meter_no, identity.serial_no, "any", e.configuration, str(identity.ap_title), e.key_id, e.key, e.address, e.router
        )

    def _installed(self, e: MemoryEndpoint) -> CustomerItem:
        commodity = CONFIGURATIONS[e.configuration].commodity
        place = ServicePoint(f"SP{e.meter_no}", Commodity(commodity), "1 Main", "Town", "IL", "60000", f"A{e.meter_no}", "01")
        return CustomerItem(Customer(f"A{e.meter_no}", "A. Customer"), place, Installation(e.meter_no, place.service_point_no, self.start))

    def _make_due(self, now: datetime) -> None:
        self._spawn(self.database.schedule(now, now - timedelta(days=1, hours=7)))

    def close(self) -> None:
        """Take from the database what tests look at, and close it."""
        self.asked(self.database._database.run(self._take))
        self._items = self.asked(self.database.work_items(10_000, closed=True))
        self.asked(self.database.close())

    @property
    def items(self) -> list[WorkItem]:
        """See Month."""
        return self._items

    def _take(self, connection: Connection) -> None:
        numbers = {row[1]: row[0] for row in connection.execute(text("SELECT endpoint_id, meter_no FROM endpoint"))}
        mine = {numbers[e.meter_no]: e for e in self.store.endpoints.values()}
        columns = "endpoint_id, channel_id, instant_us, source, value, exponent, flags"
        for row in connection.execute(text(f"SELECT {columns} FROM register_read")):
            number, channel, instant_us, source, value, exponent, flags = row
            e, instant = mine[number], from_us(instant_us)
            read = RegisterRead(e.endpoint_id, ChannelId(channel), instant, ReadSource(source), value, exponent, flags)
            e.registers[read.channel_id, instant, read.source] = read
            if read.source is ReadSource.SELF_READ:
                self.store.received[e.endpoint_id, instant] = instant
        for number, occurred_us, kind, reason in connection.execute(
            text("SELECT endpoint_id, occurred_us, kind, reason FROM exception_record")
        ):
            e = mine[number]
            e.exceptions.append(ExceptionRecord(EndpointId(e.endpoint_id), ExceptionKind(kind), from_us(occurred_us), reason))
        for number, heard_us, missed, missed_us, owner in connection.execute(
            text("SELECT endpoint_id, heard_us, missed, missed_us, lease_owner FROM endpoint_state")
        ):
            e = mine[number]
            e.heard = None if heard_us is None else from_us(heard_us)
            e.misses = Misses(missed, None if missed_us is None else from_us(missed_us))
            e.leased = None if owner is None else (owner, self.start, 0)
        history = connection.execute(text("SELECT count(*) FROM register_read_history")).scalar_one()
        assert history == 0, "no read was stored twice with two values"
