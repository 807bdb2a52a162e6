"""`headend demo`: the main job on this machine: an emulated utility, a head-end that collects a day, a MultiSpeak server that answers."""

import json
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread

from headend.cli.demo_report import next_steps, summary_table
from headend.cli.field_process import FieldProcess
from headend.cli.imports import octets_of
from headend.cli.progress import LOOK_SECONDS, show_collection
from headend.cli.router_report import router_table
from headend.cli.running import keep_what_is_built, run_on_reactor, until_cancelled
from headend.cli.self_check import Question, check_in_own_process
from headend.model.endpoint import Commodity
from headend.model.router import RouterProfile
from headend.ports import CustomerItem, ShipmentItem
from headend.provisioning import ImportFile, read_customers, read_shipment
from headend.provisioning_rows import FileFormat
from headend.router_ports import RouterEntry
from headend.router_provisioning import read_routers
from headend.service import HeadEndService, UtilityService
from headend.settings import Settings, load_settings
from headend.surrounding import Surrounding

WAKE_SECONDS = 5
"""Within how long all emulated battery endpoints are made to wake, in seconds; in the field it takes six hours."""

TIME_OF_USE_PERCENT = 10
"""Homes that have two rates, of a hundred."""

ROUTERS_SHOWN = 20
"""Routers listed one by one."""

ROUTER_SECONDS = 15
"""How long the routers' first answers are waited for, in seconds."""

TIME_ZONE = "America/Chicago"
USER_ID = "demo"
SETTINGS_FILE = "headend.toml"

HERE = ["127.0.0.0/8", "::1/128"]
"""Networks into which answers may be sent: whoever tries things out does it on this machine."""

