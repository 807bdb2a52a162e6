"""SOAP over real HTTP, ours beside plain Spyne, the npm `soap` server and gSOAP: same requests, same client, rounds that take turns.

Small calls (GetLatestReadingByMeterNo), large answers (GetReadingsByDate), small calls beside large ones, a hundred clients at once. Ours
validates against the schema and knows its partners; from memory, and as `headend serve` over SQLite and PostgreSQL with its message log.
What counts is the CPU time of each server's process, and ratios: wall time is the machine's too. The others are made from the standard's
WSDL in the folder that HEADEND_REFERENCE_DIR names. BENCH_PEERS picks some: `BENCH_PEERS=memory,spyne`.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench.soap_peers.load import Load, large_answer, large_request, one_by_one, side_by_side, small_request
from tests.bench.soap_peers.peers import (
    MissingToolError,
    Peer,
    gsoap,
    npm_soap,
    ours_from_memory,
    ours_over_postgresql,
    ours_over_sqlite,
    spyne,
)
from tests.bench.soap_peers.process_cost import cpu_seconds, forget_peak, peak_mib

ROUNDS = 3
SMALL_CALLS = 1_500
CONNECTIONS = 8
CLIENTS = 100
LOG_SECONDS = 1.2
"""After which the message log has written what it was told."""
READINGS_MAX = {"spyne": 10_000, "npm": 100_000, "gsoap": 100_000}
"""Readings of the largest answer of the others: Spyne takes half a gigabyte for ten times as many, gSOAP for a million."""


@dataclass
class Figures:
    """What was measured of one server; CPU in microseconds, of rounds the least."""

    small: list[tuple[float, float]] = field(default_factory=list)
    alone: list[tuple[float, float]] = field(default_factory=list)
    large: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    memory: dict[int, float] = field(default_factory=dict)
    first: float = 0.0
    beside: list[float] = field(default_factory=list)
    crowd: Load | None = None

    @property
    def small_us(self) -> float:
        return min(cpu for _, cpu in self.small)

    def large_us(self, readings: int) -> float:
        return min(cpu for _, cpu in self.large[readings])


def measure_small(peer: Peer, figures: Figures) -> None:
    """Calls of eight clients at once, and of one."""
    requests = [small_request(peer.url, peer.meter_nos[i % len(peer.meter_nos)]) for i in range(SMALL_CALLS)]
    before = cpu_seconds(peer.pid)
    load = side_by_side(peer.url, requests, CONNECTIONS)
    assert not load.failures, f"{peer.name}: {load.failures} of {load.calls} small calls failed"
    # What is written to the message log behind the answers is part of what they cost.
    time.sleep(LOG_SECONDS)
    figures.small.append((load.calls / load.wall_seconds, (cpu_seconds(peer.pid) - before) / load.calls * 1e6))
    before = cpu_seconds(peer.pid)
    load = one_by_one(peer.url, requests[0], SMALL_CALLS // 3)
    figures.alone.append((statistics.median(load.seconds) * 1e3, (cpu_seconds(peer.pid) - before) / load.calls * 1e6))


def measure_large(peer: Peer, figures: Figures, readings: int) -> None:
    """One answer of so many readings."""
    request = large_request(peer.url, readings, peer.period)
    if readings not in figures.large:
        found = large_answer(peer.url, request, look=True).readings
        # An element that two chunks share is not counted.
        assert 0.99 * readings < found <= readings, f"{peer.name} answered {found:,} readings for {readings:,}"
    resident = forget_peak(peer.pid)
    before = cpu_seconds(peer.pid)
    answer = large_answer(peer.url, request)
    cpu = cpu_seconds(peer.pid) - before
    figures.large.setdefault(readings, []).append((readings / answer.wall_seconds, cpu / readings * 1e6))
    figures.memory[readings] = max(figures.memory.get(readings, 0.0), peak_mib(peer.pid) - resident)
    figures.first = answer.first_seconds


def measure_beside(peer: Peer, figures: Figures, readings: int = 10_000) -> None:
    """Small calls of one client while two others take large answers without a pause."""
    command = [sys.executable, "-m", "tests.bench.soap_peers.load", peer.url, str(readings), *peer.period]
    takers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for taker in takers:
            assert taker.stdout is not None
            taker.stdout.readline()
        until = time.monotonic() + 5
        while time.monotonic() < until and len(figures.beside) < 500:
            figures.beside += one_by_one(peer.url, small_request(peer.url, peer.meter_nos[0]), 1).seconds
    finally:
        for taker in takers:
            taker.kill()
            taker.communicate()


def measure_crowd(peer: Peer, figures: Figures) -> None:
    """A hundred clients at once."""
    requests = [small_request(peer.url, peer.meter_nos[i % len(peer.meter_nos)]) for i in range(20 * CLIENTS)]
    figures.crowd = side_by_side(peer.url, requests, CLIENTS)


@contextmanager
def opened_peers() -> Iterator[dict[str, Peer]]:
    """All servers that can be had here; of the others the reason is printed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "sqlite").mkdir()
        (folder / "postgresql").mkdir()
        starts: dict[str, Callable[[], AbstractContextManager[Peer]]] = {
            "spyne": spyne,
            "npm": npm_soap,
            "gsoap": gsoap,
            "memory": ours_from_memory,
            "sqlite": lambda: ours_over_sqlite(folder / "sqlite"),
            "postgresql": lambda: ours_over_postgresql(folder / "postgresql"),
        }
        wanted = os.environ.get("BENCH_PEERS", ",".join(starts)).split(",")
        peers = {}
        for name in wanted:
            try:
                peers[name] = stack.enter_context(starts[name]())
            except (MissingToolError, pytest.skip.Exception) as missing:
                print(f"{name} is left out: {missing}", flush=True)
        yield peers


