"""`headend purge`: forgets what is past its time now, or says what that would be."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.housekeeping import Housekeeping
from headend.model.retention import DataClass, Overdue
from headend.process_name import process_name
from headend.settings import UtilitySettings


@click.command()
@store_options
@click.option("--dry-run", is_flag=True, help="Forget nothing, say what would be forgotten.")
def purge(config: Path, utility_id: str | None, as_json: bool, dry_run: bool) -> None:
    """Forget what is past its time, as a running service does once a day. May run beside it."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> None:
        retention = utility.retention.retention
        overdue = await store.overdue(retention, datetime.now(UTC))
        if dry_run:
            _show(overdue, {}, retention.days, as_json=as_json)
            return
        with Progress(TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
            tasks = {one.data_class: bar.add_task(one.data_class, total=one.rows) for one in overdue}
            house = Housekeeping(utility.id, store, reactor, lambda: datetime.now(UTC), process_name(), retention)
            forgotten = await house.purge(lambda data_class, rows: bar.advance(tasks[data_class], rows))
        _show(overdue, forgotten, retention.days, as_json=as_json)

    with_store(config, utility_id, work)


def _show(overdue: list[Overdue], forgotten: Mapping[DataClass, int], days: Mapping[DataClass, int], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {
                "class": one.data_class,
                "days": days[one.data_class],
                "kept_from": one.before.isoformat(),
                "overdue_rows": one.rows,
                "forgotten_rows": forgotten.get(one.data_class, 0),
            }
            for one in overdue
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    table = Table(box=SIMPLE_HEAD)
    for heading in ("class", "days kept", "kept from (UTC)", "overdue rows", "forgotten rows"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for one in overdue:
        counts = (f"{days[one.data_class]:,}", f"{one.before:%Y-%m-%d}", f"{one.rows:,}", f"{forgotten.get(one.data_class, 0):,}")
        table.add_row(one.data_class, *counts)
    Console().print(table)