T = TypeVar("T", ShipmentItem, CustomerItem, RouterProfile)


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the command line says. `database` None is a SQLite file that goes with the demo."""

    once: bool
    endpoints: int
    port: int
    database: str | None
    seed: int
    password: str = field(repr=False)


@click.command()
@click.option("--once", is_flag=True, help="Check all answers against what the emulated meters hold, then end.")
@click.option("--endpoints", default=200, show_default=True, type=click.IntRange(1, 100_000), help="Endpoints of the emulated utility.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65_535), help="Port of the MultiSpeak server; 0 picks one.")
@click.option("--database", help="Database URL instead of a SQLite file that goes with the demo.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same utility.")
def demo(once: bool, endpoints: int, port: int, database: str | None, seed: int) -> None:
    """Collect a day from an emulated utility and serve it over MultiSpeak."""
    options = DemoOptions(once, endpoints, port, database, seed, secrets.token_urlsafe(9))
    run_on_reactor(lambda reactor: run_demo(reactor, options, Console()))


async def run_demo(reactor: Any, options: DemoOptions, console: Console) -> int:
    """Start field and head-end, collect, report; then check and end, or serve until stopped."""
    with tempfile.TemporaryDirectory(prefix="headend-demo-") as place:
        service = await HeadEndService.start(demo_settings(options, Path(place)), Surrounding(reactor))
        keep_what_is_built()
        field_process = FieldProcess.spawn(reactor, _emulator_arguments(options, Path(place)))
        try:
            ready = await field_process.ready
            utility = service.only_utility
            await provision(utility, Path(ready["shipment"]), Path(ready["customers"]), Path(ready["router_file"]))
            # Only now: what an endpoint or a router sends before it is known is dropped, as a stranger's.
            traps = None if utility.routers is None else utility.routers.trap_address
            await field_process.speak_to(ready["control"], utility.address, None if traps is None else traps.port, WAKE_SECONDS)
            return await _collect_and_serve(reactor, options, Path(place), service, ready["control"], console)
        finally:
            await field_process.stop()
            await service.stop()


def demo_settings(options: DemoOptions, place: Path) -> Settings:
    """Settings of one utility whose files lie in `place`, as a file there, so that other commands can be given beside the demo."""
    told = {"response_networks": HERE}
    utility = {
        "id": "demo",
        "name": "Demo Electric, Gas and Water",
        "time_zone": TIME_ZONE,
        "database": options.database or "sqlite:///headend.db",
        "key_file": "headend.key",
        "field": {"port": 0},
        "routers": {"trap_port": 0},
        "partners": [{"user_id": USER_ID, "password": options.password, "name": "Demo partner", "notifications": told}],
    }
    table = {"server": {"port": options.port}, "utilities": [utility]}
    (place / SETTINGS_FILE).write_text("\n".join(f"{name} = {toml_value(value)}" for name, value in table.items()) + "\n", encoding="utf-8")
    return load_settings(place / SETTINGS_FILE)


def toml_value(value: object) -> str:
    """A value in one line of TOML."""
    match value:
        case dict():
            return "{ " + ", ".join(f"{name} = {toml_value(one)}" for name, one in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(toml_value, value)) + "]"
        case _:
            return json.dumps(value)


def _emulator_arguments(options: DemoOptions, place: Path) -> list[str]:
    return [
        *("--endpoints", str(options.endpoints), "--routers", str(max(2, options.endpoints // 1000)), "--seed", str(options.seed)),
        *("--time-of-use", str(TIME_OF_USE_PERCENT)),
        *("--time-zone", TIME_ZONE, "--directory", str(place / "field")),
    ]


async def _collect_and_serve(
    reactor: Any, options: DemoOptions, place: Path, service: HeadEndService, control: str, console: Console
) -> int:
    utility = service.only_utility
    utility.judge_events()
    today = utility.utility.local_day(datetime.now(UTC))
    start, end = utility.utility.day_bounds(today - timedelta(days=1))
    began = reactor.seconds()
    summary = await show_collection(reactor, utility, start, end, console)
    console.print(summary_table(summary, today - timedelta(days=1), reactor.seconds() - began))
    routers = await heard_routers(reactor, utility)
    title = "Routers" if len(routers) <= ROUTERS_SHOWN else f"Routers, the first {ROUTERS_SHOWN} of {len(routers)}"
    console.print(router_table(routers[:ROUTERS_SHOWN], utility.utility.time_zone, title))
    if options.once:
        question = Question(service.wsdl_addresses("MR_Server"), USER_ID, options.password, control, start, end)
        return await check_in_own_process(reactor, question)
    wsdls, meter_no = service.wsdl_addresses("MR_Server"), await _some_meter(utility)
    click.echo(next_steps(wsdls, USER_ID, options.password, meter_no, start, end, place / SETTINGS_FILE))
    await until_cancelled()
    return 0


async def provision(utility: UtilityService, shipment: Path, customers: Path, routers: Path) -> None:
    """Import the files as `headend import` does, and begin to watch the routers."""
    now = datetime.now(UTC)
    await utility.store.import_shipment(await deferToThread(_items, shipment, read_shipment), now)
    await utility.store.import_customers(await deferToThread(_items, customers, read_customers), now)
    await utility.store.import_routers(await deferToThread(_items, routers, read_routers), now)
    if utility.routers is not None:
        await utility.routers.watch.refresh()


def _items(file: Path, read: Callable[[bytes, FileFormat], ImportFile[T]]) -> tuple[T, ...]:
    octets = octets_of(file)
    return read(octets, FileFormat.of(file.name, octets)).accepted(all_or_nothing=True)


async def heard_routers(reactor: Any, utility: UtilityService) -> list[RouterEntry]:
    """All routers, once each has been heard or ROUTER_SECONDS have passed."""
    began = reactor.seconds()
    while True:
        entries = await utility.store.router_entries()
        if all(entry.health is not None for entry in entries) or reactor.seconds() - began > ROUTER_SECONDS:
            return entries
        await deferLater(reactor, LOOK_SECONDS, lambda: None)


async def _some_meter(utility: UtilityService) -> str:
    """A meter to try things with: an electric one, where there is one."""
    meters = [entry.endpoint for entry in (await utility.store.meters(None, 100)).items]
    return next((m.meter_no for m in meters if m.commodity is Commodity.ELECTRIC), meters[0].meter_no)
