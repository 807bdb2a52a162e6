"""Months of a utility in which datagrams are lost, meters fall silent, clocks jump, routers die and the head-end is killed.

A month of 200 endpoints takes a minute of a core, nearly all of it in real codecs and in the emulated meters, so `make test` lives one, and
one of a smaller utility; HEADEND_MONTHS=20 lives twenty.
"""

import os
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from emulators.population import router_name
from emulators.truth import endpoint_truth
from headend.model.endpoint import CONFIGURATIONS
from headend.model.work_item import WorkItem, WorkItemKind, WorkItemState
from tests.memory_store import MemoryEndpoint
from tests.simulation.field import interval_differences, register_differences
from tests.simulation.month import EVERY_SAMPLED, Month, Plan, eight_o_clock, share_in, three_days_later
from tests.simulation.stored_month import StoredMonth

MONTHS = int(os.environ.get("HEADEND_MONTHS", "1"))
SMALL = range(100, 101)
THREE_DAYS = timedelta(days=3)


def lived(seed: int, endpoints: int = 200) -> Month:
    month = Month(seed, endpoints)
    month.live()
    assert month.failures == []
    return month


@pytest.mark.parametrize("seed", range(MONTHS))
def test_a_month_of_two_hundred_endpoints(seed: int) -> None:
    check(lived(seed))


@pytest.mark.parametrize("seed", SMALL)
def test_a_month_of_forty_endpoints(seed: int) -> None:
    check(lived(seed, 40))


def test_the_same_seed_has_the_same_history_and_another_one_another() -> None:
    months = [Month(seed, 16, days=3) for seed in (7, 7, 8)]
    for month in months:
        month.live()
    first, again, other = [month.digest for month in months]
    assert first == again
    assert first != other


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def test_some_days_on_a_real_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite" if kind == "sqlite" else str(request.getfixturevalue("postgresql_url"))
    month = StoredMonth(9, 12, days=5)
    month.open(url, tmp_path)
    month.live()
    month.close()
    assert month.failures == []
    check_conversations(month)
    check_reads(month)
    check_work(month)


def test_what_can_be_read_is_in_by_eight_and_what_cannot_is_a_work_item() -> None:
    """A fifth of all datagrams lost, one endpoint in twenty silent; the same with more endpoints and seeds is `tests.bench silence`."""
    month = Month(3, 80, days=4, plan=Plan(loss=0.2, silent_percent=5))
    month.live()
    assert month.failures == []
    assert share_in(month, eight_o_clock) >= 0.985
    assert share_in(month, three_days_later) >= 0.995
    silent = {e.meter_no for e in month.store.endpoints.values() if month.is_always_silent(e)}
    assert silent
    items = month.items
    assert {item.subject for item in items} == silent
    assert {item.state for item in items} == {WorkItemState.OPEN}


def check(month: Month) -> None:
    """What holds at the end of any month."""
    check_conversations(month)
    check_reads(month)
    check_values(month)
    check_work(month)


def check_conversations(month: Month) -> None:
    """Each that was begun was recorded once, but for those that a killed head-end had under way."""
    store = month.store
    assert month.killed == len(month.plan.kills)
    assert set(store.endings.values()) == {1}
    lost = store.handed_out - store.endings.keys()
    assert len(lost) <= month.killed * len(store.endpoints)
    assert all(e.leased is None for e in store.endpoints.values()), "nothing is under way at the end"


def check_reads(month: Month) -> None:
    """Every due read is stored, or its endpoint has an exception that says why, within three days of it; never both ways, never neither."""
    due = [(e, midnight) for e in month.store.endpoints.values() for midnight in month.midnights]
    endings = Counter(ending(month, e, midnight) for e, midnight in due)
    assert endings["nothing"] == 0
    assert endings["stored"] + endings["excepted"] == len(due) == len(month.store.endpoints) * len(month.midnights)
    reachable = [(e, midnight) for e, midnight in due if is_reachable(month, e, midnight)]
    assert reachable
    stored = Counter(ending(month, e, midnight) for e, midnight in reachable)["stored"]
    assert stored >= 0.995 * len(reachable)


def ending(month: Month, e: MemoryEndpoint, midnight: datetime) -> str:
    """How a due read ended."""
    if (e.endpoint_id, midnight) in month.store.received:
        return "stored"
    reasons = [x.reason for x in e.exceptions if midnight - timedelta(days=1) < x.occurred <= midnight + THREE_DAYS]
    return "excepted" if reasons and all(reasons) else "nothing"


