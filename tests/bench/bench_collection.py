"""Residential endpoint-days collected over UDP, encrypted, decoded and stored: CPU of the head-end beside that of the emulated field.

Field and head-end are a process each. The first contact reads programs and a day and a half of history; each further round turns the
field's clock by a day and collects it. What is told of days is the median and the least of all of them: other work on the machine makes
days dearer, never cheaper.

Two sizes of the same utility say what a collector's memory grows by for each endpoint it knows.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from headend.c1222.identifiers import ApTitle
from headend.cli.running import keep_what_is_built
from headend.collector import Collector
from headend.model.collection import Collected, CollectionSummary
from headend.model.endpoint import EndpointId, Transport
from headend.model.interval_runs import IntervalRuns
from headend.model.utility import Utility, UtilityId
from headend.ports import ShipmentItem
from headend.provisioning import read_shipment
from headend.provisioning_rows import FileFormat
from headend.retries import NO_RETRIES, RetryPolicy
from tests import postgresql
from tests.bench.aims import line
from tests.memory_store import MemoryEndpoint, MemoryStore

ENDPOINTS = int(os.environ.get("HEADEND_BENCH_ENDPOINTS", "4000"))
DATABASES = tuple(os.environ.get("HEADEND_BENCH_DATABASES", "none sqlite postgresql").split())
MODEL = os.environ.get("HEADEND_BENCH_MODEL", "HE-R100")
DAYS = int(os.environ.get("HEADEND_BENCH_DAYS", "7"))
MEMORY_ENDPOINTS = (8_000, 16_000)
"""So many that what is bounded whatever the fleet (conversations, what waits to be recorded, titles remembered) is full in both."""
IMPORTED_AT_ONCE = 10_000
START = datetime(2026, 7, 15, 6, 30, tzinfo=UTC)
UTILITY = Utility(UtilityId("bench"), "Bench", ZoneInfo("America/Chicago"), ".1.4")
Row = tuple[str, float, str]


@dataclass(frozen=True)
class Task:
    """What the process of a head-end is told to do; `database` is a URL, or empty for a store that forgets."""

    name: str
    database: str
    keys: str
    field: dict[str, Any]
    field_pid: int
    model: str
    days: int
    every: int = 1
    """Of the endpoints wanted one in so many is collected; the others are only known."""


class EmulatedField:
    """`emulators.service` in a process of its own."""

    def __init__(self, endpoints: int, directory: Path) -> None:
        code = (
            "from datetime import datetime, UTC; from pathlib import Path; from twisted.internet import asyncioreactor;"
            "asyncioreactor.install(); from emulators.service import run, EmulatorOptions;"
            f"run(EmulatorOptions(endpoints={endpoints}, start=datetime.fromisoformat('{START.isoformat()}'), rate=0.0,"
            f" directory=Path('{directory}'), cellular=False))"
        )
        self.process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.told: dict[str, Any] = json.loads(self.process.stdout.readline())

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(20)


def process_cpu_seconds(pid: int) -> float:
    """User and system time of a process and its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_kib(pid: int) -> int:
    """Resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() // 1024


# In the head-end's process


def in_reactor(work: Callable[[Any], Any]) -> Any:
    """What an asynchronous `work` gives, run in a reactor of its own; HEADEND_PROFILE names a file for a profile of it."""
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred

    results: list[Any] = []

    def end(result: Any) -> None:
        results.append(result)
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work(reactor)).addBoth(end))
    if os.environ.get("HEADEND_PROFILE"):
        import cProfile

        profile = cProfile.Profile()
        profile.runcall(reactor.run)
        profile.dump_stats(os.environ["HEADEND_PROFILE"])
    else:
        reactor.run()
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


def provision(task: Task) -> None:
    """Make the endpoints known to the database; in a process of its own, for the list of them takes memory."""
    from adapters.store import open_store

    async def work(reactor: Any) -> None:
        store = await open_store(task.database, UTILITY, Path(task.keys), reactor, create_keys=True)
        items = shipment(task.field["shipment"])
        for start in range(0, len(items), IMPORTED_AT_ONCE):
            await store.import_shipment(items[start : start + IMPORTED_AT_ONCE], START)
        await store.close()

    in_reactor(work)


def collect(task: Task) -> None:
    """Collect all days, measure, print rows as JSON."""
    from adapters.c1222_udp import UdpLink
    from adapters.store import open_store

    turned = timedelta()

    def now() -> datetime:
        return START + turned

    async def work(reactor: Any) -> list[Row]:
        nonlocal turned
        from twisted.internet.threads import deferToThread

        if task.database:
            store: Any = await open_store(task.database, UTILITY, Path(task.keys), reactor)
        else:
            store = ForgetfulStore(shipment(task.field["shipment"]))
        collector = Collector(
            UTILITY, store, reactor, now=now, random=Random(1), owner="bench", wire_now=lambda: datetime.now(UTC)
        )
        link = UdpLink(reactor, collector.receiver)
        link.open("127.0.0.1", 0)
        collector.links[Transport.UDP] = link
        collector.start()
        keep_what_is_built()
        base_kib, days, stored = resident_kib(os.getpid()), [], []
        tables: list[dict[str, int]] = []
        for _ in range(task.days + 1):
            days.append(await one_round(task, store, collector, now()))
            stored.append(await deferToThread(stored_octets, task.database))
            tables.append(await deferToThread(octets_by_table, task.database))
            turned += timedelta(days=1)
            await deferToThread(advance, task.field["control"], 86_400)
        summary, counters = await store.summary(), collector.counters
        rows = [(f"{task.name}, first contact: head-end CPU", days[0]["head-end CPU"], "ms/endpoint")]
        for what, unit in UNITS.items():
            values = [day[what] for day in days[1:]]
            rows.append((f"{task.name}, median day: {what}", median(values), unit))
            best = max(values) if what == "rate" else min(values)
            rows.append((f"{task.name}, best day: {what}", best, unit))
        if task.days > 2:
            grown = (stored[-1] - stored[2]) / days[-1]["endpoints"] / (task.days - 2)
            rows.append((f"{task.name}: stored per further endpoint-day", grown, "octets"))
            for table, octets in sorted(tables[-1].items()):
                each = (octets - tables[2].get(table, 0)) / days[-1]["endpoints"] / (task.days - 2)
                if each >= 1:
                    rows.append((f"{task.name}: of these in {table}", each, "octets"))
        rows.append((f"{task.name}: endpoints", days[-1]["endpoints"], ""))
        rows.append((f"{task.name}: memory before collecting", base_kib / 1024, "MiB"))
        rows.append((f"{task.name}: memory at the end", resident_kib(os.getpid()) / 1024, "MiB"))
        rows.append((f"{task.name}: failed", float(summary.failed), ""))
        rows.append((f"{task.name}: dropped", float(sum(counters.dropped.values())), ""))
        rows.append((f"{task.name}: resent", float(counters.resent), ""))
        await collector.stop()
        link.close()
        await store.close()
        return rows

    print(json.dumps(in_reactor(work)))


UNITS = {
    "head-end CPU": "ms/endpoint",
    "head-end system CPU": "ms/endpoint",
    "field CPU": "ms/endpoint",
    "rate": "endpoints/s",
    "exchanges": "per endpoint",
}


async def one_round(task: Task, store: Any, collector: Collector, now: datetime) -> dict[str, float]:
    """All endpoints once, and what that cost by the names in UNITS."""
    from twisted.internet.defer import Deferred

    counters = collector.counters
    due = await schedule(task, store, now)
    recorded, sent, system = counters.recorded, counters.sent, os.times().system
    cpu, field_cpu, wall = time.process_time(), process_cpu_seconds(task.field_pid), time.perf_counter()
    finished: Deferred[None] = Deferred()

    def check() -> None:
        if counters.recorded - recorded >= due and not finished.called:
            finished.callback(None)

    collector.recorder.on_recorded = both(collector.poller.room_made, check)
    collector.wake()
    await finished
    seconds = time.perf_counter() - wall
    return {
        "head-end CPU": 1000 * (time.process_time() - cpu) / due,
        "head-end system CPU": 1000 * (os.times().system - system) / due,
        "field CPU": 1000 * (process_cpu_seconds(task.field_pid) - field_cpu) / due,
        "rate": due / seconds,
        "exchanges": (counters.sent - sent) / due,
        "endpoints": due,
    }


async def schedule(task: Task, store: Any, now: datetime) -> int:
    """Make the residential meters of the model measured due; how many. In the database, lest a list of them be measured as memory."""
    collect_from = now - timedelta(days=1, hours=6)
    if not task.database:
        items = shipment(task.field["shipment"])
        wanted = [i.meter_no for i in items if i.configuration == "residential" and i.model.startswith(task.model)]
        return int(await store.schedule(now, collect_from, wanted))
    from sqlalchemy import text

    from adapters.store.instants import to_us
    from adapters.store.leasing import recount

    def work(connection: Any) -> int:
        parameters = {"now": to_us(now), "collect_from": to_us(collect_from), "model": f"{task.model}%", "every": task.every}
        due = connection.execute(text(_DUE), parameters).rowcount
        recount(connection)
        return int(due)

    return int(await store._database.run(work))


_DUE = (
    "UPDATE endpoint_state SET outcome = 1, scheduled_us = :now, due_us = :now, collect_from_us = :collect_from, attempts = 0"
    " WHERE endpoint_id % :every = 0"
    " AND endpoint_id IN (SELECT endpoint_id FROM endpoint WHERE configuration = 'residential' AND model LIKE :model)"
)


def stored_octets(database: str) -> int:
    """What a database takes on disk, indexes included; 0 for none."""
    if database.startswith("sqlite"):
        import sqlite3

        with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
            ((pages, size),) = connection.execute("SELECT page_count, page_size FROM pragma_page_count(), pragma_page_size()")
        connection.close()
        return int(pages * size)
    if database.startswith("postgresql"):
        import psycopg

        with psycopg.connect(database, autocommit=True) as server:
            server.execute("VACUUM")  # as the server does by itself in the course of a real day
            return int(server.execute("SELECT pg_database_size(current_database())").fetchall()[0][0])
    return 0


_TABLES = r"""SELECT regexp_replace(relname, '_\d{8}$', '') AS name, sum(pg_total_relation_size(oid)) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace GROUP BY name"""


def octets_by_table(database: str) -> dict[str, int]:
    """What the tables of a PostgreSQL database take, indexes and all partitions included."""
    if not database.startswith("postgresql"):
        return {}
    import psycopg

    with psycopg.connect(database) as server:
        return {name: int(octets) for name, octets in server.execute(_TABLES).fetchall()}


class ForgetfulStore(MemoryStore):
    """Hands out work and keeps progress, nothing else: what is left is the cost of conversations."""

    def __init__(self, items: Sequence[ShipmentItem]) -> None:
        super().__init__([
            MemoryEndpoint(
                EndpointId(n), i.meter_no, ApTitle.parse(i.ap_title).absolute, i.address, i.router, i.configuration, i.key_id, i.key
            )
            for n, i in enumerate(items)
        ])  # fmt: skip
        self.failed = 0

    async def record(
        self, collected: Sequence[Collected], now: datetime, runs: Sequence[IntervalRuns] = (), retries: RetryPolicy = NO_RETRIES
    ) -> None:
        for item in collected:
            endpoint = self.endpoints[item.endpoint_id]
            endpoint.due = endpoint.leased = None
            endpoint.progress = item.progress or endpoint.progress
            self.failed += item.exception is not None
            if item.program is not None:
                self.programs[item.program.fingerprint] = item.program
                endpoint.program = item.program.fingerprint

    async def schedule(self, due: datetime, collect_from: datetime, meter_nos: Sequence[str] | None = None) -> int:
        return await super().schedule(due, collect_from, None if meter_nos is None else frozenset(meter_nos))

    async def summary(self) -> CollectionSummary:
        return CollectionSummary(len(self.endpoints), 0, 0, self.failed, 0, 0, 0)

    async def close(self) -> None:
        """Nothing is open."""


def shipment(file: str) -> tuple[ShipmentItem, ...]:
    """The endpoints of a shipment file."""
    return read_shipment(Path(file).read_bytes(), FileFormat.CSV).items


def both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    """One call for two."""

    def call() -> None:
        first()
        second()

    return call


def advance(control: str, seconds: float) -> None:
    """Turn the field's clock."""
    body = json.dumps({"advance": seconds}).encode()
    request = urllib.request.Request(control + "/clock", body, {"Content-Type": "application/json"}, method="POST")
    urllib.request.urlopen(request, timeout=120).read()


