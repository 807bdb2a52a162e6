"""Silent endpoints and work items as an operator handles them: the commands as real processes, on a real database."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionKind, ExceptionRecord
from headend.model.work_item import HEAD_END, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.retries import RetryPolicy
from headend.silence import SilencePolicy
from headend.silence_watch import SilenceWatch
from tests.conftest import RunningReactor
from tests.loopback.processes import run
from tests.store.world import FROM, UTILITY, opened, shipment

NOW = datetime.now(UTC) - timedelta(days=4)
SETTINGS = """
[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
"""


@pytest.fixture
def config(tmp_path: Path, running: RunningReactor) -> Path:
    """A utility of three meters, one of which has been silent for four days, and a router that is down."""
    store = opened(running, f"sqlite:///{tmp_path}/headend.db", tmp_path / "headend.key")
    store.call("import_shipment", shipment(3), NOW)
    store.call("schedule", NOW, FROM)
    for one in store.call("lease", "test", 3, NOW, NOW + timedelta(minutes=5)):
        silent = one.endpoint_id == 1
        reason = ExceptionRecord(EndpointId(1), ExceptionKind.NO_ANSWER, NOW, "no answer to 4 transmissions") if silent else None
        item = Collected(one.endpoint_id, None if silent else NOW, one.lease_id, exception=reason)
        store.call("record", [item], NOW, (), RetryPolicy())
    watch = SilenceWatch(UTILITY, store.store, now=lambda: NOW + timedelta(days=4), wake=int, owner="test", policy=SilencePolicy())
    assert running.wait(watch.look).opened == 1
    entry = WorkItemEntry(NOW, HEAD_END, "retry: no answer")
    store.call("change_work_item", WorkItemChange(WorkItemKind.ROUTER_DOWN, "R0", NOW, WorkItemState.OPEN, (entry,), "no answer"))
    store.call("close")
    file = tmp_path / "headend.toml"
    file.write_text(SETTINGS, encoding="utf-8")
    return file


def said(config: Path, *arguments: str) -> Any:
    done = run(*arguments, "--config", config, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_work_is_listed_taken_noted_on_and_closed(config: Path) -> None:
    items = said(config, "work", "list")
    assert [(item["kind"], item["subject"]) for item in items] == [("silent endpoint", "M000001"), ("router down", "R0")]
    number = str(items[0]["id"])
    assigned = said(config, "work", "assign", number, "bob", "--by", "ann")
    assert (assigned["state"], assigned["assigned_to"], assigned["history"][-1]["who"]) == ("acknowledged", "bob", "ann")
    noted = said(config, "work", "note", number, "meter", "was", "removed", "--by", "bob")
    assert (noted["state"], noted["history"][-1]["what"]) == ("acknowledged", "meter was removed")
    closed = said(config, "work", "close", number, "--note", "replaced", "--by", "bob")
    assert (closed["state"], closed["history"][-1]["what"]) == ("closed", "closed: replaced")
    assert [item["subject"] for item in said(config, "work", "list")] == ["R0"]
    again = run("work", "note", number, "more", "--config", config)
    assert (again.returncode, again.stderr) == (1, f"headend: work item {number} is closed\n")
    unknown = run("work", "show", "4711", "--config", config)
    assert (unknown.returncode, "there is no work item 4711" in unknown.stderr) == (1, True)
    shown = run("work", "show", number, "--config", config).stdout
    assert "never heard: not powered" in " ".join(shown.split())


def test_silent_endpoints_are_listed_and_one_is_told_with_its_history(config: Path) -> None:
    (entry,) = said(config, "endpoints", "silent")
    assert (entry["meter_no"], entry["state"], entry["heard"]) == ("M000001", "under investigation", None)
    assert "M000001" in run("endpoints", "silent", "--config", config).stdout
    shown = said(config, "endpoints", "show", "M000001")
    assert [step["state"] for step in shown["silence"]["history"]] == ["under investigation"]
    assert [item["kind"] for item in shown["work_items"]] == ["silent endpoint"]
    table = run("work", "list", "--config", config).stdout
    assert "silent endpoint" in table
    unknown = run("endpoints", "show", "M9", "--config", config)
    assert (unknown.returncode, unknown.stderr) == (1, "headend: meter 'M9' is not known\n")
