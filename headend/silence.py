"""An endpoint's silence as a value: ok → late → not communicating → under investigation, and back by any valid frame; pure.

Silence counts from the first missed interrogation, or from the last word of an endpoint that wakes by itself. While its router is down it
is the router's, and becomes nobody's work item; once that is back it counts anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from headend.limits import SILENCE_STEPS_MAX, WAKEUPS_MISSED_MAX
from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.router_health import RouterHealth
from headend.router_silence import SilenceOwner, silence_owner


class SilenceState(StrEnum):
    """How worried to be."""

    OK = "ok"
    LATE = "late"
    NOT_COMMUNICATING = "not communicating"
    UNDER_INVESTIGATION = "under investigation"


_WORSE = {state: place for place, state in enumerate(SilenceState)}


@dataclass(frozen=True, slots=True)
class SilencePolicy:
    """How long a silence is what.

    `wake_seconds` is how often battery endpoints wake that have not said when, and for whom there is no plan; `wake_grace_seconds` how
    late each may be.
    """

    late_seconds: float = 21_600.0
    not_communicating_seconds: float = 86_400.0
    investigate_seconds: float = 259_200.0
    wake_seconds: float = 21_600.0
    wake_grace_seconds: float = 900.0

    def state_of(self, lasted: timedelta) -> SilenceState:
        """What a silence of such length is."""
        seconds = lasted.total_seconds()
        if seconds >= self.investigate_seconds:
            return SilenceState.UNDER_INVESTIGATION
        if seconds >= self.not_communicating_seconds:
            return SilenceState.NOT_COMMUNICATING
        return SilenceState.LATE if seconds >= self.late_seconds else SilenceState.OK

    @property
    def wake_grace(self) -> timedelta:
        return timedelta(seconds=self.wake_grace_seconds)


@dataclass(frozen=True, slots=True)
class EndpointContact:
    """What is known of when an endpoint was heard and should have been.

    `expected` is since when a `battery` endpoint that was never heard is installed, `wake` how often one wakes, None where it
    has not said. `missed` interrogations
    were missed in a row, since `missed_since`. `present` is False for one that is removed or was never shipped: nobody waits for it.
    """

    endpoint_id: EndpointId
    meter_no: str
    router: str | None
    battery: bool
    present: bool
    heard: datetime | None
    expected: datetime | None = None
    missed: int = 0
    missed_since: datetime | None = None
    wake: timedelta | None = None

    def silent_since(self, policy: SilencePolicy) -> datetime | None:
        """Since when it is silent; None where it was heard when it should, or nothing is to be expected of it.

        A battery endpoint is so since its last word: that many wake-ups have been missed as fit into the time since.
        """
        if not self.present:
            return None
        if self.battery:
            last = self.heard or self.expected
            return None if last is None else last + policy.wake_grace
        if self.missed_since is None or (self.heard is not None and self.heard >= self.missed_since):
            return None
        return self.missed_since


@dataclass(frozen=True, slots=True)
class SilenceStep:
    """One change of a silence: when, to what, why."""

    at: datetime
    state: SilenceState
    why: str


@dataclass(frozen=True, slots=True)
class Silence:
    """One endpoint's silence, the present or the last one. `changed` is since when it is in its state.

    `since` is since when it should have been heard, None where it is ok; `owner` the router whose silence it is. `wakeups` missed were
    told as exceptions. `steps` are its history, over all silences, the oldest and the newest.
    """

    endpoint_id: EndpointId
    state: SilenceState
    changed: datetime
    since: datetime | None = None
    owner: str | None = None
    wakeups: int = 0
    steps: tuple[SilenceStep, ...] = ()

    @property
    def present_steps(self) -> tuple[SilenceStep, ...]:
        """The history of the present silence, or of the last one."""
        ended = [place for place, step in enumerate(self.steps[:-1]) if step.state is SilenceState.OK]
        return self.steps[ended[-1] + 1 :] if ended else self.steps


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be made of a silence now: what it is, what is to be recorded, and whether to ask the endpoint at once.

    `opens` and `closes` say whether its work item is to be opened or closed, with `why` in words.
    """

    silence: Silence
    opens: bool = False
    closes: bool = False
    ask: bool = False
    why: str = ""
    exceptions: tuple[ExceptionRecord, ...] = ()