# In the process that runs the benchmark


@contextmanager
def made_ready(kind: str, endpoints: int, model: str, days: int, every: int = 1) -> Iterator[Task]:
    """A field, and a database that knows it: `kind` is none, sqlite or postgresql."""
    with tempfile.TemporaryDirectory() as path, ExitStack() as stack:
        directory = Path(path)
        url = f"sqlite:///{directory}/bench.db" if kind == "sqlite" else ""
        if kind == "postgresql":
            server = stack.enter_context(postgresql.server())
            url = stack.enter_context(postgresql.database(server)).render_as_string(hide_password=False)
        field = EmulatedField(endpoints, directory)
        stack.callback(field.stop)
        name = f"{kind}, {model or 'all models'}"
        task = Task(name, url, f"{directory}/keys", field.told, field.process.pid, model, days, every)
        if url:
            in_process("provision", task)
        yield task


def in_process(part: str, task: Task) -> str:
    """What `part` of this module prints when it is run for a task."""
    arguments = [sys.executable, "-m", "tests.bench.bench_collection", part, json.dumps(task.__dict__)]
    return subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True).stdout


def run(databases: tuple[str, ...] = DATABASES, endpoints: int = ENDPOINTS, model: str = MODEL, days: int = DAYS) -> Iterator[Row]:
    """Rows (what, value, unit)."""
    for kind in databases:
        with made_ready(kind, endpoints, model, days) as task:
            yield from json.loads(in_process("collect", task).splitlines()[-1])
            yield f"field: memory of {endpoints} endpoints", resident_kib(task.field_pid) / 1024, "MiB"


def memory(kind: str = "postgresql") -> Iterator[Row]:
    """What a collector's memory grows by for each endpoint more that it knows and collects.

    On PostgreSQL: with SQLite the page cache of each connection fills up to its 16 MiB as the database grows, whatever is collected.
    """
    at_the_end = []
    for endpoints in MEMORY_ENDPOINTS:
        with made_ready(kind, endpoints, "", 1) as task:
            rows = json.loads(in_process("collect", task).splitlines()[-1])
        at_the_end.append(next(value for what, value, _ in rows if what.endswith("memory at the end")))
        yield f"{kind}, {endpoints} endpoints collected: memory of the collector", at_the_end[-1], "MiB"
    grown = (at_the_end[1] - at_the_end[0]) * 1024 * 1024 / (MEMORY_ENDPOINTS[1] - MEMORY_ENDPOINTS[0])
    yield f"{kind}: memory for each endpoint more that is known and collected", grown, "octets"


def main() -> None:
    """Print the table."""
    for rows in (run(), memory()) if not os.environ.get("HEADEND_BENCH_ONLY_CPU") else (run(),):
        for row in rows:
            print(line(*row), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"provision": provision, "collect": collect}[sys.argv[1]](Task(**json.loads(sys.argv[2])))
    else:
        main()
