"""First-tier troubleshooting of a router as a value: retry, second path, reboot request, wait; then it is the utility's turn.

Every step is recorded with when it began and ended, why it was taken or left out, and what came of it.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from headend.model.router import RouterPath, RouterProfile
from headend.router_catalogue import RouterCode
from headend.router_policy import RouterPolicy


class StepKind(StrEnum):
    """The steps in their order."""

    RETRY = "retry"
    SECOND_PATH = "second path"
    REBOOT = "reboot request"
    WAIT = "wait"
    LAST_TRY = "last try"


class StepOutcome(StrEnum):
    """What came of a step."""

    RUNNING = "running"
    NO_ANSWER = "no answer"
    NO_CHANGE = "answered, trouble remains"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    SKIPPED = "skipped"
    TIME_PASSED = "time passed"
    RECOVERED = "recovered"
    CUT_SHORT = "cut short"


class Ending(StrEnum):
    """How a troubleshooting ended."""

    RECOVERED = "recovered"
    ROUTED = "routed to the utility"
    SUPERSEDED = "superseded by worse"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the log. `tries` counts how often it was tried."""

    kind: StepKind
    began: datetime
    reason: str
    outcome: StepOutcome = StepOutcome.RUNNING
    ended: datetime | None = None
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask the router over this path now."""

    path: RouterPath


@dataclass(frozen=True, slots=True)
class RequestReboot:
    """Ask the router to reboot, over the paths in this order until one takes it."""

    paths: tuple[RouterPath, ...]


Action = Probe | RequestReboot


@dataclass(frozen=True, slots=True)
class Answer:
    """The router answered what this troubleshooting, or anybody else, asked it; the trouble remains."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """It did not."""


@dataclass(frozen=True, slots=True)
class RebootReply:
    """What the request to reboot met."""

    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class Recovered:
    """The trouble is over, whatever ended it."""


@dataclass(frozen=True, slots=True)
class Superseded:
    """A worse trouble is being looked into."""


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Perhaps a wait is over."""


TroubleEvent = Answer | NoAnswer | RebootReply | Recovered | Superseded | Elapsed

_ORDER = tuple(StepKind)


