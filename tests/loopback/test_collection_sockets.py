"""A collector on real UDP and TCP sockets, shot at with forged, cut, replayed and random octets while it collects."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    command = [sys.executable, "-m", "tests.loopback.collecting", str(tmp_path_factory.mktemp("field"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_everything_due_is_collected_once_and_right(outcome):
    assert outcome["ended"] == outcome["polled"] > 100
    assert outcome["tiers"] == [21, 22]
    assert outcome["exceptions"] == []
    assert outcome["differences"] == []


def test_endpoints_on_tcp_and_battery_endpoints_are_among_them(outcome):
    assert outcome["tcp"] >= 1
    assert outcome["batteries"] > 10
    assert outcome["registrations"] >= 1


def test_what_was_shot_at_it_was_dropped_and_counted(outcome):
    dropped = outcome["dropped"]
    assert outcome["attacks"] > 20
    assert dropped["malformed"] > 0
    assert "our mistake, see the log" not in dropped
    assert outcome["refused connections"] > 0


def test_what_passed_was_recorded(outcome):
    assert outcome["passed"] > outcome["polled"]
