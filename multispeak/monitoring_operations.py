"""Planned outages, usage, disconnected status, meter events and thresholds: begun, adjusted and ended by partners, kept per meter."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from headend.errors import RequestError
from headend.identifiers import identifier
from headend.meter_groups import NOBODY, Answering
from headend.model.channels import ChannelId
from headend.model.refusal import Refusal
from headend.model.watched_use import USE_CHANNELS
from headend.monitoring import CODES, Monitoring, MonitoringKind, UnknownMonitoringError
from multispeak.calls import Answer, Call, Handler
from multispeak.faults import FaultCode, RefusedCallError
from multispeak.field_names import FIELD_NAMES, FieldName
from multispeak.limits import YEAR_MAX, YEAR_MIN
from multispeak.mapping import DELIVERED
from multispeak.meter_events import codes_of_meter_event
from multispeak.meter_parameters import answering, listed_meters
from multispeak.notifications import object_name, refused, require_objects
from multispeak.record_fields import fields_said
from multispeak.response_urls import naming_problem
from multispeak.said_values import items, meter_number, named_meter
from multispeak.unheld_values import require_held

_METER, _EVENTS, _THRESHOLD = "meter", "eventMonitoringItem", "thresholdMonitoringItem"
Lasting = Callable[[Call, Monitoring], Monitoring]


def monitoring_handlers(version: str) -> dict[str, Handler]:
    """Handlers by operation name."""
    meters = "meterNos" if version == "3.0" else "meterIDs"
    handlers: dict[str, Handler] = {}
    for name, kind, lasting, begun in (
        ("PlannedOutage", MonitoringKind.PLANNED_OUTAGE, _in_period, "Notes that meters will have no power in a period."),
        ("UsageMonitoring", MonitoringKind.USAGE, _told, "Notes that the caller wants to be told of usage at meters, and where."),
        ("DisconnectedStatus", MonitoringKind.DISCONNECTED, _as_it_is, "Notes that meters are meant to be disconnected."),
    ):
        handlers[f"Initiate{name}"] = _beginning(kind, meters, lasting, begun)
        what = "usage monitoring" if kind is MonitoringKind.USAGE else kind.value
        handlers[f"Cancel{name}"] = _ending(kind, meters, f"Ends the caller's {what} of meters.")
    return handlers | _handlers_of_v4() if version == "4.1.6" else handlers


def _handlers_of_v4() -> dict[str, Handler]:
    return {
        "InitiateMeterEventMonitoring": watch_events,
        "CancelMeterEventMonitoring": _item_ending(MonitoringKind.EVENTS, _EVENTS, "Ends an item of the caller's event monitoring."),
        "InitiateThresholdMonitoring": watch_thresholds,
        "AdjustThresholdMonitoring": adjust_thresholds,
        "CancelThresholdMonitoring": _item_ending(MonitoringKind.THRESHOLD, _THRESHOLD, "Ends an item of the caller's thresholds."),
    }


async def watch_events(call: Call) -> Answer:
    """Notes which events of which meters the caller wants to be told, and where; groups count with the members they have now."""
    wanted: list[Monitoring] = []
    refusals: list[Refusal] = []
    told = _where(call)
    for item in _items(call, call.request.monitoringList):
        try:
            require_held(item)
            item_id = identifier(item.objectID, "objectID")
            details: dict[str, Any] = {"eventTypes": [fields_said(call, event) for event in items(item.eventTypes)]}
            if details["eventTypes"]:
                codes = [codes_of_meter_event(call.utility.events, event) for event in items(item.eventTypes)]
                details[CODES] = sorted(frozenset[int]().union(*codes))
            meter_nos = [meter_number(one) for one in items(item.meterList)]
        except RequestError as error:
            refusals.append(Refusal(object_name(item), str(error)))
            continue
        for group_id in items(item.meterGroupList):
            members = await call.store.group_members(group_id.strip())
            if members is None:
                refusals.append(Refusal(group_id, f"meter group {group_id[:80]!r} is not known"))
            else:
                meter_nos += [member for member in members if member not in set(meter_nos)]
        wanted += [_item(call, MonitoringKind.EVENTS, no, item_id, told, details) for no in meter_nos]
    require_objects(call, len(wanted) + len(refusals))
    refusals += await call.store.begin_monitoring(wanted)
    return refused(call, refusals, _EVENTS)


async def watch_thresholds(call: Call) -> Answer:
    """Notes which value of which meter the caller wants to be told when it is reached, and where."""
    listed = _items(call, call.request.monitoringList)
    wanted, refusals = _thresholds(call, listed, _where(call))
    return refused(call, refusals + await call.store.begin_monitoring(wanted), _THRESHOLD)


async def adjust_thresholds(call: Call) -> Answer:
    """Gives items of the caller's threshold monitoring other values; where it is told stays."""
    listed = _items(call, call.request.monitoringList)
    wanted, refusals = _thresholds(call, listed, NOBODY)
    partner = call.partner.user_id
    known = {
        (one.item_id, one.meter_no): one
        for one in await call.store.monitored_items(MonitoringKind.THRESHOLD, partner, [one.item_id for one in wanted])
    }
    adjusted = []
    for one in wanted:
        before = known.get((one.item_id, one.meter_no))
        if before is None:
            refusals.append(Refusal(one.item_id, str(UnknownMonitoringError(MonitoringKind.THRESHOLD, one.item_id))))
        else:
            adjusted.append(replace(before, details=one.details))
    return refused(call, refusals + await call.store.begin_monitoring(adjusted), _THRESHOLD)


