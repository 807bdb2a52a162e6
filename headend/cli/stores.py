"""Commands that look into a utility's database: their options, and a store that is open while they look."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from adapters.store import Store, open_store
from headend.cli.failing import settings_or_exit
from headend.cli.imports import utility_named
from headend.cli.running import run_on_reactor
from headend.settings import Settings, UtilitySettings

Show = Callable[[Store, UtilitySettings], Awaitable[None]]


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """`--config` and `--utility`."""
    for decorate in (
        click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML."),
        click.option("--utility", "utility_id", help="Which utility, where the settings have several."),
    ):
        command = decorate(command)
    return command


def with_store(config: Path, utility_id: str | None, show: Show) -> None:
    """Run `show` with the utility's store; ends the process."""
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _shown(reactor, settings, utility_id, show))


async def _shown(reactor: Any, settings: Settings, utility_id: str | None, show: Show) -> int:
    utility = utility_named(settings, utility_id)
    store = await open_store(utility.database, utility.utility, utility.key_file, reactor)
    try:
        await show(store, utility)
    finally:
        await store.close()
    return 0