def measured(peers: dict[str, Peer]) -> dict[str, Figures]:
    """All figures of all servers."""
    found = {name: Figures() for name in peers}
    for peer in peers.values():  # what is compiled or fetched at the first call is there then
        side_by_side(peer.url, [small_request(peer.url, one) for one in peer.meter_nos[:200]], CONNECTIONS)
        large_answer(peer.url, large_request(peer.url, 10, peer.period))
    for _ in range(ROUNDS):
        for name, peer in peers.items():
            measure_small(peer, found[name])
            print(end=".", flush=True)
        for name, peer in peers.items():
            for readings in (10_000, 100_000):
                if readings <= READINGS_MAX.get(name, readings):
                    measure_large(peer, found[name], readings)
    for name, peer in peers.items():
        if name not in READINGS_MAX:
            measure_large(peer, found[name], 1_000_000)
        measure_beside(peer, found[name])
        measure_crowd(peer, found[name])
    return found


def main() -> None:
    """Measure, then print."""
    with opened_peers() as peers:
        found = measured(peers)
        for name, peer in peers.items():
            print(f"\n{peer.name}")
            for line in _lines(name, found):
                print(f"  {line}")


def _lines(name: str, found: dict[str, Figures]) -> Iterator[str]:
    mine = found[name]
    rate = max(calls for calls, _ in mine.small)
    yield f"small call, {CONNECTIONS} clients: {mine.small_us:7.0f} us CPU, {rate:7,.0f}/s{_beside(name, found, lambda one: one.small_us)}"
    latency, cpu = (min(values) for values in zip(*mine.alone, strict=True))
    yield f"small call, one client: {cpu:9.0f} us CPU, median {latency:.2f} ms"
    for readings, rounds in mine.large.items():
        rate = max(per_second for per_second, _ in rounds)
        most = 10_000 if readings not in found.get("spyne", mine).large else readings
        ratios = _beside(name, found, lambda one, n=most: one.large_us(min(n, max(one.large))))  # type: ignore[misc]
        cost = f"{mine.large_us(readings):6.2f} us CPU each, {rate:9,.0f}/s, peak +{mine.memory[readings]:.1f} MiB"
        yield f"{readings:>9,} readings: {cost}{ratios}"
    if mine.beside:
        median, longest = statistics.median(mine.beside) * 1e3, max(mine.beside) * 1e3
        yield f"small call beside two large answers: median {median:.1f} ms, longest {longest:.0f} ms"
    if mine.crowd:
        yield f"{CLIENTS} clients at once: {mine.crowd.calls:,} calls, {mine.crowd.failures} failures"


def _beside(name: str, found: dict[str, Figures], figure: Callable[[Figures], float]) -> str:
    others = [other for other in ("spyne", "npm", "gsoap") if other in found and other != name]
    return "".join(f"  {figure(found[other]) / figure(found[name]):5.2f} x {other}" for other in others)


if __name__ == "__main__":
    main()
