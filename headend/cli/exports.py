"""`headend export`: makes an export now, for any past day; lists runs and shows one."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.delivery.threads import on_threads_of
from adapters.exports.making import ExportFiles
from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.cli.progress import BAR
from headend.errors import RequestError
from headend.export_driver import Exporter
from headend.exports import batch_name, file_sets, wanted_of
from headend.model.export import ExportRun, ExportSchedule
from headend.model.selections import Period
from headend.settings import UtilitySettings

_day = click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The local day; yesterday by default.")


@click.group()
def export() -> None:
    """Files of readings for other systems."""


@export.command("run")
@click.argument("name")
@_day
@click.option("--dry-run", is_flag=True, help="Write nothing, say what would be written.")
@click.option("--no-delivery", is_flag=True, help="Leave the files in the spool.")
@store_options
def run_(name: str, day: datetime | None, dry_run: bool, no_delivery: bool, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Make the export NAME of the settings for one day, beside what is made regularly; the same data give the same files."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> None:
        schedule = _schedule(utility, name, deliver=not no_delivery)
        now = datetime.now(UTC)
        meant = day.date() if day is not None else utility.utility.local_day(now) - timedelta(days=1)
        if meant >= utility.utility.local_day(now):
            raise RequestError(f"{meant} is not over yet")
        if dry_run:
            await _foresee(store, utility, schedule, meant, as_json=as_json)
            return
        run = await store.begin_run(schedule.name, meant, now, scheduled=False)
        maker = ExportFiles(utility.utility, utility.spool, on_threads_of(reactor))
        exporter = Exporter(utility.utility, store, maker, lambda: datetime.now(UTC))
        with Progress(*BAR, console=Console(stderr=True)) as bar:
            tasks: dict[str, Any] = {}

            async def tell(kind: str, done: int, total: int) -> None:
                if kind not in tasks:
                    tasks[kind] = bar.add_task(kind)
                bar.update(tasks[kind], completed=done, total=total)

            files = await exporter.run(schedule, run, tell)
        batch = batch_name(utility.utility, schedule, run)
        to = ", ".join(schedule.targets) or "nobody"
        if as_json:
            told = [{"path": str(file.path), "octets": file.size, "sha256": file.sha256.hex()} for file in files]
            click.echo(json.dumps({"batch": batch, "targets": schedule.targets, "files": told}, indent=1))
            return
        for file in files:
            click.echo(f"{file.path}  {file.size:,} octets")
        click.echo(f"{batch}: {len(files)} files for {to}")

    with_store(config, utility_id, work)


@export.command("list")
@click.option("--export", "schedule", help="Only runs of one export.")
@_day
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
@store_options
def list_(schedule: str | None, day: datetime | None, limit: int, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Runs of exports, the newest last."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        runs = await store.export_runs(limit, schedule, None if day is None else day.date())
        if as_json:
            click.echo(json.dumps([_json(one) for one in runs], indent=1))
            return
        table = Table(box=SIMPLE_HEAD)
        for heading in ("export", "day", "run", "state", "files", "meters", "octets", "ended", "said"):
            table.add_column(heading, justify="right" if heading in {"run", "files", "meters", "octets"} else "left", overflow="fold")
        zone = utility.utility.time_zone
        for one in runs:
            ended = "" if one.ended is None else one.ended.astimezone(zone).strftime("%m-%d %H:%M")
            counts = (str(one.files), f"{one.meters:,}", f"{one.octets:,}")
            table.add_row(one.schedule, str(one.day), str(one.number), one.state.value, *counts, ended, one.reason)
        Console().print(table, highlight=False)

    with_store(config, utility_id, show)


@export.command("show")
@click.argument("name")
@_day
@click.option("--run", "number", type=click.IntRange(min=1), help="Which run for that day; the last by default.")
@store_options
def show_(name: str, day: datetime | None, number: int | None, config: Path, utility_id: str | None, as_json: bool) -> None:
    """One run of the export NAME, and where its files are."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        meant = day.date() if day is not None else utility.utility.local_day(datetime.now(UTC)) - timedelta(days=1)
        runs = [one for one in await store.export_runs(100_000, name, meant) if number in {None, one.number}]
        if not runs:
            raise RequestError(f"there is no such run of {name!r} for {meant}; `headend export list` has those that there are")
        run, batch = runs[-1], f"{utility.id}_{name}_{meant}_{runs[-1].number}"
        deliveries = await store.deliveries(100_000, batch=batch)
        if as_json:
            files = [{"file": d.file.name, "target": d.target, "state": d.state.value, "on_time": d.on_time} for d in deliveries]
            click.echo(json.dumps(_json(run) | {"deliveries": files}, indent=1))
            return
        click.echo(f"{batch}: {run.state.value}, {run.files} files, {run.meters:,} meters, {run.octets:,} octets {run.reason}".rstrip())
        for one in deliveries:
            click.echo(f"  {one.file.name}  {one.file.size:,} octets  {one.target}: {one.state.value} {one.reason}".rstrip())

    with_store(config, utility_id, show)


async def _foresee(store: Store, utility: UtilitySettings, schedule: ExportSchedule, day: date, *, as_json: bool) -> None:
    period = Period(*utility.utility.day_bounds(day))
    meters = {one.kind: await store.count_export_meters(wanted_of(one), period) for one in file_sets(schedule, corrections=False)}
    parts = {kind: max(1, -(-count // schedule.meters_per_file)) for kind, count in meters.items()}
    if as_json:
        click.echo(json.dumps({kind: {"meters": meters[kind], "parts": parts[kind]} for kind in meters}, indent=1))
        return
    for kind, count in meters.items():
        click.echo(f"{kind}: {count:,} meters in {parts[kind]} part{'s' if parts[kind] > 1 else ''}")


def _schedule(utility: UtilitySettings, name: str, *, deliver: bool) -> ExportSchedule:
    for one in utility.exports.schedules:
        if one.name == name:
            return one.schedule if deliver else replace(one.schedule, targets=())
    known = ", ".join(one.name for one in utility.exports.schedules)
    raise RequestError(f"the settings have no export {name!r}; they have {known or 'none'}")


def _json(one: ExportRun) -> dict[str, Any]:
    return {
        "export": one.schedule,
        "day": one.day.isoformat(),
        "run": one.number,
        "as_of": one.as_of.isoformat(),
        "state": one.state.value,
        "files": one.files,
        "meters": one.meters,
        "octets": one.octets,
        "ended": None if one.ended is None else one.ended.isoformat(),
        "reason": one.reason,
    }
