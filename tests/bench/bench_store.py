"""The store: CPU of recording and of leasing, octets of a residential endpoint-day, reading 13 months, on both databases.

Endpoint-days are recorded as they arrive in the field: each interrogation brings a local day that touches two UTC days, so every block
is written once and filled up once. CPU is that of this process (all threads); PostgreSQL's own server comes on top and is not counted.
"""

import gc
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from random import Random

from headend.limits import RECORD_BATCH_MAX
from headend.model.collection import Collected, Progress, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.readings import IntervalBlock, day_start
from tests import postgresql
from tests.conftest import RunningReactor
from tests.store.world import DAY, OpenStore, block, opened, register, shipment

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
        items = [local_day(endpoint, day) for endpoint in range(1, ENDPOINTS + 1)]
        with _timed() as took:
            for start in range(0, ENDPOINTS, RECORD_BATCH_MAX):
                store.call("record", items[start : start + RECORD_BATCH_MAX], day_start(day) + timedelta(days=1, hours=7))
        cpu, wall = cpu + took()[0], wall + took()[1]
    return cpu * 1e3 / ENDPOINTS / days, wall * 1e3 / ENDPOINTS / days


def local_day(endpoint: int, day: date) -> Collected:
    """A residential day from 05:00 UTC to 05:00 UTC: 24 hours, 96 × 3 voltages, one register."""
    random = Random(endpoint << 20 | day.toordinal())
    next_day = day + timedelta(days=1)
    blocks: list[IntervalBlock] = []
    for channel, count, exponent in ((1, 24, 0), (11, 96, -1), (12, 96, -1), (13, 96, -1)):
        split = count * 5 // 24
        low, high = (0, 4_000) if channel == 1 else (2_350, 2_450)
        values = [random.randint(low, high) for _ in range(count)]
        early: list[int | None] = [None] * split + values[: count - split]
        late: list[int | None] = values[count - split :] + [None] * (count - split)
        blocks += [block(endpoint, early, channel=channel, day=day, exponent=exponent)]
        blocks += [block(endpoint, late, channel=channel, day=next_day, exponent=exponent)]
    midnight = day_start(next_day) + timedelta(hours=5)
    progress = Progress((SetProgress(day.toordinal(), 1, 24, midnight), SetProgress(day.toordinal(), 1, 96, midnight)), 1, 1, 1_200)
    reads = (register(endpoint, day.toordinal() * 30_000, instant=midnight),)
    return Collected(EndpointId(endpoint), midnight, None, reads, tuple(blocks), progress=progress, octets_sent=400, octets_received=1_600)


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
        store.call("record", [replace(local_day(1, day), progress=None) for day in days], day_start(DAY))
    since, until = day_start(first), day_start(DAY)
    day_before, three_days = (until - timedelta(days=2), until - timedelta(days=1)), until - timedelta(days=3)
    queries: tuple[tuple[str, Callable[[], object]], ...] = (
        ("13 months of hourly energy of one endpoint", lambda: store.call("interval_blocks", "M000001", since, until, {1})),
        ("13 months of all its channels", lambda: store.call("interval_blocks", "M000001", since, until)),
        ("3 days of registers and intervals of one endpoint", lambda: store.call("readings", "M000001", three_days, until, 1_000)),
        ("latest read of one meter", lambda: store.call("latest", "M000001")),
        ("latest reads, page of 1000 meters", lambda: store.call("latest_page", None, 1_000)),
        ("reads of one day by date, page of 1000", lambda: store.call("readings_page", *day_before, None, 1_000)),
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
