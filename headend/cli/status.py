"""`headend status`: how a utility's head-end is doing, from its database, whether a service runs or not."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.settings import UtilitySettings
from headend.status import StoreStatus


@click.command()
@store_options
def status(config: Path, utility_id: str | None, as_json: bool) -> None:
    """Collection, leases, routers, exceptions, outbox, message log, sizes, retention and versions."""

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        now = datetime.now(UTC)
        midnight, _ = utility.utility.day_bounds(utility.utility.local_day(now))
        found = await store.status(now, midnight)
        if as_json:
            click.echo(json.dumps(status_json(found, utility), indent=1))
        else:
            Console().print(status_table(found, utility))

    with_store(config, utility_id, work)


def versions(found: StoreStatus) -> dict[str, str]:
    """What runs here."""
    return {
        "headend": version("open-ami-headend"),
        "schema": found.schema_revision,
        "database": found.database_version,
        "python": platform.python_version(),
    }


def retention_days(utility: UtilitySettings) -> dict[str, float]:
    """Days kept, by class, the message log included."""
    days: dict[str, float] = {str(data_class): days for data_class, days in utility.retention.retention.days.items()}
    return days | {"messages": utility.messages.days}


def status_json(found: StoreStatus, utility: UtilitySettings) -> dict[str, Any]:
    """All of it for programs; instants in ISO 8601."""
    values: dict[str, Any] = json.loads(json.dumps(asdict(found), default=lambda instant: instant.isoformat()))
    return {"utility": utility.id, **values, "retention_days": retention_days(utility), "versions": versions(found)}


def status_table(found: StoreStatus, utility: UtilitySettings) -> Table:
    """All of it for people; instants in the utility's time."""
    zone = utility.utility.time_zone
    collection, reach, leases = found.collection, found.reach, found.leases
    table = Table(title=f"{utility.utility.name}, {_when(found.at, zone)}", title_justify="left", show_header=False, box=SIMPLE_HEAD)
    table.add_column(style="bold")
    table.add_column()
    waiting = f"{leases.waiting:,}" + (f", the first since {_when(leases.waiting_since, zone)}" if leases.waiting_since else "")
    done_by = ", ".join(
        f"{one.work} {'never done' if one.done is None else _when(one.done, zone)}{f' (now by {one.owner})' if one.owner else ''}"
        for one in found.regular_work
    )
    for name, value in (
        ("collection", f"{collection.due:,} due, {collection.done:,} done, {collection.failed:,} with exceptions"),
        ("collected", f"{collection.register_reads:,} register reads, {collection.intervals:,} intervals, {collection.events:,} events"),
        ("heard in 24 h", _part(reach.heard, reach.active)),
        ("read since midnight", _part(reach.read, reach.active)),
        ("waiting", waiting),
        ("leased", _listed(leases.held) + (f", the first until {_when(leases.first_ends, zone)}" if leases.first_ends else "")),
        ("routers", _listed(found.routers)),
        ("exceptions in 24 h", _listed(found.exceptions)),
        ("events in 24 h", _listed(found.events)),
        ("open work items", _listed(found.work_items)),
        ("outbox", _listed(found.outbox)),
        ("message log", f"{found.messages.count:,} exchanges, {found.messages.octets / 1e6:,.1f} MB"),
        ("database", f"{found.octets / 1e6:,.1f} MB"),
        ("kept for days", ", ".join(f"{name} {days:g}" for name, days in retention_days(utility).items())),
        ("regular work", done_by or "none yet"),
        ("versions", ", ".join(f"{name} {value}" for name, value in versions(found).items())),
    ):
        table.add_row(name, value)
    return table


def _when(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _part(some: int, all_: int) -> str:
    return f"{some:,} of {all_:,}" + (f" ({100 * some / all_:.1f} %)" if all_ else "")


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
