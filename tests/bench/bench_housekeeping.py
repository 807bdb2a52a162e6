"""Housekeeping: CPU a row of thinning, purging and accounting, octets before and after, what recording waits meanwhile; backup."""

import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from twisted.internet.defer import Deferred

from adapters.store.backup import restore, write_backup
from adapters.store.database import parse_url
from headend.housekeeping import Housekeeping
from headend.limits import RECORD_BATCH_MAX
from headend.model.readings import day_start
from headend.model.retention import DataClass, Retention
from headend.usage import Accounting
from tests import postgresql
from tests.bench.bench_store import Result, local_days
from tests.conftest import RunningReactor
from tests.store.world import DAY, OpenStore, opened, shipment

ENDPOINTS = 8_192
DAYS = 3
KEPT = dict.fromkeys(DataClass, 400) | {DataClass.VOLTAGE: 60}


def main() -> None:
    """Print all figures, SQLite first."""
    running = RunningReactor()
    try:
        with tempfile.TemporaryDirectory() as directory:
            _show(_measured(running, "sqlite", f"sqlite:///{directory}/bench.sqlite", Path(directory)))
        with tempfile.TemporaryDirectory() as directory, postgresql.server() as server, postgresql.database(server) as url:
            _show(_measured(running, "postgresql", url.render_as_string(hide_password=False), Path(directory)))
    finally:
        running.stop()


def _show(results: Iterator[Result]) -> None:
    for result in results:
        print(f"{result.database:<11} {result.what:<58} {result.value:>10.3f} {result.unit}", flush=True)


def _measured(running: RunningReactor, name: str, url: str, directory: Path) -> Iterator[Result]:
    store = opened(running, url, directory / "keys")
    now = day_start(DAY)
    store.call("import_shipment", shipment(ENDPOINTS), now - timedelta(days=DAYS))
    store.call("make_room", now)
    for offset in range(DAYS):
        _record_day(store, offset)
    rows = store.sql("SELECT count(*), sum(length(packed)) FROM interval_day")[0]
    yield Result(name, "octets packed per row", rows[1] / rows[0], "octets")
    cpu, _ = _taken(lambda: running.wait(Accounting(store.store).account, now + timedelta(days=1)))
    yield Result(name, "accounting of storage, CPU per row of two days", cpu * 1e6 / (2 * ENDPOINTS), "µs")

    alone = _recording_waits(store, None)
    third = rows[0] / DAYS
    cpu, wall = _taken(lambda: running.wait(_house(store, now + timedelta(days=60)).purge))
    thinned = store.sql("SELECT count(*), sum(length(packed)) FROM interval_day WHERE day = (SELECT min(day) FROM interval_day)")[0]
    yield Result(name, "thinning alone, CPU per row", cpu * 1e6 / third, "µs")
    yield Result(name, "thinning alone, rows a second", third / wall, "")
    yield Result(name, "octets packed per row thinned", thinned[1] / thinned[0], "octets")
    waits: list[float] = []
    _, wall = _taken(lambda: waits.extend(_recording_waits(store, _house(store, now + timedelta(days=63)).purge)))
    yield Result(name, "thinning beside a recording, rows a second", 2 * third / wall, "")
    yield Result(name, "a transaction of 64 endpoints alone, median", median(alone) * 1e3, "ms")
    yield Result(name, "the same beside a purge, median", median(waits) * 1e3, "ms")
    yield Result(name, "the same beside a purge, longest", max(waits) * 1e3, "ms")

    file = directory / "backup"
    _, wall = _taken(lambda: write_backup(store.store._database.url, file, lambda _done, _all: None))
    yield Result(name, "backup", file.stat().st_size / 1e6 / wall, "MB/s")
    purging = _house(store, now + timedelta(days=420))
    cpu, wall = _taken(lambda: running.wait(purging.purge))
    yield Result(name, "purging everything, rows a second", 3 * rows[0] / wall, "")
    store.call("close")
    _, wall = _taken(lambda: restore(parse_url(url), file, lambda _done, _all: None, force=True))
    yield Result(name, "restore", file.stat().st_size / 1e6 / wall, "MB/s")


def _house(store: OpenStore, now: Any) -> Housekeeping:
    return Housekeeping("demo", store.store, store.running.reactor, lambda: now, "one", Retention(KEPT))


def _record_day(store: OpenStore, offset: int) -> None:
    day = DAY - timedelta(days=DAYS - offset)
    for first in range(1, ENDPOINTS + 1, RECORD_BATCH_MAX):
        items, runs = local_days(range(first, first + RECORD_BATCH_MAX), day)
        store.call("record", items, day_start(DAY), runs)


def _recording_waits(store: OpenStore, beside: Callable[[], Awaitable[Any]] | None) -> list[float]:
    """How long small transactions take, one after the other, until what goes on beside them has ended, or 40 of them."""
    waits: list[float] = []

    async def recorded() -> None:
        going = None if beside is None else Deferred.fromCoroutine(beside())  # type: ignore[arg-type]
        while len(waits) < 40 if going is None else not going.called:
            first = len(waits) * 64 % ENDPOINTS + 1
            items, runs = local_days(range(first, first + 64), DAY + timedelta(days=40 + len(waits) * 64 // ENDPOINTS))
            began = time.perf_counter()
            await store.store.record(items, day_start(DAY) + timedelta(days=61), runs)
            waits.append(time.perf_counter() - began)
        if going is not None:
            await going

    store.running.wait(recorded)
    return waits


def _taken(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of CPU of this process, and of the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall
