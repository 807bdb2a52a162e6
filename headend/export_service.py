"""Composition of a utility's exports: who makes files, and the drivers that have them made."""

from collections.abc import Awaitable, Callable

from adapters.delivery.threads import on_threads_of
from adapters.exports.making import ExportFiles
from adapters.exports.records import RecordFiles
from adapters.store import Store
from headend.event_file_service import event_file_driver
from headend.event_files import LOOK_SECONDS as EVENT_FILE_SECONDS
from headend.export_driver import LOOK_SECONDS as EXPORT_SECONDS
from headend.export_driver import ExportDriver, Exporter
from headend.record_exports import RecordExportDriver, RecordExports
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding

Look = Callable[[], Awaitable[None]]


def exporter(settings: UtilitySettings, store: Store, around: Surrounding) -> Exporter:
    """Makes runs of a utility's exports."""
    files = ExportFiles(settings.utility, settings.spool, on_threads_of(around.reactor))
    return Exporter(settings.utility, store, files, around.now)


def export_driver(settings: UtilitySettings, store: Store, around: Surrounding, owner: str) -> ExportDriver:
    """The driver of a utility's regular exports."""
    schedules = [one.schedule for one in settings.exports.schedules]
    return ExportDriver(exporter(settings, store, around), store, schedules, owner)


def record_driver(settings: UtilitySettings, store: Store, around: Surrounding, owner: str) -> RecordExportDriver:
    """The driver of exports of gas days and master data."""
    exports, rule = settings.exports, settings.gas_day.rule
    gas_day = None if exports.gas_day is None else exports.gas_day.export
    master_data = None if exports.master_data is None else exports.master_data.export
    maker = RecordFiles(settings.utility, settings.spool, on_threads_of(around.reactor), rule)
    wanted = RecordExports(gas_day, master_data, rule)
    return RecordExportDriver(settings.utility, store, maker, wanted, around.now, owner)


def file_makers(settings: UtilitySettings, store: Store, around: Surrounding, owner: str) -> list[tuple[Look, float]]:
    """All that makes a utility's files by itself: how it looks what is due, and how often, in seconds."""
    return [
        (export_driver(settings, store, around, owner).look, EXPORT_SECONDS),
        (record_driver(settings, store, around, owner).look, EXPORT_SECONDS),
        (event_file_driver(settings, store, around, owner).look, EVENT_FILE_SECONDS),
    ]
