"""Composition root: settings in, a running head-end out. Objects meet here and nowhere else but the command line."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

from twisted.internet import defer, task
from twisted.logger import Logger
from twisted.python.failure import Failure

from adapters.c1222_tcp import TcpLink
from adapters.c1222_udp import UdpLink
from adapters.metrics import MetricsServer
from adapters.store import Store, open_store
from headend.billing_service import billing_desk, billing_looks
from headend.collection.policy import CollectionPolicy
from headend.collection_plans import LOOK_SECONDS as PLAN_LOOK_SECONDS
from headend.collection_plans import NEW_SECONDS, PlanDriver
from headend.collector import Collector
from headend.day_review import LOOK_SECONDS as REVIEW_SECONDS
from headend.day_review import DayReview
from headend.delivery_driver import LOOK_SECONDS as DELIVERY_SECONDS
from headend.delivery_service import delivery_driver
from headend.early_events import LOOK_SECONDS as EARLY_SECONDS
from headend.errors import LinkError, RequestError, StoreError
from headend.event_desk import LOOK_SECONDS as DESK_SECONDS
from headend.export_service import file_makers
from headend.gas_days import LOOK_SECONDS as GAS_LOOK_SECONDS
from headend.gas_days import GasDayDriver
from headend.gateway import check_profiles, message_log, serve_partners
from headend.housekeeping import LOOK_SECONDS as HOUSEKEEPING_SECONDS
from headend.housekeeping import Housekeeping
from headend.measures import Measures
from headend.model.endpoint import NativeAddress, Transport
from headend.model.utility import Utility, UtilityId
from headend.process_name import collector_name, process_name
from headend.retries import RetryPolicy
from headend.roles import ALL_ROLES, Role
from headend.router_service import RouterService
from headend.schedule_driver import LOOK_SECONDS, ScheduleDriver
from headend.settings import CollectionSettings, Settings, UtilitySettings
from headend.silence_watch import LOOK_SECONDS as SILENCE_SECONDS
from headend.silence_watch import SilenceWatch
from headend.status import StoreStatus
from headend.surrounding import Surrounding
from headend.suspicion_watch import LOOK_SECONDS as SUSPICION_SECONDS
from headend.suspicion_watch import SuspicionWatch
from headend.telling_service import TellingService
from headend.usage_watch import USE_SECONDS
from wsdl import VERSIONS

BEGIN_AGAIN_SECONDS = 30.0
"""How long a collection that the store did not take waits before it is begun again, in seconds."""

PORT_PICKS = 8
"""How often a port number is picked where none is given, as another program may have one of UDP and TCP of what was picked."""

STATUS_SECONDS = 60.0
"""How often the database is asked how things stand, where somebody wants metrics: it costs a second with a million endpoints."""


class UtilityService:
    """One utility in one process: its store, and what the process's roles do with it.

    A collector has links, the poller that collects, the receiver that listens, the watch over routers, and an `address` in the field.
    """

    log = Logger()

    def __init__(self, settings: UtilitySettings, store: Store, around: Surrounding, roles: frozenset[Role] = ALL_ROLES) -> None:
        self.roles = roles
        self.utility: Utility = settings.utility
        self.store = store
        self._settings = settings.collection
        self._gas_day = settings.gas_day.rule
        self._now = around.now
        self._reactor = around.reactor
        self._repetitions: list[defer.Deferred[None]] = []
        self._owner = settings.collection.collector or collector_name(settings.field.port)
        self._process = process_name()
        self.collector = Collector(
            self.utility,
            store,
            around.reactor,
            now=around.now,
            random=around.random,
            owner=self._owner,
            policy=collection_policy(settings.collection),
            commands=store,
        )
        speaks = not roles.isdisjoint({Role.GATEWAY, Role.DISPATCHER})
        self.messages = message_log(settings.messages, store, around) if speaks else None
        self.telling = TellingService(settings, store, around, self.messages) if Role.DISPATCHER in roles else None
        self.deliveries = delivery_driver(settings, store, around) if Role.DISPATCHER in roles else None
        self._file_makers = file_makers(settings, store, around, self._process)
        self.billing = billing_desk(settings, store, around)
        self._billing_looks = billing_looks(settings, self.billing, store, around, self._process)
        self._udp = UdpLink(around.reactor, self.collector.receiver, around.datagrams)
        self._tcp = TcpLink(around.reactor, self.collector.receiver, around.datagrams)
        self.collector.links.update({Transport.UDP: self._udp, Transport.TCP: self._tcp})
        is_watching = settings.routers.poll and Role.COLLECTOR in roles
        self.routers = RouterService(settings, store, around, self._owner) if is_watching else None
        self.housekeeping = Housekeeping(settings.id, store, around.reactor, around.now, self._process, settings.retention.retention)
        self.silences = SilenceWatch(
            self.utility, store, now=around.now, wake=self.collector.wake, owner=self._process, policy=settings.silence.policy
        )
        self.suspicions = SuspicionWatch(self.utility, store, around.now, self._process, settings.suspicion.policy)
        self.address: NativeAddress
        self._status: StoreStatus | None = None

    @classmethod
    async def start(cls, settings: UtilitySettings, around: Surrounding, roles: frozenset[Role] = ALL_ROLES) -> "UtilityService":
        """Open the store and, as a collector, listen to the field. Raises StoreError, LinkError, RequestError for a target's key or CA."""
        store = await open_store(settings.database, settings.utility, settings.key_file, around.reactor, create_keys=True)
        try:
            service = cls(settings, store, around, roles)
        except RequestError:
            await store.close()
            raise
        try:
            if Role.COLLECTOR in roles:
                await service._begin_collecting(settings.field.host, settings.field.port)
        except (LinkError, StoreError):
            service._udp.close()
            await service._tcp.close()
            await store.close()
            raise
        if service.messages is not None:
            service.messages.start()
        if service.telling is not None:
            service.telling.start()
        return service

    async def _begin_collecting(self, host: str, port: int) -> None:
        self._listen(host, port)
        # What this collector held when it was last killed is its own again, not only when the leases expire. Only now: whoever has the
        # port is the only one of its name.
        await self.store.release(self._owner)
        await self.store.release_commands(self._owner, self._now())
        if self.routers is not None:
            await self.routers.start()
        self.collector.start()
        self._look_regularly(self.collector.early.look, EARLY_SECONDS)

    def _listen(self, host: str, port: int) -> None:
        """UDP and TCP on one port number; where 0 picks one, UDP picks, again where TCP finds the number taken."""
        for pick in reversed(range(1 if port else PORT_PICKS)):
            self.address = self._udp.open(host, port)
            try:
                self._tcp.open(host, self.address.port)
            except LinkError:
                self._udp.close()
                if not pick:
                    raise
            else:
                return

    async def collect(self, collect_from: datetime) -> int:
        """Make every polled endpoint due now; how many became due. A first contact reads back to `collect_from`."""
        due = await self.store.schedule(self._now(), collect_from)
        self.collector.wake()
        self.log.info("collection of {utility} begun, {due} endpoints due", utility=self.utility.utility_id, due=due)
        return due

    def collect_by_plan(self) -> None:
        """From now on collect as plans say: the common ones of the settings, and those of groups. New endpoints are due at once."""
        history = timedelta(days=self._settings.history_days)
        driver = PlanDriver(self.utility, self.store, self._now, self.collector.wake, history)
        begun, new_at = False, 0.0

        async def look_and_wait() -> float:
            nonlocal begun, new_at
            try:
                if not begun:
                    for plan in self._settings.plans:
                        await self.store.keep_plan(plan, self._now())
                    begun = True
                if self._reactor.seconds() >= new_at:
                    await driver.collect_new()
                    new_at = self._reactor.seconds() + NEW_SECONDS
                await self.collector.waking.read(self.store)
            except StoreError as error:
                self.log.warn("collection of {utility} not begun yet: {error}", utility=self.utility.utility_id, error=error)
                return BEGIN_AGAIN_SECONDS
            await driver.look()
            return PLAN_LOOK_SECONDS

        self._repeat(look_and_wait)

    def read_by_schedule(self) -> None:
        """From now on follow the reading schedules that partners establish."""
        history = timedelta(days=self._settings.history_days)
        self._look_regularly(ScheduleDriver(self.utility, self.store, self._now, self.collector.wake, history).look, LOOK_SECONDS)

    def deliver_files(self) -> None:
        """From now on bring finished files to their targets."""
        assert self.deliveries is not None, "a dispatcher has them"
        self._look_regularly(self.deliveries.look, DELIVERY_SECONDS)

    def make_exports(self) -> None:
        """From now on make files of days, records and events when they are due."""
        for look, seconds in self._file_makers:
            self._look_regularly(look, seconds)

    def answer_billing(self) -> None:
        """From now on see to billing requests that are open, and to files with new ones."""
        for look, seconds in self._billing_looks:
            self._look_regularly(look, seconds)

    def take_gas_days(self) -> None:
        """From now on take gas days at their deadline, close them, and adjust closed ones."""
        self._look_regularly(GasDayDriver(self.utility, self.store, self._now, self._gas_day, self._process).look, GAS_LOOK_SECONDS)

    def review_days(self) -> None:
        """From now on look back at each day once: intervals that were not brought are asked for."""
        review = DayReview(self.utility, self.store, self._now, lambda: task.deferLater(self._reactor, 0), self._process)
        self._look_regularly(review.look, REVIEW_SECONDS)

    def keep_house(self) -> None:
        """From now on make room ahead and purge what is past its time."""
        self._look_regularly(self.housekeeping.look, HOUSEKEEPING_SECONDS)

    def _look_regularly(self, look: Callable[[], Awaitable[object]], seconds: float) -> None:
        """Do what never raises again and again."""

        async def look_and_wait() -> float:
            await look()
            return seconds

        self._repeat(look_and_wait)

    def look_at_status(self) -> None:
        """From now on ask the database how things stand, for metrics."""

        async def look_and_wait() -> float:
            now = self._now()
            midnight, _ = self.utility.day_bounds(self.utility.local_day(now))
            try:
                self._status = await self.store.status(now, midnight)
            except StoreError as error:
                self._status = None
                self.log.warn("status of {utility} not known: {error}", utility=self.utility.utility_id, error=error)
            return STATUS_SECONDS

        self._repeat(look_and_wait)

    def measures(self) -> Measures:
        """What this process has done and knows."""
        counters = self.collector.counters
        totals = {field.name: getattr(counters, field.name) for field in fields(counters) if field.name != "dropped"}
        return Measures(
            utility=str(self.utility.utility_id),
            totals=totals,
            dropped={str(reason): count for reason, count in counters.dropped.items()},
            conversations=self.collector.poller.active,
            assignments_waiting=self.collector.poller.waiting,
            unlogged_exchanges=0 if self.messages is None else self.messages.dropped,
            status=self._status,
        )

    def judge_events(self) -> None:
        """From now on take up events as they are recorded, and decide who is told of them."""
        assert self.telling is not None, "only dispatchers judge events"
        self._look_regularly(self.telling.desk.look, DESK_SECONDS)
        self._look_regularly(self.telling.usage.look, USE_SECONDS)

    def watch_silences(self) -> None:
        """From now on look for endpoints that are not heard."""
        self._look_regularly(self.silences.look, SILENCE_SECONDS)

    def watch_for_theft(self) -> None:
        """From now on look for theft in what is stored."""
        self._look_regularly(self.suspicions.look, SUSPICION_SECONDS)

    def _repeat(self, work: Callable[[], Awaitable[float]]) -> None:
        """Do `work` again and again, after as many seconds as it says each time, until the service stops."""

        async def repeated() -> None:
            while True:
                await task.deferLater(self._reactor, await work())

        self._repetitions.append(defer.Deferred.fromCoroutine(repeated()).addErrback(self._repetition_ended))

    def _repetition_ended(self, failure: Failure) -> None:
        if not failure.check(defer.CancelledError):
            self.log.failure("regular work of {utility} ended", failure, utility=self.utility.utility_id)

    async def stop(self) -> None:
        """End conversations, record what they brought, give leases back, close links and store."""
        for repetition in self._repetitions:
            repetition.cancel()
        if self.routers is not None:
            await self.routers.stop()
        if Role.COLLECTOR in self.roles:
            await self.collector.stop()
        self._udp.close()
        await self._tcp.close()
        if self.telling is not None:
            await self.telling.stop()
        if self.deliveries is not None:
            await self.deliveries.stop()
        if self.messages is not None:
            await self.messages.stop()
        await self._give_back()
        await self.store.close()

    async def _give_back(self) -> None:
        """Let others do what this process has claimed."""
        try:
            await self.store.release_work(self._process)
        except StoreError as error:
            self.log.warn("claims not released, they will expire: {error}", error=error)


