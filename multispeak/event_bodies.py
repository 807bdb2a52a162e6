"""Events → the notifications that tell them, in both versions. Pure.

An object's objectID is the number of its event, the same whenever it is told.
Source  reference/multispeak.md 8, 9, 10, 11
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from headend.event_catalogue import MANUFACTURER, SWITCH_ARMED, SWITCH_CLOSED, SWITCH_OPENED
from headend.event_queries import EventRow, MeterLog
from headend.model.channels import ChannelId
from headend.model.event_case import EventCase
from headend.model.event_kinds import OutageMeaning
from headend.model.event_telling import EventTelling, ToldEvent
from headend.model.instants import to_us
from headend.model.readings import ReadSource, RegisterRow
from headend.model.subscription import Subscription
from headend.model.watched_use import WatchedUse
from multispeak.calls import Call
from multispeak.field_names import FIELD_NAMES
from multispeak.history_logs import LogShape
from multispeak.mapping import ReadingGroup, Shape, Telling, ToldMeter, local_time, told_meter
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.meter_events import meter_event
from multispeak.outcome_bodies import Notice
from multispeak.said_values import SERVICE_TYPES

DOUBT_SECONDS = 900
"""A clock is said to be doubtful where an event seems to be so much older, or to come so much later, than it was received."""

_STATES = {
    "3.0": {SWITCH_OPENED: "Open", SWITCH_CLOSED: "Closed", SWITCH_ARMED: "Armed"},
    "4.1.6": {SWITCH_OPENED: "Opened", SWITCH_CLOSED: "Closed", SWITCH_ARMED: "Armed"},
}
_CONDITIONS = {MANUFACTURER | 100: "H1", MANUFACTURER | 102: "L1", 45: "L1", MANUFACTURER | 106: "L2"}
"""Events of voltage → what the standard calls the condition; what ends one is Normal."""


class EventBodies:
    """Makes notices for one subscriber. `call` stands for the call it registered by: utility, partner, version, classes."""

    def __init__(self, call: Call, *, plural: bool) -> None:
        self._call = call
        self._records = call.records
        self._utility = call.utility
        self._v3 = call.version == "3.0"
        self._plural = plural

    def notices(self, telling: EventTelling, subscription: Subscription) -> list[Notice]:
        """All that is to be sent, in order."""
        made: list[Notice] = []
        for name, some in groupby(telling.objects, key=lambda told: told.notification):
            for part in self._parts(name, list(some)):
                values = self._values(name, [told.case for told in part], subscription.transaction_id or None)
                made.append(
                    Notice(
                        name,
                        values,
                        tuple(told.message_id for told in part),
                        tuple((str(told.case.number), told.case.device.name, self._name(told.case)) for told in part),
                        subscription.subscription_id,
                        subscription.credentials,
                    )
                )
        return made

    def _parts(self, name: str, some: list[ToldEvent]) -> list[list[ToldEvent]]:
        if self._plural and name != "CDStateChangedNotification":
            return [some]
        return [[told] for told in some]

    def _values(self, name: str, cases: Sequence[EventCase], transaction_id: str | None) -> tuple[Any, ...]:
        match name:
            case "ODEventNotification":
                return self._array(name, cases, self._outage), None
            case "MeterEventNotification":
                return (self._events(cases),) if self._v3 else (self._events(cases), transaction_id)
            case "HistoryLogChangedNotification":
                return (self._logs(cases),)
            case "CDStatesChangedNotification":
                return self._array(name, cases, self._change), None
            case "CDStateChangedNotification":
                (case,) = cases
                if self._v3:
                    return self._name(case), _STATES["3.0"].get(case.code, "Unknown"), None, None
                return self._change(case), None
            case "UsageMonitoringNotification":
                return self._usage(cases), self._readings(name, cases), transaction_id
            case "ThresholdEventNotification":
                return self._array(name, cases, self._threshold), transaction_id
            case "VoltageAlarmNotification":
                return (self._array(name, cases, self._voltage),)
            case _:
                return (self._array(name, cases, self._blink),)

    def _array(self, name: str, cases: Sequence[EventCase], make: Callable[[EventCase], Any]) -> Any:
        array = self._call.binding.operations[name].operation.request[0].type_name
        item = self._call.binding.contract.types[array].elements[0].name
        return self._records[array](**{item: [make(case) for case in cases]})

    def _outage(self, case: EventCase) -> Any:
        kind = self._utility.events.kinds.get(case.code)
        is_out = kind is None or kind.outage is not OutageMeaning.RESTORATION
        device = "outageDetectDevice" if self._v3 else "outageDetectionDevice"
        return self._records["outageDetectionEvent"](
            objectID=str(case.number),
            utility=self._utility.utility_id,
            comments=_doubt(case),
            eventTime=self._at(case),
            outageEventType="Instantaneous" if case.momentary else "Outage" if is_out else "Restoration",
            outageLocation=self._records["outageLocation"](**self._where(case)),
            resolvedLevel="Meter",
            **{f"{device}ID": self._name(case), f"{device}Type": "Meter"},
        )

    def _events(self, cases: Sequence[EventCase]) -> Any:
        instances = [self._instance(case) for case in cases]
        slot, kind = ("eventinstances", "eventInstances") if self._v3 else ("eventInstances", "ArrayOfEventInstance")
        listed = {slot: self._records[kind](eventInstance=instances)}
        number = str(cases[0].number)
        return self._records["meterEventList"](objectID=number, utility=self._utility.utility_id, **listed)

    def _instance(self, case: EventCase) -> Any:
        where = {"meterNo": self._name(case), "meterID": self._name(case)} if self._v3 else self._where(case)
        if self._v3 and case.device.commodity is not None:
            where["serviceType"] = SERVICE_TYPES[case.device.commodity]
        return self._records["eventInstance"](**where, meterEvent=self._event(case), timeStamp=self._at(case))

    def _event(self, case: EventCase) -> Any:
        kind = self._utility.events.kinds.get(case.code)
        return meter_event(self._records, case.code, kind, case.device.commodity)

    def _logs(self, cases: Sequence[EventCase]) -> Any:
        """A historyLog for each meter."""
        by_meter: dict[int, list[EventCase]] = {}
        for case in cases:
            by_meter.setdefault(case.device.device_id, []).append(case)
        shape = LogShape(self._call)
        logs = []
        for theirs in by_meter.values():
            meter = theirs[0].device.meter
            assert meter is not None, "routers have no history log"
            rows = [EventRow(meter.endpoint_id, to_us(c.occurred), c.code, c.sequence, c.argument) for c in theirs]
            logs.append(shape.log(MeterLog(meter, rows, more=False)))
        return self._records["ArrayOfHistoryLog"](historyLog=logs)

    def _change(self, case: EventCase) -> Any:
        name = self._name(case)
        identity = {"meterNo": name, "meterID": name} if self._v3 else {**self._where(case), "timestamp": self._at(case)}
        word = _STATES[self._call.version].get(case.code, "Unknown")
        number = str(case.number)
        return self._records["CDStateChange"](objectID=number, utility=self._utility.utility_id, **identity, stateChange=word)

    def _alarm(self, case: EventCase) -> dict[str, Any]:
        name = self._name(case)
        source = self._records["objectRef"](text=name, name=name, noun="meter", objectID=name, utility=self._utility.utility_id)
        return {
            "objectID": str(case.number),
            "utility": self._utility.utility_id,
            "comments": _doubt(case),
            "sourceIdentifier": source,
            "eventTime": self._at(case),
            "eventCode": self._event(case),
        }

    def _voltage(self, case: EventCase) -> Any:
        kind = self._utility.events.kinds.get(case.code)
        volts = None if kind is None or kind.volts is None else kind.volts.volts(case.argument)
        value = None if volts is None else self._records["voltage"](text=float(volts), units="V")
        item = self._records["voltageAlarmItem"](voltageValue=value, analogCondition=_CONDITIONS.get(case.code, "Normal"))
        items = self._records["ArrayOfVoltageAlarmItem"](voltageAlarmItem=[item])
        return self._records["voltageAlarm"](**self._alarm(case), voltageAlarmList=items)

    def _blink(self, case: EventCase) -> Any:
        return self._records["blinkAlarm"](**self._alarm(case), countedValue=int.from_bytes(case.argument))

    def _usage(self, cases: Sequence[EventCase]) -> Any:
        """The meters at which something was used, each once."""
        told = list({case.device.device_id: self._told(case) for case in cases}.values())
        if self._v3:
            return self._records["ArrayOfString"](string=[one.name for one in told])
        shape = ShapeV4(self._records)
        return self._records["ArrayOfMeterID1"](meterID=[shape.meter_id(self._utility, one) for one in told])

    def _readings(self, name: str, cases: Sequence[EventCase]) -> Any:
        array = self._call.binding.operations[name].operation.request[1].type_name
        item = self._call.binding.contract.types[array].elements[0].name
        return self._records[array](**{item: [self._reading(case) for case in cases]})

    def _reading(self, case: EventCase) -> Any:
        """The read by which usage was seen, under the number of the event."""
        use, instant_us = WatchedUse.unpack(case.argument), to_us(case.occurred)
        row = RegisterRow(
            case.device.device_id, instant_us, ChannelId(use.channel_id), ReadSource.SELF_READ.value, use.exponent, use.flags, use.value
        )
        reading = Telling(self._utility, self._call.partner.energy_unit).reading(case.device.name, ReadingGroup(instant_us, [row]))
        shape: Shape = ShapeV3(self._records) if self._v3 else ShapeV4(self._records)
        return shape.reading(self._utility, self._told(case), reading._replace(object_id=str(case.number)))

    def _threshold(self, case: EventCase) -> Any:
        """The item as the partner called it, with the value that was read."""
        use = WatchedUse.unpack(case.argument)
        name = FIELD_NAMES[self._call.partner.energy_unit][ChannelId(use.channel_id)]
        return self._records["thresholdMonitoringItem"](
            objectID=use.item_id, utility=self._utility.utility_id, **self._where(case), value=float(name.text(use.value, use.exponent))
        )

    def _told(self, case: EventCase) -> ToldMeter:
        meter = case.device.meter
        if meter is None:
            return ToldMeter(case.device.name, case.device.name, "", None)
        return told_meter(meter, self._call.partner.identifier)

    def _name(self, case: EventCase) -> str:
        return self._told(case).name

    def _where(self, case: EventCase) -> dict[str, Any]:
        """The meter, by its member of locations and instances."""
        if self._v3:
            return {"meterNo": self._name(case)}
        return {"meterID": ShapeV4(self._records).meter_id(self._utility, self._told(case))}

    def _at(self, case: EventCase) -> str:
        return local_time(case.occurred, self._utility.time_zone)


def _doubt(case: EventCase) -> str | None:
    seconds = round((case.occurred - case.received).total_seconds())
    if abs(seconds) < DOUBT_SECONDS:
        return None
    return f"the device's clock is doubtful: received {abs(seconds)} s {'before' if seconds > 0 else 'after'} it says that it happened"
