"""Schedules that partners establish: kept as they were told, and followed where they name meters to be read."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from headend.errors import RequestError, shown
from headend.ports import Page
from headend.read_schedule import ScheduleTimes


class ScheduleKind(StrEnum):
    """Schedules as such, which are kept only, and those that name meters to be read."""

    PLAIN = "schedule"
    READING = "reading schedule"


@dataclass(frozen=True, slots=True)
class ScheduleTargets:
    """What a reading schedule reads: meters, and whoever is in groups when it is due."""

    meter_nos: tuple[str, ...] = ()
    group_ids: tuple[str, ...] = ()
    configuration_group_ids: tuple[str, ...] = ()

    def any(self) -> bool:
        return bool(self.meter_nos or self.group_ids or self.configuration_group_ids)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule. `told` is the object as it was established, under the version that it was told in."""

    kind: ScheduleKind
    schedule_id: str
    enabled: bool
    purpose: str
    times: ScheduleTimes
    targets: ScheduleTargets = field(default_factory=ScheduleTargets)
    version: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FollowedSchedule:
    """An enabled reading schedule, and until when its due times have been seen to."""

    schedule_id: str
    times: ScheduleTimes
    followed: datetime


class UnknownScheduleError(RequestError):
    """The utility has no such schedule."""

    def __init__(self, kind: ScheduleKind, schedule_id: str) -> None:
        self.kind = kind
        self.schedule_id = schedule_id
        super().__init__(f"{kind.value} {shown(schedule_id)} is not known")


class Schedules(Protocol):
    """Schedules of a utility."""

    def establish_schedule(self, schedule: Schedule, partner: str, now: datetime) -> Awaitable[None]:
        """Keep it, in place of one of the same kind and id; one that is enabled is followed from now on.

        Raises  RequestError naming meters or groups that are not known, or for one schedule too many
        """

    def delete_schedule(self, kind: ScheduleKind, schedule_id: str) -> Awaitable[None]:
        """Forget it. Raises UnknownScheduleError."""

    def enable_schedule(self, kind: ScheduleKind, schedule_id: str, now: datetime, *, enabled: bool) -> Awaitable[None]:
        """Follow it from now on, or no more. Raises UnknownScheduleError."""

    def schedule_named(self, kind: ScheduleKind, schedule_id: str) -> Awaitable[Schedule | None]:
        """One schedule."""

    def schedules(self, kind: ScheduleKind, after: str, limit: int) -> Awaitable[Page[Schedule]]:
        """Schedules in order of their ids, from the one after `after`."""


class FollowedSchedules(Protocol):
    """What the driver that follows reading schedules asks of a store."""

    def followed_schedules(self) -> Awaitable[Sequence[FollowedSchedule]]:
        """The enabled reading schedules."""

    def follow_schedule(self, schedule: FollowedSchedule, until: datetime, collect_from: datetime) -> Awaitable[int]:
        """Its meters are due at `until`, and its due times seen to until then; how many became due, 0 where another process was first."""
