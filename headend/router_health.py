"""A router's health as a value: (event, now) → (health, events). Unheard → up ⇄ degraded → down; every alarm told is cleared once.

A condition that comes and goes is told so often as the policy allows; after that its end is held back until it has stayed away for a
while, so that one alarm stands for all of the flapping.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from headend.model.endpoint import RouterId
from headend.model.router import Incident, Router, RouterPath, RouterStatus
from headend.router_catalogue import ROUTER_EVENTS, RouterCode
from headend.router_conditions import findings
from headend.router_policy import RouterPolicy

UPTIME_WRAP_SECONDS = 2**32 / 100
"""sysUpTime is 32 bits of hundredths: it starts again after 497 days without a reboot."""

BOOT_TOLERANCE_SECONDS = 120.0
"""How far two tellings of one start may lie apart: a trap may have waited, a clock may run fast; no router starts twice within it."""

RAISES_MAX = 100
"""Raises remembered for flap damping, all conditions together."""

INCIDENT_SECONDS = 60.0
"""An incident told again within this time is the same one: routers say some things more than once."""

REBOOT_EXPECTED_SECONDS = 1_800.0
"""A reboot this soon after we asked for one is the one we asked for."""


class RouterState(StrEnum):
    """What an operator sees first."""

    UNHEARD = "unheard"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Polled:
    """A poll was answered over `path`."""

    status: RouterStatus
    path: RouterPath = RouterPath.PRIMARY


@dataclass(frozen=True, slots=True)
class PollMissed:
    """A poll was not answered, over any path it was tried on."""


@dataclass(frozen=True, slots=True)
class Trapped:
    """A trap or inform with what it says."""

    status: RouterStatus


@dataclass(frozen=True, slots=True)
class TimePassed:
    """Nothing happened; perhaps something is due."""


@dataclass(frozen=True, slots=True)
class RebootAsked:
    """The head-end asked the router to reboot."""


HealthEvent = Polled | PollMissed | Trapped | TimePassed | RebootAsked


@dataclass(frozen=True, slots=True)
class RouterEvent:
    """One event of a router's history, unique by (router, sequence)."""

    router_id: RouterId
    sequence: int
    code: RouterCode
    occurred: datetime
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A condition that was told and not cleared; `gone` is since when it does not hold while its end is held back."""

    code: RouterCode
    since: datetime
    detail: str = ""
    gone: datetime | None = None


@dataclass(frozen=True, slots=True)
class Raise:
    """When a condition began, for the damping."""

    code: RouterCode
    at: datetime


_INCIDENTS = {
    Incident.MESH_TABLE_RESET: RouterCode.MESH_TABLE_RESET,
    Incident.CONFIGURATION_CHANGED: RouterCode.CONFIGURATION_CHANGED,
    Incident.IMAGE_COPIED: RouterCode.IMAGE_COPIED,
    Incident.AUTHENTICATION_FAILED: RouterCode.AUTHENTICATION_FAILED,
}


@dataclass(frozen=True, slots=True)
class RouterHealth:
    """All that is remembered of one router; `status` is the latest of everything it ever said.

    `silent` is whether it is down now; `restored` is when it was last heard again after that. `booted` is when it started.
    `path` is the one that answers.
    """

    router_id: RouterId
    heard: datetime | None = None
    polled: datetime | None = None
    missed: int = 0
    silent: bool = False
    restored: datetime | None = None
    path: RouterPath = RouterPath.PRIMARY
    booted: datetime | None = None
    reboot_asked: datetime | None = None
    status: RouterStatus = field(default=RouterStatus())
    alarms: tuple[Alarm, ...] = ()
    raises: tuple[Raise, ...] = ()
    sequence: int = 0

    @property
    def state(self) -> RouterState:
        """Where it stands."""
        if self.heard is None:
            return RouterState.UNHEARD
        if self.silent:
            return RouterState.DOWN
        return RouterState.DEGRADED if self.alarms else RouterState.UP

    def alarm(self, code: RouterCode) -> Alarm | None:
        """The alarm of a condition, where it was told and not cleared."""
        return next((alarm for alarm in self.alarms if alarm.code is code), None)

    def holds(self, code: RouterCode) -> bool:
        """Whether a condition holds at this moment, told as over or not."""
        alarm = self.alarm(code)
        return alarm is not None and alarm.gone is None

    def step(self, event: HealthEvent, now: datetime, router: Router, policy: RouterPolicy) -> "Stepped":
        """The health after `event`, and what it says of it."""
        diary = _Diary(self, now, policy)
        match event:
            case Polled(status, path):
                diary.heard(polled=True)
                diary.path_used(path)
                diary.told(status, router, whole=True)
            case Trapped(status):
                diary.heard(polled=False)
                diary.told(status, router, whole=False)
            case PollMissed():
                diary.health = replace(diary.health, missed=self.missed + 1)
            case RebootAsked():
                diary.health = replace(diary.health, reboot_asked=now)
                diary.write(RouterCode.REBOOT_REQUESTED)
            case TimePassed():
                pass
        diary.silence(router)
        diary.end_held_back()
        return diary.health, tuple(diary.events)


Stepped = tuple[RouterHealth, tuple[RouterEvent, ...]]
"""The health afterwards, and the events that follow, in order."""


class _Diary:
    """One step of one health: what changes, and what is written down of it."""

    def __init__(self, health: RouterHealth, now: datetime, policy: RouterPolicy) -> None:
        self.health = health
        self.events: list[RouterEvent] = []
        self._now = now
        self._policy = policy

    def write(self, code: RouterCode, detail: str = "") -> None:
        """One event more."""
        self.health = replace(self.health, sequence=self.health.sequence + 1)
        self.events.append(RouterEvent(self.health.router_id, self.health.sequence, code, self._now, detail))

    def heard(self, *, polled: bool) -> None:
        """It is alive."""
        before = self.health
        self.health = replace(
            before,
            heard=self._now,
            polled=self._now if polled else before.polled,
            missed=0,
            silent=False,
            restored=self._now if before.silent else before.restored,
        )
        if before.heard is None:
            self.health = replace(self.health, alarms=tuple(a for a in before.alarms if a.code is not RouterCode.UNHEARD))
            self.write(RouterCode.REGISTERED)
        self._found(RouterCode.DOWN, False, "")

    def path_used(self, path: RouterPath) -> None:
        """Over which path it answered."""
        self.health = replace(self.health, path=path)
        self._found(RouterCode.SECOND_PATH_USED, path is RouterPath.SECOND, "")

    def told(self, status: RouterStatus, router: Router, *, whole: bool) -> None:
        """Take in what it says of itself; `whole`: the interfaces it names are all it has."""
        self._started(status)
        older = self.health.status
        if whole and status.interfaces:
            there = {interface.index for interface in status.interfaces}
            older = replace(older, interfaces=tuple(i for i in older.interfaces if i.index in there))
        self.health = replace(self.health, status=status.merged(older))
        held = frozenset(alarm.code for alarm in self.health.alarms if alarm.gone is None)
        # A trap brings one interface; whether any of its kind is up is seen in all that is known.
        seen = replace(status, interfaces=self.health.status.interfaces)
        for code, finding in findings(seen, self._policy.thresholds, router.profile.expected_nodes, held).items():
            self._found(code, finding.holds, finding.detail)
        for incident in status.incidents:
            if incident in _INCIDENTS:
                self._happened(_INCIDENTS[incident])

    def silence(self, router: Router) -> None:
        """Has it been silent for too long?"""
        health, policy = self.health, self._policy
        if health.heard is None:
            if (self._now - router.created).total_seconds() >= policy.unheard_seconds:
                self._found(RouterCode.UNHEARD, True, "")
            return
        is_down = health.missed >= policy.missed_polls and (self._now - health.heard).total_seconds() >= policy.silence_seconds
        if is_down and not health.silent:
            self.health = replace(health, silent=True)
            self._found(RouterCode.DOWN, True, f"{health.missed} polls missed, last heard {health.heard:%Y-%m-%d %H:%M:%S} UTC")

    def end_held_back(self) -> None:
        """Tell the end of conditions that have stayed away for long enough."""
        for alarm in self.health.alarms:
            if alarm.gone is not None and (self._now - alarm.gone).total_seconds() >= self._policy.flap_hold_seconds:
                self._clear(alarm, "flapping is over")

    def _happened(self, code: RouterCode) -> None:
        """An incident, unless the same one was told a moment ago."""
        since = self._now - timedelta(seconds=INCIDENT_SECONDS)
        if not any(r.code is code and r.at > since for r in self.health.raises):
            self._remember(code)
            self.write(code)

    def _found(self, code: RouterCode, holds: bool, detail: str) -> None:
        alarm = self.health.alarm(code)
        if holds and alarm is None:
            self._remember(code)
            self.health = replace(self.health, alarms=(*self.health.alarms, Alarm(code, self._now, detail)))
            self.write(code, detail)
        elif alarm is None:
            return
        elif holds:
            if alarm.gone is not None:
                self._remember(code)
            self._put(replace(alarm, detail=detail, gone=None))
        elif alarm.gone is None:
            if self._flaps(code):
                self._put(replace(alarm, gone=self._now))
            else:
                self._clear(alarm, detail)

    def _clear(self, alarm: Alarm, detail: str) -> None:
        self.health = replace(self.health, alarms=tuple(a for a in self.health.alarms if a.code is not alarm.code))
        end = ROUTER_EVENTS[alarm.code].cleared_by
        assert end is not None, "only what has an end is kept as an alarm"
        self.write(end, detail)

    def _put(self, alarm: Alarm) -> None:
        self.health = replace(self.health, alarms=tuple(alarm if a.code is alarm.code else a for a in self.health.alarms))

    def _remember(self, code: RouterCode) -> None:
        begin = self._now - timedelta(seconds=self._policy.flap_seconds)
        recent: Iterable[Raise] = (r for r in self.health.raises if r.at > begin)
        self.health = replace(self.health, raises=(*recent, Raise(code, self._now))[-RAISES_MAX:])

    def _flaps(self, code: RouterCode) -> bool:
        begin = self._now - timedelta(seconds=self._policy.flap_seconds)
        return sum(r.code is code and r.at > begin for r in self.health.raises) >= self._policy.flap_raises

    def _started(self, status: RouterStatus) -> None:
        """Has it rebooted since it was last heard?"""
        if status.uptime_seconds is None and Incident.RESTARTED not in status.incidents:
            return
        booted = self._now - timedelta(seconds=status.uptime_seconds or 0)
        before = self.health.booted
        if before is not None:
            apart = (booted - before).total_seconds() % UPTIME_WRAP_SECONDS
            if min(apart, UPTIME_WRAP_SECONDS - apart) <= BOOT_TOLERANCE_SECONDS:
                # The same start, told again; a wrap moves it by exactly one turn, drift by seconds.
                self.health = replace(self.health, booted=booted)
                return
            asked = self.health.reboot_asked
            is_ours = asked is not None and (self._now - asked).total_seconds() <= REBOOT_EXPECTED_SECONDS
            self.health = replace(self.health, reboot_asked=None)
            self.write(RouterCode.REBOOTED if is_ours else RouterCode.REBOOT_UNEXPECTED, f"started {booted:%Y-%m-%d %H:%M:%S} UTC")
        self.health = replace(self.health, booted=booted)
