"""`headend events`: what happened in the field, what was decided of it and why, and who was told."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.messages import SinceType
from headend.cli.one_store import store_options, with_store
from headend.errors import RequestError
from headend.event_reports import OutboxEntry
from headend.model.event_case import CaseFilter, CaseState, EventCase, EventNumber
from headend.model.event_kinds import EventKind
from headend.model.subscription import WATCHED, of_registration, of_settings, subjects_of
from headend.settings import UtilitySettings


@click.group()
def events() -> None:
    """Show events, and why somebody was told of one or not."""


@events.command("list")
@store_options
@click.option("--meter", default="", help="Only of one meter or router.")
@click.option("--code", "codes", multiple=True, type=int, help="Only of this code; may be given more than once.")
@click.option("--state", "states", multiple=True, type=click.Choice([state.value for state in CaseState]), help="Only so decided.")
@click.option("--since", type=SinceType(), help="An ISO 8601 date and time, or how long ago: 15m, 2h, 3d.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="The newest so many.")
def list_(
    config: Path,
    utility_id: str | None,
    as_json: bool,
    meter: str,
    codes: tuple[int, ...],
    states: tuple[str, ...],
    since: datetime | None,
    limit: int,
) -> None:
    """Events, newest first."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        wanted = CaseFilter(meter, codes, tuple(map(CaseState, states)), since)
        found = await store.event_cases(wanted, limit)
        if as_json:
            click.echo(json.dumps([_json(case, utility) for case in found], indent=1))
            return
        table = Table("number", "device", "event", "severity", "occurred", "by", "decision", "reason", box=SIMPLE_HEAD)
        for case in found:
            kind = utility.utility.events.kinds.get(case.code)
            cells = (str(case.number), case.device.name, utility.utility.events.name_of(case.code), "" if kind is None else kind.severity)
            table.add_row(*cells, _local(case.occurred, utility), case.path.value, case.state.value, case.reason)
        Console().print(table, highlight=False, markup=False)

    with_store(config, utility_id, show)


@events.command("show")
@click.argument("number")
@store_options
def show_(number: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The event NUMBER: what it is, what was decided and why, and for each subscriber whether it was told, or why not."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        case = await store.event_case(EventNumber.parse(number))
        if case is None:
            raise RequestError(f"there is no event {number}; `headend events list` has those that there are")
        messages = await store.messages_of(case.number)
        not_told = await _not_told(case, messages, store, utility)
        whole = _json(case, utility) | {"told": [_told(one) for one in messages], "not_told": not_told}
        if as_json:
            click.echo(json.dumps(whole, indent=1))
        else:
            _print(whole)

    with_store(config, utility_id, show)


@events.command()
@store_options
@click.option("--since", type=SinceType(), default="1d", show_default=True, help="An ISO 8601 date and time, or how long ago.")
def counts(config: Path, utility_id: str | None, as_json: bool, since: datetime) -> None:
    """How many events were told, held, told as history only, or withheld, by reason."""

    async def show(_reactor: Any, store: Store, _utility: UtilitySettings) -> None:
        found = sorted((await store.event_counts(since)).items())
        if as_json:
            click.echo(json.dumps([{"state": state, "reason": reason, "events": count} for (state, reason), count in found], indent=1))
            return
        table = Table("decision", "reason", "events", box=SIMPLE_HEAD)
        for (state, reason), count in found:
            table.add_row(state, reason, f"{count:,}")
        Console().print(table, highlight=False, markup=False)

    with_store(config, utility_id, show)


async def _not_told(case: EventCase, messages: list[OutboxEntry], store: Store, utility: UtilitySettings) -> list[dict[str, str]]:
    """Who is subscribed now and was not told by some notification, with the reason."""
    partners = {each.partner.user_id: each.partner for each in utility.partners}
    registered = [of_registration(one, partners[one.partner]) for one in await store.all_registrations() if one.partner in partners]
    kind: EventKind | None = utility.utility.events.kinds.get(case.code)
    told = {(one.queue.rpartition("/")[0], one.notification) for one in messages}
    reasons = []
    for one in [*(one for partner in partners.values() for one in of_settings(partner)), *registered]:
        able = {name for _, name in one.wanted(subjects_of(case.code, kind))}
        for name in one.notifications:
            if (one.subscription_id, name) in told:
                continue
            unfit = "" if name in able else "this notification does not tell such events"
            lapsed = "its lease is over" if one.is_over(datetime.now(UTC)) else ""
            filtered = one.filter.refusal(kind, case.device.commodity, case.device.groups)
            others = "it was found for a partner that has the meter watched, and told as that asked" if case.code in WATCHED else ""
            decided = f"{case.state.value}: {case.reason}" if case.reason else case.state.value
            reason = unfit or lapsed or filtered or others or decided
            reasons.append({"partner": one.partner, "subscription": one.subscription_id, "notification": name, "reason": reason})
    return reasons


def _json(case: EventCase, utility: UtilitySettings) -> dict[str, Any]:
    kind = utility.utility.events.kinds.get(case.code)
    return {
        "number": str(case.number),
        "device": case.device.name,
        "kind": "router" if case.device.commodity is None else case.device.commodity.value,
        "code": case.code,
        "event": utility.utility.events.name_of(case.code),
        "severity": None if kind is None else kind.severity.value,
        "category": None if kind is None else kind.category.value,
        "occurred": _local(case.occurred, utility),
        "received": _local(case.received, utility),
        "by": case.path.value,
        "argument": case.argument.decode(errors="replace") if case.device.commodity is None else case.argument.hex(),
        "decision": case.state.value,
        "reason": case.reason,
    }


def _told(one: OutboxEntry) -> dict[str, Any]:
    facts = {"queue": one.queue, "notification": one.notification, "state": one.state, "attempts": one.attempts}
    return facts | {"message": one.message_id, "answer": one.answer}


def _print(whole: dict[str, Any]) -> None:
    told, not_told = whole.pop("told"), whole.pop("not_told")
    for name, value in whole.items():
        if value not in (None, ""):
            click.echo(f"{name}: {value}")
    for one in told:
        answer = f", {one['answer']}" if one["answer"] else ""
        state = f"{one['state']} after {one['attempts']} attempts{answer}"
        click.echo(f"told {one['queue']} by {one['notification']}: {state} ({one['message']})")
    for one in not_told:
        click.echo(f"not told {one['subscription']} by {one['notification']}: {one['reason']}")


def _local(instant: datetime, utility: UtilitySettings) -> str:
    return instant.astimezone(utility.utility.time_zone).strftime("%Y-%m-%d %H:%M:%S%z")
