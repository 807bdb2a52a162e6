"""What a partner's server answered to a notification: taken, refused, or worth another try. Pure.

Source  reference/multispeak.md 5: some servers answer an errorObject for each object even where all went well, so none of them is a refusal
"""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

from headend.model.telling import Delivery, MessageId
from multispeak.envelope import request_parser
from multispeak.spyne_import import NS_SOAP11_ENV, NS_SOAP12_ENV

REASON_CHARACTERS_MAX = 300
"""Characters kept of what a server said."""

_FAULTS = tuple(f"{{{namespace}}}Fault" for namespace in (NS_SOAP11_ENV, NS_SOAP12_ENV))
_ENVELOPES = {f"{{{namespace}}}Envelope" for namespace in (NS_SOAP11_ENV, NS_SOAP12_ENV)}
_LATER = {408, 425, 429, 502, 503, 504}
"""HTTP statuses of a server that is busy or away."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a notification, and in words why it is no success."""

    delivery: Delivery
    reason: str = ""


def verdict_of(status: int, octets: bytes) -> Verdict:
    """By the HTTP status and the body."""
    root = _read(octets)
    fault = None if root is None else next(iter(root.iter(*_FAULTS)), None)
    if fault is not None:
        # What the server itself cannot do now it may do later; what it finds wrong with the message stays so.
        delivery = Delivery.QUEUED if _is_of_server(fault) else Delivery.REFUSED
        return Verdict(delivery, f"fault: {_words(fault)}"[:REASON_CHARACTERS_MAX])
    if 200 <= status < 300:
        if not octets.strip() or (root is not None and root.tag in _ENVELOPES):
            return Verdict(Delivery.ACKNOWLEDGED)
        return Verdict(Delivery.QUEUED, f"the answer is no SOAP message: {_beginning(octets)}")
    if 300 <= status < 400:
        return Verdict(Delivery.REFUSED, f"HTTP status {status}: a redirect, which is not followed")
    delivery = Delivery.QUEUED if status in _LATER or status >= 500 else Delivery.REFUSED
    return Verdict(delivery, f"HTTP status {status}")


def _read(octets: bytes) -> etree._Element | None:
    """The root of an answer; None for what is no XML."""
    try:
        return etree.fromstring(octets, request_parser()) if octets.strip() else None
    except (etree.XMLSyntaxError, ValueError):
        return None


def _is_of_server(fault: etree._Element) -> bool:
    code = fault.findtext("faultcode") or fault.findtext(f"{{{NS_SOAP12_ENV}}}Code/{{{NS_SOAP12_ENV}}}Value") or ""
    return code.strip().rpartition(":")[2].partition(".")[0] in {"Server", "Receiver"}


def _words(fault: etree._Element) -> str:
    words = [text.strip() for text in fault.itertext() if isinstance(text, str) and text.strip()]
    return " ".join(words) or etree.QName(fault).localname


def _beginning(octets: bytes) -> str:
    text = " ".join(octets[:200].decode("utf-8", "replace").split())
    return repr("".join(each for each in text if each.isprintable())[:80])


def object_answers(octets: bytes, object_ids: Sequence[Sequence[str]], message_ids: Sequence[MessageId]) -> dict[MessageId, str]:
    """What errorObjects of an answer say of single messages, by any of the ids that each was told under; nothing of those unnamed."""
    if b"errorObject" not in octets:
        return {}
    root = _read(octets)
    if root is None:
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
