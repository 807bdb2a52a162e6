"""`headend green-button`: a service point's usage as a customer downloads it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from adapters.exports.green_button import Download, green_button
from adapters.store import Store
from headend.billing_export import stays_in
from headend.cli.one_store import store_options, with_store
from headend.errors import RequestError, shown
from headend.interval_series import IntervalSeries, series_of
from headend.limits import PERIOD_DAYS_MAX
from headend.model.billing import ReadRule
from headend.model.billing_export import BillingItem
from headend.model.endpoint import ServicePoint
from headend.model.selections import LOAD_PROFILE, Period
from headend.settings import UtilitySettings


@click.command("green-button")
@click.argument("service_point")
@click.option("--from", "first", type=click.DateTime(["%Y-%m-%d"]), help="First local day; 31 days ago by default.")
@click.option("--to", "last", type=click.DateTime(["%Y-%m-%d"]), help="Last local day; yesterday by default.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Where to write the feed.")
@store_options
def green_button_(
    service_point: str,
    first: datetime | None,
    last: datetime | None,
    output: Path,
    config: Path,
    utility_id: str | None,
    as_json: bool,
) -> None:
    """Write the intervals of SERVICE_POINT as Green Button (ESPI): those of every meter that was there."""

    async def work(_reactor: Any, store: Store, settings: UtilitySettings) -> None:
        utility, now = settings.utility, datetime.now(UTC)
        end_day = last.date() if last is not None else utility.local_day(now) - timedelta(days=1)
        start_day = first.date() if first is not None else end_day - timedelta(days=30)
        period = Period(utility.midnight(start_day), utility.midnight(end_day + timedelta(days=1)))
        if not 0 < period.days <= PERIOD_DAYS_MAX:
            raise RequestError(f"{start_day} to {end_day} is no period of 1 to {PERIOD_DAYS_MAX} days")
        series = await _series(store, service_point, period)
        point = series[0]
        octets = 0
        with output.open("w", encoding="utf-8") as file:
            for piece in green_button(Download(utility, point, period.start, period.end, now, series[1])):
                octets += file.write(piece)
        click.echo(f"{output}: {octets:,} characters, {len(series[1])} channels")

    with_store(config, utility_id, work)


async def _series(store: Store, service_point: str, period: Period) -> tuple[ServicePoint, list[IntervalSeries]]:
    """The place, and the intervals of each meter's time there."""
    places = await store.places([service_point], [], [], None)
    if not places:
        raise RequestError(f"service point {shown(service_point)} is not known")
    (place,) = places
    found: list[IntervalSeries] = []
    for stay in stays_in(place, _whole(period)):
        own = Period(max(period.start, stay.started), min(period.end, stay.ended or period.end))
        values = await store.values_of([stay.meter.endpoint_id], own, LOAD_PROFILE)
        found += series_of(values.blocks, own)
    point = ServicePoint(place.service_point, place.commodity, "", "", "", "", place.account, place.bill_cycle)
    return point, found


def _whole(period: Period) -> BillingItem:
    """The period as a billing item's, for who was there in it."""
    nothing = timedelta()
    return BillingItem(1, "", "", "", "", None, period.start, period.end, nothing, nothing, ReadRule.CLOSEST, priors=False, demand=False)
