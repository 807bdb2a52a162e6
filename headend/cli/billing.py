"""`headend billing`: answers a request from a file; lists requests and shows one; writes a response out again."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from adapters.billing.desk import BillingDesk, ConfirmationTaken
from adapters.billing.request_xml import IncomingConfirmation, Sender, read_document
from adapters.store import Store
from headend.billing_export import item_problem
from headend.billing_requests import response_id, response_parts
from headend.billing_service import billing_desk
from headend.cli.one_store import store_options, with_store
from headend.cli.progress import BAR
from headend.errors import RequestError
from headend.model.billing_export import ItemStatus, OpenRequest, RequestNo, ResponseHead
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding, utc_now

_output = click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the response; else to standard output."
)


@click.group()
def billing() -> None:
    """Requests for the billing reads of accounts, and their answers."""


@billing.command("request")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--partner", help="Whose request it is; by default the partner of billing.partner, or the first.")
@click.option("--dry-run", is_flag=True, help="Keep nothing, say what is wrong with it.")
@_output
@store_options
def request_(
    file: Path, partner: str | None, dry_run: bool, output: Path | None, config: Path, utility_id: str | None, as_json: bool
) -> None:
    """Take the AmiBillingRequest or AmiBillingConfirmation in FILE and write the response.

    Items that wait are answered by a running service.
    """

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> None:
        desk = billing_desk(utility, store, Surrounding(reactor))
        whose = partner or utility.billing.partner or next((one.user_id for one in utility.partners), "")
        if dry_run:
            _look_through(file, desk, whose)
            return
        with file.open("rb") as opened, Progress(*BAR, console=Console(stderr=True)) as bar:
            task = bar.add_task("answering", total=None)
            taken = await desk.take(opened, whose, file.name)
            bar.update(task, total=1, completed=1)
        if isinstance(taken, ConfirmationTaken):
            click.echo(f"{taken.items} items confirmed", err=True)
            for one in taken.unknown:
                click.echo(f"  unknown: {one}", err=True)
            return
        if taken.first is not None:
            await _write(desk, taken.first, output)
            click.echo(f"{_counted(taken.first)}, {taken.request.open_items} waiting", err=True)

    with_store(config, utility_id, work)


@billing.command("list")
@store_options
def list_(config: Path, utility_id: str | None, as_json: bool) -> None:
    """Requests with items that wait, and until when."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = await store.open_requests()
        if as_json:
            click.echo(json.dumps([_json(one) for one in found], indent=1))
            return
        table = Table("number", "requestId", "partner", "came", "items", "waiting", "deadline", box=SIMPLE_HEAD)
        zone = utility.utility.time_zone
        for one in found:
            came, deadline = (t.astimezone(zone).strftime("%m-%d %H:%M") for t in (one.request.received, one.request.deadline))
            counts = (f"{one.items:,}", f"{one.open_items:,}")
            table.add_row(str(one.request_no), one.request.request_id, one.request.partner, came, *counts, deadline)
        Console().print(table, highlight=False)

    with_store(config, utility_id, show)


@billing.command("show")
@click.argument("name")
@_output
@store_options
def show_(name: str, output: Path | None, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The responses to the request with the number NAME; or the response NAME itself, as `UTILITY-NUMBER-RESPONSE`."""

    async def show(reactor: Any, store: Store, utility: UtilitySettings) -> None:
        desk = billing_desk(utility, store, Surrounding(reactor))
        parts = response_parts(name)
        if parts is not None:
            head = await store.response(*parts)
            if head is None:
                raise RequestError(f"there is no response {name!r}")
            await _write(desk, head, output)
            return
        if not name.isdigit():
            raise RequestError(f"{name!r} is neither a request's number nor a response's name")
        heads = await store.responses(RequestNo(int(name)))
        if not heads:
            raise RequestError(f"there is no answered request {name}")
        if as_json:
            click.echo(json.dumps([_response_json(desk, one) for one in heads], indent=1))
            return
        for one in heads:
            kind = "unsolicited, " if one.unsolicited else ""
            click.echo(f"{response_id(desk.utility, one.request.request_no, one.number)}: {kind}{_counted(one)}")

    with_store(config, utility_id, show)


def _look_through(file: Path, desk: BillingDesk, partner: str) -> None:
    """Read all of a request and judge its items by themselves."""
    with file.open("rb") as opened:
        document = read_document(opened, desk.utility, desk.policy, Sender(partner, file.name, utc_now()))
        if isinstance(document, IncomingConfirmation):
            click.echo(f"a confirmation of {sum(1 for _ in document.items)} items")
            return
        count = wrong = 0
        for item in document.items:
            count += 1
            problem = item_problem(item, document.request.deadline, datetime.now(UTC))
            if problem:
                wrong += 1
                click.echo(f"line {item.line}: item {item.item_id}: {problem}")
        deadline = document.request.deadline.astimezone(desk.utility.time_zone)
        click.echo(f"request {document.request.request_id}: {count:,} items, {wrong:,} rejected, due {deadline:%Y-%m-%d %H:%M %Z}")


async def _write(desk: BillingDesk, head: ResponseHead, output: Path | None) -> None:
    if output is None:
        async for piece in desk.octets(head):
            sys.stdout.buffer.write(piece)
        return
    with output.open("wb") as file:
        async for piece in desk.octets(head):
            file.write(piece)


def _counted(head: ResponseHead) -> str:
    return ", ".join(f"{head.counts.get(status, 0):,} {status.value}" for status in ItemStatus)


def _response_json(desk: BillingDesk, head: ResponseHead) -> dict[str, Any]:
    return {
        "response": response_id(desk.utility, head.request.request_no, head.number),
        "unsolicited": head.unsolicited,
        "created": head.created.isoformat(),
        "counts": {status.value: head.counts.get(status, 0) for status in ItemStatus},
    }


def _json(one: OpenRequest) -> dict[str, Any]:
    return {
        "number": one.request_no,
        "request_id": one.request.request_id,
        "partner": one.request.partner,
        "items": one.items,
        "waiting": one.open_items,
        "deadline": one.request.deadline.isoformat(),
    }
