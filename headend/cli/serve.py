"""`headend serve`: the head-end as its settings file describes it, until it is stopped."""

from pathlib import Path
from typing import Any

import click
from twisted.logger import LogLevel

from headend.cli.failing import settings_or_exit
from headend.cli.running import STOP_SECONDS, keep_what_is_built, run_on_reactor, until_cancelled
from headend.roles import ALL_ROLES, Role
from headend.service import HeadEndService, UtilityService
from headend.settings import Settings
from headend.surrounding import Surrounding


@click.command()
@click.option("--config", "file", required=True, type=click.Path(path_type=Path), help="Settings in TOML.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    help="What this process is; may be given more than once. By default all of it.",
)
@click.option("--verbose", is_flag=True, help="Log more than what someone should look at.")
@click.option("--log-json", is_flag=True, help="Log JSON lines instead of text.")
@click.option("--stop-seconds", default=STOP_SECONDS, show_default=True, type=click.FloatRange(1, 600), help="How long a stop may take.")
def serve(file: Path, roles: tuple[str, ...], verbose: bool, log_json: bool, stop_seconds: float) -> None:
    """Collect from the field and serve MultiSpeak, until Ctrl-C."""
    settings = settings_or_exit(file)
    played = frozenset(map(Role, roles)) or ALL_ROLES
    level = LogLevel.info if verbose else LogLevel.warn
    run_on_reactor(lambda reactor: serve_until_stopped(reactor, settings, played), level, log_json=log_json, stop_seconds=stop_seconds)


async def serve_until_stopped(reactor: Any, settings: Settings, roles: frozenset[Role] = ALL_ROLES) -> int:
    """Start, say where, and stay; a cancellation stops everything in good order."""
    service = await HeadEndService.start(settings, Surrounding(reactor), roles)
    keep_what_is_built()
    try:
        for utility in service.utilities.values():
            _begin_work(utility)
        if service.metrics is not None:
            click.echo(f"metrics: {service.metrics.address}")
        for version, wsdl in service.wsdl_addresses("MR_Server").items():
            click.echo(f"MR_Server {version}: {wsdl}")
        await until_cancelled()
    finally:
        await service.stop()
    return 0


def _begin_work(utility: UtilityService) -> None:
    """Begin what a utility's roles do regularly, and say where they listen."""
    if Role.DISPATCHER in utility.roles:
        utility.keep_house()
        utility.deliver_files()
        utility.make_exports()
        utility.answer_billing()
        utility.take_gas_days()
        utility.review_days()
        utility.judge_events()
        utility.watch_silences()
        utility.watch_for_theft()
    if Role.COLLECTOR not in utility.roles:
        return
    utility.collect_by_plan()
    utility.read_by_schedule()
    click.echo(f"{utility.utility.name}: listening to the field at {utility.address.host}:{utility.address.port}, UDP and TCP")
    traps = None if utility.routers is None else utility.routers.trap_address
    if traps is not None:
        click.echo(f"{utility.utility.name}: taking routers' traps at {traps.host}:{traps.port}")