def _beginning(kind: MonitoringKind, parameter: str, lasting: Lasting, effect: str) -> Handler:
    async def begin(call: Call) -> Answer:
        wanted = [lasting(call, _item(call, kind, no, "", NOBODY, {})) for no in listed_meters(call, parameter)]
        return refused(call, await call.store.begin_monitoring(wanted), _METER)

    begin.__doc__ = effect
    return begin


def _ending(kind: MonitoringKind, parameter: str, effect: str) -> Handler:
    async def end(call: Call) -> Answer:
        return refused(call, await call.store.end_monitoring(kind, call.partner.user_id, listed_meters(call, parameter)), _METER)

    end.__doc__ = effect
    return end


def _item_ending(kind: MonitoringKind, noun: str, effect: str) -> Handler:
    async def end(call: Call) -> Answer:
        item_id = (call.request.monitoringItemObjectID or "").strip()
        try:
            await call.store.end_monitored_item(kind, call.partner.user_id, identifier(item_id, "monitoringItemObjectID"))
        except RequestError as error:
            return refused(call, [Refusal(item_id, str(error))], noun)
        return refused(call, (), noun)

    end.__doc__ = effect
    return end


def _item(call: Call, kind: MonitoringKind, meter_no: str, item_id: str, told: Answering, details: dict[str, Any]) -> Monitoring:
    return Monitoring(kind, meter_no, call.partner.user_id, call.now, None, item_id, told, details)


def _as_it_is(call: Call, one: Monitoring) -> Monitoring:
    return one


def _told(call: Call, one: Monitoring) -> Monitoring:
    return replace(one, answering=_where(call), details={"version": call.version})


def _where(call: Call) -> Answering:
    """Where the caller wants to be told. Raises RefusedCallError for an address that it may not name."""
    told = answering(call)
    problem = told.response_url and naming_problem(told.response_url, call.partner.notifications)
    if problem:
        raise RefusedCallError(FaultCode.RESPONSE_URL, f"responseURL {problem}")
    return told


def _in_period(call: Call, one: Monitoring) -> Monitoring:
    """Raises RefusedCallError for dates reversed, past or far from any meter's life."""
    request = call.request
    for name, value in (("startDate", request.startDate), ("endDate", request.endDate)):
        if not YEAR_MIN <= value.year <= YEAR_MAX:
            sentence = f"{name} is {value.isoformat()}; years {YEAR_MIN} to {YEAR_MAX} are taken"
            raise RefusedCallError(FaultCode.INVALID_PERIOD, sentence)
    start, end = call.instant(request.startDate), call.instant(request.endDate)
    if end <= start:
        raise RefusedCallError(FaultCode.INVALID_PERIOD, f"endDate {end.isoformat()} is not after startDate {start.isoformat()}")
    if end <= call.now:
        raise RefusedCallError(FaultCode.INVALID_PERIOD, f"endDate {end.isoformat()} has passed")
    return replace(one, starts=start, ends=end)


def _items(call: Call, monitoring_list: Any) -> Sequence[Any]:
    found = items(monitoring_list)
    require_objects(call, len(found))
    return found


def _thresholds(call: Call, listed: Iterable[Any], told: Answering) -> tuple[list[Monitoring], list[Refusal]]:
    wanted: list[Monitoring] = []
    refusals: list[Refusal] = []
    for item in listed:
        try:
            wanted.append(_threshold(call, item, told))
        except RequestError as error:
            refusals.append(Refusal(object_name(item, None, named_meter(item.meterID)), str(error)))
    return wanted, refusals


def _channel(reading_type: Any, names: Mapping[ChannelId, FieldName]) -> ChannelId:
    """The register that a readingTypeCode means, by the name or the field name that we tell it by."""
    said = (reading_type.name or reading_type.text or "").strip()
    known = {text: one for one in sorted(USE_CHANNELS) for text in (names[one].channel, names[one].register) if text}
    if said not in known:
        raise RequestError(f"readingTypeCode {said[:80]!r} is not watched; these are: {', '.join(known)}")
    return known[said]


def _threshold(call: Call, item: Any, told: Answering) -> Monitoring:
    require_held(item)
    item_id = identifier(item.objectID, "objectID")
    if not isfinite(item.value):
        raise RequestError(f"the value of {item_id[:80]!r} is no number")
    names = FIELD_NAMES[call.partner.energy_unit]
    details: dict[str, Any] = {"value": item.value, "power": names[DELIVERED].power}
    if item.readingTypeCode is not None:
        details["channel_id"] = _channel(item.readingTypeCode, names)
    return _item(call, MonitoringKind.THRESHOLD, meter_number(item.meterID), item_id, told, details)
