"""`headend protected`: the list of meters that are not disconnected: show, add, end, remove."""

import getpass
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.commands.batch_file import protected_problems
from headend.errors import RequestError
from headend.limits import PROTECTIONS_MAX, TEXT_CHARACTERS_MAX
from headend.model.protection import ListedProtection, Protection, ProtectionId, ProtectionKind
from headend.model.utility import Utility
from headend.settings import UtilitySettings

DAY = click.DateTime(["%Y-%m-%d"])
_by = click.option("--by", default=getpass.getuser, help="Who says so; by default who is logged in.", show_default=False)


@click.group()
def protected() -> None:
    """The protected list: meters that are not disconnected."""


@protected.command("list")
@store_options
@click.option("--on", "on_day", type=DAY, help="Entries that hold on that day; by default today.")
@click.option("--all", "all_days", is_flag=True, help="Entries that are over, not yet begun or removed, too.")
@click.option("--meter", help="What protects one meter: entries about it, its account, everyone.")
@click.option("--account", help="Only of one account.")
@click.option("--limit", default=1_000, show_default=True, type=click.IntRange(1, PROTECTIONS_MAX), help="The newest so many.")
def list_(
    config: Path,
    utility_id: str | None,
    as_json: bool,
    on_day: datetime | None,
    all_days: bool,
    meter: str | None,
    account: str | None,
    limit: int,
) -> None:
    """Entries, newest first."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        day = None if all_days else on_day.date() if on_day else _today(utility.utility)
        entries = await store.protections(limit, day=day, meter_no=meter, account_no=account, removed=all_days)
        if as_json:
            click.echo(json.dumps([_json(one) for one in entries], indent=1))
        else:
            Console().print(_table(entries), highlight=False)

    with_store(config, utility_id, show)


@protected.command()
@click.option("--meter", help="The meter that is protected.")
@click.option("--account", help="The account all of whose meters are.")
@click.option("--everyone", is_flag=True, help="All meters, as when a heat wave comes.")
@click.option("--kind", required=True, type=click.Choice([kind.value for kind in ProtectionKind]), help="Why.")
@click.option("--from", "first", type=DAY, help="The first day; by default today.")
@click.option("--until", "last", type=DAY, help="The last day; by default until it is ended.")
@click.option("--note", default="", help="What else is to be known; no partner is told it.")
@_by
@store_options
def add(
    config: Path,
    utility_id: str | None,
    as_json: bool,
    meter: str | None,
    account: str | None,
    everyone: bool,
    kind: str,
    first: datetime | None,
    last: datetime | None,
    note: str,
    by: str,
) -> None:
    """Protect a meter, an account or everyone."""
    if sum((bool(meter), bool(account), everyone)) != 1:
        raise click.UsageError("one of --meter, --account and --everyone is to be given")
    if len(note) > TEXT_CHARACTERS_MAX or not note.isprintable():
        raise click.BadParameter(f"--note has more than {TEXT_CHARACTERS_MAX} characters, or some that cannot be printed")

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        begins = first.date() if first else _today(utility.utility)
        ends = None if last is None else last.date()
        if ends is not None and ends < begins:
            raise RequestError(f"--until {ends} is before {begins}")
        wanted = Protection(meter or "", account or "", ProtectionKind(kind), begins, ends, note)
        for problem in protected_problems([wanted], await store.unknown_protected([wanted])):
            raise RequestError(problem)
        await store.keep_protections([wanted], by, datetime.now(UTC))
        if not as_json:
            click.echo(f"{wanted.subject} is protected ({kind}) from {begins} {'on' if ends is None else f'until {ends}'}")

    with_store(config, utility_id, work)


@protected.command()
@click.argument("number", type=click.IntRange(min=1))
@click.option("--on", "last", required=True, type=DAY, help="The last day on which it holds.")
@_by
@store_options
def end(number: int, last: datetime, by: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Give the entry NUMBER a last day."""

    async def work(_reactor: Any, store: Store, _: UtilitySettings) -> None:
        _known(number, await store.end_protection(ProtectionId(number), last.date(), by, datetime.now(UTC)))

    with_store(config, utility_id, work)


@protected.command()
@click.argument("number", type=click.IntRange(min=1))
@_by
@store_options
def remove(number: int, by: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Take the entry NUMBER out of the list, as one that should never have been in it."""

    async def work(_reactor: Any, store: Store, _: UtilitySettings) -> None:
        _known(number, await store.remove_protection(ProtectionId(number), by, datetime.now(UTC)))

    with_store(config, utility_id, work)


def _known(number: int, found: bool) -> None:
    if not found:
        raise RequestError(f"there is no entry {number}; `headend protected list --all` has those that there are")


def _today(utility: Utility) -> date:
    return utility.local_day(datetime.now(UTC))


def _table(entries: list[ListedProtection]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("number", "who", "kind", "from", "until", "entered", "by", "note"):
        table.add_column(heading, overflow="fold")
    for one in entries:
        held = one.protection
        last = "" if held.last_day is None else held.last_day.isoformat()
        note = held.note if one.removed is None else f"removed by {one.removed_by}"
        what = (str(one.protection_id), held.subject, held.kind.value, held.first_day.isoformat(), last)
        table.add_row(*what, f"{one.entered:%Y-%m-%d}", one.entered_by, note)
    return table


def _json(one: ListedProtection) -> dict[str, Any]:
    held = one.protection
    return {
        "number": one.protection_id,
        "meter": held.meter_no or None,
        "account": held.account_no or None,
        "kind": held.kind.value,
        "from": held.first_day.isoformat(),
        "until": None if held.last_day is None else held.last_day.isoformat(),
        "note": held.note,
        "entered": one.entered.isoformat(),
        "entered_by": one.entered_by,
        "removed": None if one.removed is None else one.removed.isoformat(),
        "removed_by": one.removed_by or None,
    }
