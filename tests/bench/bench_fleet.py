"""Fleets that grow: CPU and memory of a collector as it knows more endpoints; and two collectors beside one.

The emulated field is a process of its own that makes each endpoint when it is spoken to. HEADEND_BENCH_FLEETS names the sizes. Of each
fleet HEADEND_BENCH_COLLECTED residential endpoints are collected a day, scattered over the whole of it, as many of the largest as of the
smallest, so that a million known endpoints can be measured in minutes; 0 collects all of them: `HEADEND_BENCH_FLEETS=200000
HEADEND_BENCH_COLLECTED=0` is the whole of 200,000, which takes the time that it takes.

Two collectors share one PostgreSQL; their rate is put beside that of one, and beside what of the machine was used by whom. What is in by
when, of a field that loses a fifth of all datagrams, is lived on a hand-turned clock (`bench_silence`).

What is aimed at stands beside each figure that has an aim (`aims`).
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.bench import bench_silence
from tests.bench.aims import line
from tests.bench.bench_collection import (
    DATABASES,
    MODEL,
    START,
    UTILITY,
    Row,
    Task,
    advance,
    in_process,
    in_reactor,
    made_ready,
    memory,
    process_cpu_seconds,
    resident_kib,
    schedule,
)

FLEETS = tuple(map(int, os.environ.get("HEADEND_BENCH_FLEETS", "2000 8000").split()))
COLLECTED = int(os.environ.get("HEADEND_BENCH_COLLECTED", "800"))
DAYS = int(os.environ.get("HEADEND_BENCH_DAYS", "3"))
SHARED_ENDPOINTS = int(os.environ.get("HEADEND_BENCH_SHARED", "4000"))
WANTED_IN = 2.5
"""One in so many endpoints is residential and of the model measured, about."""
LOOK_SECONDS = 0.1


def run() -> Iterator[Row]:
    """Rows (what, value, unit)."""
    for kind in DATABASES:
        if kind == "none":
            continue
        costs, memories = [], []
        for size in FLEETS:
            every = max(1, round(size / WANTED_IN / COLLECTED)) if COLLECTED else 1
            with made_ready(kind, size, MODEL, DAYS, every) as task:
                rows = json.loads(in_process("collect", task).splitlines()[-1])
                field_kib = resident_kib(task.field_pid)
            told = {what.removeprefix(task.name).lstrip(",: "): value for what, value, _ in rows}
            costs.append(told["best day: head-end CPU"])
            memories.append(told["memory at the end"])
            fleet = f"{kind}, {size} endpoints known"
            yield f"{fleet}: collected a day", told["endpoints"], ""
            yield f"{fleet}: head-end CPU, best day", costs[-1], "ms/endpoint"
            yield f"{fleet}: head-end CPU, median day", told["median day: head-end CPU"], "ms/endpoint"
            yield f"{fleet}: field CPU, best day", told["best day: field CPU"], "ms/endpoint"
            yield f"{fleet}: rate, best day", told["best day: rate"], "endpoints/s"
            if "stored per further endpoint-day" in told:
                yield f"{fleet}: stored per further endpoint-day", told["stored per further endpoint-day"], "octets"
            yield f"{fleet}: memory of the collector", memories[-1], "MiB"
            yield f"{fleet}: memory of the field", field_kib / 1024, "MiB"
        if len(FLEETS) > 1:
            yield f"{kind}: CPU in the largest fleet ÷ in the smallest", costs[-1] / costs[0], ""
            grown = (memories[-1] - memories[0]) * 2**20 / (FLEETS[-1] - FLEETS[0])
            yield f"{kind}: memory for each endpoint more that is known", grown, "octets"


def shared() -> Iterator[Row]:
    """One collector, then two, over the same endpoints on the same PostgreSQL, a day each, several times in turn."""
    with made_ready("postgresql", SHARED_ENDPOINTS, MODEL, 1) as task, ExitStack() as stack:
        collectors = [Sharing(task, owner) for owner in ("one", "two")]
        for one in collectors:
            stack.callback(one.stop)
        collect(task, collectors, 0)  # first contact
        best: dict[int, dict[str, float]] = {}
        for turn in range(2 * DAYS):
            count = 1 + turn % 2
            day = collect(task, collectors[:count], turn + 1)
            if count not in best or day["rate"] > best[count]["rate"]:
                best[count] = day
        for count, day in best.items():
            for what, unit in (
                ("rate", "endpoints/s"),
                ("head-end CPU", "ms/endpoint"),
                ("server CPU", "ms/endpoint"),
                ("field CPU", "ms/endpoint"),
                ("cores used by all of these", ""),
                ("share of the one that had less", ""),
            ):
                yield f"{count} collector{'s' * (count > 1)}, best day: {what}", day[what], unit
        yield "two collectors ÷ one: rate", best[2]["rate"] / best[1]["rate"], ""
        yield "cores of this machine", float(os.cpu_count() or 1), ""
        yield "load of this machine, last minute", os.getloadavg()[0], ""


def collect(task: Task, collectors: "list[Sharing]", day: int) -> dict[str, float]:
    """A day collected by some collectors together, and what it took."""
    advance(task.field["control"], 86_400 if day else 0)
    due = int(in_process_of_fleet("make_due", task, day))
    before = server_cpu_seconds(task.database), process_cpu_seconds(task.field_pid), time.perf_counter()
    for one in collectors:
        one.begin(day)
    told = [one.end() for one in collectors]
    server, field, seconds = (
        now - then
        for now, then in zip(
            (server_cpu_seconds(task.database), process_cpu_seconds(task.field_pid), time.perf_counter()), before, strict=True
        )
    )
    head_end = sum(one["cpu"] for one in told)
    recorded = [one["recorded"] for one in told]
    return {
        "rate": due / seconds,
        "head-end CPU": 1_000 * head_end / due,
        "server CPU": 1_000 * server / due,
        "field CPU": 1_000 * field / due,
        "cores used by all of these": (head_end + server + field) / seconds,
        "share of the one that had less": min(recorded) / sum(recorded),
    }


def server_cpu_seconds(database: str) -> float:
    """What the server's processes for this database have used so far."""
    name = database.rpartition("/")[2].encode()
    seconds = 0.0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
            if command.startswith(b"postgres:") and name in command:
                seconds += process_cpu_seconds(int(path.parent.name))
        except OSError:
            continue  # it has ended meanwhile
    return seconds


