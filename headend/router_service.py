"""Composition of one utility's watch over routers: SNMP sockets, the watch, the port for notifications."""

from dataclasses import replace

from adapters.snmp_authority import Authority, engine_id_of
from adapters.snmp_link import SnmpLink
from adapters.snmp_notifications import NotificationReceiver
from adapters.snmp_router import SnmpRouterLink
from adapters.store import Store
from headend.errors import LinkError
from headend.model.endpoint import NativeAddress
from headend.router_policy import Limit, RouterPolicy, RouterThresholds
from headend.router_watch import RouterWatch
from headend.settings import RouterSettings, UtilitySettings
from headend.surrounding import Surrounding


class RouterService:
    """One utility's routers: the SNMP sockets, the watch over them and the port where they send notifications, if any."""

    def __init__(self, settings: UtilitySettings, store: Store, around: Surrounding, owner: str) -> None:
        routers = settings.routers
        self._settings = routers
        self._link = SnmpLink(around.reactor)
        seconds = around.reactor.seconds
        agents = SnmpRouterLink(self._link, around.random, seconds, routers.timeout_seconds, routers.tries)
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
