"""Composition of a utility's event files."""

from adapters.delivery.threads import on_threads_of
from adapters.exports.event_xml import EventXmlFiles
from adapters.store import Store
from headend.event_files import EventFileDriver
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding


def event_file_driver(settings: UtilitySettings, store: Store, around: Surrounding, owner: str) -> EventFileDriver:
    """The driver of a utility's feeds."""
    files = EventXmlFiles(settings.utility, settings.spool, on_threads_of(around.reactor))
    feeds = [one.feed for one in settings.event_files]
    return EventFileDriver(settings.utility, store, files.write, feeds, around.now, owner)