class HeadEndService:
    """Everything one process runs: the utilities of its settings and the SOAP server in front of them."""

    def __init__(
        self, utilities: Mapping[UtilityId, UtilityService], public_url: str, listening: Any, metrics: MetricsServer | None
    ) -> None:
        self.utilities = utilities
        self.public_url = public_url
        self.metrics = metrics
        self._listening = listening

    @classmethod
    async def start(cls, settings: Settings, around: Surrounding, roles: frozenset[Role] = ALL_ROLES) -> "HeadEndService":
        """Start all that `roles` have, or nothing.

        Raises  StoreError, LinkError, RequestError for an address that is taken or a profile that cannot be
        """
        check_profiles(settings)
        utilities: dict[UtilityId, UtilityService] = {}
        metrics: MetricsServer | None = None
        try:
            for each in settings.utilities:
                utilities[each.utility.utility_id] = await UtilityService.start(each, around, roles)
            metrics = _show_metrics(settings, utilities, around)
            listening, public_url = serve_partners(settings, utilities, around) if Role.GATEWAY in roles else (None, "")
        except BaseException:
            if metrics is not None:
                await metrics.stop()
            await _stop_all(utilities, None)
            raise
        return cls(utilities, public_url, listening, metrics)

    @property
    def only_utility(self) -> UtilityService:
        """The utility of a head-end that has one."""
        (utility,) = self.utilities.values()
        return utility

    def wsdl_addresses(self, service: str) -> dict[str, str]:
        """Where the WSDL of a service is, by MultiSpeak version; nowhere without a gateway."""
        if self._listening is None:
            return {}
        return {version: f"{self.public_url}/multispeak/{version}/{service}?wsdl" for version in VERSIONS}

    async def stop(self) -> None:
        """Stop serving, then the field sides."""
        if self.metrics is not None:
            await self.metrics.stop()
        await _stop_all(self.utilities, self._listening)


