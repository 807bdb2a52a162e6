"""Composition root: settings in, a running head-end out. Objects meet here and nowhere else but the command line."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from random import Random, SystemRandom
from typing import Any

from twisted.internet import defer, task
from twisted.internet.error import CannotListenError
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from adapters.c1222_tcp import TcpLink
from adapters.c1222_udp import UdpLink
from adapters.snmp_authority import Authority, engine_id_of
from adapters.snmp_link import SnmpLink
from adapters.snmp_notifications import NotificationReceiver
from adapters.snmp_router import SnmpRouterLink
from adapters.store import Store, open_store
from adapters.tls import ServerTls
from headend.collection.policy import CollectionPolicy
from headend.collector import Collector
from headend.errors import LinkError, RequestError, StoreError
from headend.housekeeping import LOOK_SECONDS as HOUSEKEEPING_SECONDS
from headend.housekeeping import Housekeeping
from headend.model.endpoint import NativeAddress, Transport
from headend.model.partner import Caller
from headend.model.utility import Utility, UtilityId
from headend.partner_directory import PartnerDirectory
from headend.passwords import hash_matches, is_hash, make_hash
from headend.router_policy import Limit, RouterPolicy, RouterThresholds
from headend.router_watch import RouterWatch
from headend.schedule_driver import LOOK_SECONDS, ScheduleDriver
from headend.settings import CollectionSettings, MessageSettings, RouterSettings, Settings, SettingsError, UtilitySettings
from multispeak.authentication import PartnerAuthenticator
from multispeak.contract import load_contract
from multispeak.http_hardening import BoundedSite
from multispeak.message_log import LogPolicy, MessageLog
from multispeak.profile_checks import profile_problems
from multispeak.site import Surroundings, multispeak_resource
from wsdl import VERSIONS

BEGIN_AGAIN_SECONDS = 30.0
"""How long a collection that the store did not take waits before it is begun again, in seconds."""

Now = Callable[[], datetime]
DatagramRecorder = Callable[[str, bytes, tuple[str, int], tuple[str, int], float], None]
"""Takes what passes a link: direction, octets, local and remote address, UNIX seconds."""


def utc_now() -> datetime:
    """The real clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surrounding:
    """What a service takes from the world: reactor, clock, chance, and where to record datagrams, if anywhere."""

    reactor: Any
    now: Now = utc_now
    random: Random = field(default_factory=SystemRandom)
    datagrams: DatagramRecorder | None = None


class RouterService:
    """One utility's routers: the SNMP sockets, the watch over them and the port where they send notifications, if any."""

    def __init__(self, settings: UtilitySettings, store: Store, around: Surrounding) -> None:
        routers = settings.routers
        self._settings = routers
        self._link = SnmpLink(around.reactor)
        seconds = around.reactor.seconds
        agents = SnmpRouterLink(self._link, around.random, seconds, routers.timeout_seconds, routers.tries)
        owner = settings.collection.collector
        self.watch = RouterWatch(
            store,
            agents,
            around.reactor,
            now=around.now,
            random=around.random,
            owner=owner,
            policy=router_policy(routers),
            polls_max=routers.polls,
        )
        authority = Authority(engine_id_of(f"{settings.id}/{owner}"), lambda: around.now().timestamp())
        self.notifications = NotificationReceiver(around.reactor, agents, authority, self.watch.notified)
        self.watch.on_routers = self.notifications.know
        self.trap_address: NativeAddress | None = None

    async def start(self) -> None:
        """Open the sockets and begin to watch. Raises LinkError."""
        self._link.open(self._settings.host)
        try:
            if self._settings.trap_port is not None:
                self.trap_address = self.notifications.open(self._settings.host, self._settings.trap_port)
        except LinkError:
            await self._link.close()
            raise
        await self.watch.start()

    async def stop(self) -> None:
        """End requests under way, record what came, close the sockets."""
        await self.notifications.close()
        await self.watch.stop(self._link.close)


