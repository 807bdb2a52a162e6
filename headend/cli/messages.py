"""`headend messages`: the message log for people and scripts: a list with filters, one exchange whole, the chain of a transaction."""

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console, JustifyMethod
from rich.table import Table
from twisted.internet.task import deferLater

from adapters.store import Store, open_store
from headend.cli.failing import settings_or_exit
from headend.cli.imports import utility_named
from headend.cli.running import run_on_reactor
from headend.errors import RequestError
from headend.message_log import MessageEntry, MessageFilter, PackedEnvelopes, TransactionProgress
from headend.settings import UtilitySettings
from multispeak.packed_envelopes import laid_out, unpacked

FOLLOW_SECONDS = 1.0
"""How often a list that is followed looks for more, in seconds."""

LISTED_AT_ONCE = 1_000
"""Exchanges taken from the store at once."""

Numbered = tuple[int, MessageEntry]


class SinceType(click.ParamType[datetime]):
    """An ISO 8601 instant, or how long ago: 90s, 15m, 2h, 3d."""

    name = "WHEN"
    _SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}  # noqa: RUF012 (never changed)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        text = str(value)
        if text[:-1].isdigit() and text[-1] in self._SECONDS and len(text) < 10:
            return datetime.now(UTC) - timedelta(seconds=int(text[:-1]) * self._SECONDS[text[-1]])
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r} is neither an ISO 8601 date and time nor a time such as 15m", param, ctx)
        return instant.astimezone(UTC)


_config = click.option("--config", required=True, type=click.Path(path_type=Path), help="Settings in TOML.")
_utility = click.option("--utility", "utility_id", help="Which utility, where the settings have several.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of a table.")


@click.group()
def messages() -> None:
    """Look at the exchanges with partners."""


@messages.command("list")
@_config
@_utility
@click.option("--partner", default="", help="UserID; `*` stands for any characters, here and below.")
@click.option("--operation", default="")
@click.option("--transaction", default="", help="transactionID, exactly.")
@click.option("--verdict", default="", help="answered, refused, cut off, or a fault's code such as Client.*")
@click.option("--since", type=SinceType(), help="An ISO 8601 date and time, or how long ago: 15m, 2h, 3d.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
@click.option("--follow", is_flag=True, help="Go on with those to come, until Ctrl-C.")
@_json
def list_(config: Path, utility_id: str | None, limit: int, follow: bool, as_json: bool, transaction: str, **filters: Any) -> None:
    """List exchanges, oldest first."""
    wanted = MessageFilter(transaction_id=transaction, **filters)

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> int:
        show = _show_json if as_json else _table_printer(utility)
        newest = await store.messages(MessageFilter(), 1)
        seen = await store.messages(wanted, limit)
        show(seen)
        if follow:
            await _follow(reactor, store, wanted, max((number for number, _ in (*newest, *seen)), default=0), show)
        return 0

    _with_store(config, utility_id, work)


@messages.command()
@_config
@_utility
@_json
@click.argument("number", type=int)
def show(config: Path, utility_id: str | None, as_json: bool, number: int) -> None:
    """Show exchange NUMBER with its envelopes."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> int:
        found = await store.message(number)
        if found is None:
            raise RequestError(f"there is no exchange {number}; `headend messages list` has those that there are")
        _show_whole(number, *found, utility, as_json=as_json)
        return 0

    _with_store(config, utility_id, work)


@messages.command()
@_config
@_utility
@_json
@click.argument("transaction")
def chain(config: Path, utility_id: str | None, as_json: bool, transaction: str) -> None:
    """Show all that belongs to TRANSACTION: its exchanges both ways, and how far what it asked for has come."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> int:
        exchanges = await store.messages(MessageFilter(transaction_id=transaction), LISTED_AT_ONCE)
        progress = await store.transaction_progress(transaction)
        if not exchanges and not progress:
            raise RequestError(f"nothing is known of transaction {transaction!r}")
        if as_json:
            _show_json(exchanges)
            for one in progress:
                click.echo(json.dumps(asdict(one), default=_text))
        else:
            _table_printer(utility)(exchanges)
            for one in progress:
                click.echo(_progress_line(one, utility))
        return 0

    _with_store(config, utility_id, work)


def _with_store(config: Path, utility_id: str | None, work: Callable[[Any, Store, UtilitySettings], Awaitable[int]]) -> None:
    """Run work on a utility's store, and end with its status."""
    settings = settings_or_exit(config)

    async def job(reactor: Any) -> int:
        utility = utility_named(settings, utility_id)
        store = await open_store(utility.database, utility.utility, utility.key_file, reactor)
        try:
            return await work(reactor, store, utility)
        finally:
            await store.close()

    run_on_reactor(job)


async def _follow(reactor: Any, store: Store, wanted: MessageFilter, last: int, show: Callable[[list[Numbered]], None]) -> None:
    """Show what comes after exchange `last`, until cancelled."""
    while True:
        await deferLater(reactor, FOLLOW_SECONDS)
        more = await store.messages(replace(wanted, after=last), LISTED_AT_ONCE)
        if more:
            show(more)
            last = more[-1][0]


def _table_printer(utility: UtilitySettings) -> Callable[[list[Numbered]], None]:
    console = Console()

    def show(exchanges: list[Numbered]) -> None:
        table = Table(box=None, pad_edge=False)
        for name, justify in _COLUMNS:
            table.add_column(name, justify=justify, no_wrap=True)
        for number, e in exchanges:
            table.add_row(*_cells(number, e, utility))
        if exchanges:
            console.print(table, markup=False, highlight=False)

    return show


_COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    *(("no", "right"), ("began", "left"), ("", "left"), ("partner", "left"), ("server", "left"), ("operation", "left")),
    *(("transaction", "left"), ("in", "right"), ("out", "right"), ("ms", "right"), ("octets", "right"), ("verdict", "left")),
)


