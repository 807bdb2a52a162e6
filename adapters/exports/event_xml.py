"""Files of events (`wsdl/exports/events.xsd`). Nothing in one depends on when it is written: the same events make the same octets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.delivery.spool import FileInTheMaking
from adapters.delivery.threads import OnThread
from adapters.exports.texts import escape, utc_text_us
from headend.event_files import EventFeed, EventFile
from headend.model.delivery import FinishedFile
from headend.model.event_case import EventCase
from headend.model.instants import to_us
from headend.model.utility import Utility

NAMESPACE = "urn:open-ami-headend:events:1"


@dataclass(frozen=True, slots=True)
class EventXmlFiles:
    """Writes the event files of one utility."""

    utility: Utility
    spool: Path
    on_thread: OnThread

    async def write(self, feed: EventFeed, file: EventFile, cases: Sequence[EventCase]) -> FinishedFile:
        """The WriteFile of `headend.event_files`."""
        name = f"{self.utility.utility_id}_{feed.name}_{file.number:08}.xml"
        texts = event_texts(self.utility, feed, file, cases)
        finished: FinishedFile = await self.on_thread(_written, self.spool / "events", name, texts)
        return finished


def event_texts(utility: Utility, feed: EventFeed, file: EventFile, cases: Sequence[EventCase]) -> Iterator[str]:
    """A document, line by line."""
    said = f'utility="{escape(str(utility.utility_id))}" feed="{feed.name}" content="{feed.content.value}" number="{file.number}"'
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<Events xmlns="{NAMESPACE}" version="1" {said} made="{utc_text_us(to_us(file.made))}" count="{len(cases)}">\n'
    for case in cases:
        yield f"<Event{_attributes(utility, case)}/>\n"
    yield "</Events>\n"


def _attributes(utility: Utility, case: EventCase) -> str:
    kind, device = utility.events.kinds.get(case.code), case.device
    values = {
        "id": str(case.number),
        "router" if device.commodity is None else "meter": device.name,
        "commodity": "" if device.commodity is None else device.commodity.value,
        "serial": device.serial_no,
        "behind": device.router or "",
        "code": str(case.code),
        "name": "" if kind is None else kind.name,
        "severity": "" if kind is None else kind.severity.value,
        "category": "" if kind is None else kind.category.value,
        "cim": "" if kind is None or kind.cim is None else kind.cim.of_device(device.commodity),
        "clears": "" if kind is None or kind.clears is None else str(kind.clears),
        "supply": "" if kind is None or kind.outage is None else kind.outage.value,
        "occurred": utc_text_us(to_us(case.occurred)),
        "received": utc_text_us(to_us(case.received)),
        "sequence": str(case.sequence),
        "path": case.path.value,
        "argument": case.argument.hex(),
    }
    return "".join(f' {name}="{escape(value)}"' for name, value in values.items() if value)


def _written(directory: Path, name: str, texts: Iterator[str]) -> FinishedFile:
    with FileInTheMaking(directory, name) as file:
        for text in texts:
            file.write(text.encode())
        return file.finish()
