"""Daily exports over a store, from rows to files, time and memory: registers of a million meters, hourly intervals of 100,000.

MB/s of intervals stand beside lxml's tostring of one file's tree that is there already, in the same run.
"""

import gc
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from lxml import etree

from adapters.delivery.threads import on_threads_of
from adapters.exports.making import ExportFiles
from adapters.store.day_packing import VERSION
from adapters.store.instants import DAY_US
from adapters.store.partitions import make_partitions
from adapters.store.segments import Column, pack_segment
from headend.cli.running import keep_what_is_built
from headend.export_driver import Exporter
from headend.model.delivery import FinishedFile
from headend.model.endpoint import Commodity
from headend.model.export import Content, ExportFormat, ExportSchedule
from tests import postgresql
from tests.bench.filled_store import MIDNIGHT_US, WORDS, fill
from tests.conftest import RunningReactor
from tests.store.world import DAY, UTILITY, OpenStore, opened

PROFILED = 100_000
REGISTER_LIMITS = (60.0, 300.0)
"""Seconds and MiB that a million meters' registers may take."""

TOSTRING_LEAST = 0.25
"""Of the rate at which lxml writes a tree that is there already, how much intervals must reach."""
_DAYS = (
    "INSERT INTO interval_day (endpoint_id, day, change_seq, packed) {series} SELECT i, {day}, 1, {packed}"
    f" FROM series WHERE i <= {PROFILED}"
)
SCHEDULE = ExportSchedule(
    name="bench",
    at=480,
    files=((Content.REGISTERS,),),
    commodities=(Commodity.ELECTRIC,),
    per_commodity=False,
    format=ExportFormat.HEADEND,
    targets=(),
    deadline_minutes=60,
    meters_per_file=10_000,
    corrections=False,
)


@dataclass(frozen=True, slots=True)
class Result:
    """One export: what it took."""

    database: str
    what: str
    meters: int
    wall: float
    cpu: float
    octets: int
    peak_mib: float


def main() -> None:
    """Print figures as they come, SQLite first. The garbage collector is set as in a service."""
    running = RunningReactor()
    keep_what_is_built()
    try:
        with tempfile.TemporaryDirectory() as directory:
            _print(_measured(running, "sqlite", f"sqlite:///{directory}/bench.sqlite", Path(directory)))
        with tempfile.TemporaryDirectory() as directory, postgresql.server() as server, postgresql.database(server) as url:
            _print(_measured(running, "postgresql", url.render_as_string(hide_password=False), Path(directory)))
    finally:
        running.stop()


def _print(results: Iterator[Result]) -> None:
    rate = 0.0
    for one in results:
        of_intervals, rate = rate, one.octets / one.cpu / 1e6 if one.cpu else 0.0
        figures = f"{one.meters:>9,} meters {one.wall:>6.1f} s {one.cpu:>6.1f} s CPU {rate:>7.1f} MB/s CPU  peak {one.peak_mib:.0f} MiB"
        if one.what.startswith("registers"):
            seconds, mib = REGISTER_LIMITS
            figures += f"  (limits {seconds:.0f} s, {mib:.0f} MiB)"
        elif not one.meters:
            figures += f"  intervals at {of_intervals / rate:.2f} x of it (at least {TOSTRING_LEAST})"
        print(f"{one.database:<11} {one.what:<34} {figures}", flush=True)


def _measured(running: RunningReactor, name: str, url: str, directory: Path) -> Iterator[Result]:
    store = opened(running, url, directory / "keys")
    try:
        fill(store, name)
        yield _export(running, store, name, directory, "registers")[0]
        _fill_profiles(store, name)
        store.sql(f"DELETE FROM register_read WHERE endpoint_id > {PROFILED}")
        store.sql(f"DELETE FROM endpoint_state WHERE endpoint_id > {PROFILED}")
        store.sql(f"DELETE FROM endpoint WHERE endpoint_id > {PROFILED}")
        for format_ in ExportFormat:
            result, files = _export(running, store, name, directory, "intervals", format_)
            yield result
            if format_ is not ExportFormat.CMEP:
                yield _tostring(name, files[0].path)
    finally:
        store.call("close")


def _export(
    running: RunningReactor, store: OpenStore, name: str, directory: Path, content: str, format_: ExportFormat = ExportFormat.HEADEND
) -> tuple[Result, list[FinishedFile]]:
    schedule = replace(SCHEDULE, files=((Content(content),),), format=format_)
    _, end = UTILITY.day_bounds(DAY)
    now = end + timedelta(hours=8)
    exporter = Exporter(UTILITY, store.store, ExportFiles(UTILITY, directory / "spool", on_threads_of(running.reactor)), lambda: now)
    # Register reads of the filled store stand at the day's beginning, so the day before is the one that ends with them.
    day = DAY - timedelta(days=1) if content == "registers" else DAY
    run = store.call("begin_run", "bench", day, now, scheduled=False)
    files: list[FinishedFile] = []
    _forget_peak()
    wall, cpu = _timed(lambda: files.extend(running.wait(exporter.run, schedule, run)))
    meters = store.call("export_runs", 1)[0].meters
    octets = sum(one.size for one in files)
    return Result(name, f"{content} as {format_.value}", meters, wall, cpu, octets, _peak_mib()), files


def _tostring(name: str, file: Path) -> Result:
    """lxml writes the same file from a tree that is there already."""
    tree = etree.parse(file)
    etree.tostring(tree)
    octets = 0

    def write() -> None:
        nonlocal octets
        octets = sum(len(etree.tostring(tree)) for _ in range(5))

    wall, cpu = _timed(write)
    return Result(name, "  lxml tostring of its tree", 0, wall, cpu, octets, _peak_mib())


def _fill_profiles(store: OpenStore, name: str) -> None:
    """A local day as one segment of 24 hours, another of 96 × 3 voltages."""
    hours = [pack_segment(24, 5, [Column(1, 0, [(i * 97) % 3_000 for i in range(24)], [0] * 24)])]
    volts = pack_segment(96, 20, [Column(11 + c, -1, [2_400 + i % 50 for i in range(96)], [0] * 96) for c in range(3)])
    packed = VERSION + b"".join(one.octets for one in (*hours, volts))
    day = MIDNIGHT_US // DAY_US
    if name == "postgresql":
        store.running.wait(store.store._database.run, lambda c: make_partitions(c, {("interval_day", day)}))
    octets = f"x'{packed.hex()}'" if name == "sqlite" else f"'\\x{packed.hex()}'::bytea"
    store.sql(_DAYS.format(**WORDS[name], day=day, packed=octets))
    store.sql("ANALYZE")


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    gc.collect()
    began, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - before


def _forget_peak() -> None:
    """Begin to look for the peak of memory anew: what filled the store is not what is measured."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")


def _peak_mib() -> float:
    """Of the whole process since then, what it held before included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
