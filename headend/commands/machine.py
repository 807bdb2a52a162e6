"""The command machine: (command, what happened, now) → what it is now, and what to do. Pure; every answer of a command is decided here.

accepted → queued → sent → awaiting → succeeded | failed | timed out | expired | cancelled. Queued is waiting for a turn, another try or a
wake-up. From `told` on the endpoint may have done what was asked, so nothing is ever told twice: what is not known is asked.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from headend.commands.policy import CommandPolicy
from headend.model.command import NOTHING_FOUND, UNHINDERED, Command, CommandAssignment, FailureCode, Found, Hindrance, Outcome, Told
from headend.model.deferred import AWAITED, DeferredKind, Priority, SwitchAction, TargetState

LOOK_FOR_RECORDS = timedelta(minutes=1)
"""How often it is looked whether what a partner waits for has been recorded."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A driver has it, and may speak with the endpoint. `sleeps`: the endpoint does not listen, it asks when it wakes.

    `since` is when the driver took it, where that was before now: it may have waited for room behind a router.
    """

    sleeps: bool
    switch_enabled: bool
    hindrance: Hindrance = UNHINDERED
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """The endpoint is about to be told something."""

    told: Told


@dataclass(frozen=True, slots=True)
class Understood:
    """The endpoint has taken what it was told, and is about it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The conversation came to an end that is one."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The endpoint did not answer."""

    reason: str
    found: Found = NOTHING_FOUND


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody does not want it any more, and why."""

    reason: str


def taken_up(assignment: CommandAssignment, *, sleeps: bool, since: datetime | None = None) -> TakenUp:
    """That one was handed out."""
    return TakenUp(sleeps, assignment.switch_enabled, assignment.hindrance, since)


Happening = TakenUp | Telling | Understood | Ended | Unanswered | Cancelled


@dataclass(frozen=True, slots=True)
class Speak:
    """Converse with the endpoint, until then at most."""

    until: datetime


@dataclass(frozen=True, slots=True)
class GoOn:
    """Record that, then go on."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Take it up again then; it may also go on before, when the endpoint wakes. `report` is told meanwhile, though it is no end."""

    until: datetime
    report: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """It is done; this is the one answer."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Ignore:
    """It has ended before, or cannot be changed any more."""


Decision = Speak | GoOn | Wait | Answer | Ignore
Step = tuple[Command, Decision]


def step(command: Command, happening: Happening, now: datetime, policy: CommandPolicy) -> Step:
    """What a command is after something happened, and what is to be done."""
    if command.state.terminal:
        return command, Ignore()
    match happening:
        case TakenUp():
            return _held_back(command, happening.hindrance, now) or _taken_up(command, happening, now, policy)
        case Telling(told):
            if command.told is not None or now >= command.expires:
                return command, Ignore()
            return replace(command, state=TargetState.SENT, told=told), GoOn()
        case Understood():
            return replace(command, state=TargetState.AWAITING), GoOn()
        case Ended(outcome):
            return _ended(command, outcome, now)
        case Unanswered(reason, found):
            return _unanswered(command, reason, found, now, policy)
        case Cancelled(reason):
            return _cancelled(command, reason) if command.told is None else (command, Ignore())


def _cancelled(command: Command, reason: str) -> Step:
    return _answered(command, Outcome(TargetState.CANCELLED, code=FailureCode.CANCELLED, reason=reason))


def _held_back(command: Command, hindrance: Hindrance, now: datetime) -> Step | None:
    """What becomes of a command in whose way something stands; None where nothing does. What was told goes on to its end."""
    if command.told is not None:
        return None
    if hindrance.cancelled:
        return _cancelled(command, hindrance.cancelled)
    if now >= command.expires:
        return _answered(command, _expired(command))
    if hindrance.protection:
        return _answered(command, Outcome(TargetState.FAILED, code=FailureCode.PROTECTED, reason=hindrance.protection))
    if hindrance.quiet_until is None:
        return None
    if hindrance.quiet_until >= command.expires:
        reason = f"it expires before the quiet times end at {hindrance.quiet_until:%Y-%m-%d %H:%M} UTC"
        return _answered(command, Outcome(TargetState.EXPIRED, code=FailureCode.EXPIRED, reason=reason))
    return replace(command, state=TargetState.QUEUED), Wait(hindrance.quiet_until)


def _taken_up(command: Command, happening: TakenUp, now: datetime, policy: CommandPolicy) -> Step:
    if now >= command.expires:
        return _answered(command, _expired(command))
    if command.action in {SwitchAction.ENABLE, SwitchAction.DISABLE}:
        found = Found(enabled=command.action is SwitchAction.ENABLE)
        return _answered(command, Outcome(TargetState.SUCCEEDED, found))
    if command.actuates and command.told is None and not happening.switch_enabled:
        reason = "the switch has been disabled; enable it first"
        return _answered(command, Outcome(TargetState.FAILED, code=FailureCode.SWITCH_DISABLED, reason=reason))
    if command.kind in AWAITED:
        return looked_for(command, recorded=False, cancelled="", now=now)
    if happening.sleeps:
        return replace(command, state=_at_least(command, TargetState.QUEUED)), Wait(command.expires)
    began = _counted_from(command, happening.since or now, policy)
    if command.attempts == 0 and command.told is None and _is_waited_for(command) and now >= _latest(began, policy):
        reason = f"it had no turn within {policy.answer_seconds:g} s: others of its endpoint, or behind its router, were under way"
        return _answered(command, Outcome(TargetState.TIMED_OUT, code=FailureCode.NO_ANSWER, reason=reason))
    state = _at_least(command, TargetState.QUEUED if changes_something(command) else TargetState.SENT)
    following = replace(command, state=state, began=began, attempts=command.attempts + 1)
    return following, Speak(min(command.expires, _answer_by(following, now, policy)))


def looked_for(command: Command, *, recorded: bool, cancelled: str, now: datetime) -> Step:
    """What becomes of one that waits for a record: it is done once that is there, and looked for again until it expires."""
    if cancelled:
        return _cancelled(command, cancelled)
    if recorded:
        return _answered(command, Outcome(TargetState.SUCCEEDED))
    if now >= command.expires:
        outcome = Outcome(TargetState.EXPIRED, code=FailureCode.EXPIRED, reason=f"no {command.kind.value} was recorded until it expired")
        return _answered(command, outcome)
    return replace(command, state=TargetState.QUEUED), Wait(min(command.expires, now + LOOK_FOR_RECORDS))


def _counted_from(command: Command, since: datetime, policy: CommandPolicy) -> datetime:
    """From when on somebody's patience counts: since it was asked for, unless nobody was there to take it up before they had lost it.

    What was told before, by a process that ended over it, is worth being looked at in peace: nobody waits for it any more.
    """
    patience = timedelta(seconds=policy.client_seconds)
    if command.began is not None:
        return since if command.told is not None and since - command.began > patience else command.began
    return command.accepted if _is_waited_for(command) and since - command.accepted <= patience else since


def _is_waited_for(command: Command) -> bool:
    return command.priority is Priority.PERSON and command.kind is not DeferredKind.MONITORING


def _latest(began: datetime, policy: CommandPolicy) -> datetime:
    """From when on there is no time for another try."""
    return began + timedelta(seconds=policy.answer_seconds - policy.reply_seconds)


def changes_something(command: Command) -> bool:
    """Whether a command is more than a question."""
    return command.actuates or command.kind in {DeferredKind.DEMAND_RESET, DeferredKind.CLOCK_SET}


def _at_least(command: Command, state: TargetState) -> TargetState:
    """A command that was told goes on from there."""
    return TargetState.AWAITING if command.told is not None else state


def _answer_by(command: Command, now: datetime, policy: CommandPolicy) -> datetime:
    """Until when one try may last."""
    patience = timedelta(seconds=policy.answer_seconds)
    return command.began + patience if _is_waited_for(command) and command.began is not None else now + patience


def _ended(command: Command, outcome: Outcome, now: datetime) -> Step:
    if command.kind is DeferredKind.MONITORING:
        return _again(replace(command, reported=False), now)
    return _answered(command, outcome)


def _again(command: Command, now: datetime, report: Outcome | None = None) -> Step:
    """A monitoring asks again after its period, until it expires."""
    due = now + timedelta(seconds=command.every_seconds)
    return replace(command, state=TargetState.QUEUED), Wait(min(due, command.expires), report)


def _unanswered(command: Command, reason: str, found: Found, now: datetime, policy: CommandPolicy) -> Step:
    if command.kind is DeferredKind.MONITORING:
        # One silence is told once, however long it lasts.
        report = None if command.reported else Outcome(TargetState.TIMED_OUT, found, FailureCode.NO_ANSWER, reason)
        return _again(replace(command, reported=True), now, report)
    waited_for = command.priority is Priority.PERSON
    if now >= command.expires or (waited_for and now >= _answer_by(command, now, policy) - timedelta(seconds=policy.reply_seconds)):
        return _answered(command, _timed_out(command, reason, found))
    if waited_for:
        # Due since it was asked for, so that it goes before what was asked of the endpoint later.
        return replace(command, state=_at_least(command, TargetState.QUEUED)), Wait(min(command.accepted, now))
    wait_seconds = min(policy.retry_seconds * 2 ** min(command.attempts - 1, 20), policy.retry_seconds_max)
    due = min(now + timedelta(seconds=wait_seconds), command.expires)
    return replace(command, state=_at_least(command, TargetState.QUEUED)), Wait(due)


def _expired(command: Command) -> Outcome:
    """The end of a command whose time is over: expired where it was never tried, else timed out."""
    if command.attempts == 0:
        return Outcome(TargetState.EXPIRED, code=FailureCode.EXPIRED, reason="expired before it could be begun")
    return _timed_out(command, "no answer until it expired", NOTHING_FOUND)


def _timed_out(command: Command, reason: str, found: Found) -> Outcome:
    if command.told is None:
        return Outcome(TargetState.TIMED_OUT, found, FailureCode.NO_ANSWER, reason)
    told = f"told at {command.told.at:%Y-%m-%d %H:%M:%S} UTC, and whether it was done is not known: {reason}"
    return Outcome(TargetState.TIMED_OUT, found, FailureCode.INDETERMINATE, told)


def _answered(command: Command, outcome: Outcome) -> Step:
    return replace(command, state=outcome.state), Answer(outcome)
