"""`headend demo`: the main job on this machine: an emulated utility, a head-end that collects a day, a MultiSpeak server that answers."""

import secrets
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from twisted.internet.threads import deferToThread

from headend.cli.demo_report import next_steps, summary_table
from headend.cli.field_process import FieldProcess
from headend.cli.imports import octets_of
from headend.cli.progress import show_collection
from headend.cli.running import keep_what_is_built, run_on_reactor, until_cancelled
from headend.cli.self_check import Question, check_in_own_process
from headend.model.endpoint import Commodity
from headend.ports import CustomerItem, ShipmentItem
from headend.provisioning import ImportFile, read_customers, read_shipment
from headend.provisioning_rows import FileFormat
from headend.service import HeadEndService, Surrounding, UtilityService
from headend.settings import Settings, settings_from

WAKE_SECONDS = 5
"""Within how long all emulated battery endpoints are made to wake, in seconds; in the field it takes six hours."""

TIME_ZONE = "America/Chicago"
USER_ID = "demo"

T = TypeVar("T", ShipmentItem, CustomerItem)


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
            await provision(service.only_utility, Path(ready["shipment"]), Path(ready["customers"]))
            # Only now: what an endpoint sends before it is known is dropped, as a stranger's.
            await field_process.speak_to(ready["control"], service.only_utility.address, WAKE_SECONDS)
            return await _collect_and_serve(reactor, options, service, ready["control"], console)
        finally:
            await field_process.stop()
            await service.stop()


def demo_settings(options: DemoOptions, place: Path) -> Settings:
    """Settings of one utility whose files lie in `place`."""
    utility = {
        "id": "demo",
        "name": "Demo Electric, Gas and Water",
        "time_zone": TIME_ZONE,
        "database": options.database or "sqlite:///headend.db",
        "key_file": "headend.key",
        "field": {"port": 0},
        "partners": [{"user_id": USER_ID, "password": options.password, "name": "Demo partner"}],
    }
    return settings_from({"server": {"port": options.port}, "utilities": [utility]}, place, "headend demo")


def _emulator_arguments(options: DemoOptions, place: Path) -> list[str]:
    return [
        *("--endpoints", str(options.endpoints), "--routers", str(max(2, options.endpoints // 1000)), "--seed", str(options.seed)),
        *("--time-zone", TIME_ZONE, "--directory", str(place / "field")),
    ]


async def _collect_and_serve(reactor: Any, options: DemoOptions, service: HeadEndService, control: str, console: Console) -> int:
    utility = service.only_utility
    today = utility.utility.local_day(datetime.now(UTC))
    start, end = utility.utility.day_bounds(today - timedelta(days=1))
    began = reactor.seconds()
    summary = await show_collection(reactor, utility, start, end, console)
    console.print(summary_table(summary, today - timedelta(days=1), reactor.seconds() - began))
    if options.once:
        question = Question(service.wsdl_addresses("MR_Server"), USER_ID, options.password, control, start, end)
        return await check_in_own_process(reactor, question)
    wsdls, meter_no = service.wsdl_addresses("MR_Server"), await _some_meter(utility)
    click.echo(next_steps(wsdls, USER_ID, options.password, meter_no, start, end))
    await until_cancelled()
    return 0


async def provision(utility: UtilityService, shipment: Path, customers: Path) -> None:
    """Import both files as `headend import` does."""
    now = datetime.now(UTC)
    await utility.store.import_shipment(await deferToThread(_items, shipment, read_shipment), now)
    await utility.store.import_customers(await deferToThread(_items, customers, read_customers), now)


def _items(file: Path, read: Callable[[bytes, FileFormat], ImportFile[T]]) -> tuple[T, ...]:
    octets = octets_of(file)
    return read(octets, FileFormat.of(file.name, octets)).accepted(all_or_nothing=True)


async def _some_meter(utility: UtilityService) -> str:
    """A meter to try things with: an electric one, where there is one."""
    meters = [entry.endpoint for entry in (await utility.store.meters(None, 100)).items]
    return next((m.meter_no for m in meters if m.commodity is Commodity.ELECTRIC), meters[0].meter_no)
