"""`headend routers`: what is known of the routers of a utility, from its database."""

import json
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console

from adapters.store import Store
from headend.cli.router_report import RouterStory, router_json, router_story, router_table, story_json
from headend.cli.stores import store_options, with_store
from headend.errors import SHOWN_CHARACTERS_MAX, RequestError
from headend.settings import UtilitySettings

EVENTS_SHOWN = 50
TROUBLESHOOTINGS_SHOWN = 5
WORK_ITEMS_SHOWN = 5


def _options(command: Callable[..., None]) -> Callable[..., None]:
    return store_options(click.option("--json", "as_json", is_flag=True, help="For programs.")(command))


@click.group()
def routers() -> None:
    """Show routers: state, uplink, mesh, battery, door, history and troubleshooting."""


@routers.command("list")
@_options
def list_(config: Path, utility_id: str | None, as_json: bool) -> None:
    """All routers."""

    async def show(store: Store, utility: UtilitySettings) -> None:
        entries = await store.router_entries()
        if as_json:
            click.echo(json.dumps([router_json(entry) for entry in entries], indent=1))
        else:
            Console().print(router_table(entries, utility.utility.time_zone))

    with_store(config, utility_id, show)


@routers.command("show")
@click.argument("name")
@_options
def show_(name: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The router NAME with its alarms, troubleshooting log, work items and events."""

    async def show(store: Store, utility: UtilitySettings) -> None:
        story = await story_of(store, name)
        if as_json:
            click.echo(json.dumps(story_json(story), indent=1))
        else:
            Console().print(router_story(story, utility.utility.time_zone))

    with_store(config, utility_id, show)


async def story_of(store: Store, name: str) -> RouterStory:
    """One router with what it has been through. Raises RequestError."""
    entry = await store.router_entry(name)
    if entry is None:
        raise RequestError(f"router {name[:SHOWN_CHARACTERS_MAX]!r} is not known")
    return RouterStory(
        entry,
        await store.router_events(name, EVENTS_SHOWN),
        await store.router_troubleshootings(name, TROUBLESHOOTINGS_SHOWN),
        await store.work_items(WORK_ITEMS_SHOWN, closed=True, subject=name),
    )
