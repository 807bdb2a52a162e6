"""One router under watch as a value: its health, the troubleshooting under way and its work items, kept consistent step by step."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from headend.model.router import Router, RouterPath, RouterStatus
from headend.model.work_item import HEAD_END, Party, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.router_catalogue import ROUTER_EVENTS, RouterCode
from headend.router_health import HealthEvent, Polled, PollMissed, RebootAsked, RouterEvent, RouterHealth, TimePassed, Trapped
from headend.router_policy import RouterPolicy
from headend.router_troubleshooting import (
    Action,
    Answer,
    Elapsed,
    Ending,
    NoAnswer,
    RebootReply,
    Recovered,
    StepOutcome,
    Superseded,
    TroubleEvent,
    Troubleshooting,
)

TROUBLES: Mapping[RouterCode, WorkItemKind] = {
    RouterCode.DOWN: WorkItemKind.ROUTER_DOWN,
    RouterCode.UNHEARD: WorkItemKind.ROUTER_UNHEARD,
    RouterCode.MESH_STOPPED: WorkItemKind.ROUTER_MESH,
}
"""Conditions that are looked into, the worst first, and what is opened where that does not help."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step leads to: to be recorded in one transaction, and to be done afterwards."""

    events: tuple[RouterEvent, ...] = ()
    finished: tuple[Troubleshooting, ...] = ()
    work_items: tuple[WorkItemChange, ...] = ()
    actions: tuple[Action, ...] = ()


@dataclass(slots=True)
class _Draft:
    """An outcome being gathered."""

    events: list[RouterEvent] = field(default_factory=list)
    finished: list[Troubleshooting] = field(default_factory=list)
    work_items: list[WorkItemChange] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)

    def outcome(self) -> Outcome:
        return Outcome(tuple(self.events), tuple(self.finished), tuple(self.work_items), tuple(self.actions))


@dataclass(frozen=True, slots=True)
class RouterCase:
    """A router with all that is under way about it. `open_items` are the conditions for which a work item is open."""

    router: Router
    health: RouterHealth
    troubleshooting: Troubleshooting | None = None
    open_items: frozenset[RouterCode] = frozenset()

    def polled(self, status: RouterStatus, path: RouterPath, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        """A poll or probe was answered."""
        return self._step(Polled(status, path), Answer(), now, policy)

    def missed(self, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        """A scheduled poll was not answered."""
        return self._step(PollMissed(), None, now, policy)

    def probe_missed(self, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        """A probe of the troubleshooting was not answered."""
        return self._step(TimePassed(), NoAnswer(), now, policy)

    def trapped(self, status: RouterStatus, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        """A trap or inform arrived."""
        return self._step(Trapped(status), None, now, policy)

    def reboot_answered(self, outcome: StepOutcome, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        """What became of a request to reboot; one that met silence may have been heard all the same."""
        event: HealthEvent = TimePassed() if outcome is StepOutcome.REFUSED else RebootAsked()
        return self._step(event, RebootReply(outcome), now, policy)

    def time_passed(self, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        """Perhaps something is due."""
        return self._step(TimePassed(), Elapsed(), now, policy)

    def _step(self, event: HealthEvent, trouble: TroubleEvent | None, now: datetime, policy: RouterPolicy) -> "tuple[RouterCase, Outcome]":
        health, events = self.health.step(event, now, self.router, policy)
        draft = _Draft(events=list(events))
        case = replace(self, health=health)
        case = case._end_what_is_over(draft, now, policy)
        if trouble is not None:
            case = case._go_on(trouble, draft, now, policy)
        case = case._begin_what_is_new(draft, now, policy)
        return case._close_items(draft, now), draft.outcome()

    def _end_what_is_over(self, draft: _Draft, now: datetime, policy: RouterPolicy) -> "RouterCase":
        running = self.troubleshooting
        if running is None or self.health.holds(running.code):
            return self
        return self._go_on(Recovered(), draft, now, policy)

    def _go_on(self, event: TroubleEvent, draft: _Draft, now: datetime, policy: RouterPolicy) -> "RouterCase":
        running = self.troubleshooting
        if running is None:
            return self
        after, action = running.step(event, now, self.router.profile, policy)
        if action is not None:
            draft.actions.append(action)
        if after.ending is None:
            return replace(self, troubleshooting=after)
        draft.finished.append(after)
        case = replace(self, troubleshooting=None)
        if after.ending is Ending.ROUTED:
            draft.work_items.append(case._opened(after, now))
            return replace(case, open_items=case.open_items | {after.code})
        return case

    def _begin_what_is_new(self, draft: _Draft, now: datetime, policy: RouterPolicy) -> "RouterCase":
        """Look into the worst trouble that nobody looks into or has been told of yet."""
        worst = next((code for code in TROUBLES if self.health.holds(code)), None)
        running = self.troubleshooting
        if worst is None or worst in self.open_items or (running is not None and running.code is worst):
            return self
        case = self if running is None else self._go_on(Superseded(), draft, now, policy)
        begun, action = Troubleshooting.begin(worst, now, self.router.profile, policy)
        if action is not None:
            draft.actions.append(action)
        return replace(case, troubleshooting=begun)

    def _close_items(self, draft: _Draft, now: datetime) -> "RouterCase":
        over = [code for code in TROUBLES if code in self.open_items and self.health.alarm(code) is None]
        for code in over:
            end = ROUTER_EVENTS[code].cleared_by
            assert end is not None, "a trouble that can end"
            what = f"closed by itself: {ROUTER_EVENTS[end].name}"
            entry = WorkItemEntry(now, HEAD_END, what)
            draft.work_items.append(WorkItemChange(TROUBLES[code], self.router.profile.name, now, WorkItemState.CLOSED, (entry,)))
        return replace(self, open_items=self.open_items - set(over))

    def _opened(self, tried: Troubleshooting, now: datetime) -> WorkItemChange:
        entries = [
            WorkItemEntry(step.began, HEAD_END, f"{step.kind.value} ({step.reason}): {step.outcome.value}") for step in tried.steps
        ]
        entries.append(WorkItemEntry(now, HEAD_END, Ending.ROUTED.value))
        name = self.router.profile.name
        diagnosis = f"{ROUTER_EVENTS[tried.code].name} {tried.diagnosis}"
        return WorkItemChange(TROUBLES[tried.code], name, now, WorkItemState.OPEN, tuple(entries), diagnosis, Party.UTILITY)