def is_reachable(month: Month, e: MemoryEndpoint, midnight: datetime) -> bool:
    """Whether nothing but the loss of datagrams kept an endpoint from being read, from a midnight to three days later."""
    begin, end = midnight - timedelta(hours=1), midnight + THREE_DAYS
    if month.is_always_silent(e):
        return False
    return not any(first < end and last > begin for first, last in troubles(month, e))


def troubles(month: Month, e: MemoryEndpoint) -> list[tuple[datetime, datetime]]:
    """When an endpoint was silent, by itself or with its router, or had a wrong clock."""
    plan, index = month.plan, e.endpoint_id - 1
    hours = [(at, length) for which, at, length in plan.silences if which == index]
    hours += [(at, length) for router, at, length in plan.routers_down if router_name(router) == e.router]
    hours += [(at, 24 * month.days) for which, at, _ in plan.jumps if which == index]
    return [(month.start + timedelta(hours=at), month.start + timedelta(hours=at + length)) for at, length in hours]


def check_values(month: Month) -> None:
    """What is stored is what the meters hold; of endpoints whose clocks jumped, nothing is said here."""
    jumped = {index for index, _, _ in month.plan.jumps}
    end = int(month.world_clock.seconds)
    begin = int(month.start.timestamp())
    compared = 0
    for e in month.store.endpoints.values():
        index = e.endpoint_id - 1
        if index in jumped or month.is_always_silent(e) or e.misses.in_a_row or e.endpoint_id in month.silent:
            continue
        heard = int(e.heard.timestamp()) if e.heard is not None and CONFIGURATIONS[e.configuration].battery else end - 4 * 86_400
        truth = endpoint_truth(month.world.meter(index), begin, min(heard, end - 4 * 86_400))
        assert register_differences(e, truth) == []
        if not e.endpoint_id % EVERY_SAMPLED:
            assert interval_differences(e, truth, ~0) == []
            compared += 1
    assert compared


def check_work(month: Month) -> None:
    """Every silent endpoint is a work item and no other is; a dead router's endpoints are none while it is down and three days after."""
    items = [item for item in month.items if item.kind is WorkItemKind.SILENT_ENDPOINT]
    still_open = {item.subject for item in items if item.state is not WorkItemState.CLOSED}
    endpoints = {e.meter_no: e for e in month.store.endpoints.values()}
    assert still_open == {e.meter_no for e in endpoints.values() if month.is_always_silent(e)}
    for item in items:
        assert_deserved(month, endpoints[item.subject], item)
        assert item.diagnosis
        assert len({entry.at for entry in item.history}) >= 2
    for index, at, length in month.plan.silences:
        subject = month.world.population.meter_no(index)
        e = endpoints[subject]
        if length > 110 and not month.is_always_silent(e) and not any(router_name(r) == e.router for r, _, _ in month.plan.routers_down):
            begun = month.start + timedelta(hours=at)
            assert any(i.subject == subject and i.opened > begun and i.state is WorkItemState.CLOSED for i in items), (subject, at, length)
    routers = [item for item in month.items if item.kind is WorkItemKind.ROUTER_DOWN]
    assert {item.subject for item in routers} == {router_name(router) for router, _, _ in month.plan.routers_down}
    assert all(item.state is WorkItemState.CLOSED for item in routers)


def assert_deserved(month: Month, e: MemoryEndpoint, item: WorkItem) -> None:
    """An item is opened only for an endpoint that was silent by itself for three days, a battery endpoint's last wake-up included."""
    if month.is_always_silent(e):
        own = [(month.start - timedelta(days=1), item.opened)]
    else:
        own = [
            (month.start + timedelta(hours=at), month.start + timedelta(hours=at + length))
            for index, at, length in month.plan.silences
            if index == e.endpoint_id - 1
        ]
    before = timedelta(hours=7) if CONFIGURATIONS[e.configuration].battery else timedelta(0)
    # Once its retries are given up, it is asked once a day.
    assert any(begin - before + THREE_DAYS <= item.opened <= end + timedelta(hours=25) for begin, end in own), item
    for router, at, length in month.plan.routers_down:
        down, up = month.start + timedelta(hours=at + 3), month.start + timedelta(hours=at + length)
        if router_name(router) == e.router:
            assert not down < item.opened < up + THREE_DAYS, item


def test_a_plan_has_something_of_everything() -> None:
    plan = Month(5, 40).plan
    assert isinstance(plan, Plan)
    assert all((plan.routers_down, plan.silences, plan.jumps, plan.reboots, plan.kills))
