"""CD_Server reads: which state a meter's switch is in, and whether it has one that obeys."""

from typing import Any

from headend.errors import UnknownMeterError
from headend.model.endpoint import MeterEntry
from headend.switches import MeterSwitch, SwitchState
from multispeak.calls import Answer, Call, Handler
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.mapping import local_time
from multispeak.said_values import SERVICE_TYPES, named_meter

_V3 = {SwitchState.CONNECTED: "Closed", SwitchState.DISCONNECTED: "Open", SwitchState.ARMED: "Armed", SwitchState.UNKNOWN: "Unknown"}
_V4 = _V3 | {SwitchState.DISCONNECTED: "Opened"}


def connect_disconnect_handlers(version: str) -> dict[str, Handler]:
    """Handlers by operation name."""
    if version == "3.0":
        return {"GetCDMeterState": meter_state_v3}
    return {"GetCDMeterState": meter_state_v4, "IsCDSupported": is_supported}


async def meter_state_v3(call: Call) -> Answer:
    """The state of a meter's switch as it is known here: Closed, Open, Armed, Disabled or Unknown; the meter is not asked."""
    return Answer(_state(await _present(call, call.request.meterNo), _V3))


async def meter_state_v4(call: Call) -> Answer:
    """The state of a meter's switch as it is known here, and since when; the meter is not asked."""
    switch = await _present(call, call.request.meterID)
    since = None if switch.since is None else local_time(switch.since, call.utility.time_zone)
    state = call.records["CDState"](
        objectID=switch.entry.endpoint.meter_no, meterID=meter_id(call, switch.entry), RCDState=_state(switch, _V4), timestamp=since
    )
    return Answer(state)


async def is_supported(call: Call) -> Answer:
    """Whether the meter named, or the one at the service location named, has a switch that is enabled."""
    location = call.request.location
    meter_no = named_meter(location.meterID) if location else ""
    location_no = (location.serviceLocationID or "").strip() if location else ""
    if not meter_no and location_no:
        entry = await call.store.meter_at(location_no)
        meter_no = entry.endpoint.meter_no if entry else ""
    elif not meter_no:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names neither a meter nor a service location")
    switch = await call.store.switch(meter_no) if meter_no else None
    return Answer(switch is not None and switch.entry.endpoint.active and switch.enabled)


def meter_id(call: Call, entry: MeterEntry) -> Any:
    """A 4.1.6 meterID."""
    meter_no = entry.endpoint.meter_no
    service = SERVICE_TYPES[entry.endpoint.commodity]
    return call.records["meterID"](text=meter_no, meterNo=meter_no, serviceType=service, utility=call.utility.utility_id)


async def _present(call: Call, named: Any) -> MeterSwitch:
    """The switch of the meter that a request names.

    Raises  RefusedCallError where it names none or the meter has none, UnknownMeterError
    """
    meter_no = named_meter(named)
    if not meter_no:
        raise RefusedCallError(FaultCode.MISSING_PARAMETER, f"{call.operation} names no meter")
    switch = await call.store.switch(meter_no)
    if switch is None:
        raise UnknownMeterError(meter_no)
    if not switch.present:
        raise RefusedCallError(FaultCode.NO_SWITCH, f"meter {meter_no[:80]!r} has no connect/disconnect device")
    return switch


def _state(switch: MeterSwitch, words: dict[SwitchState, str]) -> str:
    """Where it stands; one that obeys nothing and stands nobody knows where is told as disabled."""
    if switch.state is SwitchState.UNKNOWN and not switch.enabled:
        return "Disabled"
    return words[switch.state]
