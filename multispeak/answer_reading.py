"""What a partner's server answered to a notification: taken, refused, or worth another try. Pure.

Source  reference/multispeak.md 5: some servers answer an errorObject for each object even where all went well, so none of them is a refusal
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from headend.model.telling import Delivery, MessageId
from multispeak.envelope import parse_request, request_parser
from multispeak.faults import RefusedCallError
from multispeak.spyne_import import NS_SOAP11_ENV, NS_SOAP12_ENV

REASON_CHARACTERS_MAX = 300
"""Characters kept of what a server said."""

_FAULTS = tuple(f"{{{namespace}}}Fault" for namespace in (NS_SOAP11_ENV, NS_SOAP12_ENV))
_LATER = {408, 425, 429, 502, 503, 504}
"""HTTP statuses of a server that is busy or away."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a notification, and in words why it is no success."""

    delivery: Delivery
    reason: str = ""


def verdict_of(status: int, octets: bytes) -> Verdict:
    """By the HTTP status and the body."""
    fault = _fault(octets)
    if fault is not None:
        return Verdict(Delivery.REFUSED, f"fault: {fault}"[:REASON_CHARACTERS_MAX])
    if 200 <= status < 300:
        return Verdict(Delivery.ACKNOWLEDGED)
    delivery = Delivery.QUEUED if status in _LATER or status >= 500 else Delivery.REFUSED
    return Verdict(delivery, f"HTTP status {status}")


def _fault(octets: bytes) -> str | None:
    """What a SOAP fault says; None where there is none."""
    if b"Fault" not in octets:
        return None
    try:
        root = parse_request(octets, request_parser())
    except RefusedCallError:
        return None
    fault = next((element for element in root.iter(*_FAULTS)), None)
    if fault is None:
        return None
    words = [text.strip() for text in fault.itertext() if isinstance(text, str) and text.strip()]
    return " ".join(words) or etree.QName(fault).localname


def object_answers(octets: bytes, object_ids: Sequence[Sequence[str]], message_ids: Sequence[MessageId]) -> dict[MessageId, str]:
    """What errorObjects of an answer say of single messages, by any of the ids that each was told under; nothing of those unnamed."""
    if b"errorObject" not in octets:
        return {}
    try:
        root = parse_request(octets, request_parser())
    except RefusedCallError:
        return {}
    said: dict[str, str] = {}
    for element in root.iter("{*}errorObject"):
        words = element.get("errorString") or (element.text or "").strip()
        if words:
            said.setdefault(element.get("objectID", ""), f"errorObject: {words}"[:REASON_CHARACTERS_MAX])
    found = {}
    for message_id, ids in zip(message_ids, object_ids, strict=True):
        words = next((said[one] for one in ids if one in said), "")
        if words:
            found[message_id] = words
    return found
