"""The store: CPU of recording and of leasing, octets of a residential endpoint-day, reading 13 months, on both databases.

Endpoint-days are recorded as they arrive in the field: each interrogation brings a local day that touches two UTC days, so every block
is written once and filled up once. CPU is that of this process (all threads); PostgreSQL's own server comes on top and is not counted.
"""

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from headend.limits import RECORD_BATCH_MAX
from headend.model.channels import ChannelId
from headend.model.collection import Collected, Progress, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.interval_runs import IntervalRuns, runs_by_day
from headend.model.readings import day_start
from headend.model.selections import EVERYTHING, Period
from headend.reading_queries import Position
from tests import postgresql
from tests.conftest import RunningReactor
from tests.store.world import DAY, OpenStore, opened, register, shipment

ENDPOINTS = 4_096
DAYS = 8
WARM_UP = 2
MONTHS_13 = 396


@dataclass(frozen=True, slots=True)
class Result:
    """One figure of a run."""

    database: str
    what: str
    value: float
    unit: str


def run() -> list[Result]:
    """All figures, SQLite first."""
    running = RunningReactor()
    results: list[Result] = []
    try:
        with tempfile.TemporaryDirectory() as directory:
            results += _measured(running, "sqlite", f"sqlite:///{directory}/bench.sqlite", Path(directory))
        with tempfile.TemporaryDirectory() as directory, postgresql.server() as server, postgresql.database(server) as url:
            results += _measured(running, "postgresql", url.render_as_string(hide_password=False), Path(directory))
    finally:
        running.stop()
    return results


def main() -> None:
    """Print them."""
    for result in run():
        print(f"{result.database:<11} {result.what:<58} {result.value:>10.3f} {result.unit}")


def _measured(running: RunningReactor, name: str, url: str, directory: Path) -> Iterator[Result]:
    store = opened(running, url, directory / "keys")
    try:
        now = day_start(DAY) - timedelta(days=DAYS)
        store.call("import_shipment", shipment(ENDPOINTS), now)
        _record_days(store, DAY - timedelta(days=DAYS), WARM_UP)
        settled = _octets(store)
        cpu_ms, wall_ms = _record_days(store, DAY - timedelta(days=DAYS - WARM_UP), DAYS - WARM_UP)
        yield Result(name, "recording, CPU per endpoint-day", cpu_ms, "ms")
        yield Result(name, "recording, wall per endpoint-day", wall_ms, "ms")
        grown = (_octets(store) - settled) / ENDPOINTS / (DAYS - WARM_UP)
        yield Result(name, "stored per further endpoint-day, indexes included", grown, "octets")
        yield from _leases(store, name)
        yield from _thirteen_months(store, name)
    finally:
        store.call("close")


def _record_days(store: OpenStore, first: date, days: int) -> tuple[float, float]:
    cpu = wall = 0.0
    for offset in range(days):
        day = first + timedelta(days=offset)
        ids = range(1, ENDPOINTS + 1)
        batches = [local_days(ids[start : start + RECORD_BATCH_MAX], day) for start in range(0, ENDPOINTS, RECORD_BATCH_MAX)]
        with _timed() as took:
            for items, runs in batches:
                store.call("record", items, day_start(day) + timedelta(days=1, hours=7), runs)
        cpu, wall = cpu + took()[0], wall + took()[1]
    return cpu * 1e3 / ENDPOINTS / days, wall * 1e3 / ENDPOINTS / days


