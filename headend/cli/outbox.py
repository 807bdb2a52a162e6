"""`headend outbox`: what subscribers are to be told of events: queues, single messages; tell again, tell at once, tell no more."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from twisted.internet.task import deferLater

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.event_reports import OutboxEntry, OutboxFilter
from headend.model.telling import Delivery
from headend.settings import UtilitySettings

LOOK_SECONDS = 0.5
"""How often a drain looks how much is left."""

_queue = click.option("--queue", default="", help="Only of a queue, a subscription or a partner.")


@click.group()
def outbox() -> None:
    """Show and handle what subscribers are to be told of events."""


@outbox.command()
@store_options
def queues(config: Path, utility_id: str | None, as_json: bool) -> None:
    """Queues of subscribers: how many messages wait in each and since when, and why it rests."""

    async def show(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        found = await store.outbox_queues()
        if as_json:
            click.echo(json.dumps([one._asdict() for one in found], indent=1, default=str))
            return
        table = Table("queue", "partner", "waiting", "oldest", "rests until", "failures", "said", box=SIMPLE_HEAD)
        for one in found:
            oldest = "" if one.oldest is None else f"{one.oldest:%m-%d %H:%M:%S}Z"
            rests = "" if one.not_before is None or one.not_before <= datetime.now(UTC) else f"{one.not_before:%m-%d %H:%M:%S}Z"
            table.add_row(one.queue, one.partner, f"{one.queued:,}", oldest, rests, str(one.failures), one.reason)
        Console().print(table, highlight=False, markup=False)

    with_store(config, utility_id, show)


@outbox.command("list")
@store_options
@_queue
@click.option("--state", default="", type=click.Choice(["", *(state.value for state in Delivery)]), help="Only those in one state.")
@click.option("--answered", is_flag=True, help="Only those of which the subscriber said something, in an errorObject or fault.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="The oldest so many.")
def list_(config: Path, utility_id: str | None, as_json: bool, queue: str, state: str, answered: bool, limit: int) -> None:
    """Messages, in the order in which they are told."""

    async def show(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        _show(await store.outbox_messages(OutboxFilter(queue, state, (), answered), limit), as_json=as_json)

    with_store(config, utility_id, show)


@outbox.command("show")
@click.argument("message_id")
@store_options
def show_(message_id: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The message MESSAGE_ID."""

    async def show(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        _show(await store.outbox_messages(OutboxFilter(message_ids=(message_id,)), 1), as_json=as_json)

    with_store(config, utility_id, show)


@outbox.command()
@click.argument("message_ids", nargs=-1)
@_queue
@click.option("--state", default=Delivery.PARKED.value, show_default=True, type=click.Choice(["parked", "refused", "acknowledged"]))
@store_options
def resend(message_ids: tuple[str, ...], queue: str, state: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Tell messages MESSAGE_IDS again, or without any all of a state."""
    wanted = OutboxFilter(queue, "" if message_ids else state, message_ids)

    async def work(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        _count(await store.requeue(wanted, datetime.now(UTC)), "queued", as_json=as_json)

    with_store(config, utility_id, work)


@outbox.command()
@click.argument("message_ids", nargs=-1)
@_queue
@store_options
def park(message_ids: tuple[str, ...], queue: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Tell the queued messages MESSAGE_IDS, or those of a queue, no more until they are sent again."""
    if not message_ids and not queue:
        raise click.UsageError("name messages, or a --queue")

    async def work(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        _count(await store.park(OutboxFilter(queue, "", message_ids)), "parked", as_json=as_json)

    with_store(config, utility_id, work)


@outbox.command()
@_queue
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(0, 86_400), help="Wait so long for them to be empty.")
@store_options
def drain(queue: str, seconds: float, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Have queues that rest tried now, and wait until they are empty; a running dispatcher tells what they hold."""

    async def work(reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        await store.wake_queues(queue, datetime.now(UTC))
        until = reactor.seconds() + seconds
        while True:
            left = sum(one.queued for one in await store.outbox_queues() if queue in {"", one.queue, one.subscription_id, one.partner})
            if not left or reactor.seconds() >= until:
                break
            await deferLater(reactor, LOOK_SECONDS)
        _count(left, "left", as_json=as_json)

    with_store(config, utility_id, work)


def _count(count: int, what: str, *, as_json: bool) -> None:
    click.echo(json.dumps({what: count}) if as_json else f"{count:,} {what}")


def _show(found: list[OutboxEntry], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps([one._asdict() | {"number": str(one.number)} for one in found], indent=1, default=str))
        return
    table = Table("message", "queue", "notification", "event", "state", "tries", "made", "answer", box=SIMPLE_HEAD)
    for one in found:
        made = f"{one.created:%m-%d %H:%M:%S}Z"
        cells = (one.message_id, one.queue, one.notification, str(one.number), one.state, str(one.attempts), made, one.answer)
        table.add_row(*cells)
    Console().print(table, highlight=False, markup=False)
