"""Residential endpoint-days collected over UDP, encrypted, decoded and stored: CPU of the head-end beside that of the emulated field.

The field and the head-end are a process each. The first contact reads programs and a day and a half of history; each further round
turns the field's clock by a day and collects it.
"""

import gc
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from headend.c1222.identifiers import ApTitle
from headend.collector import Collector
from headend.model.collection import Collected, CollectionSummary
from headend.model.endpoint import EndpointId, Transport
from headend.model.utility import Utility, UtilityId
from headend.ports import ShipmentItem
from headend.provisioning import read_shipment
from headend.provisioning_rows import FileFormat
from tests.memory_store import MemoryEndpoint, MemoryStore

ENDPOINTS = int(os.environ.get("HEADEND_BENCH_ENDPOINTS", "4000"))
DATABASES = tuple(os.environ.get("HEADEND_BENCH_DATABASES", "none: sqlite:///{directory}/bench.db").split())
DAYS = 3
GARBAGE_THRESHOLD = 50_000
"""Objects made before the youngest are looked through: some two hundred conversations."""
START = datetime(2026, 7, 15, 6, 30, tzinfo=UTC)
Row = tuple[str, float, str]


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

    def advance(self, seconds: float) -> None:
        """Turn the world's clock."""
        body = json.dumps({"advance": seconds}).encode()
        request = urllib.request.Request(self.told["control"] + "/clock", body, {"Content-Type": "application/json"}, method="POST")
        urllib.request.urlopen(request, timeout=30).read()

    @property
    def cpu_seconds(self) -> float:
        return process_cpu_seconds(self.process.pid)

    @property
    def resident_kib(self) -> int:
        return resident_kib(self.process.pid)

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


def head_end(database: str, field: dict[str, Any], field_pid: int, model: str) -> None:
    """The head-end's process: collects, measures itself, prints rows as JSON."""
    from twisted.internet import asyncioreactor

    asyncioreactor.install()
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.internet.threads import deferToThread

    from adapters.c1222_udp import UdpLink

    if not database.startswith("none"):
        from adapters.store import open_store

    rows: list[Row] = []
    utility = Utility(UtilityId("bench"), "Bench", ZoneInfo("America/Chicago"), ".1.4")
    turned = timedelta()

    def now() -> datetime:
        return START + turned

    async def collect() -> None:
        nonlocal turned
        base_kib = resident_kib(os.getpid())
        with tempfile.TemporaryDirectory() as keys:
            items = shipment(field["shipment"])
            wanted = [i.meter_no for i in items if i.configuration == "residential" and i.model.startswith(model)]
            store: Any = ForgetfulStore(items if database.startswith("none") else ())
            if not database.startswith("none"):
                store = await open_store(database.format(directory=keys), utility, Path(keys) / "keys", reactor, create_keys=True)
                await store.import_shipment(items, now())
            collector = Collector(
                utility, store, reactor, now=now, random=Random(1), owner="bench", wire_now=lambda: datetime.now(UTC)
            )
            link = UdpLink(reactor, collector.receiver)
            link.open("127.0.0.1", 0)
            collector.links[Transport.UDP] = link
            known_kib = resident_kib(os.getpid())
            name = f"{database.partition(':')[0]}, {model or 'all models'}"
            collector.start()
            spare_collections()
            for day in range(DAYS + 1):
                done = await one_round(store, collector, wanted)
                rows.extend((f"{name}, {'first contact' if day == 0 else f'day {day}'}: {what}", *value) for what, value in done.items())
                turned += timedelta(days=1)
                await deferToThread(advance, field["control"], 86_400)
            summary = await store.summary()
            rows.append((f"{name}: failed", float(summary.failed), ""))
            rows.append((f"{name}: memory after start", base_kib / 1024, "MiB"))
            rows.append((f"{name}: memory, {len(wanted)} endpoints known", known_kib / 1024, "MiB"))
            rows.append((f"{name}: memory at the end", resident_kib(os.getpid()) / 1024, "MiB"))
            rows.append((f"{name}: dropped", float(sum(collector.counters.dropped.values())), ""))
            rows.append((f"{name}: resent", float(collector.counters.resent), ""))
            await collector.stop()
            link.close()
            await store.close()

    async def one_round(store: Any, collector: Collector, wanted: list[str]) -> dict[str, tuple[float, str]]:
        counters = collector.counters
        due = await store.schedule(now(), now() - timedelta(days=1, hours=6), wanted)
        recorded, sent, system = counters.recorded, counters.sent, os.times().system
        cpu, field_cpu, wall = time.process_time(), process_cpu_seconds(field_pid), time.perf_counter()
        finished: Deferred[None] = Deferred()

        def check() -> None:
            if counters.recorded - recorded >= due and not finished.called:
                finished.callback(None)

        collector.recorder.on_recorded = both(collector.poller.room_made, check)
        collector.wake()
        await finished
        seconds = time.perf_counter() - wall
        return {
            "head-end system CPU": (1000 * (os.times().system - system) / due, "ms/endpoint"),
            "head-end CPU": (1000 * (time.process_time() - cpu) / due, "ms/endpoint"),
            "field CPU": (1000 * (process_cpu_seconds(field_pid) - field_cpu) / due, "ms/endpoint"),
            "rate": (due / seconds, "endpoints/s"),
            "exchanges": ((counters.sent - sent) / due, "per endpoint"),
        }

    def end(result: Any) -> None:
        if result is not None:
            result.printTraceback()
        reactor.stop()

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(collect()).addBoth(end))
    if os.environ.get("HEADEND_PROFILE"):
        import cProfile

        profile = cProfile.Profile()
        profile.runcall(reactor.run)
        profile.dump_stats(os.environ["HEADEND_PROFILE"])
    else:
        reactor.run()
    print(json.dumps(rows))


def spare_collections() -> None:
    """What is there now stays; what a conversation leaves behind refers to itself nowhere: collections are seldom worth their time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 100)


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

    async def record(self, collected: Sequence[Collected], now: datetime) -> None:
        for item in collected:
            endpoint = self.endpoints[item.endpoint_id]
            endpoint.due = endpoint.leased = None
            endpoint.progress = item.progress or endpoint.progress
            self.failed += item.exception is not None
            if item.program is not None:
                self.programs[item.program.fingerprint] = item.program
                endpoint.program = item.program.fingerprint

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
    urllib.request.urlopen(request, timeout=30).read()


def run(databases: tuple[str, ...] = DATABASES, endpoints: int = ENDPOINTS, model: str = "HE-R100") -> list[Row]:
    """Rows (what, value, unit)."""
    rows: list[Row] = []
    for database in databases:
        with tempfile.TemporaryDirectory() as directory:
            field = EmulatedField(endpoints, Path(directory))
            try:
                arguments = json.dumps([database, field.told, field.process.pid, model])
                told = subprocess.run(
                    [sys.executable, "-m", "tests.bench.bench_collection", arguments], stdout=subprocess.PIPE, text=True, check=True
                )
                rows += [tuple(row) for row in json.loads(told.stdout.splitlines()[-1])]
                rows.append((f"field: memory of {endpoints} endpoints", field.resident_kib / 1024, "MiB"))
            finally:
                field.stop()
    return rows


def main() -> None:
    """Print the table."""
    for what, value, unit in run():
        print(f"{what:<60}{value:>12.3f} {unit}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        head_end(*json.loads(sys.argv[1]))
    else:
        main()