def judge(
    before: Silence | None, contact: EndpointContact, routers: Mapping[str, RouterHealth], now: datetime, policy: SilencePolicy
) -> Judgement | None:
    """What changes; None where nothing does."""
    since = contact.silent_since(policy)
    known = before if before is not None and before.state is not SilenceState.OK else None
    if since is None or (known is not None and known.since is not None and since > known.since):
        # It was heard since; if it is silent again, that is another silence, for the next look.
        return None if known is None else _ended(known, contact, now)
    wake = contact.wake or timedelta(seconds=policy.wake_seconds)
    if contact.battery and now - since < wake:
        return None
    owner = silence_owner(contact.router, since, routers, now)
    state = _state(owner, known, policy)
    if state is SilenceState.OK:
        return None
    if known is None:
        steps = () if before is None else before.steps
        known = Silence(contact.endpoint_id, SilenceState.OK, now, since, None, 0, steps)
    exceptions = tuple(_missed_wakeups(known, contact, since, now, wake)) if contact.battery else ()
    wakeups = known.wakeups if not contact.battery else max(known.wakeups, (now - since) // wake)
    silence = replace(known, since=since, wakeups=wakeups, owner=owner.router)
    returned = known.owner is not None and owner.router is None
    if state is not known.state or owner.router != known.owner:
        why = _reason(owner, known, contact)
        silence = replace(silence, state=state, changed=now, steps=_bounded((*known.steps, SilenceStep(now, state, why))))
        opens = state is SilenceState.UNDER_INVESTIGATION and known.state is not state
        return Judgement(silence, opens=opens, ask=returned and not contact.battery, why=why, exceptions=exceptions)
    return Judgement(silence, exceptions=exceptions) if exceptions else None


def _state(owner: SilenceOwner, known: Silence | None, policy: SilencePolicy) -> SilenceState:
    """A silence gets no better by lasting, and is not investigated while it is the router's."""
    state = policy.state_of(owner.lasted)
    if owner.router is not None:
        state = min(state, SilenceState.NOT_COMMUNICATING, key=_WORSE.__getitem__)
    return state if known is None else max(state, known.state, key=_WORSE.__getitem__)


def _ended(known: Silence, contact: EndpointContact, now: datetime) -> Judgement:
    if not contact.present:
        why = "no longer collected"
    elif contact.heard is None:
        why = "no longer missed"
    else:
        why = f"heard again {_utc(contact.heard)}"
    steps = _bounded((*known.steps, SilenceStep(now, SilenceState.OK, why)))
    silence = Silence(known.endpoint_id, SilenceState.OK, now, None, None, 0, steps)
    # What came between the last full reading and now is a gap, unless an interrogation has brought it already.
    ask = contact.present and not contact.battery and contact.missed > 0
    return Judgement(silence, closes=known.state is SilenceState.UNDER_INVESTIGATION, ask=ask, why=why)


def _reason(owner: SilenceOwner, known: Silence, contact: EndpointContact) -> str:
    last = "never heard" if contact.heard is None else f"last heard {_utc(contact.heard)}"
    if owner.router is not None:
        return f"{last}; router {owner.router}, behind which it is, is down"
    what = _missed_in_words(contact)
    if known.owner is not None and owner.router_back is not None:
        return f"{last}; router {known.owner} is back since {_utc(owner.router_back)}, it is asked again"
    return f"{last}{what}, silent for {_length(owner.lasted)}"


def _missed_in_words(contact: EndpointContact) -> str:
    if contact.battery or not contact.missed:
        return ""
    return f"; {contact.missed} interrogation{'s' if contact.missed > 1 else ''} missed"


def _missed_wakeups(
    known: Silence, contact: EndpointContact, since: datetime, now: datetime, wake: timedelta
) -> Iterator[ExceptionRecord]:
    """One exception for each wake-up that was missed and has not been told; its instant is the wake-up's, so that it is told once."""
    missed = (now - since) // wake
    last = "it was never heard" if contact.heard is None else f"last heard {_utc(contact.heard)}"
    for number in range(max(known.wakeups, missed - WAKEUPS_MISSED_MAX) + 1, missed + 1):
        yield ExceptionRecord(contact.endpoint_id, ExceptionKind.NO_PUSH, since + number * wake, f"wake-up {number} missed; {last}")


def _bounded(steps: tuple[SilenceStep, ...]) -> tuple[SilenceStep, ...]:
    half = SILENCE_STEPS_MAX // 2
    return steps if len(steps) <= SILENCE_STEPS_MAX else steps[:half] + steps[-half:]


def _utc(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"


def _length(lasted: timedelta) -> str:
    hours = lasted.total_seconds() / 3_600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.1f} days"
