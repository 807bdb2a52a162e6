"""Meter groups and configuration groups: established, filled, emptied, deleted, shown."""

from collections.abc import Sequence
from typing import Any

from headend.errors import RequestError
from headend.identifiers import identifier
from headend.meter_groups import NOBODY, GroupKey, GroupKind, MeterGroup, UnknownGroupError
from headend.model.endpoint import Commodity
from headend.model.refusal import Refusal
from multispeak.calls import Answer, Call, Handler
from multispeak.error_objects import ObjectError, error_object, error_objects
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.meter_parameters import answering, listed_meters
from multispeak.notifications import refused, require_objects
from multispeak.said_values import commodity_of_service, items, named_meter

_METER, _GROUP = "meter", "meterGroup"


def group_handlers(version: str) -> dict[str, Handler]:
    """Handlers by operation name."""
    meters = "meterNumbers" if version == "3.0" else "meterIDs"
    handlers = {
        "EstablishMeterGroup": establish,
        "DeleteMeterGroup": delete_v3 if version == "3.0" else delete_v4,
        "InsertMeterInMeterGroup": _inserting(GroupKind.METERS, meters, "Puts meters behind those that are in a meter group."),
        "RemoveMetersFromMeterGroup": _removing(GroupKind.METERS, meters, "Takes meters out of a meter group."),
        "RemoveMetersFromConfigurationGroup": _removing(GroupKind.CONFIGURATION, meters, "Takes meters out of a configuration group."),
    }
    insert = _inserting(GroupKind.CONFIGURATION, meters, "Notes that meters are to be programmed alike; the first one begins the group.")
    if version == "3.0":
        return handlers | {"InsertMetersInConfigurationGroup": insert}
    return handlers | {
        "InsertMeterInConfigurationGroup": insert,
        "GetConfigurationGroupMembers": members,
        "GetConfigurationGroupNames": names,
        "GetConfigurationGroupNamesByMeterID": names_by_meter,
    }


async def establish(call: Call) -> Answer:
    """Makes a meter group, or gives one that is there other members; reads and schedules can be asked for by it."""
    group = call.request.meterGroup
    if group is None:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} holds no meterGroup")
    name = (group.groupName or "").strip()
    group_id = (group.objectID or "").strip() or name
    try:
        meter_nos = [named_meter(one) for one in items(group.meterList)]
        if meter_nos:
            require_objects(call, len(meter_nos))
        wanted = MeterGroup(
            GroupKind.METERS, identifier(group_id, "objectID of the group"), identifier(name or group_id, "groupName"), tuple(meter_nos)
        )
        refusals = await call.store.establish_group(wanted, _commodity(call), call.now)
    except RefusedCallError:
        raise
    except RequestError as error:
        return refused(call, [Refusal(group_id, str(error))], _GROUP)
    return refused(call, refusals, _METER)


async def delete_v3(call: Call) -> Answer:
    """Forgets a meter group; its meters stay."""
    error = await _delete(call)
    return Answer(None if error is None else error_object(call, error))


async def delete_v4(call: Call) -> Answer:
    """Forgets a meter group; its meters stay."""
    error = await _delete(call)
    return error_objects(call, () if error is None else (error,))


async def members(call: Call) -> Answer:
    """The meters of a configuration group, in the order in which they entered."""
    key = _key(GroupKind.CONFIGURATION, call.request.meterGroupName)
    group = await call.store.group(key)
    if group is None:
        raise UnknownGroupError(key)
    meter_id = call.records["meterID"]
    told = [meter_id(text=no, meterNo=no, utility=call.utility.utility_id) for no in group.meter_nos]
    meters = call.records["ArrayOfMeterID"](meterID=told or None)
    return Answer(call.records["configurationGroup"](objectID=group.group_id, groupName=group.name, meterList=meters))


async def names(call: Call) -> Answer:
    """The names of the configuration groups."""
    return _strings(call, await call.store.group_names(GroupKind.CONFIGURATION))


async def names_by_meter(call: Call) -> Answer:
    """The names of the configuration groups that a meter is in."""
    meter_no = named_meter(call.request.meterID)
    if not meter_no:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    return _strings(call, await call.store.group_names(GroupKind.CONFIGURATION, meter_no))


def _inserting(kind: GroupKind, parameter: str, effect: str) -> Handler:
    async def insert(call: Call) -> Answer:
        meter_nos = listed_meters(call, parameter)
        group = call.request.meterGroupID
        try:
            told = answering(call) if kind is GroupKind.CONFIGURATION else NOBODY
            refusals = await call.store.insert_in_group(_key(kind, group), meter_nos, _commodity(call), told, call.now)
        except RequestError as error:
            return refused(call, [Refusal(group or "", str(error))], _GROUP)
        return refused(call, refusals, _METER)

    insert.__doc__ = effect
    return insert


def _removing(kind: GroupKind, parameter: str, effect: str) -> Handler:
    async def remove(call: Call) -> Answer:
        meter_nos = listed_meters(call, parameter)
        group = call.request.meterGroupID
        try:
            refusals = await call.store.remove_from_group(_key(kind, group), meter_nos)
        except RequestError as error:
            return refused(call, [Refusal(group or "", str(error))], _GROUP)
        return refused(call, refusals, _METER)

    remove.__doc__ = effect
    return remove


async def _delete(call: Call) -> ObjectError | None:
    group = (call.request.meterGroupID or "").strip()
    try:
        await call.store.delete_group(_key(GroupKind.METERS, group))
    except RequestError as error:
        return ObjectError.of(group, error, _GROUP)
    return None


def _key(kind: GroupKind, name: str | None) -> GroupKey:
    return GroupKey(kind, identifier(name, "meterGroupName" if kind is GroupKind.CONFIGURATION else "meterGroupID"))


def _commodity(call: Call) -> Commodity | None:
    return commodity_of_service(getattr(call.request, "serviceType", None))


def _strings(call: Call, told: Sequence[Any]) -> Answer:
    return Answer(call.records["ArrayOfString"](string=list(told) or None))
