"""One head-end as several processes on one PostgreSQL: each plays its role, work is shared by lease, and any of them may be killed."""

import json
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.conftest import RunningReactor
from tests.loopback.processes import WAIT_SECONDS, run
from tests.loopback.processes import running as running_command
from tests.loopback.stored import UTILITY, rows_of, tally_of, values_as_held, wait_for
from tests.ports import free_port
from tests.store.world import opened

ENDPOINTS = 24


def settings(directory: Path, name: str, url: str) -> Path:
    """Settings of one collector among several; its name is its own by its port."""
    file = directory / f"{name}.toml"
    hours_away = (datetime.now(UTILITY.time_zone).hour + 12) % 24  # nothing becomes due by plan while the test runs
    file.write_text(f"""
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "{url}"
key_file = "headend.key"
field = {{ port = {free_port()} }}
routers = {{ poll = false }}

[utilities.collection]
conversations = 4
conversations_per_router = 4
history_days = 2
lease_seconds = 12
reply_seconds = 4
interrogations = ["{hours_away}:00"]
window_minutes = 1
""")
    return file


@pytest.mark.postgresql
def test_two_collectors_share_the_work_and_one_survives_the_other(
    tmp_path: Path, running: RunningReactor, postgresql_url: str
) -> None:
    url = postgresql_url
    first, second = settings(tmp_path, "first", url), settings(tmp_path, "second", url)
    arguments = ("--endpoints", str(ENDPOINTS), "--hop-seconds", "0.06", "--directory", tmp_path / "field")
    with running_command("emulate", *arguments) as field:
        ready = json.loads(field.line_with("control"))
        with (
            running_command("serve", "--config", first, "--role", "collector") as one,
            running_command("serve", "--config", second, "--role", "collector") as other,
        ):
            one.line_with("listening to the field")
            other.line_with("listening to the field")
            assert run("import", "shipment", ready["shipment"], "--config", first).returncode == 0
            store = opened(running, url, tmp_path / "headend.key", UTILITY)
            now = datetime.now(UTC)
            due = store.call("schedule", now, now - timedelta(days=2))
            store.call("close")
            assert len(owners(url, wanted=2)) == 2
            other.end(signal.SIGKILL)
            wait_for(url, lambda tally: tally["due"] == 0)
            assert one.end(signal.SIGTERM) == 0
        reasons = rows_of(url, "SELECT kind, reason FROM exception_record")
        assert tally_of(url) == {"due": 0, "done": due, "failed": 0}, reasons
        rows = rows_of(url, "SELECT lease_owner, lease_no, next_invocation_id FROM endpoint_state WHERE lease_no > 0")
        assert len(rows) == due
        assert {row[0] for row in rows} == {None}
        assert all(next_id == 1 + 64 * lease_no for _, lease_no, next_id in rows), "no lease shares invocation ids with another"
        assert any(lease_no > 1 for _, lease_no, _ in rows), "what the killed one held was not handed out again"
        assert values_as_held(running, url, tmp_path / "headend.key", ready["control"]) > 3_000


def owners(url: str, wanted: int) -> set[str]:
    """Who holds leases, once so many do."""
    deadline = time.monotonic() + WAIT_SECONDS
    found: set[str] = set()
    while len(found) < wanted:
        assert time.monotonic() < deadline, f"only {found} hold leases"
        found = {row[0] for row in rows_of(url, "SELECT DISTINCT lease_owner FROM endpoint_state WHERE lease_owner IS NOT NULL")}
    return found


@pytest.mark.postgresql
def test_each_role_opens_its_own_sockets(tmp_path: Path, postgresql_url: str) -> None:
    config = settings(tmp_path, "any", postgresql_url)
    with (
        running_command("serve", "--config", config, "--role", "gateway") as gateway,
        running_command("serve", "--config", config, "--role", "dispatcher", "--verbose") as dispatcher,
        running_command("serve", "--config", config, "--role", "collector") as collector,
    ):
        gateway.line_with("MR_Server 4.1.6")
        collector.line_with("listening to the field")
        assert dispatcher.end(signal.SIGTERM) == gateway.end(signal.SIGTERM) == collector.end(signal.SIGTERM) == 0
        quiet = dispatcher.rest()
        assert "listening" not in gateway.rest() + quiet
        assert "MR_Server" not in collector.rest() + quiet
    assert run("serve", "--config", config, "--role", "portal").returncode == 2
