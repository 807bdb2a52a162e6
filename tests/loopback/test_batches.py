"""Batches and the protected list as an operator handles them: files, an emulated utility, a head-end that serves; all real processes."""

import csv
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.loopback.processes import run, running

SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = { port = 0 }
routers = { poll = false }
commands = { per_router_per_minute = 600, may_override = [] }
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An emulated utility, imported and served."""
    place = tmp_path_factory.mktemp("batches")
    (place / "headend.toml").write_text(SETTINGS)
    with running("emulate", "--endpoints", "60", "--seed", "5", "--directory", place) as emulator:
        said = json.loads(emulator.line_with("control"))
        for what in ("shipment", "customers"):
            done = run("import", what, said[what], "--config", place / "headend.toml")
            assert done.returncode == 0, done.stderr
        with running("serve", "--config", place / "headend.toml") as serve:
            serve.line_with("MR_Server 4.1.6")
            yield place
            serve.end(signal.SIGTERM)


def headend(place: Path, *words: object, status: int = 0) -> Any:
    """What a command says as JSON."""
    done = run(*words, "--json", "--config", place / "headend.toml")
    assert done.returncode == status, done.stderr + done.stdout
    return json.loads(done.stdout) if done.stdout.strip() else None


def homes(place: Path) -> list[str]:
    """Meters on mains that have a switch."""
    rows = csv.DictReader((place / "shipment.csv").read_text().splitlines())
    return [row["meter_no"] for row in rows if row["configuration"] == "residential"]


def test_a_batch_is_previewed_started_and_reported_by_meter(place: Path) -> None:
    meters = homes(place)
    protected, *others = meters
    headend(place, "protected", "add", "--meter", protected, "--kind", "medical", "--note", "oxygen")
    (place / "cut.csv").write_text("\n".join(["meter_no,command", *(f"{one},disconnect" for one in meters), "M0,disconnect"]))

    preview = headend(place, "batch", "preview", place / "cut.csv", status=1)
    assert [one["meter"] for one in preview["planned"]] == others
    refused = {one["meter"]: one["reason"] for one in preview["refusals"]}
    assert refused == {protected: f"meter '{protected}' is not disconnected: protected (medical)", "M0": "meter 'M0' is not known"}

    started = headend(place, "batch", "start", place / "cut.csv")
    assert started["batch"] == 1, "the preview was none"
    assert {one["meter"]: one["reason"] for one in started["refusals"]} == refused
    again = run("batch", "start", place / "cut.csv", "--config", place / "headend.toml")
    assert (again.returncode, "was started as batch 1 already" in again.stderr) == (1, True)

    table = run("batch", "show", "1", "--wait", "--csv", "-", "--config", place / "headend.toml").stdout
    lines = list(csv.DictReader(io.StringIO(table)))
    assert [line["meter_no"] for line in lines] == [*others, "M0", protected]
    assert {(line["command"], line["state"], line["switch"]) for line in lines[:-2]} == {("disconnect", "succeeded", "disconnected")}
    assert lines[0]["registers"].startswith("energy_delivered")
    assert lines[-1]["state"] == "refused"


def test_bad_files_are_named_and_a_batch_is_cancelled_before_it_begins(place: Path) -> None:
    first, *others = homes(place)[1:7]
    (place / "protected.csv").write_text(f"meter_no,kind,from,until\n{first},weather,2026-01-01,2099-12-31\nM0,medical,2026-01-01,\n")
    refused = run("import", "protected", place / "protected.csv", "--config", place / "headend.toml")
    assert (refused.returncode, "meter M0 is not known" in refused.stderr) == (1, True)
    imported = run("import", "protected", place / "protected.csv", "--good-ones", "--config", place / "headend.toml")
    assert "1 entries read, 1 new or changed, 1 bad" in imported.stdout

    (place / "later.csv").write_text("\n".join(["meter_no,command", *(f"{one}," for one in others), "M0,explode"]))
    words = ("batch", "start", place / "later.csv", "--command", "read", "--begin", "2027-01-02T10:00")
    bad = run(*words, "--config", place / "headend.toml")
    assert (bad.returncode, "line 7: command 'explode' is none of" in bad.stderr) == (1, True)
    number = str(headend(place, *words, "--good-ones")["batch"])
    assert headend(place, "batch", "cancel", number, "--reason", "a mistake", "--by", "ann")["cancelled"] == 5
    listed, *_ = headend(place, "batch", "list")
    assert (listed["state"], listed["states"], listed["cancelled"]) == ("cancelled", {"cancelled": 5}, "cancelled by ann: a mistake")