@dataclass(frozen=True, slots=True)
class Troubleshooting:
    """One trouble (`code`) being looked into. `wake` is when the present step goes on by itself; None while it waits for an answer."""

    code: RouterCode
    began: datetime
    steps: tuple[Step, ...] = ()
    wake: datetime | None = None
    ending: Ending | None = None
    ended: datetime | None = None

    @classmethod
    def begin(cls, code: RouterCode, now: datetime, profile: RouterProfile, policy: RouterPolicy) -> "Stepped":
        """A new one, and the first thing to do."""
        return cls(code, now)._next(now, profile, policy)

    def step(self, event: TroubleEvent, now: datetime, profile: RouterProfile, policy: RouterPolicy) -> "Stepped":
        """After `event`: what is to be done next, None for nothing yet. One that has ended stays as it is."""
        if self.ending is not None:
            return self, None
        match event:
            case Recovered():
                return self._end(Ending.RECOVERED, StepOutcome.RECOVERED, now), None
            case Superseded():
                return self._end(Ending.SUPERSEDED, StepOutcome.CUT_SHORT, now), None
            case Answer() | NoAnswer() if self._asks and self.wake is None:
                outcome = StepOutcome.NO_CHANGE if isinstance(event, Answer) else StepOutcome.NO_ANSWER
                return self._tried(outcome, now, profile, policy)
            case RebootReply(outcome) if self.steps[-1].kind is StepKind.REBOOT:
                return self._closed(outcome, now)._next(now, profile, policy)
            case Elapsed() if self.wake is not None and now >= self.wake:
                return self._woken(now, profile, policy)
        return self, None

    @property
    def diagnosis(self) -> str:
        """What is known, in one line, for whoever goes there."""
        found = "; ".join(f"{step.kind.value}: {step.outcome.value}{_why(step)}" for step in self.steps)
        return f"since {self.began:%Y-%m-%d %H:%M} UTC; {found}"

    @property
    def _asks(self) -> bool:
        return self.steps[-1].kind in {StepKind.RETRY, StepKind.SECOND_PATH, StepKind.LAST_TRY}

    def resumed(self) -> "Action | None":
        """What a process that starts again does first, where the one before it waited for an answer."""
        if self.ending is not None or self.wake is not None:
            return None
        return self._action()

    def _action(self) -> Action:
        match self.steps[-1].kind:
            case StepKind.SECOND_PATH:
                return Probe(RouterPath.SECOND)
            case StepKind.REBOOT:
                return RequestReboot((RouterPath.PRIMARY, RouterPath.SECOND))
            case _:
                return Probe(RouterPath.PRIMARY)

    def _tried(self, outcome: StepOutcome, now: datetime, profile: RouterProfile, policy: RouterPolicy) -> "Stepped":
        last = self.steps[-1]
        tried = self._changed(replace(last, tries=last.tries + 1))
        again = last.kind is not StepKind.LAST_TRY and last.tries + 1 < policy.retries
        if again:
            return replace(tried, wake=now + timedelta(seconds=policy.retry_seconds)), None
        return tried._closed(outcome, now)._next(now, profile, policy)

    def _woken(self, now: datetime, profile: RouterProfile, policy: RouterPolicy) -> "Stepped":
        awake = replace(self, wake=None)
        if self.steps[-1].kind is StepKind.WAIT:
            return awake._closed(StepOutcome.TIME_PASSED, now)._next(now, profile, policy)
        return awake, awake._action()

    def _next(self, now: datetime, profile: RouterProfile, policy: RouterPolicy) -> "Stepped":
        """On to the next step that can be taken; those that cannot are written down with why."""
        place = _ORDER.index(self.steps[-1].kind) + 1 if self.steps else 0
        steps = self.steps
        for kind in _ORDER[place:]:
            why_not = _why_not(kind, self.code, profile, policy)
            if why_not:
                steps = (*steps, Step(kind, now, why_not, StepOutcome.SKIPPED, now))
                continue
            begun = replace(self, steps=(*steps, Step(kind, now, _why_taken(kind, self.code, policy))))
            if kind is StepKind.WAIT:
                return replace(begun, wake=now + timedelta(seconds=policy.wait_seconds)), None
            return begun, begun._action()
        return replace(self, steps=steps)._end(Ending.ROUTED, None, now), None

    def _changed(self, step: Step) -> "Troubleshooting":
        return replace(self, steps=(*self.steps[:-1], step), wake=None)

    def _closed(self, outcome: StepOutcome, now: datetime) -> "Troubleshooting":
        return self._changed(replace(self.steps[-1], outcome=outcome, ended=now))

    def _end(self, ending: Ending, outcome: StepOutcome | None, now: datetime) -> "Troubleshooting":
        closed = self._closed(outcome, now) if outcome is not None and self.steps[-1].ended is None else self
        return replace(closed, ending=ending, ended=now, wake=None)


Stepped = tuple[Troubleshooting, Action | None]
"""Where it stands, and what is to be done now."""


def _why(step: Step) -> str:
    return f" ({step.reason})" if step.outcome is StepOutcome.SKIPPED else ""


def _why_not(kind: StepKind, code: RouterCode, profile: RouterProfile, policy: RouterPolicy) -> str:
    """Why a step is left out; empty where it is taken."""
    if kind is StepKind.SECOND_PATH:
        if code is RouterCode.MESH_STOPPED:
            return "the router itself answers"
        return "" if profile.second_address else "there is no second path"
    if kind is StepKind.REBOOT and not policy.may_reboot:
        return "the utility does not allow reboots"
    return ""


def _why_taken(kind: StepKind, code: RouterCode, policy: RouterPolicy) -> str:
    match kind:
        case StepKind.RETRY:
            return "the mesh service is stopped: a passing restart?" if code is RouterCode.MESH_STOPPED else "silent: lost packets?"
        case StepKind.SECOND_PATH:
            return "silent over the primary path: an uplink failure?"
        case StepKind.REBOOT:
            return "allowed by the utility: a hung process?"
        case StepKind.WAIT:
            return f"{policy.wait_seconds:g} s for a reboot, a carrier or the mains to come back"
        case StepKind.LAST_TRY:
            return "before somebody is sent"
