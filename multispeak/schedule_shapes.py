"""schedule and readingSchedule of both versions ⇄ the core's schedules.

3.0 gives spans as bare numbers, which are taken as seconds; 4.1.6 names their unit. An object is given back as it was told in the
version that it was told in; in the other one what both versions have of it.
Source  contract types schedule, readingSchedule
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from headend.errors import RequestError
from headend.identifiers import identifier
from headend.read_schedule import ScheduleTimes, Span, TimePoint, TimeUnit, check_times, has_times
from headend.schedules import Schedule, ScheduleKind, ScheduleTargets
from multispeak.calls import Call
from multispeak.mapping import local_time
from multispeak.record_fields import fields_said, record_said
from multispeak.said_values import instant, items, meter_number, text

_TYPES = {ScheduleKind.PLAIN: "schedule", ScheduleKind.READING: "readingSchedule"}


def schedule_of(call: Call, kind: ScheduleKind, said: Any) -> Schedule:
    """What a schedule says.

    Raises  RequestError for one that cannot be followed, naming why
    """
    times, targets = _times(call, said), ScheduleTargets()
    check_times(times)
    if kind is ScheduleKind.READING:
        targets = _targets(call, said)
        if not has_times(times):
            raise RequestError("the reading schedule says no time: neither absoluteTimeSchedule nor periodicSchedule")
        if not targets.any():
            raise RequestError("the reading schedule names neither meters nor groups")
    return Schedule(
        kind=kind,
        schedule_id=identifier(said.objectID, "objectID"),
        enabled=said.isEnabled is not False,
        purpose=text(said.purpose, "purpose") or "",
        times=times,
        targets=targets,
        version=call.version,
        told=fields_said(call, said),
    )


def schedule_told(call: Call, schedule: Schedule) -> Any:
    """A schedule in the version spoken, enabled or not as it is now."""
    same = schedule.version == call.version
    told = record_said(call, _TYPES[schedule.kind], schedule.told) if same else _translated(call, schedule)
    told.isEnabled = schedule.enabled
    return told


def _times(call: Call, said: Any) -> ScheduleTimes:
    window, periodic = said.effectiveWindow, said.periodicSchedule
    return ScheduleTimes(
        points=tuple(_points(call, said)),
        first=instant(call, periodic.startTime, "startTime") if periodic else None,
        period=_period(call, periodic.period) if periodic else None,
        starts=instant(call, window.startTime, "startTime") if window else None,
        ends=instant(call, window.endTime, "endTime") if window else None,
        offset=_span(call, said.offset),
    )


def _points(call: Call, said: Any) -> Iterable[TimePoint]:
    """Time points in the order of their numbers."""
    absolute = items(said.absoluteTimeSchedule)
    for point in sorted(absolute, key=lambda one: one.sequenceNumber or 0):
        yield TimePoint(instant(call, point.absoluteTime, "absoluteTime"))
    for point in sorted(getattr(said, "TimePoints", None) or (), key=lambda one: one.sequenceNumber or 0):
        yield TimePoint(instant(call, point.absoluteTime, "absoluteTime"), _span(call, point.relativeTimeInterval))


def _span(call: Call, said: Any) -> Span | None:
    if said is None:
        return None
    return Span(said, TimeUnit.SECONDS) if call.version == "3.0" else Span(said.text, _unit(said.units))


def _period(call: Call, said: Any) -> Span | None:
    if said is None:
        return None
    return Span(said, TimeUnit.SECONDS) if call.version == "3.0" else Span(said.text, _unit(said.timeUnits))


def _unit(name: str | None) -> TimeUnit:
    if name == "Other":
        raise RequestError("a span of time in units Other cannot be followed")
    return TimeUnit.SECONDS if name is None else TimeUnit(name)


def _targets(call: Call, said: Any) -> ScheduleTargets:
    if call.version == "3.0":
        meters = items(said.meterRefList)
        groups = [group.objectID or group.groupName for group in items(said.meterGroupList)]
    else:
        meters, groups = items(said.meterList), list(items(said.meterGroupList))
    return ScheduleTargets(
        tuple(dict.fromkeys(meter_number(meter) for meter in meters)),
        tuple(dict.fromkeys(identifier(group, "meter group") for group in groups)),
        tuple(dict.fromkeys(identifier(group, "configuration group") for group in items(said.configurationGroupList))),
    )


def _translated(call: Call, schedule: Schedule) -> Any:
    times, is_v3 = schedule.times, call.version == "3.0"
    period = times.period
    told = {
        "objectID": schedule.schedule_id,
        "purpose": schedule.purpose or None,
        "effectiveWindow": _window(call, times),
        "offset": _span_told(call, times.offset, "duration", "units"),
        "absoluteTimeSchedule": _absolute(call, times),
    }
    if period is not None or times.first is not None:
        told["periodicSchedule"] = call.records["periodicSchedule"](
            startTime=_local(call, times.first), period=_span_told(call, period, "period", "timeUnits")
        )
    if schedule.kind is ScheduleKind.READING:
        told |= _targets_v3(call, schedule.targets) if is_v3 else _targets_v4(call, schedule.targets)
    return call.records[_TYPES[schedule.kind]](**told)


def _window(call: Call, times: ScheduleTimes) -> Any:
    if times.starts is None and times.ends is None:
        return None
    return call.records["timePeriod"](startTime=_local(call, times.starts), endTime=_local(call, times.ends))


def _absolute(call: Call, times: ScheduleTimes) -> Any:
    instants = [point.at for point in times.points if point.at is not None]
    if not instants:
        return None
    point = call.records["timePoint"]
    points = [point(absoluteTime=_local(call, at), sequenceNumber=i) for i, at in enumerate(instants, 1)]
    return call.records["absoluteSchedule" if call.version == "3.0" else "ArrayOfTimePoint"](timePoint=points)


def _span_told(call: Call, span: Span | None, type_name: str, unit_slot: str) -> Any:
    if span is None:
        return None
    if call.version == "3.0":
        seconds = span.elapsed.total_seconds()
        return int(seconds) if type_name == "period" else seconds
    return call.records[type_name](text=int(span.count) if type_name == "period" else span.count, **{unit_slot: span.unit.value})


def _targets_v3(call: Call, targets: ScheduleTargets) -> dict[str, Any]:
    records = call.records
    meters = [records["meterRef"](meterNo=meter_no) for meter_no in targets.meter_nos]
    groups = [records["meterGroup"](objectID=group) for group in targets.group_ids]
    configurations = list(targets.configuration_group_ids)
    return {
        "meterRefList": records["meterRefList"](meterRef=meters) if meters else None,
        "meterGroupList": records["meterGroupList"](meterGroup=groups) if groups else None,
        "configurationGroupList": records["configurationGroupList"](configurationGroupID=configurations) if configurations else None,
    }


def _targets_v4(call: Call, targets: ScheduleTargets) -> dict[str, Any]:
    records = call.records
    meters = [records["meterID"](text=meter_no, meterNo=meter_no) for meter_no in targets.meter_nos]
    groups, configurations = list(targets.group_ids), list(targets.configuration_group_ids)
    configured = records["ArrayOfString.configurationGroupID"](configurationGroupID=configurations) if configurations else None
    return {
        "meterList": records["ArrayOfMeterID"](meterID=meters) if meters else None,
        "meterGroupList": records["ArrayOfString.meterGroupID"](meterGroupID=groups) if groups else None,
        "configurationGroupList": configured,
    }


def _local(call: Call, at: datetime | None) -> str | None:
    return None if at is None else local_time(at, call.utility.time_zone)