def _cells(number: int, e: MessageEntry, utility: UtilitySettings) -> Iterable[str]:
    yield from (str(number), _local(e.began, utility), {"in": "→", "out": "←"}[e.direction.value], e.partner)
    yield from (f"{e.server[:2]} {e.version}", e.operation, e.transaction_id, str(e.objects_in), str(e.objects_out))
    yield from (f"{e.duration_us / 1_000:.1f}", str(e.octets_in + e.octets_out), e.verdict)


def _local(instant: datetime, utility: UtilitySettings) -> str:
    return instant.astimezone(utility.utility.time_zone).strftime("%Y-%m-%d %H:%M:%S.%f%z")


def _show_json(exchanges: list[Numbered]) -> None:
    for number, entry in exchanges:
        click.echo(json.dumps({"number": number} | asdict(entry), default=_text))


def _show_whole(number: int, entry: MessageEntry, envelopes: PackedEnvelopes, utility: UtilitySettings, *, as_json: bool) -> None:
    request, answer = unpacked(envelopes.octets, envelopes.place)
    if as_json:
        whole = {"number": number} | asdict(entry) | {"request": request, "answer": answer}
        click.echo(json.dumps(whole, default=_text))
        return
    told = asdict(entry) | {"began": _local(entry.began, utility)}
    click.echo("".join(f"{name.replace('_', ' ')}: {value}\n" for name, value in told.items() if value != ""))
    for name, text, octets in (("request", request, entry.octets_in), ("answer", answer, entry.octets_out)):
        click.echo(f"--- {name}, {octets} octets\n{laid_out(text)}")


def _progress_line(one: TransactionProgress, utility: UtilitySettings) -> str:
    states = ", ".join(f"{count} {state}" for state, count in one.states.items())
    return f"request {one.request_id} of {one.partner}, {one.operation}: {states}; expires {_local(one.expires, utility)}"


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
