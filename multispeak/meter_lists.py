"""Lists of meters: those with a switch, and those modified since a partner's last session; in the shape of either version."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from headend.meter_sessions import MeterList
from headend.model.endpoint import MeterEntry
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import RECORDS_PER_STEP, UNSTREAMED_OBJECTS_MAX
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import Paging


def meter_list_handlers() -> dict[str, Handler]:
    """Handlers by operation name, the same in both versions."""
    return {
        "GetCDSupportedMeters": switch_meters,
        "GetModifiedAMRMeters": _modified(MeterList.AMR, "all meters"),
        "GetModifiedCDMeters": _modified(MeterList.CD, "meters with a connect/disconnect device"),
    }


async def switch_meters(call: Call) -> Answer | ListAnswer:
    """The active meters that have a connect/disconnect device, by meter number."""
    page = await call.store.switch_meters(await known_place(call), page_size(call))
    return told(call, page.items, {}, Paging(page.remaining, page.items[-1].endpoint.meter_no if page.items else ""))


def _modified(meter_list: MeterList, which: str) -> Handler:
    async def modified(call: Call) -> Answer | ListAnswer:
        partner, previous = call.partner.user_id, (call.request.previousSessionID or "").strip()
        after = await known_place(call)
        if after:
            session = await call.store.meter_session(partner, meter_list, previous, call.header.session_id)
        else:
            session = await call.store.begin_meter_session(partner, meter_list, previous, call.now)
        if session is None:
            raise no_place(after)
        page = await call.store.modified_meters(session, after, page_size(call))
        entries = [modified.entry for modified in page.items]
        verbs = {m.entry.endpoint.meter_no: m.verb.value for m in page.items if m.verb is not None}
        last = entries[-1].endpoint.meter_no if entries else ""
        return told(call, entries, verbs, Paging(page.remaining, last, session.session_id))

    modified.__doc__ = f"Of {which} those added, changed or gone since the session named; all for none. The header tells this session's id."
    return modified


def told(call: Call, entries: Sequence[MeterEntry], verbs: Mapping[str, str], paging: Paging) -> Answer | ListAnswer:
    """Meters in the shape of the version spoken; `verbs` by meter number."""
    if call.version != "3.0":
        return Answer(ShapeV4(call.records).meters(call.utility, entries, verbs), paging)
    shape, utility = ShapeV3(call.records), call.utility
    return ListAnswer(in_steps([shape.meter(utility, entry, verbs.get(entry.endpoint.meter_no)) for entry in entries]), paging)


async def in_steps(objects: Sequence[Any]) -> AsyncGenerator[Sequence[Any], None]:
    """Objects that are there already, so many at a time."""
    for begin in range(0, len(objects), RECORDS_PER_STEP):
        yield objects[begin : begin + RECORDS_PER_STEP]


def page_size(call: Call) -> int:
    """Objects of a page that is fetched in one piece."""
    return max(1, min(call.partner.page_size, UNSTREAMED_OBJECTS_MAX))


async def known_place(call: Call) -> str:
    """The meter number after which a page begins; empty for the first page.

    Raises  RefusedCallError for a lastReceived that is none
    """
    token = (call.request.lastReceived or "").strip()
    if token and await call.store.meter(token) is None:
        raise no_place(token)
    return token


def no_place(token: str) -> RefusedCallError:
    """What is told of a lastReceived from which no list goes on."""
    sentence = f"lastReceived is {token[:80]!r}; send LastSent of the answer before, or nothing to begin anew"
    return RefusedCallError(FaultCode.INVALID_LAST_RECEIVED, sentence)
