"""Composition of a utility's exports: who makes files, and the driver that has them made."""

from adapters.delivery.threads import on_threads_of
from adapters.exports.making import ExportFiles
from adapters.exports.records import RecordFiles
from adapters.store import Store
from headend.export_driver import ExportDriver, Exporter
from headend.record_exports import RecordExportDriver, RecordExports
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding


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
