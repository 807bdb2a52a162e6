"""Outcomes of commands → the notifications that tell them, in both versions. Pure.

What succeeded and what failed stand in the same notification where it takes several objects: an object that failed has an errorString and,
where it has a state, the state that was verified or Unknown. A formattedBlock and intervalData have an errorString of their own.
Source  reference/multispeak.md 6, 8, 9, 10
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from headend.model.deferred import IN_METER, DeferredKind, TargetState
from headend.model.endpoint import EndpointId
from headend.model.instants import to_us
from headend.model.partner import Credentials
from headend.model.readings import RegisterRow
from headend.model.selections import LOADS, REGISTERS, Period, quantities
from headend.model.telling import MessageId, Supply, Telling, ToldObject
from headend.reading_engine import MeterValues, Target
from headend.switches import SwitchState
from multispeak import mapping
from multispeak.block_layouts import Use
from multispeak.calls import Call
from multispeak.contract import OperationDef
from multispeak.formatted_blocks import BlockWriter
from multispeak.interval_data import IntervalWriter
from multispeak.mapping import ReadingGroup, Shape, ToldMeter, local_time, told_meter
from multispeak.mapping_v3 import ShapeV3
from multispeak.mapping_v4 import ShapeV4
from multispeak.meter_events import meter_event
from multispeak.read_selection import Between, Latest, Selection
from multispeak.said_values import SERVICE_TYPES

DEMAND_RESET = 20
"""The event of a demand reset."""

_ALL = Period(datetime.fromisoformat("1970-01-01T00:00:00+00:00"), datetime.fromisoformat("9999-01-01T00:00:00+00:00"))
_CHANGES = {
    "3.0": {SwitchState.CONNECTED: "Closed", SwitchState.DISCONNECTED: "Open"},
    "4.1.6": {SwitchState.CONNECTED: "Closed", SwitchState.DISCONNECTED: "Opened"},
}
_STATES = {SwitchState.CONNECTED: "Closed", SwitchState.DISCONNECTED: "Opened", SwitchState.ARMED: "Armed"}
_SUPPLIES = {Supply.RESTORED: "Restoration", Supply.OUTAGE: "Outage", Supply.NO_RESPONSE: "NoResponse"}


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification: its operation, its parameters in order, and the messages that are delivered with it.

    `object_ids` are what errorObjects may call each of these. `registration_id` is what it was registered for under, and `credentials`
    what was registered with it, where they are not the partner's own.
    """

    name: str
    values: tuple[Any, ...]
    message_ids: tuple[MessageId, ...]
    object_ids: tuple[tuple[str, ...], ...] = ()
    registration_id: str = ""
    credentials: Credentials | None = None


Values = Mapping[EndpointId, MeterValues]
"""What the store holds of endpoints whose intervals were read."""