def _show_metrics(settings: Settings, utilities: Mapping[UtilityId, UtilityService], around: Surrounding) -> MetricsServer | None:
    if settings.metrics is None:
        return None
    for utility in utilities.values():
        utility.look_at_status()
    measured = list(utilities.values())
    return MetricsServer(around.reactor, settings.metrics.host, settings.metrics.port, lambda: [one.measures() for one in measured])


async def _stop_all(utilities: Mapping[UtilityId, UtilityService], listening: Any) -> None:
    if listening is not None:
        await defer.maybeDeferred(listening.stopListening)
    for utility in utilities.values():
        await utility.stop()


def collection_policy(settings: CollectionSettings) -> CollectionPolicy:
    """The collector's choices as settings name them."""
    return CollectionPolicy(
        conversations_max=settings.conversations,
        conversations_per_router_max=settings.conversations_per_router,
        transmissions_max=settings.transmissions,
        reply_seconds=settings.reply_seconds,
        clock_set_seconds=settings.clock_set_seconds,
        clock_set_seconds_max=settings.clock_set_seconds_max,
        lease_seconds=settings.lease_seconds,
        retries=RetryPolicy(
            first_seconds=settings.retry_minutes * 60,
            seconds_max=settings.retry_hours * 3_600,
            give_up_seconds=settings.retry_days * 86_400,
        ),
    )
