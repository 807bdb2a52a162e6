"""`headend silence`: the mute list, and windows of maintenance: whose events are told to nobody, from when to when, and why."""

import getpass
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.errors import RequestError
from headend.model.silencing import Scope, Silencing
from headend.settings import UtilitySettings

REASON_CHARACTERS_MAX = 200


@click.group()
def silence() -> None:
    """Say whose events are to be told to nobody for a time."""


@silence.command("list")
@store_options
def list_(config: Path, utility_id: str | None, as_json: bool) -> None:
    """Silencings that hold, or are to come."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = await store.silencings(datetime.now(UTC))
        if as_json:
            click.echo(json.dumps([_json(one) for one in found], indent=1))
            return
        table = Table("number", "kind", "whom", "events", "from", "until", "reason", "by", box=SIMPLE_HEAD)
        zone = utility.utility.time_zone
        for one in found:
            ends = "for good" if one.ends is None else f"{one.ends.astimezone(zone):%Y-%m-%d %H:%M}"
            names = ", ".join(map(utility.utility.events.name_of, sorted(one.codes))) or "all"
            kind = "maintenance" if one.is_maintenance else "muted"
            whom = f"{one.scope.value} {one.name}".strip()
            table.add_row(str(one.number), kind, whom, names, f"{one.starts.astimezone(zone):%Y-%m-%d %H:%M}", ends, one.reason, one.by)
        Console().print(table, highlight=False, markup=False)

    with_store(config, utility_id, show)


@silence.command()
@click.argument("scope", type=click.Choice([scope.value for scope in Scope]))
@click.argument("name", default="")
@click.option("--reason", required=True, help="Why; whoever asks why he was not told gets to read it.")
@click.option("--hours", type=click.FloatRange(0.01, 87_600), help="How long; by default for good.")
@click.option("--starts", type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]), help="From when on, local; by default now.")
@click.option("--code", "codes", multiple=True, type=int, help="Only events of this code; may be given more than once.")
@click.option("--maintenance", is_flag=True, help="Work is going on; else it is muted.")
@click.option("--by", default=getpass.getuser, help="Who says so; by default who is logged in.", show_default=False)
@store_options
def begin(
    scope: str,
    name: str,
    reason: str,
    hours: float | None,
    starts: datetime | None,
    codes: tuple[int, ...],
    maintenance: bool,
    by: str,
    config: Path,
    utility_id: str | None,
    as_json: bool,
) -> None:
    """Tell nobody of events of SCOPE (meter, router, group or everybody) NAME."""
    if (scope == Scope.EVERYBODY.value) == bool(name):
        raise click.UsageError("NAME says which meter, router or group; everybody has none")

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        now = datetime.now(UTC)
        begins = now if starts is None else starts.replace(tzinfo=utility.utility.time_zone).astimezone(UTC)
        ends = None if hours is None else begins + timedelta(hours=hours)
        if ends is not None and ends <= now:
            raise RequestError("it would be over already")
        words = reason[:REASON_CHARACTERS_MAX]
        one = Silencing(0, Scope(scope), name, frozenset(codes), begins, ends, maintenance, words, by)
        number = await store.silence(one, now)
        click.echo(json.dumps({"number": number}) if as_json else f"silencing {number}")

    with_store(config, utility_id, work)


@silence.command()
@click.argument("number", type=click.IntRange(min=1))
@store_options
def end(number: int, config: Path, utility_id: str | None, as_json: bool) -> None:
    """End the silencing NUMBER now."""

    async def work(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        if not await store.end_silencing(number, datetime.now(UTC)):
            raise RequestError(f"there is no silencing {number} that holds")
        click.echo(json.dumps({"ended": number}) if as_json else f"silencing {number} is over")

    with_store(config, utility_id, work)


def _json(one: Silencing) -> dict[str, Any]:
    return {
        "number": one.number,
        "scope": one.scope.value,
        "name": one.name,
        "codes": sorted(one.codes),
        "starts": one.starts.isoformat(),
        "ends": None if one.ends is None else one.ends.isoformat(),
        "maintenance": one.is_maintenance,
        "reason": one.reason,
        "by": one.by,
    }
