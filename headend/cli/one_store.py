"""Commands that look at one utility's database: their options, and the store opened around what they do."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from adapters.store import Store, open_store
from headend.cli.failing import settings_or_exit
from headend.cli.imports import utility_named
from headend.cli.running import run_on_reactor
from headend.settings import Settings, UtilitySettings

Work = Callable[[Any, Store, UtilitySettings], Awaitable[int | None]]
"""What is done with a store, on a reactor; the status to end with, where it is not 0."""


def store_options(command: Callable[..., None]) -> Callable[..., None]:
    """--config, --utility and --json, as `config`, `utility_id` and `as_json`."""
    for decorate in (
        click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML."),
        click.option("--utility", "utility_id", help="Which utility, where the settings have several."),
        click.option("--json", "as_json", is_flag=True, help="For programs."),
    ):
        command = decorate(command)
    return command


def with_store(config: Path, utility_id: str | None, work: Work) -> None:
    """Open the store that is meant, do the work, close it; what goes wrong is a sentence and a status."""
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _opened(reactor, settings, utility_id, work))


async def _opened(reactor: Any, settings: Settings, utility_id: str | None, work: Work) -> int:
    utility = utility_named(settings, utility_id)
    store = await open_store(utility.database, utility.utility, utility.key_file, reactor)
    try:
        return await work(reactor, store, utility) or 0
    finally:
        await store.close()
