"""What the watch for silences costs with a million endpoints: CPU of this process and seconds passed, a look at all that may be silent.

Three in ten push; one in ten was never heard and is not installed: nobody waits for it. One in fifty is installed and silent, and under
investigation from the first look on.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from adapters.store.instants import DAY_US
from headend.model.instants import from_us
from headend.silence import SilencePolicy
from headend.silence_watch import SilenceWatch
from tests import postgresql
from tests.bench.filled_store import METERS, MIDNIGHT_US, WORDS, fill
from tests.conftest import RunningReactor
from tests.store.world import UTILITY, OpenStore, opened

NOW = from_us(MIDNIGHT_US) + timedelta(hours=3)
Row = tuple[str, float, str]

_LONG_AGO = MIDNIGHT_US - 9 * DAY_US
_CHANGES = (
    "UPDATE endpoint SET polled = 0, configuration = 'gas' WHERE mod(endpoint_id, 10) < 3",
    "UPDATE endpoint_state SET heard_us = NULL WHERE mod(endpoint_id, 10) = 1",
    f"UPDATE endpoint_state SET heard_us = {_LONG_AGO} WHERE mod(endpoint_id, 100) = 2",
    f"UPDATE endpoint_state SET heard_us = NULL, missed = 9, missed_us = {_LONG_AGO} WHERE mod(endpoint_id, 100) = 9",
    "INSERT INTO service_point (service_point_no, commodity, address_line, city, state, postal_code, bill_cycle)"
    " {series} SELECT 'P' || i, 'gas', '', '', '', '', '' FROM series WHERE mod(i, 10) <> 1",
    "INSERT INTO installation (endpoint_id, started_us, service_point_no)"
    f" {{series}} SELECT i, {MIDNIGHT_US - 30 * DAY_US}, 'P' || i FROM series WHERE mod(i, 10) <> 1",
    "ANALYZE",
)


def run(name: str, store: OpenStore) -> Iterator[Row]:
    """Rows (what, value, unit)."""
    fill(store, name)
    for change in _CHANGES:
        store.sql(change.format(**WORDS[name]))
    now = NOW
    watch = SilenceWatch(UTILITY, store.store, now=lambda: now, wake=int, owner="bench", policy=SilencePolicy())
    for what in ("the first, that opens all work items", "the next", "the sixteenth, a thorough one"):
        looks = 14 if what.startswith("the sixteenth") else 1
        for _ in range(looks):
            now += timedelta(minutes=1)
            cpu, passed = time.process_time(), time.perf_counter()
            looked = store.running.wait(watch.look)
            cpu, passed = time.process_time() - cpu, time.perf_counter() - passed
        yield f"{name}, {METERS} endpoints: a look, {what} ({looked.changed} changes): CPU", cpu, "s"
        yield f"{name}, {METERS} endpoints: a look, {what}: passed", passed, "s"


def main() -> None:
    """Print the table for both databases."""
    running = RunningReactor()
    with tempfile.TemporaryDirectory() as directory, postgresql.server() as server, postgresql.database(server) as url:
        urls = {"sqlite": f"sqlite:///{directory}/store.sqlite", "postgresql": url.render_as_string(hide_password=False)}
        for name, address in urls.items():
            store = opened(running, address, Path(directory) / name)
            for what, value, unit in run(name, store):
                print(f"{what:<110}{value:>10.2f} {unit}", flush=True)
            store.call("close")
    running.stop()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