class UtilityService:
    """One utility's field side: its store, its links, the poller that collects, the receiver that listens, the watch over routers."""

    log = Logger()

    def __init__(self, settings: UtilitySettings, store: Store, around: Surrounding) -> None:
        self.utility: Utility = settings.utility
        self.store = store
        self._settings = settings.collection
        self._now = around.now
        self._reactor = around.reactor
        self._repetitions: list[defer.Deferred[None]] = []
        self.collector = Collector(
            self.utility,
            store,
            around.reactor,
            now=around.now,
            random=around.random,
            owner=settings.collection.collector,
            policy=collection_policy(settings.collection),
        )
        self.messages = message_log(settings.messages, store, around)
        self._udp = UdpLink(around.reactor, self.collector.receiver, around.datagrams)
        self._tcp = TcpLink(around.reactor, self.collector.receiver, around.datagrams)
        self.collector.links.update({Transport.UDP: self._udp, Transport.TCP: self._tcp})
        self.routers = RouterService(settings, store, around) if settings.routers.poll else None
        self.housekeeping = Housekeeping(
            settings.id, store, around.reactor, around.now, settings.collection.collector, settings.retention.retention
        )
        self.address: NativeAddress

    @classmethod
    async def start(cls, settings: UtilitySettings, around: Surrounding) -> "UtilityService":
        """Open the store and listen to the field. Raises StoreError, LinkError."""
        store = await open_store(settings.database, settings.utility, settings.key_file, around.reactor, create_keys=True)
        service = cls(settings, store, around)
        try:
            # What this collector held when it was last killed is its own again, not only when the leases expire.
            await store.release(settings.collection.collector)
            service._listen(settings.field.host, settings.field.port)
            if service.routers is not None:
                await service.routers.start()
        except (LinkError, StoreError):
            service._udp.close()
            await service._tcp.close()
            await store.close()
            raise
        service.collector.start()
        if service.messages is not None:
            service.messages.start()
        return service

    def _listen(self, host: str, port: int) -> None:
        """UDP and TCP on one port number; where 0 picks one, UDP picks."""
        self.address = self._udp.open(host, port)
        try:
            self._tcp.open(host, self.address.port)
        except LinkError:
            self._udp.close()
            raise

    async def collect(self, collect_from: datetime) -> int:
        """Make every polled endpoint due now; how many became due. A first contact reads back to `collect_from`."""
        due = await self.store.schedule(self._now(), collect_from)
        self.collector.wake()
        self.log.info("collection of {utility} begun, {due} endpoints due", utility=self.utility.utility_id, due=due)
        return due

    def collect_regularly(self) -> None:
        """From now on collect as often as the settings say; a collection that the store does not take is begun when it does."""
        due_at: float = self._reactor.seconds()

        async def collect_and_wait() -> float:
            nonlocal due_at
            try:
                await self.collect(self._now() - timedelta(days=self._settings.history_days))
            except StoreError as error:
                self.log.warn("collection of {utility} not begun yet: {error}", utility=self.utility.utility_id, error=error)
                return BEGIN_AGAIN_SECONDS
            seconds: float = self._reactor.seconds()
            due_at = max(due_at + self._settings.every_hours * 3600, seconds)
            return due_at - seconds

        self._repeat(collect_and_wait)

    def read_by_schedule(self) -> None:
        """From now on follow the reading schedules that partners establish."""
        history = timedelta(days=self._settings.history_days)
        driver = ScheduleDriver(self.utility, self.store, self._now, self.collector.wake, history)

        async def look_and_wait() -> float:
            await driver.look()
            return LOOK_SECONDS

        self._repeat(look_and_wait)

    def keep_house(self) -> None:
        """From now on make room ahead and purge what is past its time."""

        async def look_and_wait() -> float:
            await self.housekeeping.look()
            return HOUSEKEEPING_SECONDS

        self._repeat(look_and_wait)

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
        await self.collector.stop()
        self._udp.close()
        await self._tcp.close()
        if self.messages is not None:
            await self.messages.stop()
        await self.store.close()


class HeadEndService:
    """Everything one process runs: the utilities of its settings and the SOAP server in front of them."""

    def __init__(self, utilities: Mapping[UtilityId, UtilityService], public_url: str, listening: Any) -> None:
        self.utilities = utilities
        self.public_url = public_url
        self._listening = listening

    @classmethod
    async def start(cls, settings: Settings, around: Surrounding) -> "HeadEndService":
        """Start it all, or nothing. Raises StoreError, LinkError, RequestError for an address that is taken or a profile that cannot be."""
        check_profiles(settings)
        utilities: dict[UtilityId, UtilityService] = {}
        try:
            for each in settings.utilities:
                utilities[each.utility.utility_id] = await UtilityService.start(each, around)
            listening, public_url = _serve(settings, utilities, around)
        except BaseException:
            await _stop_all(utilities, None)
            raise
        return cls(utilities, public_url, listening)

    @property
    def only_utility(self) -> UtilityService:
        """The utility of a head-end that has one."""
        (utility,) = self.utilities.values()
        return utility

    def wsdl_addresses(self, service: str) -> dict[str, str]:
        """Where the WSDL of a service is, by MultiSpeak version."""
        return {version: f"{self.public_url}/multispeak/{version}/{service}?wsdl" for version in VERSIONS}

    async def stop(self) -> None:
        """Stop serving, then the field sides."""
        await _stop_all(self.utilities, self._listening)


async def _stop_all(utilities: Mapping[UtilityId, UtilityService], listening: Any) -> None:
    if listening is not None:
        await defer.maybeDeferred(listening.stopListening)
    for utility in utilities.values():
        await utility.stop()


