"""`headend routers`: what is known of the routers of a utility, from its database."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from adapters.store import Store, open_store
from headend.cli.failing import settings_or_exit
from headend.cli.imports import utility_named
from headend.cli.router_report import RouterStory, router_json, router_story, router_table, story_json
from headend.cli.running import run_on_reactor
from headend.errors import SHOWN_CHARACTERS_MAX, RequestError
from headend.settings import Settings, UtilitySettings

EVENTS_SHOWN = 50
TROUBLESHOOTINGS_SHOWN = 5
WORK_ITEMS_SHOWN = 5


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML."),
        click.option("--utility", "utility_id", help="Which utility, where the settings have several."),
        click.option("--json", "as_json", is_flag=True, help="For programs."),
    ):
        command = decorate(command)
    return command


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

    _with_store(config, utility_id, show)


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

    _with_store(config, utility_id, show)


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


def _with_store(config: Path, utility_id: str | None, show: Callable[[Store, UtilitySettings], Awaitable[None]]) -> None:
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _shown(reactor, settings, utility_id, show))


async def _shown(
    reactor: Any, settings: Settings, utility_id: str | None, show: Callable[[Store, UtilitySettings], Awaitable[None]]
) -> int:
    utility = utility_named(settings, utility_id)
    store = await open_store(utility.database, utility.utility, utility.key_file, reactor)
    try:
        await show(store, utility)
    finally:
        await store.close()
    return 0
