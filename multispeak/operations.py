"""All implemented operations of a MultiSpeak version, in one table whichever servers have them: an operation means the same everywhere.

Source  reference/multispeak.md 1
"""

from multispeak.calls import Handler, Handlers
from multispeak.connect_disconnect import connect_disconnect_handlers
from multispeak.deferred_operations import deferred_handlers
from multispeak.domain_operations import domain_handlers
from multispeak.general_operations import general_handlers
from multispeak.group_operations import group_handlers
from multispeak.history_logs import history_log_handlers
from multispeak.master_data_operations import master_data_handlers
from multispeak.meter_lists import meter_list_handlers
from multispeak.meter_reads import meter_read_handlers
from multispeak.monitoring_operations import monitoring_handlers
from multispeak.outage_detection import outage_detection_handlers
from multispeak.outage_monitoring import outage_monitoring_handlers
from multispeak.profile_objects import profile_data_handlers
from multispeak.reading_catalogues import catalogue_handlers
from multispeak.reading_operations import reading_handlers
from multispeak.registration_operations import registration_handlers
from multispeak.schedule_operations import schedule_handlers


def operation_handlers(version: str) -> Handlers:
    """Handlers by operation name; a server dispatches those that its contract has."""
    handlers: dict[str, Handler] = {}
    for part in (
        meter_list_handlers(),
        meter_read_handlers(version),
        reading_handlers(version),
        profile_data_handlers(version),
        history_log_handlers(version),
        catalogue_handlers(version),
        master_data_handlers(version),
        connect_disconnect_handlers(version),
        outage_detection_handlers(version),
        group_handlers(version),
        monitoring_handlers(version),
        schedule_handlers(version),
        deferred_handlers(version),
        outage_monitoring_handlers(),
        registration_handlers(),
        domain_handlers(version),
        general_handlers(handlers),
    ):
        twice = handlers.keys() & part.keys()
        assert not twice, f"{twice} implemented twice"
        handlers.update(part)
    return handlers
