"""`headend import`: makes the endpoints of a shipment, accounts and service points, routers, or who is protected known to a utility."""

import getpass
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from adapters.store import Store, open_store
from headend.cli.failing import settings_or_exit
from headend.cli.running import run_on_reactor
from headend.commands.batch_file import protected_problems, read_protected
from headend.errors import RequestError
from headend.provisioning import ImportFile, read_customers, read_shipment
from headend.provisioning_rows import FILE_OCTETS_MAX, FileFormat
from headend.router_provisioning import read_routers
from headend.settings import Settings, UtilitySettings


@click.group("import")
def import_() -> None:
    """Make endpoints, customers, service points, routers and the protected list known."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        click.argument("file", type=click.Path(path_type=Path)),
        click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML."),
        click.option("--utility", "utility_id", help="Which utility, where the settings have several."),
        click.option("--good-ones", is_flag=True, help="Import the good rows of a file that has bad ones, too."),
    ):
        command = decorate(command)
    return command


@import_.command()
@_options
def shipment(file: Path, config: Path, utility_id: str | None, good_ones: bool) -> None:
    """Endpoints from FILE (CSV or JSON): meter number, model, configuration, ApTitle, key, router or address."""
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _import(reactor, settings, utility_id, file, read_shipment, good_ones, Store.import_shipment))


@import_.command()
@_options
def customers(file: Path, config: Path, utility_id: str | None, good_ones: bool) -> None:
    """Accounts, service points, bill cycles and installations from FILE (CSV or JSON)."""
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _import(reactor, settings, utility_id, file, read_customers, good_ones, Store.import_customers))


@import_.command()
@_options
def routers(file: Path, config: Path, utility_id: str | None, good_ones: bool) -> None:
    """Routers from FILE (CSV or JSON): name, SNMP addresses and credentials, place, nodes expected in the mesh."""
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _import(reactor, settings, utility_id, file, read_routers, good_ones, Store.import_routers))


@import_.command()
@_options
@click.option("--by", default=getpass.getuser, help="Who says so; by default who is logged in.", show_default=False)
def protected(file: Path, config: Path, utility_id: str | None, good_ones: bool, by: str) -> None:
    """The protected list from FILE (CSV or JSON): meter_no or account_no, kind (medical, weather, other), from, until, note.

    An entry with the same meter or account, kind and first day gets the last day and note of the file.
    """
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _import_protected(reactor, utility_named(settings, utility_id), file, good_ones, by))


async def _import_protected(reactor: Any, utility: UtilitySettings, file: Path, good_ones: bool, by: str) -> int:
    octets = octets_of(file)
    found = read_protected(octets, FileFormat.of(file.name, octets))
    store = await open_store(utility.database, utility.utility, utility.key_file, reactor, create_keys=True)
    try:
        unknown = await store.unknown_protected(found.items)
        good = [one for one in found.items if (one.meter_no, one.account_no) not in unknown]
        bad = found.bad_rows + len(found.items) - len(good)
        for problem in [*found.problems, *protected_problems(found.items, unknown)]:
            click.echo(f"{file}: {problem}", err=True)
        if bad and not good_ones:
            raise RequestError(f"nothing was imported: {bad} bad row{'s' if bad != 1 else ''}; --good-ones imports the others")
        changed = await store.keep_protections(good, by, datetime.now(UTC))
    finally:
        await store.close()
    click.echo(f"{file}: {len(good)} entries read, {changed} new or changed, {bad} bad")
    return 1 if bad else 0


async def _import(
    reactor: Any,
    settings: Settings,
    utility_id: str | None,
    file: Path,
    read: Callable[[bytes, FileFormat], ImportFile[Any]],
    good_ones: bool,
    store_items: Callable[..., Awaitable[int]],
) -> int:
    utility = utility_named(settings, utility_id)
    octets = octets_of(file)
    found = read(octets, FileFormat.of(file.name, octets))
    items = found.accepted(all_or_nothing=not good_ones)
    for problem in found.problems:
        click.echo(f"{file}: {problem}", err=True)
    store = await open_store(utility.database, utility.utility, utility.key_file, reactor, create_keys=True)
    try:
        changed = await store_items(store, items, datetime.now(UTC))
    finally:
        await store.close()
    click.echo(f"{file}: {len(items)} rows read, {changed} new or changed, {found.bad_rows} bad")
    return 1 if found.bad_rows else 0


def utility_named(settings: Settings, utility_id: str | None) -> UtilitySettings:
    """The utility meant; the only one where none is named. Raises RequestError."""
    ids = [u.id for u in settings.utilities]
    if utility_id is None and len(ids) == 1:
        return settings.utilities[0]
    if utility_id not in ids:
        raise RequestError(f"--utility must be one of {', '.join(ids)}" + (f", not {utility_id!r}" if utility_id else ""))
    return settings.utilities[ids.index(utility_id)]


def octets_of(file: Path) -> bytes:
    """The whole file. Raises RequestError naming it."""
    try:
        if file.stat().st_size > FILE_OCTETS_MAX:
            raise RequestError(f"{file} is larger than {FILE_OCTETS_MAX} octets")
        return file.read_bytes()
    except OSError as error:
        raise RequestError(f"{file}: {error.strerror}") from None
