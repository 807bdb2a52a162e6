"""`headend batch`: many commands from a file: previewed, started, shown, listed, cancelled."""

import getpass
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from twisted.internet.task import deferLater

from adapters.store import Store
from headend.cli import batch_report
from headend.cli.imports import octets_of
from headend.cli.one_store import store_options, with_store
from headend.commands.batch_file import COMMANDS, BatchItem, read_batch
from headend.commands.batching import BatchWish, batch_requests
from headend.errors import RequestError
from headend.limits import BATCH_LINES_MAX, DEFERRED_DAYS_MAX, TEXT_CHARACTERS_MAX
from headend.model.batch import BatchId
from headend.model.deferred import DeferredRequest, TargetKey
from headend.model.refusal import Refusal
from headend.model.utility import Utility
from headend.provisioning_rows import FileFormat
from headend.settings import UtilitySettings

LOOK_SECONDS = 1.0
"""How often a batch is looked at that is waited for."""

_by = click.option("--by", default=getpass.getuser, help="Who says so; by default who is logged in.", show_default=False)
_number = click.argument("number", type=click.IntRange(min=1))
_csv = click.option("--csv", "csv_file", type=click.File("w", encoding="utf-8"), help="Write a line a meter here; - is standard output.")


@click.group()
def batch() -> None:
    """Many commands from a file, begun one after the other."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a file of a batch is to become."""

    file: Path
    command: str | None
    override: str
    begins: datetime | None
    within: timedelta
    good_ones: bool
    again: bool = False


def _file_options(command: Callable[..., None]) -> Callable[..., None]:
    for decorate in (
        click.argument("file", type=click.Path(path_type=Path)),
        click.option("--command", type=click.Choice(list(COMMANDS)), help="For rows that say none."),
        click.option("--override", default="", help="Disconnect or connect against what forbids it, and why; needs a permission."),
        click.option("--begin", type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"]), help="Utility-local; by default now."),
        click.option(
            "--within",
            "hours",
            default=24.0,
            show_default=True,
            type=click.FloatRange(0.01, 24 * DEFERRED_DAYS_MAX),
            help="Hours in which all is to be begun and done; what has no turn in them is refused.",
        ),
        click.option("--good-ones", is_flag=True, help="Take the good lines of a file that has bad ones, too."),
    ):
        command = decorate(command)
    return store_options(command)


@batch.command()
@_file_options
@_csv
def preview(
    file: Path,
    command: str | None,
    override: str,
    begin: datetime | None,
    hours: float,
    good_ones: bool,
    csv_file: Any,
    config: Path,
    utility_id: str | None,
    as_json: bool,
) -> None:
    """What would be done with the meters of FILE and when, and what is refused; nothing is done.

    FILE is CSV or JSON with the columns meter_no, command and override, of which only the first is needed.
    """
    asked = Asked(file, command, override, begin, timedelta(hours=hours), good_ones)

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> int:
        requests, refusals = await _requests(store, utility, asked)
        arrangements = await store.preview_batch(requests)
        refusals = [*refusals, *(one for arrangement in arrangements for one in arrangement.refusals)]
        if csv_file is not None:
            csv_file.write(batch_report.csv_text(batch_report.preview_lines(requests, arrangements, refusals)))
        elif as_json:
            click.echo(json.dumps(batch_report.preview_json(requests, arrangements, refusals), indent=1))
        else:
            click.echo(batch_report.preview_text(requests, arrangements, refusals, utility.utility.time_zone))
        return 1 if refusals else 0

    with_store(config, utility_id, work)


@batch.command()
@_file_options
@click.option("--again", is_flag=True, help="Although the same was started before.")
def start(
    file: Path,
    command: str | None,
    override: str,
    begin: datetime | None,
    hours: float,
    good_ones: bool,
    again: bool,
    config: Path,
    utility_id: str | None,
    as_json: bool,
) -> None:
    """Have the meters of FILE told; a running `headend serve` carries it out. See `preview`."""
    asked = Asked(file, command, override, begin, timedelta(hours=hours), good_ones, again)

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> int:
        requests, _ = await _requests(store, utility, asked)
        accepted = await store.accept_batch(requests)
        if accepted.again:
            raise RequestError(f"{file} was started as batch {accepted.batch_id} already; --again starts it once more")
        number = accepted.batch_id
        if as_json:
            click.echo(json.dumps({"batch": number, "refusals": batch_report.refusals_json(accepted.refusals)}, indent=1))
            return 1 if number is None else 0
        for line in batch_report.refusal_lines(accepted.refusals):
            click.echo(line, err=True)
        click.echo("nothing is to be done" if number is None else f"batch {number}; `headend batch show {number}` tells how it stands")
        return 1 if number is None else 0

    with_store(config, utility_id, work)


@batch.command("list")
@store_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="The newest so many.")
def list_(config: Path, utility_id: str | None, as_json: bool, limit: int) -> None:
    """Batches, newest first, those of partners too."""

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = await store.batches(limit)
        if as_json:
            click.echo(json.dumps([batch_report.summary_json(one) for one in found], indent=1))
        else:
            Console().print(batch_report.batches_table(found, utility.utility.time_zone), highlight=False)

    with_store(config, utility_id, work)


