"""`headend completeness`: what there should be of a day, what there is, and why the rest is not."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.stores import store_options, with_store
from headend.completeness import ChannelDay, EndpointDay, MissingReason, Totals, rate
from headend.completeness_reader import endpoint_days
from headend.errors import UnknownMeterError
from headend.settings import UtilitySettings

SHOWN = 20


@click.command()
@store_options
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="A day of the utility's calendar; yesterday by default.")
@click.option("--meter", "meter_no", help="One meter, with all its channels.")
@click.option("--limit", type=click.IntRange(0), default=SHOWN, show_default=True, help="Incomplete meters shown.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def completeness(config: Path, utility_id: str | None, day: datetime | None, meter_no: str | None, limit: int, as_json: bool) -> None:
    """Intervals and midnight registers of a day: expected, present, doubtful, and missing by reason."""

    async def show(store: Store, settings: UtilitySettings) -> None:
        utility, now = settings.utility, datetime.now(UTC)
        wanted = day.date() if day is not None else utility.local_day(now) - timedelta(days=1)
        totals = Totals()
        incomplete: list[EndpointDay] = []
        async for one in endpoint_days(store, utility, wanted, now, meter_no):
            totals.add(one)
            if (meter_no is not None or not one.is_complete) and len(incomplete) < max(limit, 1 if meter_no else 0):
                incomplete.append(one)
        if meter_no is not None and not totals.endpoints:
            raise UnknownMeterError(meter_no)
        if as_json:
            click.echo(json.dumps(_json(wanted, totals, incomplete), indent=1))
        else:
            _print(wanted, totals, incomplete)

    with_store(config, utility_id, show)


def _json(day: date, totals: Totals, incomplete: list[EndpointDay]) -> dict[str, Any]:
    return {
        "day": day.isoformat(),
        "endpoints": totals.endpoints,
        "complete": totals.complete,
        "intervals": dict(totals.intervals) | {"rate": round(rate(totals.intervals), 6)},
        "registers": dict(totals.registers) | {"rate": round(rate(totals.registers), 6)},
        "meters": [_endpoint_json(one) for one in incomplete],
    }


def _endpoint_json(one: EndpointDay) -> dict[str, Any]:
    heard = one.facts.heard
    return {
        "meter_no": one.facts.meter_no,
        "router": one.facts.router,
        "heard": None if heard is None else heard.isoformat(timespec="seconds"),
        "channels": [_channel_json(channel) for channel in one.channels],
    }


def _channel_json(channel: ChannelDay) -> dict[str, Any]:
    missing = {reason.value: number for reason, number in channel.missing.items()}
    counts = {"expected": channel.expected, "present": channel.present, "doubtful": channel.doubtful, "missing": missing}
    return {"channel": channel.name, "interval_seconds": channel.interval_seconds} | counts


def _print(day: date, totals: Totals, incomplete: list[EndpointDay]) -> None:
    console = Console()
    table = Table(title=f"{day:%A, %Y-%m-%d}: {totals.complete:,} of {totals.endpoints:,} endpoints complete", title_justify="left")
    for heading in ("", "expected", "present", "%", "doubtful", *MissingReason):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, counts in (("intervals", totals.intervals), ("midnight registers", totals.registers)):
        reasons = [f"{counts[reason.value]:,}" for reason in MissingReason]
        present = f"{100 * rate(counts):.2f}"
        table.add_row(name, f"{counts['expected']:,}", f"{counts['present']:,}", present, f"{counts['doubtful']:,}", *reasons)
    console.print(table)
    if incomplete:
        console.print(_meters(incomplete))


def _meters(incomplete: list[EndpointDay]) -> Table:
    table = Table(title="Meters", title_justify="left")
    for heading in ("meter", "router", "channel", "present", "missing because"):
        table.add_column(heading)
    for one in incomplete:
        for channel in one.channels:
            why = ", ".join(f"{number} {reason.value}" for reason, number in channel.missing.items())
            length = f"{channel.interval_seconds // 60} min" if channel.interval_seconds else "midnight"
            present = f"{channel.present}/{channel.expected}"
            table.add_row(one.facts.meter_no, one.facts.router or "", f"{channel.name} {length}", present, why)
    return table
