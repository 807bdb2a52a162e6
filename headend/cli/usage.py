"""`headend usage`: what a utility uses of storage and of cellular networks."""

import json
from collections.abc import Sequence
from dataclasses import asdict
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
from headend.settings import UtilitySettings
from headend.usage import UNKNOWN_LENGTH, Accounting, Usage

MONTHS_SHOWN_DAYS = 396
DAYS_SHOWN = 31

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command()
@store_options
@click.option("--by", "period", type=click.Choice(["month", "day"]), default="month", show_default=True)
@click.option("--from", "first", type=_DAY, help="First UTC day; by default thirteen months ago, or a month by day.")
@click.option("--to", "last", type=_DAY, help="Last UTC day; today by default.")
def usage(config: Path, utility_id: str | None, as_json: bool, period: str, first: datetime | None, last: datetime | None) -> None:
    """Octets stored, and octets to and from cellular endpoints, by interval length. Counted hourly and daily by a running service."""
    by_month = period == "month"
    until = datetime.now(UTC).date() if last is None else last.date()
    since = until - timedelta(days=MONTHS_SHOWN_DAYS if by_month else DAYS_SHOWN) if first is None else first.date()

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        if since > until:
            raise RequestError(f"--from {since} is after --to {until}")
        found = await Accounting(store).usages(since, until, by_month=by_month)
        if as_json:
            click.echo(json.dumps({"utility": utility.id, "by": period, "usage": [asdict(one) for one in found]}, indent=1))
        else:
            Console().print(usage_table(found, utility.utility.name, period))
            if not found:
                click.echo("Nothing is counted yet: a running service counts traffic hourly, and what is stored of a day when it is over.")

    with_store(config, utility_id, work)


def usage_table(found: Sequence[Usage], name: str, period: str) -> Table:
    """All of it for people."""
    table = Table(title=name, title_justify="left", box=SIMPLE_HEAD)
    for heading in (period, "interval", "endpoint-days", "intervals", "stored MB", "cellular MB out", "cellular MB in"):
        table.add_column(heading, justify="left" if heading == period else "right")
    for one in found:
        counts = (f"{one.endpoint_days:,}", f"{one.intervals:,}")
        octets = [f"{octets / 1e6:,.3f}" for octets in (one.stored_octets, one.cellular_sent, one.cellular_received)]
        table.add_row(one.period, _length(one.interval_seconds), *counts, *octets)
    return table


def _length(seconds: int) -> str:
    return "none" if seconds == UNKNOWN_LENGTH else f"{seconds // 60} min"
