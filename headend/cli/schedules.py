"""`headend schedules`: when endpoints are interrogated or wake up, all alike or by groups, and the reading schedules of partners."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from adapters.store import Store
from headend.cli.stores import store_options, with_store
from headend.collection_plan import CollectionPlan, GroupPlan, PlanKind, check_plan, next_turn, parse_time, place_of, shown_time, turn_times
from headend.read_schedule import next_due
from headend.schedules import Schedule, ScheduleKind
from headend.settings import UtilitySettings

SCHEDULES_SHOWN = 200

_kind = click.option("--wake-ups", is_flag=True, help="Of endpoints that push, instead of those that are interrogated.")


@click.group()
def schedules() -> None:
    """Show and set when endpoints are collected."""


@schedules.command("list")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def list_(config: Path, utility_id: str | None, as_json: bool) -> None:
    """All plans, and the reading schedules of partners."""

    async def show(store: Store, utility: UtilitySettings) -> None:
        kept = await store.plans()
        missing = [plan for plan in utility.collection.plans if (plan.kind, "") not in {(p.kind, p.group_id) for p in kept}]
        reading = (await store.schedules(ScheduleKind.READING, "", SCHEDULES_SHOWN)).items
        now, zone = datetime.now(UTC), utility.utility.time_zone
        plans = sorted([*missing, *kept], key=lambda plan: (plan.kind, plan.group_id))
        due = {one.schedule_id: next_due(one.times, now, zone) if one.enabled else None for one in reading}
        if as_json:
            told = {"plans": [_plan_json(plan) for plan in plans], "reading": [_schedule_json(one, due) for one in reading]}
            click.echo(json.dumps(told, indent=1))
            return
        table = Table(title="Plans", title_justify="left")
        for heading in ("of", "group", "begin at", "window"):
            table.add_column(heading)
        for plan in plans:
            begins = " ".join(map(shown_time, plan.plan.begins))
            table.add_row(plan.kind.value, plan.group_id or "(all others)", begins, f"{plan.plan.window_minutes} min")
        Console().print(table)
        if reading:
            Console().print(_schedule_table(reading, due, utility))

    with_store(config, utility_id, show)


@schedules.command()
@click.argument("meter_no")
@store_options
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(meter_no: str, config: Path, utility_id: str | None, as_json: bool) -> None:
    """The plans that meter METER_NO follows, and its own times of the day."""

    async def tell(store: Store, utility: UtilitySettings) -> None:
        endpoint_id, plans = await store.plans_of(meter_no)
        now, zone = datetime.now(UTC), utility.utility.time_zone
        told = []
        for plan in plans:
            turn = next_turn(plan.plan, place_of(endpoint_id), now, zone)
            times = [shown_time(minutes) for minutes in turn_times(plan.plan, endpoint_id)]
            told.append(_plan_json(plan) | {"times": times, "next": turn.isoformat(timespec="seconds")})
        if as_json:
            click.echo(json.dumps(told, indent=1))
        for one in () if as_json else told:
            click.echo(f"{one['kind']}: {' '.join(one['times'])}, by the plan of {one['group'] or 'all others'}; next {one['next']}")

    with_store(config, utility_id, tell)


@schedules.command("set")
@click.argument("group_id")
@click.option("--at", "begins", multiple=True, required=True, help="HH:MM, local: when a window begins. Once for each window of a day.")
@click.option("--window", "window_minutes", type=int, default=240, show_default=True, help="Minutes over which endpoints are spread.")
@_kind
@store_options
def set_(group_id: str, begins: tuple[str, ...], window_minutes: int, wake_ups: bool, config: Path, utility_id: str | None) -> None:
    """Give the meter group GROUP_ID a plan of its own. What all others follow is in the settings."""

    async def keep(store: Store, utility: UtilitySettings) -> None:
        plan = CollectionPlan(tuple(sorted({parse_time(text) for text in begins})), window_minutes)
        check_plan(plan)
        await store.keep_plan(GroupPlan(_plan_kind(wake_ups), group_id, plan), datetime.now(UTC))
        click.echo(f"{group_id}: {_plan_kind(wake_ups).value} at {plan}")

    with_store(config, utility_id, keep)


@schedules.command()
@click.argument("group_id")
@_kind
@store_options
def drop(group_id: str, wake_ups: bool, config: Path, utility_id: str | None) -> None:
    """Let the meter group GROUP_ID follow the common plan again."""

    async def forget(store: Store, utility: UtilitySettings) -> None:
        await store.drop_plan(_plan_kind(wake_ups), group_id)
        click.echo(f"{group_id}: {_plan_kind(wake_ups).value} by the common plan")

    with_store(config, utility_id, forget)


def _plan_kind(wake_ups: bool) -> PlanKind:
    return PlanKind.WAKE_UPS if wake_ups else PlanKind.INTERROGATIONS


def _plan_json(plan: GroupPlan) -> dict[str, Any]:
    begins = [shown_time(minutes) for minutes in plan.plan.begins]
    return {"kind": plan.kind.value, "group": plan.group_id, "begins": begins, "window_minutes": plan.plan.window_minutes}


def _schedule_json(schedule: Schedule, due: dict[str, datetime | None]) -> dict[str, Any]:
    at = due[schedule.schedule_id]
    targets = schedule.targets
    return {
        "schedule": schedule.schedule_id,
        "enabled": schedule.enabled,
        "meters": len(targets.meter_nos),
        "groups": [*targets.group_ids, *targets.configuration_group_ids],
        "next": None if at is None else at.isoformat(),
    }


def _schedule_table(reading: Any, due: dict[str, datetime | None], utility: UtilitySettings) -> Table:
    table = Table(title="Reading schedules of partners", title_justify="left")
    for heading in ("schedule", "enabled", "meters", "groups", "next"):
        table.add_column(heading)
    for one in reading:
        at = due[one.schedule_id]
        groups = " ".join([*one.targets.group_ids, *one.targets.configuration_group_ids])
        shown_at = "" if at is None else at.astimezone(utility.utility.time_zone).strftime("%Y-%m-%d %H:%M")
        table.add_row(one.schedule_id, "yes" if one.enabled else "no", str(len(one.targets.meter_nos)), groups, shown_at)
    return table