class Sharing:
    """A collector in a process of its own that collects whatever is due, whenever told to."""

    def __init__(self, task: Task, owner: str) -> None:
        arguments = [sys.executable, "-m", "tests.bench.bench_fleet", "take_part", json.dumps(asdict(task)), owner]
        self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._line()

    def begin(self, day: int) -> None:
        """Collect what is due on that day."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{day}\n")
        self._process.stdin.flush()

    def end(self) -> dict[str, float]:
        """What it did and used, once nothing is due any more."""
        told: dict[str, float] = json.loads(self._line())
        return told

    def stop(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def in_process_of_fleet(part: str, task: Task, *arguments: object) -> str:
    """What `part` of this module prints when it is run for a task."""
    command = [sys.executable, "-m", "tests.bench.bench_fleet", part, json.dumps(asdict(task)), *map(str, arguments)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def make_due(task: Task, day: str) -> None:
    """Make the endpoints due on a day; prints how many."""
    from adapters.store import open_store

    async def work(reactor: Any) -> int:
        store = await open_store(task.database, UTILITY, Path(task.keys), reactor)
        due = await schedule(task, store, START + timedelta(days=int(day)))
        await store.close()
        return due

    print(in_reactor(work))


def take_part(task: Task, owner: str) -> None:
    """Collect on each day named by a line; prints a line when nothing is due any more."""
    from adapters.c1222_udp import UdpLink
    from adapters.store import open_store
    from headend.cli.running import keep_what_is_built
    from headend.collector import Collector
    from headend.model.endpoint import Transport

    day = 0

    async def work(reactor: Any) -> None:
        nonlocal day
        from twisted.internet.defer import Deferred
        from twisted.internet.threads import deferToThread

        store = await open_store(task.database, UTILITY, Path(task.keys), reactor)
        collector = Collector(
            UTILITY,
            store,
            reactor,
            now=lambda: START + timedelta(days=day),
            random=Random(owner),
            owner=owner,
            wire_now=lambda: datetime.now(UTC),
        )
        link = UdpLink(reactor, collector.receiver)
        link.open("127.0.0.1", 0)
        collector.links[Transport.UDP] = link
        keep_what_is_built()
        print("ready", flush=True)
        started = False
        while line := await deferToThread(sys.stdin.readline):
            day = int(line)
            recorded, cpu = collector.counters.recorded, time.process_time()
            if started:
                collector.wake()
            else:
                collector.start()
                started = True
            while (await store.summary()).due or collector.recorder.unrecorded:
                looked: Deferred[None] = Deferred()
                reactor.callLater(LOOK_SECONDS, looked.callback, None)
                await looked
            told = {"recorded": collector.counters.recorded - recorded, "cpu": time.process_time() - cpu}
            print(json.dumps(told), flush=True)
        await collector.stop()
        link.close()
        await store.close()

    in_reactor(work)


def in_time() -> Iterator[Row]:
    """What was in by when, of one seed."""
    return bench_silence.run(seeds=1)


def main() -> None:
    """Print the table."""
    for rows in (run, memory, in_time, shared):
        for row in rows():
            print(line(*row), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"make_due": make_due, "take_part": take_part}[sys.argv[1]](Task(**json.loads(sys.argv[2])), *sys.argv[3:])
    else:
        main()
