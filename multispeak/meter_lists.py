"""Lists of meters: all, those with a switch, and those modified since a partner's last session; in the shape of either version."""

from collections.abc import Mapping, Sequence

from headend.meter_sessions import MeterList
from headend.model.endpoint import MeterEntry
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.message_header import Paging
from multispeak.meter_names import resolve
from multispeak.paging import known_place, no_place, page_size
from multispeak.said_values import named_meter
from multispeak.streaming import one_batch


def meter_list_handlers() -> dict[str, Handler]:
    """Handlers by operation name, the same in both versions."""
    return {
        "GetAMRSupportedMeters": supported_meters,
        "IsAMRMeter": is_amr_meter,
        "GetCDSupportedMeters": switch_meters,
        "GetModifiedAMRMeters": _modified(MeterList.AMR, "all meters"),
        "GetModifiedCDMeters": _modified(MeterList.CD, "meters with a connect/disconnect device"),
    }


async def supported_meters(call: Call) -> Answer | ListAnswer:
    """The active endpoints, by meter number."""
    page = await call.store.meters(await known_place(call) or None, page_size(call))
    return told(call, page.items, {}, Paging(page.remaining, page.items[-1].endpoint.meter_no if page.items else ""))


async def is_amr_meter(call: Call) -> Answer:
    """Whether a meter is read by this head-end."""
    name = named_meter(call.request.meterNo if call.version == "3.0" else call.request.meterID)
    if not name:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    (target,) = await resolve(call, [name])
    return Answer(target.meter is not None and target.meter.active)


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
    utility, identifier = call.utility, call.partner.identifier
    if call.version != "3.0":
        return Answer(ShapeV4(call.records).meters(utility, entries, identifier, verbs), paging)
    shape = ShapeV3(call.records)
    return ListAnswer(one_batch([shape.meter(utility, e, identifier, verbs.get(e.endpoint.meter_no)) for e in entries]), paging)
