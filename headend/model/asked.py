"""What was asked of meters, by whom, how it stands and what was told of it, as people see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from headend.model.command import CommandView
from headend.model.deferred import DeferredKind, TargetState


@dataclass(frozen=True, slots=True)
class AskedFor:
    """Which requests: those with all that is given here; `open_only`, those with commands that have not ended."""

    requester: str = ""
    meter_no: str = ""
    transaction_id: str = ""
    request_id: int | None = None
    open_only: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `operation` is the partner's, empty where a person asked; `counts` how many of its commands are in each state."""

    request_id: int
    requester: str
    operation: str
    version: str
    kind: DeferredKind
    transaction_id: str
    response_url: str
    accepted: datetime
    expires: datetime
    counts: Mapping[TargetState, int]


@dataclass(frozen=True, slots=True)
class ToldState:
    """One message about a command: how its delivery stands, after how many attempts, when it is tried next, what the partner said last."""

    delivery: str
    attempts: int
    again: datetime | None
    answer: str


@dataclass(frozen=True, slots=True)
class AskedCommand:
    """One command of a request, and what its requester was told of it."""

    view: CommandView
    attempts: int
    due: datetime | None
    told: tuple[ToldState, ...]