def local_days(endpoints: Sequence[int], day: date) -> tuple[list[Collected], list[IntervalRuns]]:
    """A residential day of each from 05:00 UTC to 05:00 UTC: 24 hours, 96 × 3 voltages, one register; as the collector brings them."""
    random = np.random.default_rng(day.toordinal())
    ids = [EndpointId(endpoint) for endpoint in endpoints]
    midnight = day_start(day + timedelta(days=1)) + timedelta(hours=5)
    starts = np.full(len(ids), int(midnight.timestamp()) - 86_400)
    runs: list[IntervalRuns] = []
    for seconds, channels, low, high in ((3_600, ((1, 0),), 0, 4_000), (900, ((11, -1), (12, -1), (13, -1)), 2_350, 2_450)):
        values = random.integers(low, high, (len(ids), len(channels), 86_400 // seconds))
        runs += runs_by_day(ids, starts, seconds, tuple((ChannelId(c), exponent) for c, exponent in channels), values, None)
    number = day.toordinal()
    progress = Progress((SetProgress(number, 1, 24, midnight), SetProgress(number, 1, 96, midnight)), 1, 1, 1_200)
    items = [
        Collected(
            one,
            midnight,
            None,
            (register(one, number * 30_000, instant=midnight),),
            progress=progress,
            octets_sent=400,
            octets_received=1_600,
        )
        for one in ids
    ]
    return items, runs


def _leases(store: OpenStore, name: str) -> Iterator[Result]:
    now = day_start(DAY)
    store.call("schedule", now, now)
    leased = 0
    with _timed() as took:
        while assignments := store.call("lease", "bench", 128, now, now + timedelta(minutes=5)):
            leased += len(assignments)
    yield Result(name, "leases per second", leased / took()[1], "/s")
    yield Result(name, "leasing, CPU per endpoint", took()[0] * 1e3 / leased, "ms")


def _thirteen_months(store: OpenStore, name: str) -> Iterator[Result]:
    first = DAY - timedelta(days=MONTHS_13)
    for start in range(0, MONTHS_13, 30):
        days = [first + timedelta(days=offset) for offset in range(start, min(start + 30, MONTHS_13))]
        for day in days:
            items, runs = local_days((1,), day)
            store.call("record", [replace(items[0], progress=None)], day_start(DAY), runs)
    since, until = day_start(first), day_start(DAY)
    day_before, three_days = (until - timedelta(days=2), until - timedelta(days=1)), until - timedelta(days=3)
    one, last = [EndpointId(1)], Position(EndpointId(1_000), 1 << 62)
    queries: tuple[tuple[str, Callable[[], object]], ...] = (
        ("13 months of hourly energy of one endpoint", lambda: store.call("interval_blocks", "M000001", since, until, {1})),
        ("13 months of all its channels", lambda: store.call("interval_blocks", "M000001", since, until)),
        ("3 days of registers and intervals of one endpoint", lambda: store.call("values_of", one, Period(three_days, until), EVERYTHING)),
        ("latest reads of 1000 meters", lambda: store.call("latest_rows", 0, 1_000, 1_000)),
        ("end of a page of 1000 reads of one day", lambda: store.call("register_page", Period(*day_before), None, None, 1_000)),
        ("1000 reads of one day by date", lambda: store.call("register_rows", Period(*day_before), None, None, last, 1_000)),
    )
    for what, query in queries:
        walls = []
        for _ in range(5):
            with _timed() as took:
                query()
            walls.append(took()[1])
        yield Result(name, f"{what}, wall, median of 5", sorted(walls)[2] * 1e3, "ms")


@contextmanager
def _timed() -> Iterator[Callable[[], tuple[float, float]]]:
    """CPU and wall seconds of the block, once it has ended."""
    gc.collect()
    gc.freeze()
    before, began = os.times(), time.perf_counter()
    took = (0.0, 0.0)
    yield lambda: took
    after = os.times()
    took = (after.user + after.system - before.user - before.system, time.perf_counter() - began)


def _octets(store: OpenStore) -> int:
    if store.store._database.is_sqlite:
        store.sql("SELECT 1")
        ((pages, size),) = store.sql("SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()")
        return int(pages) * int(size)
    return int(store.sql("SELECT pg_database_size(current_database())")[0][0])


if __name__ == "__main__":
    main()
