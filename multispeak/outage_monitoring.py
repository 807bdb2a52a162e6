"""Outage monitorings under way: shown to whoever asked for them, and cancelled.

Source  reference/multispeak.md 9
"""

import re
from typing import Any

from headend.model.deferred import Monitoring
from multispeak.calls import Answer, Call, Handler
from multispeak.deferred_targets import members, plain_noun
from multispeak.error_objects import ObjectError, error_objects
from multispeak.notifications import require_objects

_XML_NAME = re.compile(r"(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*")


def outage_monitoring_handlers() -> dict[str, Handler]:
    """Handlers of the two operations, the same in both versions."""
    return {"DisplayODMonitoringRequests": display, "CancelODMonitoringRequestByObject": cancel}


async def display(call: Call) -> Answer:
    """The objects that the caller has put under outage monitoring."""
    found = await call.store.monitorings(call.partner.user_id, call.now)
    references = [_reference(call, monitoring) for monitoring in found]
    return Answer(call.records["ArrayOfObjectRef"](objectRef=references or None))


async def cancel(call: Call) -> Answer:
    """Ends the caller's outage monitoring of the named objects."""
    references = members(call.request.ObjectRef)
    require_objects(call, len(references))
    found: dict[str, list[Monitoring]] = {}
    for monitoring in await call.store.monitorings(call.partner.user_id, call.now):
        found.setdefault(monitoring.object_name, []).append(monitoring)
    ended: set[int] = set()
    errors = []
    for reference in references:
        meant = {monitoring.request_id for monitoring in found.get(_name(reference), ()) if _is_meant(reference, monitoring)}
        ended |= meant
        if not meant:
            name = _name(reference)
            errors.append(ObjectError(name[:256], f"no outage monitoring of {name[:80]!r} is under way", reference.noun or "objectRef"))
    if ended:
        await call.store.cancel_deferred(sorted(ended), call.now)
    return error_objects(call, errors)


def _reference(call: Call, monitoring: Monitoring) -> Any:
    noun = monitoring.noun.strip()
    return call.records["objectRef"](
        name=monitoring.object_name,
        # A QName whose prefix nobody declared would be no valid one.
        noun=noun.rpartition(":")[2] if _XML_NAME.fullmatch(noun) else None,
        objectID=monitoring.object_name,
    )


def _is_meant(reference: Any, monitoring: Monitoring) -> bool:
    return not reference.noun or plain_noun(reference.noun) == plain_noun(monitoring.noun)


def _name(reference: Any) -> str:
    text: str = reference.objectID or reference.name or getattr(reference, "text", None) or ""
    return text.strip()
