"""What partners ask to be watched at meters: planned outages, usage, events, thresholds; kept per meter for whoever raises alarms.

A planned outage, and a meter whose service is meant to be disconnected, are watched for as well: the one keeps alarms back, the other
makes usage an alarm.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from headend.errors import RequestError, UnknownMeterError, shown
from headend.meter_groups import NOBODY, Answering
from headend.model.refusal import Refusal

CODES = "codes"
"""Which events are watched for, by our codes, among the details of such monitoring; without it, all."""


class MonitoringKind(StrEnum):
    """What is watched."""

    PLANNED_OUTAGE = "planned outage"
    USAGE = "usage"
    DISCONNECTED = "disconnected status"
    EVENTS = "meter events"
    THRESHOLD = "threshold"


@dataclass(frozen=True, slots=True)
class Monitoring:
    """One thing watched at one meter for one partner.

    `item_id` tells several of a kind apart, and is empty where a meter has one. It lasts from `starts` to `ends`, for ever where that is
    None. `details` hold what the kind needs, as plain values: event types, the threshold and what it is of.
    """

    kind: MonitoringKind
    meter_no: str
    partner: str
    starts: datetime
    ends: datetime | None = None
    item_id: str = ""
    answering: Answering = NOBODY
    details: Mapping[str, Any] = field(default_factory=dict)


class UnknownMonitoringError(RequestError):
    """The partner has nothing of this name watched."""

    def __init__(self, kind: MonitoringKind, item_id: str) -> None:
        self.kind = kind
        self.item_id = item_id
        super().__init__(f"no monitoring of {kind.value} named {shown(item_id)} is under way")


class MeterMonitoring(Protocol):
    """What is watched at a utility's meters. Several of a call stand for themselves: those refused are named, in order."""

    def begin_monitoring(self, wanted: Sequence[Monitoring]) -> Awaitable[list[Refusal]]:
        """Watch; the same item of the same meter takes the place of the one before."""

    def end_monitoring(self, kind: MonitoringKind, partner: str, meter_nos: Sequence[str]) -> Awaitable[list[Refusal]]:
        """Watch the kind no more at these meters."""

    def end_monitored_item(self, kind: MonitoringKind, partner: str, item_id: str) -> Awaitable[int]:
        """Watch an item no more at any meter; at how many it was. Raises UnknownMonitoringError."""

    def monitoring(self, kind: MonitoringKind, at: datetime, meter_no: str | None = None) -> Awaitable[list[Monitoring]]:
        """What of a kind is watched at an instant, at one meter or at all; by meter number."""

    def monitored_items(self, kind: MonitoringKind, partner: str, item_ids: Sequence[str]) -> Awaitable[list[Monitoring]]:
        """What a partner has under these names."""


def beginning(wanted: Sequence[Monitoring], known: Mapping[str, int]) -> tuple[list[Monitoring], list[Refusal]]:
    """(those that begin, what is wrong with the others); `known` are endpoint ids by meter number. Pure."""
    taken: dict[tuple[str, str], Monitoring] = {}
    refusals: list[Refusal] = []
    for one in wanted:
        key = (one.meter_no, one.item_id)
        if problem := _problem(one.meter_no, known) or (f"meter {shown(one.meter_no)} stands in the list twice" if key in taken else ""):
            refusals.append(Refusal(one.meter_no, problem))
        else:
            taken[key] = one
    return list(taken.values()), refusals


def ending(
    kind: MonitoringKind, meter_nos: Sequence[str], known: Mapping[str, int], watched: Mapping[str, int]
) -> tuple[list[str], list[Refusal]]:
    """(meters at which the kind is watched no more, what is wrong with the others). Pure."""
    taken: dict[str, None] = {}
    refusals: list[Refusal] = []
    for meter_no in meter_nos:
        problem = _problem(meter_no, known)
        if not problem and meter_no in taken:
            problem = f"meter {shown(meter_no)} stands in the list twice"
        elif not problem and meter_no not in watched:
            problem = f"meter {shown(meter_no)} has no {kind.value} under way"
        if problem:
            refusals.append(Refusal(meter_no, problem))
        else:
            taken[meter_no] = None
    return list(taken), refusals


def _problem(meter_no: str, known: Mapping[str, int]) -> str:
    if not meter_no:
        return "meter number is missing"
    return "" if meter_no in known else str(UnknownMeterError(meter_no))
