"""Which targets of a request are carried out and when: the protected list, quiet times and the pace of many. Pure.

One way for all: partners, people at the command line, files of batches, previews.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from headend.commands.staggering import Booked, Waiting, latest_turn, stagger
from headend.errors import shown
from headend.model.command import OVERRIDE, Hindrance
from headend.model.command_rules import CommandRules
from headend.model.deferred import DeferredRequest, DeferredTarget, SwitchAction
from headend.model.endpoint import EndpointId
from headend.model.protection import Protection, protected_because
from headend.model.refusal import Refusal
from headend.model.utility import Utility


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint is: behind which router (0: none), whether it sleeps, and what protects it."""

    router: int
    sleeps: bool = False
    protections: tuple[Protection, ...] = ()


@dataclass(frozen=True, slots=True)
class ArrangedTarget:
    """A target and when it is due."""

    target: DeferredTarget
    due: datetime


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What of a request is carried out when, and what is not, and why."""

    targets: tuple[ArrangedTarget, ...]
    refusals: tuple[Refusal, ...]


def arrange(request: DeferredRequest, places: Mapping[EndpointId, Place], booked: Booked, utility: Utility) -> Arrangement:
    """Arrange the targets of a request; `booked` is what is planned already."""
    override = bool(request.parameters.get(OVERRIDE))
    dues = _dues(request, places, booked, utility, override=override)
    arranged: list[ArrangedTarget] = []
    refusals: list[Refusal] = []
    for target, due in zip(request.targets, dues, strict=True):
        held_back = is_held_back(target.action, override=override)
        at = due or request.begins or request.accepted
        problem = protected_because(places[target.endpoint_id].protections, utility.local_day(at)) if held_back else ""
        if problem:
            problem = f"meter {shown(target.meter_no)} is not disconnected: {problem}"
        elif due is None:
            problem = _too_late(request, target, utility, at if held_back else None)
        if problem:
            refusals.append(Refusal(target.object_id or target.meter_no, problem))
        elif due is not None:
            arranged.append(ArrangedTarget(target, due))
    return Arrangement(tuple(arranged), tuple(refusals))


def is_held_back(action: SwitchAction | None, *, override: bool) -> bool:
    """Whether the protected list and quiet times are about it: whoever is disconnected, unless somebody answers for that."""
    return action is SwitchAction.DISCONNECT and not override


def hindrance(
    action: SwitchAction | None, now: datetime, utility: Utility, protections: Sequence[Protection], *, override: bool, cancelled: str
) -> Hindrance:
    """What stands in the way of a command that is handed out now."""
    if not is_held_back(action, override=override):
        return Hindrance(cancelled)
    return Hindrance(cancelled, protected_because(protections, utility.local_day(now)), utility.commands.quiet_end(now))


def _dues(
    request: DeferredRequest, places: Mapping[EndpointId, Place], booked: Booked, utility: Utility, *, override: bool
) -> list[datetime | None]:
    """When each target is due; None for one that cannot be begun before it expires."""
    begins, rules = request.begins or request.accepted, utility.commands
    first_day, last_day = utility.local_day(begins), utility.local_day(request.expires)
    waiting: list[Waiting] = []
    found: list[datetime | None] = []
    staggered: list[int] = []
    until = latest_turn(begins, request.expires)
    for position, target in enumerate(request.targets):
        quiet, place = is_held_back(target.action, override=override), places[target.endpoint_id]
        if quiet and any(one.holds_on(first_day) and one.holds_on(last_day) for one in place.protections):
            found.append(None)  # protected all along, and takes nobody's turn
            continue
        found.append(_at_once(begins, request.expires, rules, quiet=quiet))
        if request.is_batch and not place.sleeps:
            staggered.append(position)
            waiting.append(Waiting(place.router, until, quiet))
    for position, due in zip(staggered, stagger(waiting, booked, begins, rules), strict=True):
        found[position] = due
    return found


def _at_once(begins: datetime, expires: datetime, rules: CommandRules, *, quiet: bool) -> datetime | None:
    due = (rules.quiet_end(begins) if quiet else None) or begins
    # What had expired when it arrived is accepted and then told so, as its caller knows it from there.
    return due if due < expires or due == begins else None


def _too_late(request: DeferredRequest, target: DeferredTarget, utility: Utility, quiet_at: datetime | None) -> str:
    name, expires = f"meter {shown(target.meter_no)}", local_text(request.expires, utility.time_zone)
    quiet_end = None if quiet_at is None else utility.commands.quiet_end(quiet_at)
    if quiet_end is not None and quiet_end >= request.expires:
        until = local_text(quiet_end, utility.time_zone)
        return f"{name} is not disconnected in quiet times, which last until {until}; the request expires at {expires}"
    return f"{name} has no turn before the request expires at {expires}: many commands are begun one after the other"


def local_text(instant: datetime, zone: ZoneInfo) -> str:
    """A date and time as clocks in a zone show it."""
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
