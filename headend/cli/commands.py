"""`headend read`, `ping`, `connect` and their kin: puts commands into the store of a running service and waits for what comes of them."""

import getpass
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from twisted.internet.task import deferLater

from adapters.store import Store, open_store
from headend.cli.command_report import view_json, view_line, view_table
from headend.cli.failing import settings_or_exit
from headend.cli.imports import utility_named
from headend.cli.running import run_on_reactor
from headend.commands.arranging import is_held_back, local_text
from headend.commands.ordering import REQUESTER, order, wanted_of
from headend.errors import RequestError
from headend.model.command import OVERRIDE, CommandView
from headend.model.deferred import DeferredKind, SwitchAction, TargetState
from headend.settings import Settings, UtilitySettings

LOOK_SECONDS = 0.2
"""How often the commands are looked at while they are waited for."""

UNTAKEN_SECONDS = 5.0
"""After so long without any of them taken up it is said that no service may be running."""

EXPIRES_SECONDS = 60
"""How long a person waits unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is ordered: kind, action, meters, and what else is said."""

    kind: DeferredKind
    meter_nos: tuple[str, ...]
    expires_seconds: float
    as_json: bool
    action: SwitchAction | None = None
    parameters: dict[str, str] = field(default_factory=dict)


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        click.argument("meters", nargs=-1, required=True),
        click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML."),
        click.option("--utility", "utility_id", help="Which utility, where the settings have several."),
        click.option("--expires", default=EXPIRES_SECONDS, show_default=True, type=click.FloatRange(1, 31_622_400), help="Seconds."),
        click.option("--json", "as_json", is_flag=True, help="For programs."),
    ):
        command = decorate(command)
    return command


@click.command("read")
@_options
def read_(meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool) -> None:
    """Read the registers of METERS now."""
    _run(config, utility_id, Order(DeferredKind.READ, meters, expires, as_json))


@click.command("ping")
@_options
def ping_(meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool) -> None:
    """Ask METERS whether they have power."""
    _run(config, utility_id, Order(DeferredKind.PING, meters, expires, as_json))


@click.command("voltage")
@_options
def voltage_(meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool) -> None:
    """Measure the voltage on the load side of METERS' switches."""
    _run(config, utility_id, Order(DeferredKind.VOLTAGE, meters, expires, as_json))


@click.command("switch")
@_options
def switch_(meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool) -> None:
    """Ask METERS how their switches stand."""
    _run(config, utility_id, Order(DeferredKind.SWITCH_STATE, meters, expires, as_json))


@click.command("reset-demand")
@_options
def reset_demand(meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool) -> None:
    """Reset the demand of METERS."""
    _run(config, utility_id, Order(DeferredKind.DEMAND_RESET, meters, expires, as_json))


@click.command("set-clock")
@_options
def set_clock(meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool) -> None:
    """Set the clocks of METERS."""
    _run(config, utility_id, Order(DeferredKind.CLOCK_SET, meters, expires, as_json))


@click.command("connect")
@click.option("--assist", is_flag=True, help="Arm only: the customer closes the switch with the button on the meter.")
@click.option("--override", "reason", help="Connect although there is voltage on the load side, and why; needs a permission.")
@_options
def connect_(
    meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool, assist: bool, reason: str | None
) -> None:
    """Connect METERS, unless there is voltage on the load side already."""
    if assist and reason:
        raise click.UsageError("--override is not for --assist, which closes nothing")
    action = SwitchAction.ARM if assist else SwitchAction.CONNECT
    parameters = {OVERRIDE: reason} if reason else {}
    _run(config, utility_id, Order(DeferredKind.SWITCH, meters, expires, as_json, action, parameters))


