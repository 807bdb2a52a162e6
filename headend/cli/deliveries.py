"""`headend deliveries`: files on their way: what waits, what failed and why; try again; figures; a test of a target."""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from adapters.delivery.spool import FileInTheMaking
from adapters.delivery.targets import build_target
from adapters.store import Store
from headend.cli.failing import settings_or_exit
from headend.cli.imports import utility_named
from headend.cli.one_store import store_options, with_store
from headend.cli.running import run_on_reactor
from headend.errors import RequestError
from headend.model.delivery import Delivery, DeliveryId, DeliveryState
from headend.settings import UtilitySettings


@click.group()
def deliveries() -> None:
    """Files on their way to targets."""


@deliveries.command("list")
@store_options
@click.option("--state", type=click.Choice([state.value for state in DeliveryState]), help="Only those in one state.")
@click.option("--target", help="Only those to one target.")
@click.option("--batch", help="Only those of one batch, such as an export's run.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
def list_(
    config: Path, utility_id: str | None, as_json: bool, state: str | None, target: str | None, batch: str | None, limit: int
) -> None:
    """Deliveries with their state and what the last failure said, the newest last."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = await store.deliveries(limit, state=DeliveryState(state) if state else None, target=target, batch=batch)
        if as_json:
            click.echo(json.dumps([_json(one) for one in found], indent=1))
            return
        table = Table(box=SIMPLE_HEAD, title=f"{len(found):,} deliveries", title_justify="left")
        for heading in ("number", "file", "target", "octets", "state", "tries", "due by", "said"):
            table.add_column(heading, justify="right" if heading in {"number", "octets", "tries"} else "left", overflow="fold")
        zone = utility.utility.time_zone
        for one in found:
            due_by = "" if one.deadline is None else one.deadline.astimezone(zone).strftime("%m-%d %H:%M")
            cells = (str(one.delivery_id), one.file.name, one.target, f"{one.file.size:,}", _state(one), str(one.tries), due_by, one.reason)
            table.add_row(*cells)
        Console().print(table, highlight=False)

    with_store(config, utility_id, show)


@deliveries.command()
@click.argument("numbers", nargs=-1, type=click.IntRange(min=1))
@click.option("--parked", is_flag=True, help="All that were given up.")
@store_options
def retry(numbers: tuple[int, ...], parked: bool, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Try deliveries NUMBERS, or all parked ones, again; a running dispatcher does it at once."""
    if bool(numbers) == parked:
        raise click.UsageError("give either numbers or --parked")

    async def work(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        count = await store.try_again(None if parked else [DeliveryId(one) for one in numbers], datetime.now(UTC))
        click.echo(json.dumps({"queued": count}) if as_json else f"{count} queued")

    with_store(config, utility_id, work)


@deliveries.command()
@click.option("--days", default=31, show_default=True, type=click.IntRange(1, 3_660), help="How far back.")
@store_options
def figures(days: int, config: Path, utility_id: str | None, as_json: bool) -> None:
    """How many files were due each day (UTC), and at their target on time, late, or not at all."""

    async def show(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        found = await store.delivery_figures(datetime.now(UTC) - timedelta(days=days))
        names = ("target", "day", "due", "on_time", "late", "failed", "open")
        if as_json:
            click.echo(json.dumps([{name: getattr(one, name) for name in names} for one in found], indent=1))
            return
        table = Table(*(name.replace("_", " ") for name in names), "on time %", box=SIMPLE_HEAD)
        for one in found:
            share = f"{100 * one.on_time / one.due:.1f}"
            table.add_row(*(str(getattr(one, name)) for name in names), share)
        Console().print(table, highlight=False)

    with_store(config, utility_id, show)


@deliveries.command("test")
@click.argument("target")
@click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML.")
@click.option("--utility", "utility_id", help="Which utility, where the settings have several.")
def test_(target: str, config: Path, utility_id: str | None) -> None:
    """Send TARGET a small file called headend-delivery-test.txt, as any other would be sent."""
    utility = utility_named(settings_or_exit(config), utility_id)
    run_on_reactor(lambda reactor: _tested(reactor, utility, target))


async def _tested(reactor: Any, utility: UtilitySettings, name: str) -> int:
    meant = next((one for one in utility.targets if one.name == name), None)
    if meant is None:
        raise RequestError(f"the settings have no target {name!r}; they have {', '.join(one.name for one in utility.targets) or 'none'}")
    with tempfile.TemporaryDirectory() as directory, FileInTheMaking(Path(directory), "headend-delivery-test.txt") as made:
        made.write(f"{utility.id}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: a test of delivery, to be ignored.\n".encode())
        file = made.finish()

        async def sent() -> None:
            click.echo(f"{file.name} sent, {file.size} octets")

        await build_target(meant, reactor).deliver(file, sent)
    click.echo(f"{file.name} verified at {name}")
    return 0


def _state(one: Delivery) -> str:
    return f"{one.state.value}, late" if one.state is DeliveryState.VERIFIED and not one.on_time else one.state.value


def _json(one: Delivery) -> dict[str, Any]:
    def text(at: datetime | None) -> str | None:
        return None if at is None else at.isoformat()

    return {
        "number": one.delivery_id,
        "file": one.file.name,
        "path": str(one.file.path),
        "octets": one.file.size,
        "sha256": one.file.sha256.hex(),
        "target": one.target,
        "batch": one.batch,
        "state": one.state.value,
        "on_time": one.on_time,
        "tries": one.tries,
        "created": text(one.created),
        "deadline": text(one.deadline),
        "settled": text(one.settled),
        "reason": one.reason,
    }
