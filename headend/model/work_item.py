"""Work items: what needs a person, opened once for each trouble, with all that was done about it, closed when the trouble ends."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

WorkItemId = NewType("WorkItemId", int)

HISTORY_MAX = 200
"""Entries kept of one item, the first half and the last: an item that is open for a year is not to grow without end."""


class WorkItemKind(StrEnum):
    """What is wrong; a subject (a router's name, a meter number, a file) has at most one open item of each kind."""

    ROUTER_DOWN = "router down"
    ROUTER_UNHEARD = "router unheard"
    ROUTER_MESH = "router mesh"
    SILENT_ENDPOINT = "silent endpoint"
    BILLING_EXCEPTION = "billing exception"
    THEFT_SUSPICION = "theft suspicion"
    LATE_EXPORT = "late export"


class WorkItemState(StrEnum):
    """Open: nobody has it yet. Acknowledged: somebody has."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Party(StrEnum):
    """Whose turn it is."""

    OPERATOR = "operator"
    UTILITY = "utility"


HEAD_END = "head-end"
"""Who acts where no person did."""


@dataclass(frozen=True, slots=True)
class WorkItemEntry:
    """One line of an item's history: when, who, what."""

    at: datetime
    who: str
    what: str


@dataclass(frozen=True, slots=True)
class WorkItem:
    """One trouble of one subject.

    `routed_to` is whose turn it is, `assigned_to` the person who has it, `diagnosis` what is known of the cause.
    """

    kind: WorkItemKind
    subject: str
    opened: datetime
    diagnosis: str
    routed_to: Party
    history: tuple[WorkItemEntry, ...] = ()
    state: WorkItemState = WorkItemState.OPEN
    closed: datetime | None = None
    work_item_id: WorkItemId | None = None
    assigned_to: str = ""

    def after(self, change: "WorkItemChange") -> "WorkItem":
        """The item once a change was made to it. A closed one stays as it is: the trouble's return is another item."""
        if self.state is WorkItemState.CLOSED:
            return self
        history = _bounded((*self.history, *change.entries))
        state = change.state
        if self.state is WorkItemState.ACKNOWLEDGED and state is WorkItemState.OPEN:
            state = WorkItemState.ACKNOWLEDGED
        closed = change.at if state is WorkItemState.CLOSED else None
        diagnosis, assigned_to = change.diagnosis or self.diagnosis, change.assigned_to or self.assigned_to
        return replace(self, history=history, state=state, closed=closed, diagnosis=diagnosis, assigned_to=assigned_to)


@dataclass(frozen=True, slots=True)
class WorkItemChange:
    """What happens to the open item of (kind, subject); `state` OPEN makes one where there is none, and leaves an acknowledged one so."""

    kind: WorkItemKind
    subject: str
    at: datetime
    state: WorkItemState
    entries: tuple[WorkItemEntry, ...]
    diagnosis: str = ""
    routed_to: Party = Party.UTILITY
    assigned_to: str = ""

    def applied(self, item: WorkItem | None) -> WorkItem | None:
        """The item afterwards; None where there is none and none is to be made."""
        if item is not None and item.state is not WorkItemState.CLOSED:
            return item.after(self)
        if self.state is not WorkItemState.OPEN:
            return None
        return WorkItem(self.kind, self.subject, self.at, self.diagnosis, self.routed_to, _bounded(self.entries))


def _bounded(history: tuple[WorkItemEntry, ...]) -> tuple[WorkItemEntry, ...]:
    if len(history) <= HISTORY_MAX:
        return history
    half = HISTORY_MAX // 2
    return history[:half] + history[-half:]
