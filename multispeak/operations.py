"""All implemented operations of a MultiSpeak version, in one table whichever servers have them: an operation means the same everywhere.

Source  reference/multispeak.md 1
"""

from multispeak.calls import Handler, Handlers
from multispeak.general_operations import general_handlers
from multispeak.meter_reading import meter_reading_handlers


def operation_handlers(version: str) -> Handlers:
    """Handlers by operation name; a server dispatches those that its contract has."""
    handlers: dict[str, Handler] = {}
    for part in (meter_reading_handlers(version), general_handlers(handlers)):
        twice = handlers.keys() & part.keys()
        assert not twice, f"{twice} implemented twice"
        handlers.update(part)
    return handlers
