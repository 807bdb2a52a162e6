"""Events in MultiSpeak's words: 3.0's phrases, 4.1.6's meterEvents; and which of our codes a request's means.

Source  reference/multispeak.md 10
"""

from collections.abc import Sequence
from typing import Any

from headend.model.endpoint import Commodity
from headend.model.event_kinds import DEVICE_KINDS, EventCatalogue, EventKind
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.records import Records


def codes_of_phrase(catalogue: EventCatalogue, phrase: str) -> frozenset[int]:
    """Codes that 3.0 calls so; none for a phrase that no endpoint's events have."""
    return catalogue.with_phrase(phrase)


def codes_of_meter_event(catalogue: EventCatalogue, meter_event: Any) -> frozenset[int]:
    """Codes that a meterEvent means: by its codeString, else by those of its parts that are given, else by its content.

    The content is a name, a codeString or our own number. Raises RefusedCallError for a meterEvent that is none of ours.
    """
    asked = _Asked(meter_event)
    found = frozenset(code for code, kind in catalogue.kinds.items() if asked.means(kind))
    if not found:
        sentence = f"eventCode {asked.shown()} is not known; GetSupportedMeterEventCodes lists those that are"
        raise RefusedCallError(FaultCode.UNKNOWN_EVENT_CODE, sentence)
    return found


class _Asked:
    """What a meterEvent of a request says."""

    def __init__(self, meter_event: Any) -> None:
        self.text = (getattr(meter_event, "text", None) or "").strip()
        self.code_string = (getattr(meter_event, "codeString", None) or "").strip()
        self.parts = tuple((getattr(meter_event, part, None) or "").strip() for part in _PARTS)

    def means(self, kind: EventKind) -> bool:
        """Whether it is this kind."""
        codes = {code_string(kind, commodity) for commodity in kind.commodities} - {""}
        if self.code_string:
            return self.code_string in codes
        if any(self.parts):
            return any(_fits(self.parts, code.split(".")) for code in codes)
        return bool(self.text) and self.text.lower() in {kind.name.lower(), str(kind.code), *codes}

    def shown(self) -> str:
        """As a fault quotes it."""
        told = self.code_string or ".".join(self.parts).strip(".") or self.text
        return repr(told[:80])


_PARTS = ("domain", "domainPart", "type", "index")


def _fits(asked: Sequence[str], code: Sequence[str]) -> bool:
    return all(one in {"", other} for one, other in zip(asked, code, strict=True))


def code_string(kind: EventKind, commodity: Commodity | None) -> str:
    """domain, domainPart, type and index of a device's event, joined by dots; empty where no code is known."""
    return "" if kind.cim is None else kind.cim.of_device(commodity)


def meter_event(records: Records, code: int, kind: EventKind | None, commodity: Commodity | None) -> Any:
    """A 4.1.6 meterEvent; one that the catalogue has not got says its number, one without a code only what kind of device
    it is."""
    told = code_string(kind, commodity) if kind is not None else ""
    parts = dict(zip(_PARTS, told.split("."), strict=True)) if told else {"domain": str(DEVICE_KINDS[commodity])}
    return records["meterEvent"](text=f"event {code}" if kind is None else kind.name, codeString=told or None, **parts)
