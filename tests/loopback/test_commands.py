"""Commands as an operator gives them: an emulated utility, a head-end that serves, `headend read` and its kin; all real processes."""

import json
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.loopback.processes import Running, run, running

SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = { port = 0 }
# Known by a lasting name, so that what it held when it was killed is its own again as soon as it is back.
collection = { collector = "one" }
routers = { poll = false }
"""


class Site:
    """One utility: emulated and served."""

    def __init__(self, config: Path, announced: dict[str, Any], serve: Running) -> None:
        self.config = config
        self.control_address = announced["control"]
        self.serve = serve
        serve.line_with("MR_Server 4.1.6")
        endpoints = self.control("/endpoints?limit=200")["endpoints"]
        self.homes = [e["meter_no"] for e in endpoints if e["configuration"] == "residential" and e["router"] != "cellular"]
        self.by_configuration = {e["configuration"]: e["meter_no"] for e in endpoints}

    def control(self, path: str, body: Any = None) -> Any:
        octets = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.control_address + path, data=octets)) as answer:
            return json.loads(answer.read())

    def switch(self, meter_no: str, **body: Any) -> Any:
        return self.control(f"/endpoints/{meter_no}/switch", body or None)

    def command(self, *words: str, status: int = 0) -> list[dict[str, Any]]:
        done = run(*words, "--json", "--config", self.config)
        assert done.returncode == status, done.stderr + done.stdout
        commands: list[dict[str, Any]] = json.loads(done.stdout)["commands"]
        return commands


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def announced(place: Path) -> Iterator[dict[str, Any]]:
    """An emulated utility, imported."""
    (place / "headend.toml").write_text(SETTINGS)
    with running("emulate", "--endpoints", "40", "--seed", "5", "--directory", place) as emulator:
        said = json.loads(emulator.line_with("control"))
        done = run("import", "shipment", said["shipment"], "--config", place / "headend.toml")
        assert done.returncode == 0, done.stderr
        yield said


@pytest.fixture(scope="module")
def site(place: Path, announced: dict[str, Any]) -> Iterator[Site]:
    with running("serve", "--config", place / "headend.toml") as serve:
        yield Site(place / "headend.toml", announced, serve)
        serve.end(signal.SIGTERM)


def test_reads_pings_and_voltage(site: Site) -> None:
    home, other = site.homes[:2]
    read = site.command("read", home, other)
    assert [(one["meter"], one["state"]) for one in read] == [(home, "succeeded"), (other, "succeeded")]
    assert {r["channel"] for one in read for r in one["registers"]} == {"energy_delivered"}
    assert site.command("ping", home)[0]["answers"] is True
    assert site.command("voltage", home)[0]["load_side_volts"] == "240.0"


def test_a_home_is_disconnected_armed_and_closed_by_its_customer(site: Site) -> None:
    home = site.homes[2]
    (off,) = site.command("disconnect", "--assist", home)
    assert (off["switch"], off["load_side_volts"], len(off["registers"])) == ("disconnected", "0.0", 1)
    assert site.switch(home)["position"] == "open"
    (armed,) = site.command("connect", "--assist", home)
    assert armed["switch"] == "armed"
    site.switch(home, press_button=True)
    deadline = time.monotonic() + 20
    while site.switch(home)["position"] != "closed":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert site.command("switch", home)[0]["switch"] == "connected"


def test_voltage_behind_an_open_switch_keeps_it_open_and_is_an_event(site: Site) -> None:
    home = site.homes[3]
    site.command("disconnect", home)
    site.switch(home, load_side_volts=119.5)
    (refused,) = site.command("connect", home, status=1)
    assert (refused["code"], refused["load_side_volts"]) == ("load-side voltage present", "119.5")
    assert site.switch(home)["position"] == "open"
    done = run("connect", "--override", "known generator", home, "--config", site.config)
    assert (done.returncode, "may not override" in done.stderr) == (1, True), done.stderr
    with closing(sqlite3.connect(site.config.parent / "headend.db")) as database:
        question = "SELECT argument FROM device_event JOIN endpoint USING (endpoint_id) WHERE meter_no = ? AND code = 3048"
        assert database.execute(question, (home,)).fetchall() == [((1_195).to_bytes(2),)]


def test_who_has_no_switch_or_is_not_known_is_named_and_the_others_go_on(site: Site) -> None:
    home, commercial, gas = site.homes[4], site.by_configuration["commercial"], site.by_configuration["gas"]
    done = run("disconnect", home, commercial, gas, "nobody", "--config", site.config, "--json")
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert [one["state"] for one in answer["commands"]] == ["succeeded"]
    reasons = {one["meter"]: one["reason"] for one in answer["refused"]}
    assert set(reasons) == {commercial, gas, "nobody"}
    assert "has no switch" in reasons[commercial]
    assert "is not known" in reasons["nobody"]


def test_what_was_asked_is_listed_and_shown(site: Site) -> None:
    home = site.homes[6]
    site.command("ping", home)
    listed = run("commands", "list", "--meter", home, "--json", "--config", site.config)
    (one,) = json.loads(listed.stdout)
    assert (one["kind"], one["states"], one["by"].partition(":")[0]) == ("ping", {"succeeded": 1}, "person")
    shown = run("commands", "show", one["transaction_id"], "--config", site.config)
    assert home in shown.stdout
    assert "succeeded" in shown.stdout
    missing = run("commands", "show", "nothing", "--config", site.config)
    assert (missing.returncode, "neither the number nor the transactionID" in missing.stderr) == (1, True)


def test_a_head_end_that_is_killed_in_mid_command_ends_it_once_and_moves_nothing_twice(site: Site, place: Path) -> None:
    home = site.homes[5]
    before = site.switch(home)["actuations"]
    ordered = running("disconnect", home, "--json", "--config", site.config)
    with ordered as order:
        deadline = time.monotonic() + 30
        while site.switch(home)["position"] == "closed":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        site.serve.end(signal.SIGKILL)
        with running("serve", "--config", place / "headend.toml") as again:
            again.line_with("MR_Server 4.1.6")
            assert order.process.wait(60) == 0, order.rest()
            assert site.switch(home)["actuations"] == before + 1
            again.end(signal.SIGTERM)
