"""A process killed while it writes, and several that lease at once."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from tests.conftest import RunningReactor
from tests.store.world import FROM, NOW, UNTIL, opened, shipment

WRITER = """
import sys
from pathlib import Path
from tests.conftest import RunningReactor
from tests.store.world import NOW, opened, shipment, endpoint_day

store = opened(RunningReactor(), sys.argv[1], Path(sys.argv[2]))
store.call("import_shipment", shipment(400), NOW)
for first in range(1, 400, 4):
    store.call("record", [endpoint_day(endpoint) for endpoint in range(first, first + 4)], NOW)
    print(first, flush=True)
"""


def test_killed_in_the_middle_nothing_acknowledged_is_lost_and_nothing_is_half_there(
    running: RunningReactor, database_url: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", WRITER, database_url, str(tmp_path / "keys")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as writer:
        assert writer.stdout is not None
        acknowledged = [int(writer.stdout.readline()) for _ in range(6)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout.read().split()]
    store = opened(running, database_url, tmp_path / "keys")
    rows = store.sql("SELECT endpoint_id, last_read_us FROM endpoint_state ORDER BY endpoint_id")
    reads = {row[0] for row in store.sql("SELECT endpoint_id FROM register_read")}
    days = {row[0] for row in store.sql("SELECT endpoint_id FROM interval_day")}
    states = {endpoint_id for endpoint_id, last_read_us in rows if last_read_us is not None}
    assert reads == days == states
    assert {first + i for first in acknowledged for i in range(4)} <= reads
    assert len(reads) % 4 == 0
    assert store.call("summary").intervals == 312 * len(reads)
    store.call("close")


def test_two_owners_never_hold_the_same_endpoint(running: RunningReactor, database_url: str, tmp_path: Path) -> None:
    stores = [opened(running, database_url, tmp_path / "keys") for _ in range(2)]
    stores[0].call("import_shipment", shipment(300), NOW)
    stores[0].call("schedule", NOW, FROM)

    def lease_all(number: int) -> list[int]:
        held: list[int] = []
        while batch := stores[number % 2].call("lease", f"owner-{number}", 7, NOW, UNTIL):
            held += [assignment.endpoint_id for assignment in batch]
        return held

    with ThreadPoolExecutor(4) as pool:
        held = [endpoint for part in pool.map(lease_all, range(4)) for endpoint in part]
    assert sorted(held) == list(range(1, 301))
    assert len(stores[1].call("lease", "late", 1_000, UNTIL + timedelta(seconds=1), UNTIL + timedelta(hours=1))) == 300
    for store in stores:
        store.call("close")