@click.command("disconnect")
@click.option("--assist", is_flag=True, help="Nothing else than without it: there is no button to press for that.")
@click.option("--override", "reason", help="Disconnect in quiet times, or a protected meter, and why; needs a permission.")
@_options
def disconnect_(
    meters: tuple[str, ...], config: Path, utility_id: str | None, expires: float, as_json: bool, assist: bool, reason: str | None
) -> None:
    """Disconnect METERS, unless they are protected or these are quiet times."""
    parameters = ({"assist": "true"} if assist else {}) | ({OVERRIDE: reason} if reason else {})
    _run(config, utility_id, Order(DeferredKind.SWITCH, meters, expires, as_json, SwitchAction.DISCONNECT, parameters))


COMMANDS_OF_METERS = (read_, ping_, voltage_, switch_, connect_, disconnect_, reset_demand, set_clock)


def _run(config: Path, utility_id: str | None, wanted: Order) -> None:
    settings = settings_or_exit(config)
    run_on_reactor(lambda reactor: _carried_out(reactor, settings, utility_id, wanted))


async def _carried_out(reactor: Any, settings: Settings, utility_id: str | None, wanted: Order) -> int:
    utility = utility_named(settings, utility_id)
    who = _login()
    if wanted.parameters.get(OVERRIDE) and who not in utility.commands.may_override:
        raise RequestError(f"{who!r} may not override; utilities.commands.may_override names who may")
    store = await open_store(utility.database, utility.utility, utility.key_file, reactor)
    try:
        return await _ordered(reactor, store, utility, who, wanted)
    finally:
        await store.close()


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


async def _ordered(reactor: Any, store: Store, utility: UtilitySettings, who: str, wanted: Order) -> int:
    order_id = uuid.uuid4().hex
    targets = wanted_of(wanted.meter_nos, wanted.action)
    known = await store.known_meters({(one.key, one.name) for one in targets})
    now = datetime.now(UTC)
    request, refusals = order(
        wanted.kind, targets, known, utility.utility, who, order_id, now, wanted.expires_seconds, wanted.parameters
    )
    views: Sequence[CommandView] = ()
    if request.targets:
        refusals = list(await store.accept_deferred(request))
    for refusal in refusals:
        click.echo(f"headend: {refusal.reason}", err=True)
    if request.targets and is_held_back(wanted.action, override=OVERRIDE in wanted.parameters):
        quiet_end = utility.utility.commands.quiet_end(now)
        if quiet_end is not None and quiet_end < request.expires:
            click.echo(f"headend: quiet times last until {local_text(quiet_end, utility.utility.time_zone)}; it waits for them", err=True)
    if request.targets:
        views = await _awaited(reactor, store, REQUESTER + who, order_id, wanted)
    if wanted.as_json:
        refused = [{"meter": refusal.object_id, "reason": refusal.reason} for refusal in refusals]
        click.echo(json.dumps({"commands": [view_json(view) for view in views], "refused": refused}, indent=1))
    elif views:
        Console().print(view_table(views, utility.utility.time_zone))
    return 0 if views and not refusals and all(view.state is TargetState.SUCCEEDED for view in views) else 1


async def _awaited(reactor: Any, store: Store, requester: str, order_id: str, wanted: Order) -> Sequence[CommandView]:
    """The commands in their terminal states; what becomes of them meanwhile goes to standard error."""
    begun: float = reactor.seconds()
    said: dict[str, TargetState] = {}
    warned = False
    console = Console(stderr=True)
    while True:
        views = await store.command_views(requester, order_id)
        for view in views:
            if said.get(view.meter_no) is not view.state:
                said[view.meter_no] = view.state
                console.print(view_line(view), highlight=False)
        if all(view.state.terminal for view in views):
            return views
        waited = reactor.seconds() - begun
        if not warned and waited > UNTAKEN_SECONDS and all(view.state is TargetState.ACCEPTED for view in views):
            warned = True
            console.print("no service has taken it up yet; `headend serve` carries commands out", highlight=False)
        if waited > wanted.expires_seconds + UNTAKEN_SECONDS:
            await store.cancel_orders(requester, order_id, datetime.now(UTC))
            return await store.command_views(requester, order_id)
        await deferLater(reactor, LOOK_SECONDS)
