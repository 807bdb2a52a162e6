"""`headend commands`: what was asked of meters, by whom, how it stands and what was told of it."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.command_report import view_json
from headend.cli.one_store import store_options, with_store
from headend.errors import RequestError, shown
from headend.model.asked import Asked, AskedCommand, AskedFor, ToldState
from headend.settings import UtilitySettings

COMMANDS_SHOWN_MAX = 50_000
"""Commands of one request that are shown: the most there are in one."""

REQUEST_ID_MAX = 2**63 - 1
"""Largest number that a database can look for."""


@click.group()
def commands() -> None:
    """What was asked of meters, by whom, how it stands, and what was told of it."""


@commands.command("list")
@store_options
@click.option("--by", "requester", default="", help="Only of a partner's UserID, or of person:LOGIN.")
@click.option("--meter", "meter_no", default="", help="Only what was asked of this meter.")
@click.option("--open", "open_only", is_flag=True, help="Only what has not ended.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="The newest so many.")
def list_(
    config: Path, utility_id: str | None, as_json: bool, requester: str, meter_no: str, open_only: bool, limit: int
) -> None:
    """The newest requests."""

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = await store.asked(AskedFor(requester, meter_no, open_only=open_only), limit)
        if as_json:
            click.echo(json.dumps([_asked_json(one) for one in found], indent=1))
        elif found:
            Console().print(_table(found, utility.utility.time_zone))
        else:
            click.echo("nothing was asked")

    with_store(config, utility_id, work)


@commands.command()
@store_options
@click.argument("which")
def show(config: Path, utility_id: str | None, as_json: bool, which: str) -> None:
    """One request with each of its commands: WHICH is its number, or its transactionID."""

    async def work(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        one = await _found(store, which)
        listed = await store.asked_commands(one.request_id, COMMANDS_SHOWN_MAX)
        zone = utility.utility.time_zone
        if as_json:
            click.echo(json.dumps(_asked_json(one) | {"commands": [_command_json(each) for each in listed]}, indent=1))
            return
        Console().print(_head(one, zone), highlight=False, markup=False)
        Console().print(_commands_table(listed, zone))

    with_store(config, utility_id, work)


async def _found(store: Store, which: str) -> Asked:
    found = await store.asked(AskedFor(transaction_id=which), 1)
    if not found and which.isdecimal():
        found = await store.asked(AskedFor(request_id=min(int(which), REQUEST_ID_MAX)), 1)
    if not found:
        raise RequestError(f"{shown(which)} is neither the number nor the transactionID of a request")
    return found[0]


def _what(one: Asked) -> str:
    return f"{one.operation} {one.version}" if one.operation else one.kind.value


def _states(one: Asked) -> str:
    return ", ".join(f"{count:,} {state.value}" for state, count in sorted(one.counts.items()))


def _head(one: Asked, zone: ZoneInfo) -> str:
    said = [
        f"{one.request_id}: {_what(one)}, by {one.requester}, transactionID {one.transaction_id or '(none)'}",
        f"accepted {_local(one.accepted, zone)}, expires {_local(one.expires, zone)}: {_states(one)}",
    ]
    return "\n".join([*said, *([f"told at {one.response_url}"] if one.response_url else [])])


def _table(found: Sequence[Asked], zone: ZoneInfo) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("no", "accepted", "by", "what", "transactionID", "how it stands"):
        table.add_column(heading, overflow="fold")
    for one in found:
        transaction_id = one.transaction_id if one.operation else ""  # what people order has one that is of no use to them
        accepted = f"{one.accepted.astimezone(zone):%m-%d %H:%M:%S}"
        table.add_row(str(one.request_id), accepted, one.requester, _what(one), transaction_id, _states(one))
    return table


def _commands_table(listed: Sequence[AskedCommand], zone: ZoneInfo) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("meter", "what", "state", "since", "tries", "reason", "told"):
        table.add_column(heading, overflow="fold")
    for one in listed:
        view = one.view
        what = view.kind.value if view.action is None else view.action.value
        told = "\n".join(_told_text(each, zone) for each in one.told)
        table.add_row(view.meter_no, what, view.state.value, _local(view.changed, zone), str(one.attempts), view.reason, told)
    return table


def _told_text(told: ToldState, zone: ZoneInfo) -> str:
    said = f"{told.delivery} after {told.attempts}" if told.attempts else told.delivery
    again = f", again {_local(told.again, zone)}" if told.again is not None and told.attempts else ""
    return f"{said}{again}" + (f": {told.answer}" if told.answer else "")


def _asked_json(one: Asked) -> dict[str, Any]:
    return {
        "request": one.request_id,
        "by": one.requester,
        "operation": one.operation or None,
        "version": one.version or None,
        "kind": one.kind.value,
        "transaction_id": one.transaction_id or None,
        "response_url": one.response_url or None,
        "accepted": one.accepted.isoformat(),
        "expires": one.expires.isoformat(),
        "states": {state.value: count for state, count in sorted(one.counts.items())},
    }


def _command_json(one: AskedCommand) -> dict[str, Any]:
    told = [
        {"delivery": t.delivery, "attempts": t.attempts, "again": None if t.again is None else t.again.isoformat(), "answer": t.answer}
        for t in one.told
    ]
    return view_json(one.view) | {"attempts": one.attempts, "due": None if one.due is None else one.due.isoformat(), "told": told}


def _local(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}"
