"""`headend gas-day`: what gas endpoints delivered in a gas day, provisional or closed, and what late data changed."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.stores import store_options, with_store
from headend.gas_day import GasAdjustment, GasTake, GasVolume
from headend.model.channels import CHANNELS
from headend.model.endpoint import EndpointId
from headend.settings import UtilitySettings

PAGE = 1_000


@click.command("gas-day")
@store_options
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="The day a gas day begins; the last one taken by default.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def gas_day(config: Path, utility_id: str | None, day: datetime | None, as_json: bool) -> None:
    """The take of a gas day: volumes, from how many intervals, provisional or closed; adjustments."""

    async def show(store: Store, utility: UtilitySettings) -> None:
        wanted = day.date() if day is not None else utility.gas_day.rule.newest_taken(datetime.now(UTC))
        takes: list[tuple[str, GasTake]] = []
        after = EndpointId(0)
        while page := await store.gas_takes(wanted, after, PAGE):
            takes += page
            after = page[-1][1].volume.endpoint_id
        adjustments = await store.gas_adjustments(wanted)
        if as_json:
            click.echo(json.dumps(_json(wanted, takes, adjustments), indent=1))
            return
        table = Table(title=f"Gas day {wanted}: {len(takes):,} endpoints", title_justify="left")
        for heading in ("meter", "state", "volume", "unit", "intervals", "taken"):
            table.add_column(heading, justify="right" if heading in {"volume", "intervals"} else "left")
        zone = utility.utility.time_zone
        for meter_no, take in takes:
            gas = take.volume
            taken = take.taken.astimezone(zone).strftime("%m-%d %H:%M")
            table.add_row(meter_no, take.state.name.lower(), *_amount(gas), f"{gas.present}/{gas.expected}", taken)
        Console().print(table)
        for meter_no, one in adjustments:
            click.echo(f"{meter_no}: adjusted {one.at:%Y-%m-%d %H:%M} UTC, {_words(one.before)} to {_words(one.after)}")

    with_store(config, utility_id, show)


def _amount(gas: GasVolume) -> tuple[str, str]:
    unit = "" if gas.channel_id is None else CHANNELS[gas.channel_id].unit.value
    return ("", "") if gas.channel_id is None else (str(Decimal(gas.volume).scaleb(gas.exponent)), unit)


def _words(gas: GasVolume) -> str:
    return f"{' '.join(_amount(gas)) or 'nothing'} from {gas.present} of {gas.expected} intervals"


def _volume_json(gas: GasVolume) -> dict[str, Any]:
    volume, unit = _amount(gas)
    return {"volume": volume or None, "unit": unit or None, "present": gas.present, "expected": gas.expected}


def _json(day: date, takes: list[tuple[str, GasTake]], adjustments: Any) -> dict[str, Any]:
    def adjusted(meter_no: str, one: GasAdjustment) -> dict[str, Any]:
        return {"meter_no": meter_no, "at": one.at.isoformat(), "before": _volume_json(one.before), "after": _volume_json(one.after)}

    def taken(meter_no: str, take: GasTake) -> dict[str, Any]:
        return {"meter_no": meter_no, "state": take.state.name.lower(), "taken": take.taken.isoformat()} | _volume_json(take.volume)

    return {
        "gas_day": day.isoformat(),
        "takes": [taken(meter_no, take) for meter_no, take in takes],
        "adjustments": [adjusted(meter_no, one) for meter_no, one in adjustments],
    }