class OutcomeBodies:
    """Makes notices for one partner. `call` stands for the call that the answer belongs to: utility, partner, version, classes."""

    def __init__(self, call: Call, operations: Mapping[str, OperationDef], *, plural: bool, objects_max: int) -> None:
        self._call = call
        self._operations = operations
        self._version = call.version
        self._records = call.records
        self._utility = call.utility
        self._objects_max = objects_max if plural else 1
        self._plural = plural
        self._shape: Shape = ShapeV3(call.records) if call.version == "3.0" else ShapeV4(call.records)
        self._texts = mapping.Telling(call.utility, call.partner.energy_unit)

    def notices(self, telling: Telling, values: Values) -> list[Notice]:
        """All that is to be sent, each object in one of them."""
        match telling.kind:
            case DeferredKind.SWITCH:
                return self._switched(telling)
            case DeferredKind.SWITCH_STATE:
                return self._standing(telling)
            case DeferredKind.PING | DeferredKind.MONITORING:
                return self._lists(telling, "ODEventNotification", partial(self._outage_event, telling.kind))
            case DeferredKind.DEMAND_RESET:
                return [self._reset(telling, told) for told in telling.objects]
            case DeferredKind.METER_EXCHANGE:
                return self._by_commodity(telling, "MeterExchangedNotification", "Exchange", self._exchange)
            case DeferredKind.METER_INSTALLATION:
                return self._by_commodity(telling, "MeterInstalledNotification", "", self._installed)
        return self._read(telling, values)

    # Switches

    def _switched(self, telling: Telling) -> list[Notice]:
        if self._plural and len(telling.objects) > 1 and "CDStatesChangedNotification" in telling.answers:
            return self._lists(telling, "CDStatesChangedNotification", self._change)
        return [self._changed(telling, told) for told in telling.objects]

    def _changed(self, telling: Telling, told: ToldObject) -> Notice:
        name = "CDStateChangedNotification"
        values: tuple[Any, ...] = (self._change(told), telling.transaction_id)
        if self._version == "3.0":
            values = (self._name(told), self._change_word(told), telling.transaction_id, _error(told))
        return Notice(name, values, (told.message_id,))

    def _change(self, told: ToldObject) -> Any:
        if self._version == "3.0":
            name = self._name(told)
            identity = {"meterNo": name, "meterID": name}
        else:
            identity = {"meterID": self._meter_id(told), "timestamp": self._at(told)}
        return self._records["CDStateChange"](**self._object(told), **identity, stateChange=self._change_word(told))

    def _change_word(self, told: ToldObject) -> str:
        """Where the switch is known to stand; what it was told is no state."""
        found = told.outcome.found
        if found.enabled is not None:
            return "Enabled" if found.enabled else "Disabled"
        words = _CHANGES[self._version] | {SwitchState.ARMED: "Armed"}
        return words.get(found.switch or SwitchState.UNKNOWN, "Unknown")

    def _standing(self, telling: Telling) -> list[Notice]:
        if self._plural and len(telling.objects) > 1 and "CDStatesNotification" in telling.answers:
            return self._lists(telling, "CDStatesNotification", self._state)
        return [
            Notice("CDStateNotification", (self._state(told), telling.transaction_id), (told.message_id,)) for told in telling.objects
        ]

    def _state(self, told: ToldObject) -> Any:
        if self._version == "3.0":
            service = SERVICE_TYPES[told.meter.commodity]
            identity = {"meterNo": self._name(told), "meterID": self._name(told), "serviceType": service}
        else:
            identity = {"meterID": self._meter_id(told), "timestamp": self._at(told)}
        word = _STATES.get(told.outcome.found.switch or SwitchState.UNKNOWN, "Unknown")
        return self._records["CDState"](**self._object(told), **identity, RCDState=word)

    # Outages

    def _outage_event(self, kind: DeferredKind, told: ToldObject) -> Any:
        supply = told.supply or Supply.NO_RESPONSE
        inferred = kind is DeferredKind.MONITORING and supply is Supply.NO_RESPONSE
        asked = told.outcome.state is TargetState.SUCCEEDED or told.outcome.state is TargetState.TIMED_OUT
        v3 = self._version == "3.0"
        where = {"meterNo": self._name(told)} if v3 else {"meterID": self._meter_id(told)}
        device = "outageDetectDevice" if v3 else "outageDetectionDevice"
        return self._records["outageDetectionEvent"](
            objectID=told.meter.meter_no,
            utility=self._utility.utility_id,
            errorString=None if asked else _error(told),
            comments=told.remark or None,
            eventTime=self._at(told),
            outageEventType="Inferred" if inferred else _SUPPLIES[supply],
            outageLocation=self._records["outageLocation"](**where),
            resolvedLevel="Meter",
            **{f"{device}ID": self._name(told), f"{device}Type": "Meter"},
        )

    # Demand resets

    def _reset(self, telling: Telling, told: ToldObject) -> Notice:
        v3 = self._version == "3.0"
        done = told.outcome.state is TargetState.SUCCEEDED
        identity = {"meterNo": self._name(told), "meterID": self._name(told)} if v3 else {"meterID": self._meter_id(told)}
        meaning = self._utility.events.kinds.get(DEMAND_RESET)
        event = meter_event(self._records, DEMAND_RESET, meaning, told.meter.commodity) if done else None
        instance = self._records["eventInstance"](**identity, meterEvent=event, timeStamp=self._at(told))
        transaction = telling.transaction_id
        extensions = None
        if v3 and transaction is not None:
            # 3.0 has no parameter for it; this is where one vendor puts it.
            item = self._records["extensionsItem"](extName="transactionId", extValue=transaction)
            extensions = self._records["extensionsList"](extensionsItem=[item])
        slot, kind = ("eventinstances", "eventInstances") if v3 else ("eventInstances", "ArrayOfEventInstance")
        listed = {slot: self._records[kind](eventInstance=[instance])}
        events = self._records["meterEventList"](**self._object(told), extensionsList=extensions, **listed)
        return Notice("MeterEventNotification", (events,) if v3 else (events, transaction), (told.message_id,))

    # Exchanges and installations, of which 4.1.6 alone tells

    def _by_commodity(self, telling: Telling, name: str, suffix: str, make: Callable[[str, ToldObject], Any]) -> list[Notice]:
        """Notifications whose objects stand in lists by commodity."""
        whole = self._operations[name].request[0].type_name
        notices = []
        for some in self._some(telling.objects):
            lists: dict[str, list[Any]] = {}
            for told in some:
                word = told.meter.commodity.value
                lists.setdefault(f"{word}Meter{suffix}", []).append(make(word, told))
            made = {f"{item}s": self._records[f"ArrayOf{item[0].upper()}{item[1:]}"](**{item: listed}) for item, listed in lists.items()}
            values = (self._records[whole](utility=self._utility.utility_id, **made), telling.transaction_id)
            notices.append(Notice(name, values, tuple(told.message_id for told in some)))
        return notices

    def _exchange(self, word: str, told: ToldObject) -> Any:
        details, new = told.details, told.details.get(IN_METER, "")
        incoming = ShapeV4(self._records).meter_id(self._utility, self._told(told)._replace(name=new)) if new else None
        return self._records[f"{word}MeterExchange"](
            **self._object(told),
            serviceLocationID=details.get("serviceLocationID") or None,
            outMeterReading=self._records["meterReading"](meterID=self._meter_id(told)),
            inMeterReading=self._records["meterReading"](meterID=incoming) if incoming is not None else None,
            timeStamp=self._at(told),
        )

    def _installed(self, word: str, told: ToldObject) -> Any:
        place = told.details.get("serviceLocation")
        info = self._records["utilityInfo"](serviceLocationID=place) if place else None
        return self._records[f"{word}Meter"](
            **self._object(told), meterNo=self._name(told), serialNumber=told.meter.serial_no or None, utilityInfo=info
        )

    # Readings

    def _read(self, telling: Telling, values: Values) -> list[Notice]:
        by_kind = {
            DeferredKind.LOAD_PROFILE_READ: ("IntervalDataNotification", "FormattedBlockNotification"),
            DeferredKind.HISTORICAL_READ: ("IntervalDataNotification", "FormattedBlockNotification"),
        }
        preferred = by_kind.get(telling.kind, ("ReadingChangedNotification", "FormattedBlockNotification"))
        name = next((one for one in preferred if one in telling.answers), telling.answers[0])
        if name == "ReadingChangedNotification":
            return self._lists(telling, name, self._reading)
        return [self._block(telling, name, some, values) for some in self._some(telling.objects)]

    def _reading(self, told: ToldObject) -> Any:
        meter = self._told(told)
        registers = _rows(told)
        if not registers:
            return self._shape.no_reading(self._utility, meter, _error(told) or "it told no register")
        group = ReadingGroup(registers[0].instant_us, registers)
        return self._shape.reading(self._utility, meter, self._texts.reading(told.meter.meter_no, group))

    def _block(self, telling: Telling, name: str, some: Sequence[ToldObject], values: Values) -> Notice:
        """A formattedBlock or intervalData, with what failed in words beside it."""
        found = [_values_of(told, values) for told in some]
        errors = [f"{self._name(told)}: {_error(told)}" for told in some if _error(told)]
        profile = telling.kind in {DeferredKind.LOAD_PROFILE_READ, DeferredKind.HISTORICAL_READ}
        wanted = quantities(REGISTERS.registers, LOADS) if profile else REGISTERS
        when = Between(_ALL) if profile else Latest()
        selection = Selection(when, wanted, use=Use.LOAD_PROFILE if profile else Use.BILLING)
        data: Any
        if name == "IntervalDataNotification":
            intervals = IntervalWriter(self._call, selection)
            for one in found:
                intervals.add(one)
            data = intervals.data()
        else:
            blocks = BlockWriter(self._call, selection, {told.meter.commodity for told in some})
            for one in found:
                blocks.add_to_one(one)
            data = blocks.one()
        return Notice(name, (data, telling.transaction_id, "; ".join(errors) or None), tuple(told.message_id for told in some))

    # What all have

    def _lists(self, telling: Telling, name: str, make: Callable[[ToldObject], Any]) -> list[Notice]:
        """Notifications of arrays."""
        array = self._operations[name].request[0].type_name
        item = self._call.binding.contract.types[array].elements[0].name
        return [
            Notice(
                name,
                (self._records[array](**{item: [make(told) for told in some]}), telling.transaction_id),
                tuple(told.message_id for told in some),
            )
            for some in self._some(telling.objects)
        ]

    def _some(self, objects: Sequence[ToldObject]) -> list[Sequence[ToldObject]]:
        return [objects[start : start + self._objects_max] for start in range(0, len(objects), self._objects_max)]

    def _object(self, told: ToldObject) -> dict[str, Any]:
        return {"objectID": told.meter.meter_no, "utility": self._utility.utility_id, "errorString": _error(told)}

    def _told(self, told: ToldObject) -> ToldMeter:
        return told_meter(told.meter, self._call.partner.identifier)

    def _name(self, told: ToldObject) -> str:
        return told.meter.called(self._call.partner.identifier)

    def _meter_id(self, told: ToldObject) -> Any:
        return ShapeV4(self._records).meter_id(self._utility, self._told(told))

    def _at(self, told: ToldObject) -> str:
        return local_time(told.at, self._utility.time_zone)


def _error(told: ToldObject) -> str | None:
    """Why it did not succeed: the code, and what it was in this case."""
    outcome = told.outcome
    if outcome.state is TargetState.SUCCEEDED:
        return None
    code = outcome.state.value if outcome.code is None else outcome.code.value
    return f"{code}: {outcome.reason}" if outcome.reason else code


def _rows(told: ToldObject) -> list[RegisterRow]:
    return [
        RegisterRow(r.endpoint_id, to_us(r.instant), r.channel_id, r.source.value, r.exponent, r.flags, r.value)
        for r in told.outcome.found.registers
    ]


def _values_of(told: ToldObject, values: Values) -> MeterValues:
    stored = values.get(told.meter.endpoint_id)
    if stored is not None and told.outcome.state is TargetState.SUCCEEDED:
        return stored
    return MeterValues(Target(told.meter.meter_no, told.meter), registers=_rows(told), problem=_error(told) or "")
