"""`headend subscriptions`: who is told of events, where and of which; and a trial of one."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.one_store import store_options, with_store
from headend.errors import RequestError, UnknownMeterError
from headend.model.event_case import Device
from headend.model.partner import MeterIdentifier
from headend.model.subscription import Subscription, of_registration, of_settings
from headend.model.telling import Delivery
from headend.settings import UtilitySettings
from headend.surrounding import Surrounding
from headend.telling_service import TellingService


@click.group()
def subscriptions() -> None:
    """Show and try out who is told of events."""


@subscriptions.command("list")
@store_options
def list_(config: Path, utility_id: str | None, as_json: bool) -> None:
    """Subscriptions: those of the settings, and what partners registered for."""

    async def show(_reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = await _all(store, utility)
        if as_json:
            click.echo(json.dumps([_json(one) for one in found], indent=1))
            return
        table = Table("subscription", "partner", "version", "address", "notifications", "of", "holds until", box=SIMPLE_HEAD)
        for one in found:
            told = _json(one)
            cells = (one.subscription_id, one.partner, one.version, one.url, ", ".join(one.notifications) or "none of events")
            table.add_row(*cells, _choice(one), told["expires"] or "")
        Console().print(table, highlight=False, markup=False)

    with_store(config, utility_id, show)


@subscriptions.command()
@click.argument("subscription_id")
@click.option("--meter", required=True, help="The meter that the trial is about; it is told of nothing that raises an alarm.")
@store_options
def test(subscription_id: str, meter: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """Tell a subscriber something now by each of its notifications, and say what it answered; SUBSCRIPTION_ID as the list has it."""

    async def work(reactor: Any, store: Store, utility: UtilitySettings) -> None:
        found = next((one for one in await _all(store, utility) if one.subscription_id == subscription_id), None)
        if found is None:
            raise RequestError(f"there is no subscription {subscription_id!r}; `headend subscriptions list` has those that there are")
        known = await store.meters_named(MeterIdentifier.METER_NO, [meter])
        if not known:
            raise UnknownMeterError(meter)
        one = known[0]
        device = Device(one.endpoint_id, one.meter_no, one.commodity, one.configuration, one.serial_no, one.ap_title)
        telling = TellingService(utility, store, Surrounding(reactor), None)
        came = await telling.try_out(found, device, datetime.now(UTC))
        await telling.stop()
        failed = [name for name, attempt in came if attempt.delivery is not Delivery.ACKNOWLEDGED]
        if as_json:
            told = [{"notification": name, "result": a.delivery.value, "reason": a.reason} for name, a in came]
            click.echo(json.dumps(told, indent=1))
        else:
            for name, attempt in came:
                click.echo(f"{name}: {attempt.delivery.value}{f', {attempt.reason}' if attempt.reason else ''}")
        if failed:
            raise RequestError(f"{', '.join(failed)}: not taken by {found.url}")

    with_store(config, utility_id, work)


async def _all(store: Store, utility: UtilitySettings) -> list[Subscription]:
    partners = {each.partner.user_id: each.partner for each in utility.partners}
    registered = [of_registration(one, partners[one.partner]) for one in await store.all_registrations() if one.partner in partners]
    return [*(one for partner in partners.values() for one in of_settings(partner)), *registered]


def _json(one: Subscription) -> dict[str, Any]:
    expires = None if one.expires is None else f"{one.expires:%Y-%m-%d %H:%M}Z" + (" (over)" if one.is_over(datetime.now(UTC)) else "")
    return {
        "subscription": one.subscription_id,
        "partner": one.partner,
        "version": one.version,
        "url": one.url,
        "notifications": list(one.notifications),
        "categories": sorted(one.filter.categories),
        "severities": sorted(one.filter.severities),
        "commodities": sorted(one.filter.commodities),
        "groups": sorted(one.filter.groups),
        "routers": one.filter.routers,
        "registered": None if one.registered is None else one.registered.isoformat(),
        "expires": expires,
    }


def _choice(one: Subscription) -> str:
    chosen = [*one.filter.categories, *one.filter.severities, *one.filter.commodities, *one.filter.groups]
    return ", ".join(sorted(map(str, chosen))) or "all"
