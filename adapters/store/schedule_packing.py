"""Times and targets of schedules as the JSON they are stored as."""

import json
from datetime import datetime
from typing import Any

from adapters.store.instants import from_us, to_us
from headend.read_schedule import ScheduleTimes, Span, TimePoint, TimeUnit
from headend.schedules import ScheduleTargets


def pack_times(times: ScheduleTimes) -> str:
    """Layout  {points: [[instant, span]], first, period, starts, ends, offset}; instants in µs, a span as [count, unit], null for none."""
    packed = {
        "points": [[_us(point.at), _pair(point.after)] for point in times.points],
        "first": _us(times.first),
        "period": _pair(times.period),
        "starts": _us(times.starts),
        "ends": _us(times.ends),
        "offset": _pair(times.offset),
    }
    return json.dumps(packed)


def unpack_times(text: str) -> ScheduleTimes:
    """What `pack_times` packed."""
    packed = json.loads(text)
    return ScheduleTimes(
        points=tuple(TimePoint(_instant(at), _span(after)) for at, after in packed["points"]),
        first=_instant(packed["first"]),
        period=_span(packed["period"]),
        starts=_instant(packed["starts"]),
        ends=_instant(packed["ends"]),
        offset=_span(packed["offset"]),
    )


def pack_targets(targets: ScheduleTargets) -> str:
    """Layout  [meters, groups, configuration groups]."""
    return json.dumps([targets.meter_nos, targets.group_ids, targets.configuration_group_ids])


def unpack_targets(text: str) -> ScheduleTargets:
    """What `pack_targets` packed."""
    return ScheduleTargets(*(tuple(names) for names in json.loads(text)))


def _us(instant: datetime | None) -> int | None:
    return None if instant is None else to_us(instant)


def _instant(us: int | None) -> datetime | None:
    return None if us is None else from_us(us)


def _pair(span: Span | None) -> list[Any] | None:
    return None if span is None else [span.count, span.unit.value]


def _span(pair: list[Any] | None) -> Span | None:
    return None if pair is None else Span(pair[0], TimeUnit(pair[1]))