def _serve(settings: Settings, utilities: Mapping[UtilityId, UtilityService], around: Surrounding) -> tuple[Any, str]:
    """(the listening port, the public URL). Listens first: WSDLs tell an address, and the port may be one picked now."""
    root = Resource()
    site = BoundedSite(root, around.reactor)
    server = settings.server
    tls = server.tls and ServerTls(server.tls.certificate, server.tls.key, server.tls.client_ca)
    try:
        if tls is None:
            listening = around.reactor.listenTCP(server.port, site, interface=server.host)
        else:
            listening = around.reactor.listenSSL(server.port, site, tls, interface=server.host)
    except CannotListenError as error:
        raise RequestError(f"cannot serve at {server.host}:{server.port}: {error.socketError.strerror or error.socketError}") from None
    public_url = server.public_url or f"{'http' if tls is None else 'https'}://{server.host}:{listening.getHost().port}"
    surroundings = Surroundings(
        authenticator=authenticator(settings, around),
        stores=lambda caller: utilities[caller.utility.utility_id].store.seen_by(caller.partner.meters),
        public_url=public_url,
        now=around.now,
        clock=around.reactor,
        random=around.random,
        app_version=version("open-ami-headend"),
        logs=UtilityLogs(settings, utilities),
    )
    root.putChild(b"multispeak", multispeak_resource(surroundings))
    return listening, public_url


class UtilityLogs:
    """The message logs of all utilities; a stranger's exchanges are kept with whom it claimed to be, else with the first utility."""

    def __init__(self, settings: Settings, utilities: Mapping[UtilityId, UtilityService]) -> None:
        self._utilities = utilities
        self._homes = {p.user_id: u.utility.utility_id for u in settings.utilities for p in u.partners}
        self._first = settings.utilities[0].utility.utility_id

    def log_of(self, caller: Caller | None, user_id: str) -> MessageLog | None:
        """See `LogDirectory`."""
        return self._utilities[caller.utility.utility_id if caller else self._homes.get(user_id, self._first)].messages


def message_log(settings: MessageSettings, store: Store, around: Surrounding) -> MessageLog | None:
    """A utility's message log as the settings want it; None where they want none."""
    if not settings.days:
        return None
    policy = LogPolicy(settings.days, settings.megabytes * 1_000_000, settings.envelope_kib * 1_024)

    def on_thread(work: Callable[..., Any], *arguments: Any) -> defer.Deferred[Any]:
        return deferToThreadPool(around.reactor, around.reactor.getThreadPool(), work, *arguments)

    return MessageLog(store, policy, around.now, around.reactor, on_thread)


def check_profiles(settings: Settings) -> None:
    """Hold partners' profiles against the contracts, which settings do not know. Raises SettingsError."""
    partners = [p.partner for u in settings.utilities for p in u.partners if p.operations != ("*",) or p.notifications.urls]
    problems = profile_problems([load_contract(v) for v in VERSIONS], partners) if partners else []
    if problems:
        raise SettingsError("the settings file", problems)


LOGIN_THREADS = 2
"""Hashed passwords checked at once: each holds a core and 20 MiB for 40 ms."""


def authenticator(settings: Settings, around: Surrounding) -> PartnerAuthenticator:
    """Who opens with what, as the settings say it; new settings are a new one, which knows no earlier login."""
    partners = [(u.utility, [p.partner for p in u.partners]) for u in settings.utilities]
    few = defer.DeferredSemaphore(LOGIN_THREADS)

    async def check_hash(password: str, stored: str) -> bool:
        matches: bool = await few.run(deferToThreadPool, around.reactor, around.reactor.getThreadPool(), hash_matches, password, stored)
        return matches

    any_hashed = any(is_hash(partner.password) for _, theirs in partners for partner in theirs)
    decoy = make_hash(around.random.randbytes(16).hex(), around.random.randbytes) if any_hashed else ""
    return PartnerAuthenticator(PartnerDirectory(partners), around.now, check_hash, around.random.randbytes(32), decoy)


def collection_policy(settings: CollectionSettings) -> CollectionPolicy:
    """The collector's choices as settings name them."""
    return CollectionPolicy(
        conversations_max=settings.conversations,
        conversations_per_router_max=settings.conversations_per_router,
        transmissions_max=settings.transmissions,
        reply_seconds=settings.reply_seconds,
    )


def router_policy(settings: RouterSettings) -> RouterPolicy:
    """How routers are watched as settings say; slacks and the rest as they come."""
    usual = RouterThresholds()
    return RouterPolicy(
        poll_seconds=settings.poll_seconds,
        missed_polls=settings.missed_polls,
        silence_seconds=settings.silence_seconds,
        may_reboot=settings.may_reboot,
        retry_seconds=settings.retry_seconds,
        wait_seconds=settings.wait_seconds,
        thresholds=replace(
            usual,
            rssi_dbm=Limit(settings.rssi_low_dbm, usual.rssi_dbm.slack),
            temperature_minor_c=Limit(settings.temperature_minor_c, usual.temperature_minor_c.slack),
            temperature_major_c=Limit(settings.temperature_major_c, usual.temperature_major_c.slack),
            mesh_minor_percent=Limit(settings.mesh_minor_percent, usual.mesh_minor_percent.slack),
            mesh_major_percent=Limit(settings.mesh_major_percent, usual.mesh_major_percent.slack),
            battery_percent=Limit(settings.battery_low_percent, usual.battery_percent.slack),
        ),
    )
