"""Work items as people read them: a table of many, the story of one, and the same as JSON."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from headend.model.work_item import WorkItem, WorkItemState

_STYLES = {WorkItemState.OPEN: "red", WorkItemState.ACKNOWLEDGED: "yellow", WorkItemState.CLOSED: "green"}


def work_table(items: Sequence[WorkItem], zone: ZoneInfo) -> Table:
    """Many of them."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    for heading in ("no", "kind", "subject", "state", "turn", "opened", "diagnosis"):
        table.add_column(heading, justify="right" if heading == "no" else "left", no_wrap=heading != "diagnosis")
    for item in items:
        opened = f"{item.opened.astimezone(zone):%m-%d %H:%M}"
        state = Text(item.state.value, _STYLES[item.state])
        turn = item.assigned_to or item.routed_to.value
        table.add_row(str(item.work_item_id), item.kind.value, Text(item.subject), state, Text(turn), opened, Text(item.diagnosis))
    return table


def work_story(item: WorkItem, zone: ZoneInfo) -> RenderableType:
    """One of them with its history."""
    facts = Table(title=f"work item {item.work_item_id}", show_header=False, title_justify="left")
    rows = {
        "kind": item.kind.value,
        "subject": item.subject,
        "state": item.state.value,
        "turn": item.routed_to.value,
        "assigned to": item.assigned_to,
        "opened": _local(item.opened, zone),
        "closed": _local(item.closed, zone),
        "diagnosis": item.diagnosis,
    }
    for name, value in rows.items():
        if value:
            facts.add_row(name, Text(value))
    return Group(facts, work_history(item, zone, "history"))


def work_history(item: WorkItem, zone: ZoneInfo, title: str) -> Table:
    """What was done about it, line by line."""
    table = Table("when", "who", "what", title=title, title_justify="left")
    for entry in item.history:
        table.add_row(_local(entry.at, zone), Text(entry.who), Text(entry.what))
    return table


def work_item_json(item: WorkItem) -> dict[str, Any]:
    """One for programs."""
    return {
        "id": item.work_item_id,
        "kind": item.kind,
        "subject": item.subject,
        "state": item.state,
        "routed_to": item.routed_to,
        "assigned_to": item.assigned_to or None,
        "opened": item.opened.isoformat(),
        "closed": None if item.closed is None else item.closed.isoformat(),
        "diagnosis": item.diagnosis,
        "history": [{"at": entry.at.isoformat(), "who": entry.who, "what": entry.what} for entry in item.history],
    }


def _local(instant: datetime | None, zone: ZoneInfo) -> str:
    return "" if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"
