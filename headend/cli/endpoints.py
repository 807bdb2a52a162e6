"""`headend endpoints`: which endpoints are not heard, since when, whose silence it is, and the history of one."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.cli.work_report import work_item_json, work_story
from headend.errors import SHOWN_CHARACTERS_MAX, RequestError
from headend.model.work_item import WorkItem
from headend.settings import UtilitySettings
from headend.silence import SilenceState
from headend.silence_ports import SilenceEntry

SILENT = [state for state in SilenceState if state is not SilenceState.OK]
WORK_ITEMS_SHOWN = 5


@click.group()
def endpoints() -> None:
    """Show endpoints that are silent."""


@endpoints.command()
@store_options
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in SILENT]), help="Only in this state.")
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(1, 1_000_000), help="So many, the longest silent first.")
def silent(config: Path, utility_id: str | None, as_json: bool, states: Sequence[str], limit: int) -> None:
    """Endpoints that are late, not communicating or under investigation."""
    wanted = [SilenceState(state) for state in states] or SILENT

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        entries = await store.silences(wanted, limit)
        if as_json:
            click.echo(json.dumps([entry_json(entry) for entry in entries], indent=1))
        else:
            Console().print(silence_table(entries, utility.utility.time_zone), highlight=False)

    with_store(config, utility_id, show)


@endpoints.command("show")
@click.argument("meter_no")
@store_options
def show_(meter_no: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The silences of the meter METER_NO: how it is, how it came to it, and its work items."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        entry = await store.silence_of(meter_no)
        items = await store.work_items(WORK_ITEMS_SHOWN, closed=True, subject=meter_no)
        if entry is None and not items and await store.meter(meter_no) is None:
            raise RequestError(f"meter {meter_no[:SHOWN_CHARACTERS_MAX]!r} is not known")
        if as_json:
            told = None if entry is None else entry_json(entry)
            click.echo(json.dumps({"silence": told, "work_items": [work_item_json(item) for item in items]}, indent=1))
        else:
            Console().print(_story(meter_no, entry, items, utility.utility.time_zone), highlight=False)

    with_store(config, utility_id, show)


def silence_table(entries: Sequence[SilenceEntry], zone: ZoneInfo) -> Table:
    """Many endpoints."""
    table = Table(box=SIMPLE_HEAD, padding=0, show_edge=False)
    for heading in ("meter", "state", "since", "last heard", "router", "whose"):
        table.add_column(heading, no_wrap=True)
    for entry in entries:
        silence = entry.silence
        whose = "its own" if silence.owner is None else f"router {silence.owner}"
        since, heard = _local(silence.since, zone), _local(entry.heard, zone) or "never"
        table.add_row(Text(entry.meter_no), silence.state.value, since, heard, Text(entry.router or ""), Text(whose))
    return table


def _story(meter_no: str, entry: SilenceEntry | None, items: Sequence[WorkItem], zone: ZoneInfo) -> RenderableType:
    if entry is None:
        return Group(Text(f"meter {meter_no} has not been silent"), *(work_story(item, zone) for item in items))
    steps = Table("when", "state", "why", title=f"meter {meter_no}: {entry.silence.state.value}", title_justify="left")
    for step in entry.silence.steps:
        steps.add_row(_local(step.at, zone), step.state.value, Text(step.why))
    return Group(steps, *(work_story(item, zone) for item in items))


def entry_json(entry: SilenceEntry) -> dict[str, Any]:
    """One endpoint for programs."""
    silence = entry.silence
    return {
        "meter_no": entry.meter_no,
        "state": silence.state,
        "changed": silence.changed.isoformat(),
        "silent_since": None if silence.since is None else silence.since.isoformat(),
        "heard": None if entry.heard is None else entry.heard.isoformat(),
        "router": entry.router,
        "owner": silence.owner,
        "history": [{"at": step.at.isoformat(), "state": step.state, "why": step.why} for step in silence.steps],
    }


def _local(instant: datetime | None, zone: ZoneInfo) -> str:
    return "" if instant is None else f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
