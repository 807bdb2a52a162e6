"""Readings over a store, from rows to octets, time and memory, on both databases.

GetReadingsByDate: 10 thousand to a million meterReads a page; every meter has a midnight read in the period and one before it, and meter
numbers are in an order of their own; `rows` is the store's part alone. Then bill cycles and load profiles of 100,000 meters, with the
hourly energy and the voltages of a day. Octets are counted and dropped: what a client adds is its own.
"""

import gc
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from adapters.store.day_packing import pack_day
from adapters.store.instants import DAY_US
from adapters.store.partitions import make_partitions
from headend.model.endpoint import EndpointId
from headend.model.instants import from_us
from headend.reading_queries import ListedRow, Position
from multispeak.limits import FETCH_ROWS
from tests import postgresql
from tests.bench.bench_soap import drain
from tests.bench.filled_store import METERS, MIDNIGHT_US, NIGHT, WORDS, fill
from tests.conftest import RunningReactor
from tests.fakes.soap_world import envelope
from tests.fakes.store_site import StoreSite, site_server
from tests.store.world import OpenStore, opened

PAGES = (10_000, 100_000, METERS)
DATES = f"<startDate>{NIGHT.start.isoformat()}</startDate><endDate>{NIGHT.end.isoformat()}</endDate>"

_FIRST = "FROM series WHERE i <= 100000"
_POINTS = (
    "INSERT INTO service_point (service_point_no, commodity, address_line, city, state, postal_code, account_no, bill_cycle)"
    f" {{series}} SELECT 'SP' || i, 'electric', '', '', '', '', 'AC', '07' {_FIRST}"
)
_INSTALLATIONS = (
    f"INSERT INTO installation (endpoint_id, started_us, service_point_no) {{series}} SELECT i, 0, 'SP' || i {_FIRST}"
)
_DAYS = f"INSERT INTO interval_day (endpoint_id, day, change_seq, packed) {{series}} SELECT i, {{day}}, 1, {{packed}} {_FIRST}"


@dataclass(frozen=True, slots=True)
class Result:
    """One figure of a run."""

    database: str
    what: str
    per_second: float
    cpu_us: float
    peak_mib: float | None = None


def run() -> Iterator[Result]:
    """All figures, SQLite first."""
    running = RunningReactor()
    try:
        with tempfile.TemporaryDirectory() as directory:
            yield from _measured(running, "sqlite", f"sqlite:///{directory}/bench.sqlite", Path(directory))
        with tempfile.TemporaryDirectory() as directory, postgresql.server() as server, postgresql.database(server) as url:
            yield from _measured(running, "postgresql", url.render_as_string(hide_password=False), Path(directory))
    finally:
        running.stop()


def main() -> None:
    """Print them as they come."""
    for result in run():
        peak = "" if result.peak_mib is None else f"  peak {result.peak_mib:.1f} MiB"
        print(f"{result.database:<11} {result.what:<60} {result.per_second:>11,.0f} /s {result.cpu_us:>7.2f} us CPU{peak}", flush=True)


def _measured(running: RunningReactor, name: str, url: str, directory: Path) -> Iterator[Result]:
    store = opened(running, url, directory / "keys")
    try:
        fill(store, name)
        rows: list[ListedRow] = []
        took = _timed(lambda: rows.extend(_rows(store)))
        yield Result(name, "rows", len(rows) / took[0], took[1] / len(rows) * 1e6)
        site = StoreSite(store, running)
        for size in PAGES:
            site.partner = replace(site.partner, page_size=size)
            request = envelope("3.0", "GetReadingsByDate", DATES, user=site.partner.user_id)
            asked = site_server("3.0", "MR_Server")
            ask = lambda: running.wait(drain, asked, request)  # noqa: B023, E731
            ask()
            wall, cpu = _timed(ask)
            yield Result(name, f"meterReads of a page of {size:,}", size / wall, cpu / size * 1e6, _peak_mib(ask))
        _fill_profiles(store, name)
        yield from _profiles(site, name)
    finally:
        store.call("close")


