"""Meters of a group, as reading operations ask for them."""

from headend.meter_groups import GroupKey, GroupKind, UnknownGroupError
from headend.model.partner import MeterIdentifier
from headend.reading_engine import ListedMeters, Target
from multispeak.calls import Call
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.meter_names import asked_commodity


async def group_meters(call: Call) -> ListedMeters:
    """The members of meterGroupID that measure what serviceType says, in order of meter number.

    Raises  UnknownGroupError
    """
    group_id = (call.request.meterGroupID or "").strip()
    if not group_id:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meterGroupID")
    members = await call.store.group_members(group_id)
    if members is None:
        raise UnknownGroupError(GroupKey(GroupKind.METERS, group_id))
    commodity = asked_commodity(call)
    meters = await call.store.meters_named(MeterIdentifier.METER_NO, members)
    return ListedMeters(Target(meter.meter_no, meter) for meter in meters if commodity in {None, meter.commodity})
