"""`headend event-files`: files of events once more."""

import json
from pathlib import Path
from typing import Any

import click

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.errors import RequestError
from headend.event_file_service import event_file_driver
from headend.process_name import process_name
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding


@click.group("event-files")
def event_files() -> None:
    """Files of events."""


@event_files.command()
@click.argument("feed")
@click.argument("numbers", nargs=-1, required=True, type=click.IntRange(min=1))
@store_options
def redeliver(feed: str, numbers: tuple[int, ...], config: Path, utility_id: str | None, as_json: bool) -> None:
    """Make files NUMBERS of FEED again, the same octets under the same names; a running dispatcher delivers them."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> None:
        wanted = next((one.feed for one in utility.event_files if one.name == feed), None)
        if wanted is None:
            known = ", ".join(one.name for one in utility.event_files)
            raise RequestError(f"{feed!r} is no feed of event files; there are {known or 'none'}")
        driver = event_file_driver(utility, store, Surrounding(reactor), process_name())
        count = await driver.redeliver(wanted, numbers)
        click.echo(json.dumps({"queued": count}) if as_json else f"{count} of {len(numbers)} files queued")

    with_store(config, utility_id, work)
