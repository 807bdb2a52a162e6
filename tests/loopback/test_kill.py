"""A head-end killed in mid-collection: nothing it had stored is lost, and its next start finishes the rest."""

import json
import signal
import sqlite3
import time
import urllib.parse
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from headend.model.channels import CHANNELS
from headend.model.utility import Utility, UtilityId
from tests.conftest import RunningReactor
from tests.loopback.processes import WAIT_SECONDS, run
from tests.loopback.processes import running as running_command
from tests.store.world import opened

UTILITY = Utility(UtilityId("demo"), "demo", ZoneInfo("America/Chicago"), ".1.4")
SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = { port = 0 }
collection = { conversations = 2, conversations_per_router = 2, history_days = 2 }
"""


def test_kill_in_mid_collection(tmp_path: Path, running: RunningReactor) -> None:
    config = tmp_path / "headend.toml"
    config.write_text(SETTINGS)
    database = tmp_path / "headend.db"
    with running_command("emulate", "--endpoints", "24", "--hop-seconds", "0.02", "--directory", tmp_path / "field") as field:
        ready = json.loads(field.line_with("control"))
        assert run("import", "shipment", ready["shipment"], "--config", config).returncode == 0
        with running_command("serve", "--config", config) as serve:
            wait_for(database, lambda tally: tally["done"] >= 4)
            serve.end(signal.SIGKILL)
        before = tally_of(database)
        kept = rows_of(database)
        assert before["due"] > 0, "killed too late to be in mid-collection"
        assert kept
        with running_command("serve", "--config", config) as serve:
            wait_for(database, lambda tally: tally["due"] == 0)
            assert serve.end(signal.SIGTERM) == 0
        assert tally_of(database)["failed"] == 0
        assert kept <= rows_of(database), "what was stored before the kill has gone or changed"
        store = opened(running, f"sqlite:///{database}", tmp_path / "headend.key", UTILITY)
        start, end = UTILITY.day_bounds(UTILITY.local_day(datetime.now(UTC)) - timedelta(days=1))
        checked = sum(check_endpoint(store, truth, start, end) for truth in truths(ready["control"], start, end))
        assert checked > 4_000


def tally_of(database: Path) -> dict[str, int]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return dict(connection.execute("SELECT due, done, failed FROM tally").fetchone())


def rows_of(database: Path) -> set[tuple[Any, ...]]:
    """Everything stored of reads and events, with its change sequence."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return {row for table in ("register_read", "device_event") for row in connection.execute(f"SELECT '{table}', * FROM {table}")}


def wait_for(database: Path, holds: Any) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            if holds(tally_of(database)):
                return
        except sqlite3.OperationalError:
            pass  # not made yet
        assert time.monotonic() < deadline, f"the collection stays at {tally_of(database)}"
        time.sleep(0.02)


def truths(control: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    period = urllib.parse.urlencode({"start": start.isoformat(), "end": end.isoformat()})
    with urllib.request.urlopen(f"{control}/truth?{period}", timeout=WAIT_SECONDS) as lines:
        endpoints = [json.loads(line) for line in lines]
    return [e for e in endpoints if not e["configuration"].startswith(("gas", "water"))]


def check_endpoint(store: Any, truth: dict[str, Any], start: datetime, end: datetime) -> int:
    """Hold one endpoint's stored values against what its meter holds; how many there are."""
    readings = store.call("readings", truth["meter_no"], start + timedelta(seconds=1), end, 1_000_000)
    stored = {(CHANNELS[v.channel_id].name, v.end.isoformat()): v.quantity for v in readings.intervals}
    values = [(c["channel"], *value) for c in truth["intervals"] for value in c["values"]]
    held = {(channel, at): None if quantity is None else Decimal(quantity) for channel, at, _, quantity, _ in values}
    assert stored == held
    return len(held)
