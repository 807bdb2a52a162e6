"""`headend work`: what needs a person, of routers and endpoints alike: list, look at one, take it, note on it, close it."""

import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.cli.work_report import work_item_json, work_story, work_table
from headend.errors import RequestError
from headend.limits import TEXT_CHARACTERS_MAX
from headend.model.work_item import WorkItem, WorkItemChange, WorkItemEntry, WorkItemId, WorkItemKind, WorkItemState
from headend.settings import UtilitySettings

_by = click.option("--by", default=getpass.getuser, help="Who says so; by default who is logged in.", show_default=False)
_number = click.argument("number", type=click.IntRange(min=1))


@click.group()
def work() -> None:
    """Show and handle work items: what the head-end could not put right by itself."""


@work.command("list")
@store_options
@click.option("--closed", is_flag=True, help="Those that are closed too.")
@click.option("--kind", type=click.Choice([kind.value for kind in WorkItemKind]), help="Only of one kind.")
@click.option("--subject", help="Only of one router or meter.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
def list_(
    config: Path, utility_id: str | None, as_json: bool, closed: bool, kind: str | None, subject: str | None, limit: int
) -> None:
    """Work items, newest first."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        wanted = None if kind is None else WorkItemKind(kind)
        items = await store.work_items(limit, closed=closed, subject=subject, kind=wanted)
        if as_json:
            click.echo(json.dumps([work_item_json(item) for item in items], indent=1))
        else:
            Console().print(work_table(items, utility.utility.time_zone), highlight=False)

    with_store(config, utility_id, show)


@work.command("show")
@_number
@store_options
def show_(number: int, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The work item NUMBER with its diagnosis and history."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        _show(await _known(store, number), utility, as_json=as_json)

    with_store(config, utility_id, show)


@work.command()
@_number
@click.argument("words", nargs=-1, required=True)
@_by
@store_options
def note(number: int, words: tuple[str, ...], by: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Write WORDS into the history of the work item NUMBER."""
    text = _text(" ".join(words))
    _change(config, utility_id, number, as_json, lambda item, now: _changed(item, now, by, text, item.state))


@work.command()
@_number
@click.argument("who")
@_by
@store_options
def assign(number: int, who: str, by: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The work item NUMBER is WHO's from now on."""
    name = _text(who)

    def change(item: WorkItem, now: datetime) -> WorkItemChange:
        return _changed(item, now, by, f"assigned to {name}", WorkItemState.ACKNOWLEDGED, assigned_to=name)

    _change(config, utility_id, number, as_json, change)


@work.command()
@_number
@click.option("--note", "words", default="", help="Why.")
@_by
@store_options
def close(number: int, words: str, by: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Close the work item NUMBER. One whose trouble lasts is not opened again before that has ended."""
    text = _text(f"closed: {words}" if words else "closed")
    _change(config, utility_id, number, as_json, lambda item, now: _changed(item, now, by, text, WorkItemState.CLOSED))


Change = Callable[[WorkItem, datetime], WorkItemChange]


def _change(config: Path, utility_id: str | None, number: int, as_json: bool, change: Change) -> None:
    async def work_on(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        item = await _known(store, number)
        after = None
        if item.state is not WorkItemState.CLOSED:
            after = await store.change_work_item(change(item, datetime.now(UTC)))
        if after is None:
            raise RequestError(f"work item {number} is closed")
        _show(after, utility, as_json=as_json)

    with_store(config, utility_id, work_on)


def _changed(item: WorkItem, now: datetime, by: str, what: str, state: WorkItemState, assigned_to: str = "") -> WorkItemChange:
    return WorkItemChange(item.kind, item.subject, now, state, (WorkItemEntry(now, by, what),), assigned_to=assigned_to)


async def _known(store: Store, number: int) -> WorkItem:
    item = await store.work_item(WorkItemId(number))
    if item is None:
        raise RequestError(f"there is no work item {number}; `headend work list` has those that there are")
    return item


def _show(item: WorkItem, utility: UtilitySettings, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(work_item_json(item), indent=1))
    else:
        Console().print(work_story(item, utility.utility.time_zone), highlight=False)


def _text(words: str) -> str:
    if len(words) > TEXT_CHARACTERS_MAX or not words.isprintable():
        raise click.BadParameter(f"more than {TEXT_CHARACTERS_MAX} characters, or some that cannot be printed")
    return words
