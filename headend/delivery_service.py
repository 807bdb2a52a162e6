"""Composition of what delivers a utility's files: its targets, and the driver that serves them."""

from pathlib import Path

from adapters.delivery.spool import remove_files
from adapters.delivery.targets import build_target
from adapters.delivery.threads import on_threads_of
from adapters.store import Store
from headend.delivery_driver import DeliveryDriver, ServedTarget
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding


def delivery_driver(settings: UtilitySettings, store: Store, around: Surrounding) -> DeliveryDriver:
    """The driver of a utility's deliveries. Raises RequestError for a target that cannot be used as the settings have it."""
    targets = {one.name: ServedTarget(build_target(one, around.reactor), one.policy) for one in settings.targets}
    on_thread = on_threads_of(around.reactor)

    async def remove(paths: list[Path]) -> None:
        await on_thread(remove_files, paths)

    return DeliveryDriver(store, targets, around.now, around.reactor, remove, settings.exports.keep_days)
