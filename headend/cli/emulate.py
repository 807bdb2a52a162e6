"""`headend emulate`: the pretended utility alone, as a process of its own."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click
from twisted.internet import defer
from twisted.internet.protocol import Protocol
from twisted.internet.stdio import StandardIO
from twisted.python.failure import Failure

from emulators.service import EmulatorOptions, start
from headend.cli.running import keep_what_is_built, run_on_reactor


class AddressType(click.ParamType[tuple[str, int]]):
    """HOST:PORT."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        if isinstance(value, tuple):
            return value
        host, colon, port = str(value).rpartition(":")
        if not colon or not host or not port.isdigit() or int(port) > 65_535:
            self.fail(f"{value!r} is not HOST:PORT", param, ctx)
        return host, int(port)


class InstantType(click.ParamType[datetime]):
    """An ISO 8601 date and time with its offset."""

    name = "INSTANT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        try:
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an ISO 8601 date and time", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} has no offset", param, ctx)
        return instant


@click.command()
@click.option("--endpoints", default=200, show_default=True, type=click.IntRange(1, 1_000_000))
@click.option("--routers", type=click.IntRange(1, 1_000), help="By default one for every 1,000 endpoints, at least 2.")
@click.option("--seed", default=1, show_default=True, help="The same seed makes the same utility.")
@click.option("--time-zone", "zone", default="America/Chicago", show_default=True)
@click.option("--start", type=InstantType(), help="The world's first moment; now by default.")
@click.option("--rate", default=1.0, show_default=True, type=click.FloatRange(0, 100_000), help="Speed of its clock; 0: turned by hand.")
@click.option("--directory", type=click.Path(path_type=Path), help="Where to write the shipment, routers and customers files.")
@click.option(
    "--control-port", default=0, show_default=True, type=click.IntRange(0, 65_535), help="HTTP port of the controls; 0 picks one."
)
@click.option("--head-end", type=AddressType(), help="Where endpoints send what they send on their own.")
@click.option("--trap-receiver", type=AddressType(), help="Where routers send SNMP notifications.")
@click.option("--head-end-ap-title", default=".1.4", show_default=True)
@click.option("--wake-within", type=click.FloatRange(0, 86_400), help="Seconds within which every battery endpoint wakes first.")
@click.option("--time-of-use", default=0.0, show_default=True, type=click.FloatRange(0, 100), help="Percentage of homes with two rates.")
@click.option("--hop-seconds", default=0.0, show_default=True, type=click.FloatRange(0, 60), help="Delay of a message in the mesh.")
@click.option("--until-stdin-closes", is_flag=True, help="End when standard input does.")
def emulate(until_stdin_closes: bool, **options: Any) -> None:
    """Pretend a utility: meters and routers that answer C12.22 and SNMP on loopback. The first line says as JSON where things are."""
    if options["routers"] is None:
        options["routers"] = max(2, options["endpoints"] // 1_000)
    run_on_reactor(lambda reactor: emulate_until_stopped(reactor, EmulatorOptions(**options), until_stdin_closes))


async def emulate_until_stopped(reactor: Any, options: EmulatorOptions, until_stdin_closes: bool) -> int:
    """Start, announce, and stay until told to stop: by the control port, a signal, or the end of standard input."""
    service = await start(reactor, options)
    keep_what_is_built()
    try:
        click.echo(service.announcement)
        if until_stdin_closes:
            StandardIO(_Ending(service.stopped), reactor=reactor)
        await service.stopped
    except defer.CancelledError:
        pass
    finally:
        await service.stop()
    return 0


class _Ending(Protocol):
    """Fires when standard input ends."""

    def __init__(self, ended: defer.Deferred[None]) -> None:
        self._ended = ended

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: N802 (Twisted's name)
        if not self._ended.called:
            self._ended.callback(None)
