"""OD_Server reads: every active electric meter is an outage detection device of type Meter."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from headend.errors import HeadEndError, RequestError, UnknownMeterError
from headend.outage_devices import DeviceStatus, OutageDevice
from headend.ports import Page
from multispeak.calls import Answer, Call, Handler, ListAnswer
from multispeak.connect_disconnect import meter_id
from multispeak.error_objects import ObjectError, error_objects
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.limits import FETCH_OBJECTS
from multispeak.message_header import Paging
from multispeak.paging import known_place, page_size
from multispeak.said_values import named_meter, text
from multispeak.streaming import one_batch

_METER = "Meter"
_STATUS = {
    DeviceStatus.IN_SERVICE: "InService",
    DeviceStatus.OUT_OF_SERVICE: "OutofService",
    DeviceStatus.DEFECTIVE: "Defective",
}
_STATUS_NAMED = {name: status for status, name in _STATUS.items()}
_ELSEWHERE: Page[OutageDevice] = Page([], 0)


def outage_detection_handlers(version: str) -> dict[str, Handler]:
    """Handlers by operation name."""
    by, modify = ("ByMeterNo", modify_v3) if version == "3.0" else ("ByMeterID", modify_v4)
    return {
        "GetAllOutageDetectionDevices": all_devices,
        "GetOutageDetectionDevicesByStatus": devices_by_status,
        "GetOutageDetectionDevicesByType": devices_by_type,
        "GetOutageDetectionDevices" + by: devices_of_meter,
        "GetOutagedODDevices": outaged_devices,
        "ModifyODDataForOutageDetectionDevice": modify,
    }


async def all_devices(call: Call) -> ListAnswer:
    """The active electric meters as outage detection devices, by meter number."""
    return _page_told(call, await call.store.outage_devices(None, await known_place(call), page_size(call)))


async def devices_by_status(call: Call) -> ListAnswer:
    """Those in a status: a meter without power, or one that has not been shipped, is out of service."""
    status = _STATUS_NAMED.get(call.request.oDDStatus)
    after = await known_place(call)
    return _page_told(call, _ELSEWHERE if status is None else await call.store.outage_devices(status, after, page_size(call)))


async def devices_by_type(call: Call) -> ListAnswer:
    """Those of a type: all for Meter, none for others."""
    after = await known_place(call)
    is_ours = call.request.oDDType == _METER
    return _page_told(call, await call.store.outage_devices(None, after, page_size(call)) if is_ours else _ELSEWHERE)


async def devices_of_meter(call: Call) -> ListAnswer:
    """The device at a meter: an electric meter is its own, a gas or water meter has none."""
    meter_no = named_meter(call.request.meterNo if call.version == "3.0" else call.request.meterID)
    if not meter_no:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    device = await call.store.outage_device(meter_no)
    if device is None and await call.store.meter(meter_no) is None:
        raise UnknownMeterError(meter_no)
    return ListAnswer(one_batch([] if device is None else [_told(call, device)]))


async def outaged_devices(call: Call) -> ListAnswer:
    """Those that are known to have no power."""
    return ListAnswer(_all_outaged(call))


async def modify_v3(call: Call) -> Answer:
    """Takes over a partner's word that a meter cannot detect outages, or can again (InService)."""
    await _modify(call)
    return Answer(None)


async def modify_v4(call: Call) -> Answer:
    """Takes over a partner's word that a meter cannot detect outages, or can again (InService)."""
    try:
        await _modify(call)
    except HeadEndError as error:
        device = call.request.oDDevice
        name = (named_meter(device.meterID) or device.objectID or "") if device else ""
        return error_objects(call, [ObjectError.of(name, error, "outageDetectionDevice")])
    return error_objects(call, ())


async def _modify(call: Call) -> None:
    device = call.request.oDDevice
    named = named_meter(getattr(device, "meterNo", None) or getattr(device, "meterID", None)) if device else ""
    meter_no = text(named or (device.objectID if device else None), "meter number")
    if meter_no is None:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    if await call.store.outage_device(meter_no) is None:
        if await call.store.meter(meter_no) is None:
            raise UnknownMeterError(meter_no)
        raise RequestError(f"meter {meter_no[:80]!r} is no outage detection device")
    if device.outageDetectDeviceType not in {None, _METER}:
        raise RequestError(f"meter {meter_no[:80]!r} is a device of type {_METER}, not {device.outageDetectDeviceType}")
    if device.outageDetectDeviceStatus is not None:
        said = _STATUS_NAMED.get(device.outageDetectDeviceStatus)
        await call.store.say_device_status(meter_no, None if said is DeviceStatus.IN_SERVICE else said)


async def _all_outaged(call: Call) -> AsyncGenerator[Sequence[Any], None]:
    after, remaining = "", 1
    while remaining:
        page = await call.store.outaged_devices(after, FETCH_OBJECTS)
        yield [_told(call, device) for device in page.items]
        after, remaining = page.items[-1].entry.endpoint.meter_no if page.items else "", page.remaining


def _page_told(call: Call, page: Page[OutageDevice]) -> ListAnswer:
    last = page.items[-1].entry.endpoint.meter_no if page.items else ""
    return ListAnswer(one_batch([_told(call, device) for device in page.items]), Paging(page.remaining, last))


def _told(call: Call, device: OutageDevice) -> Any:
    endpoint, point, is_v3 = device.entry.endpoint, device.entry.service_point, call.version == "3.0"
    where: dict[str, Any] = {}
    if point is not None and point.latitude is not None:
        place = {"latitude": point.latitude, "longitude": point.longitude}
        where = {"GPS": call.records["GPS"](**place)} if is_v3 else {"gpsPoint": call.records["gpsPoint"](**place)}
    named = {"meterNo": endpoint.meter_no} if is_v3 else {"meterID": meter_id(call, device.entry)}
    return call.records["outageDetectionDevice"](
        objectID=endpoint.meter_no,
        utility=call.utility.utility_id,
        serialNumber=endpoint.serial_no,
        outageDetectDeviceType=_METER,
        outageDetectDeviceStatus=_STATUS[device.status],
        **named,
        **where,
    )