@batch.command()
@_number
@store_options
@_csv
@click.option("--wait", is_flag=True, help="Until all of it has ended.")
def show(number: int, config: Path, utility_id: str | None, as_json: bool, csv_file: Any, wait: bool) -> None:
    """How the batch NUMBER stands; with --csv or --json what became of each meter."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> int:
        if wait:
            await _ended(reactor, store, BatchId(number))
        report = await store.batch(BatchId(number))
        if report is None:
            raise _no_batch(number)
        if csv_file is not None:
            csv_file.write(batch_report.csv_text(batch_report.report_lines(report)))
        elif as_json:
            click.echo(json.dumps(batch_report.report_json(report), indent=1))
        else:
            click.echo(batch_report.report_text(report, utility.utility.time_zone))
        return 0

    with_store(config, utility_id, work)


@batch.command()
@_number
@click.option("--meter", "meters", multiple=True, help="Only this meter; may be given several times.")
@click.option("--reason", default="", help="Why; it is told whoever asked for the commands.")
@_by
@store_options
def cancel(
    number: int, meters: tuple[str, ...], reason: str, by: str, config: Path, utility_id: str | None, as_json: bool
) -> None:
    """Cancel what of the batch NUMBER has not been told to a meter yet; what has been told comes to its end."""
    if len(reason) > TEXT_CHARACTERS_MAX or not reason.isprintable():
        raise click.BadParameter(f"--reason has more than {TEXT_CHARACTERS_MAX} characters, or some that cannot be printed")
    why = f"cancelled by {by}" + (f": {reason}" if reason else "")

    async def work(_reactor: Any, store: Store, _: UtilitySettings) -> int:
        cancelled = await store.cancel_batch(BatchId(number), why, datetime.now(UTC), meters or None)
        if cancelled is None:
            raise _no_batch(number)
        click.echo(json.dumps({"batch": number, "cancelled": cancelled}) if as_json else f"batch {number}: {cancelled:,} cancelled")
        return 0

    with_store(config, utility_id, work)


async def _ended(reactor: Any, store: Store, number: BatchId) -> None:
    """Wait until a batch has ended; how far it is goes to standard error."""
    said = -1
    while (summary := await store.batch_summary(number)) is not None:
        ended = summary.total - summary.open
        if ended != said:
            click.echo(f"batch {number}: {ended:,} of {summary.total:,} ended", err=True)
            said = ended
        if not summary.open:
            return
        await deferLater(reactor, LOOK_SECONDS)


def _no_batch(number: int) -> RequestError:
    return RequestError(f"there is no batch {number}; `headend batch list` has those that there are")


async def _requests(store: Store, utility: UtilitySettings, asked: Asked) -> tuple[list[DeferredRequest], list[Refusal]]:
    """The file as requests, and what cannot be asked for."""
    items, who = _items(asked), getpass.getuser()
    if any(item.override for item in items) and who not in utility.commands.may_override:
        raise RequestError(f"{who!r} may not override; utilities.commands.may_override names who may")
    now = datetime.now(UTC)
    begins = None if asked.begins is None else _begins(asked.begins, utility.utility, now)
    known = await store.known_meters({(TargetKey.METER_NO, item.meter_no) for item in items})
    salt = uuid.uuid4().hex if asked.again else ""
    wish = BatchWish(who, asked.file.name, now, begins, asked.within, salt)
    return batch_requests(items, known, utility.utility, wish)


def _begins(local: datetime, utility: Utility, now: datetime) -> datetime:
    begins = local.replace(tzinfo=utility.time_zone).astimezone(UTC)
    if not now <= begins <= now + timedelta(days=DEFERRED_DAYS_MAX):
        raise RequestError(f"--begin {local:%Y-%m-%d %H:%M} is not ahead, or more than {DEFERRED_DAYS_MAX} days")
    return begins


def _items(asked: Asked) -> Sequence[BatchItem]:
    octets = octets_of(asked.file)
    found = read_batch(octets, FileFormat.of(asked.file.name, octets), asked.command, asked.override)
    for problem in found.problems:
        click.echo(f"{asked.file}: {problem}", err=True)
    if found.bad_rows and not asked.good_ones:
        raise RequestError(f"nothing is done: {found.bad_rows} bad line{'s' if found.bad_rows != 1 else ''}; --good-ones takes the others")
    if not found.items:
        raise RequestError(f"{asked.file} names no meter")
    if len(found.items) > BATCH_LINES_MAX:
        raise RequestError(f"{asked.file} names {len(found.items)} meters; {BATCH_LINES_MAX} are taken in one batch")
    return found.items
