"""Events that follow from what commands found, raised by the head-end itself. Pure."""

from datetime import datetime

from headend.event_catalogue import LOAD_SIDE_VOLTAGE
from headend.model.command import FailureCode, Outcome
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, EventPath


def alarms_of(endpoint_id: EndpointId, outcome: Outcome, now: datetime) -> tuple[DeviceEvent, ...]:
    """Voltage behind an open switch: somebody feeds in, or has bridged the meter; its argument is the voltage in tenths of a volt."""
    volts = outcome.found.load_side_volts
    if outcome.code is not FailureCode.LOAD_SIDE_VOLTAGE or volts is None:
        return ()
    argument = int(volts * 10).to_bytes(2)
    return (DeviceEvent(endpoint_id, LOAD_SIDE_VOLTAGE, now, int(now.timestamp()) & 0x7FFFFFFF, argument, EventPath.UNSOLICITED),)
