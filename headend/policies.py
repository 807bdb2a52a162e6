"""Policies as settings name them: what a file says in hours and days, as the frozen values that the core goes by; pure."""

from dataclasses import replace

from headend.collection.policy import CollectionPolicy
from headend.retries import RetryPolicy
from headend.router_policy import Limit, RouterPolicy, RouterThresholds
from headend.settings import CollectionSettings, RouterSettings, SilenceSettings
from headend.silence import SilencePolicy


def collection_policy(settings: CollectionSettings) -> CollectionPolicy:
    """The collector's choices as settings name them."""
    return CollectionPolicy(
        conversations_max=settings.conversations,
        conversations_per_router_max=settings.conversations_per_router,
        transmissions_max=settings.transmissions,
        reply_seconds=settings.reply_seconds,
        retries=RetryPolicy(
            first_seconds=settings.retry_minutes * 60,
            seconds_max=settings.retry_hours * 3_600,
            give_up_seconds=settings.retry_days * 86_400,
        ),
    )


def silence_policy(settings: SilenceSettings) -> SilencePolicy:
    """How long a silence is what, as settings say."""
    return SilencePolicy(
        late_seconds=settings.late_hours * 3_600,
        not_communicating_seconds=settings.not_communicating_hours * 3_600,
        investigate_seconds=settings.investigate_hours * 3_600,
        wake_seconds=86_400 / settings.wakeups_a_day,
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
