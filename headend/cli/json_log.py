"""The log as JSON lines: one object an event, with its message and its plain fields; never an object's innards."""

import json
from datetime import UTC, datetime
from typing import TextIO

from twisted.logger import ILogObserver, LogEvent, formatEvent
from zope.interface import implementer


@implementer(ILogObserver)
class JsonObserver:
    """Writes events to `out` as they happen."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, event: LogEvent) -> None:
        """See ILogObserver."""
        self._out.write(json_line(event))
        self._out.flush()


def json_line(event: LogEvent) -> str:
    """One event as a line. Fields that are no numbers, truth values or text are told as the text they show themselves as."""
    fields = {name: _plain(value) for name, value in event.items() if not name.startswith("log_") and name not in {"time", "isError"}}
    line = {
        "time": datetime.fromtimestamp(event["log_time"], UTC).isoformat(),
        "level": event["log_level"].name,
        "from": event.get("log_namespace", ""),
        "message": formatEvent(event),
        **({"fields": fields} if fields else {}),
    }
    failure = event.get("log_failure")
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    return json.dumps(line, ensure_ascii=False) + "\n"


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