def _profiles(site: StoreSite, name: str) -> Iterator[Result]:
    """Meters a second in the shapes that hold a meter's values together."""
    billing = f"<billingCycle>07</billingCycle><billingDate>{NIGHT.end.isoformat()}</billingDate>"
    looks = "<kWhLookBack>3</kWhLookBack><kWLookBack>0</kWLookBack><kWLookForward>0</kWLookForward>"
    day = f"<profileDate>{from_us(MIDNIGHT_US - DAY_US // 2).isoformat()}</profileDate>"
    dates = f"<startDate>{from_us(MIDNIGHT_US - DAY_US).isoformat()}</startDate><endDate>{NIGHT.end.isoformat()}</endDate>"
    voltages = "".join(f"<string>{one}VoltagePhaseA</string>" for one in ("max", "min")) + "<string>voltagePhaseA</string>"
    fields = f"<fieldName><string>kWh</string>{voltages}</fieldName>"
    site.partner = replace(site.partner, page_size=10_000)
    asked = site_server("4.1.6", "MR_Server")
    for what, operation, inside in (
        ("billing reads in formattedBlocks", "GetReadingsByBillingCycle", billing + looks),
        ("billing reads in intervalData", "GetReadingsByBillingCycleIntervalData", billing + looks),
        ("hourly load profile in intervalData", "GetLPReadingsByBillingCycleIntervalData", f"<billingCycle>07</billingCycle>{day}"),
        ("hourly load profile in formattedBlocks", "GetLPReadingsByBillingCycle", f"<billingCycle>07</billingCycle>{day}"),
        ("all 312 values in intervalData", "GetReadingsByDateAndFieldNameIntervalData", dates + fields),
    ):
        request = envelope("4.1.6", operation, inside, user=site.partner.user_id)
        ask = lambda: site._running.wait(drain, asked, request)  # noqa: B023, E731
        ask()
        wall, cpu = _timed(ask)
        yield Result(name, f"{what}, page of 10,000 meters", 10_000 / wall, cpu / 10_000 * 1e6, _peak_mib(ask))


def _fill_profiles(store: OpenStore, name: str) -> None:
    """Accounts, service points and a packed day for the first 100,000 meters."""
    words: dict[str, Any] = WORDS[name]
    day = MIDNIGHT_US // DAY_US
    if name == "postgresql":
        store.running.wait(store.store._database.run, lambda c: make_partitions(c, {("interval_day", day - 1), ("interval_day", day)}))
    store.sql("INSERT INTO account (account_no, name, phone, email) VALUES ('AC', 'Ann', '', '')")
    store.sql(_POINTS.format(**words))
    store.sql(_INSTALLATIONS.format(**words))
    voltages = {(11 + channel, 900): ([2_400 + i % 50 for i in range(96)], [0] * 96, -1) for channel in range(3)}
    packed = pack_day({(1, 3600): (list(range(24)), [0] * 24, 0)} | voltages)
    octets = f"x'{packed.hex()}'" if name == "sqlite" else f"'\\x{packed.hex()}'::bytea"
    for one in (day - 1, day):
        store.sql(_DAYS.format(**words, day=one, packed=octets))
    store.sql("ANALYZE")


def _rows(store: OpenStore) -> Iterator[ListedRow]:
    last, after = Position(EndpointId(100_000), MIDNIGHT_US), None
    while after != last:
        rows = store.call("register_rows", NIGHT, None, after, last, FETCH_ROWS)
        yield from rows
        after = Position(*rows[-1][:2])


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds; what is there already is kept out of the garbage collector's sight, as a service does at its start."""
    gc.collect()
    gc.freeze()
    began, before = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - before


def _peak_mib(work: Callable[[], object]) -> float:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    main()
