"""Routers as an operator meets them: emulated ones, a head-end that serves, and what `headend routers` says; all real processes."""

import json
import re
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.loopback.processes import Running, run, running

WAIT_SECONDS = 60

SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = { port = 0 }

[utilities.routers]
trap_port = 0
poll_seconds = 1
timeout_seconds = 0.3
tries = 2
missed_polls = 2
silence_seconds = 2
retry_seconds = 0.5
wait_seconds = 2
"""


class Site:
    """One utility: emulated, collected, watched."""

    def __init__(self, config: Path, announced: dict[str, Any], serve: Running) -> None:
        self.config = config
        self.announced = announced
        self.serve = serve
        self.trap_port = int(serve.line_with("traps at").rsplit(":", 1)[1])
        serve.line_with("MR_Server 4.1.6")

    def control(self, path: str, **body: Any) -> Any:
        request = urllib.request.Request(self.announced["control"] + path, data=json.dumps(body).encode())
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())

    def routers(self) -> dict[str, Any]:
        return {router["name"]: router for router in json.loads(self.said("routers", "list", "--json"))}

    def story(self, name: str) -> Any:
        return json.loads(self.said("routers", "show", name, "--json"))

    def said(self, *words: str) -> str:
        done = run(*words, "--config", self.config)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def eventually(self, question: str, answer: tuple[Any, ...]) -> None:
        """Wait until the database says so: a look at it costs less than a command."""
        deadline = time.monotonic() + WAIT_SECONDS
        with closing(sqlite3.connect(self.config.parent / "headend.db")) as database:
            while (said := database.execute(question).fetchone()) != answer:
                assert time.monotonic() < deadline, said
                time.sleep(0.1)

    def becomes(self, name: str, state: str) -> None:
        """Wait until a router is in a state."""
        self.eventually(f"SELECT state FROM router_state JOIN router USING (router_id) WHERE name = '{name}'", (state,))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("site")
    config = place / "headend.toml"
    config.write_text(SETTINGS)
    with running("emulate", "--endpoints", "12", "--routers", "4", "--directory", place / "field") as emulator:
        announced = json.loads(emulator.line_with('"control"'))
        directory = place / "field"
        for kind, file in (("shipment", "shipment.csv"), ("customers", "customers.csv"), ("routers", "routers.json")):
            assert run("import", kind, directory / file, "--config", config).returncode == 0
        with running("serve", "--config", config) as serve:
            one = Site(config, announced, serve)
            one.control("/head-end", host="127.0.0.1", port=9, trap_port=one.trap_port)
            yield one
            assert serve.end(signal.SIGTERM) == 0
            assert "Traceback" not in serve.rest()


def test_routers_are_imported_once_and_listed(site: Site) -> None:
    for name in ("router-001", "router-002", "router-003", "router-004"):
        site.becomes(name, "up")
    for router in site.routers().values():
        assert router["state"] == "up"
        assert router["nodes"] == router["expected_nodes"] == router["endpoints"]
        assert router["door_open"] is False
    again = run("import", "routers", Path(site.announced["router_file"]), "--config", site.config)
    assert "4 rows read, 0 new or changed, 0 bad" in again.stdout
    table = site.said("routers", "list")
    assert re.search(r"router-001 +up +cellular\+ethernet +3/3 +100 % +closed +0 +\d\d-\d\d \d\d:\d\d", table), table


def test_a_door_is_opened_and_closed(site: Site) -> None:
    site.becomes("router-002", "up")
    site.control("/routers/router-002/faults", door_open=True)
    site.becomes("router-002", "degraded")
    opened = site.routers()["router-002"]
    assert opened["door_open"]
    assert [alarm["name"] for alarm in opened["alarms"]] == ["door open"]
    site.control("/routers/router-002/faults", door_open=False)
    site.becomes("router-002", "up")
    events = [event["name"] for event in site.story("router-002")["events"]]
    assert events == ["door closed", "door open", "router heard for the first time"]


def test_a_dead_router_is_tried_and_routed_to_the_utility_and_closed_when_it_is_back(site: Site) -> None:
    site.becomes("router-003", "up")
    site.control("/routers/router-003/faults", down=True)
    site.becomes("router-003", "down")
    site.eventually("SELECT subject, state FROM work_item", ("router-003", "open"))
    items = site.story("router-003")["work_items"]
    assert (items[0]["kind"], items[0]["state"], items[0]["routed_to"]) == ("router down", "open", "utility")
    shown = site.said("routers", "show", "router-003")
    for words in ("troubleshooting router down", "second path", "no answer", "work item 1", "routed to the utility"):
        assert words in shown
    site.control("/routers/router-003/faults", down=False)
    site.eventually("SELECT subject, state FROM work_item", ("router-003", "closed"))
    story = site.story("router-003")
    assert story["work_items"][0]["state"] == "closed"
    assert [step["step"] for step in story["troubleshootings"][0]["steps"]][:2] == ["retry", "second path"]


def test_an_unknown_router_is_a_sentence(site: Site) -> None:
    done = run("routers", "show", "nowhere", "--config", site.config)
    assert done.returncode == 1
    assert "router 'nowhere' is not known" in done.stderr
    assert "Traceback" not in done.stderr


def test_no_password_is_ever_shown(site: Site) -> None:
    secrets = [row[name] for row in json.loads(Path(site.announced["router_file"]).with_suffix(".json").read_text()) for name in row
               if name in {"community", "write_community", "auth_password", "privacy_password"} and row[name]]  # fmt: skip
    assert len(secrets) == 8
    shown = site.said("routers", "list", "--json") + site.said("routers", "show", "router-001") + site.said("routers", "show", "router-002")
    shown += "".join(site.serve.output)
    assert not [secret for secret in secrets if secret in shown]
    assert not [secret for secret in secrets if secret.encode() in (site.config.parent / "headend.db").read_bytes()]


def test_the_control_port_says_what_is_wrong(site: Site) -> None:
    for path, body, said in (
        ("/routers/router-009/faults", {}, "router 'router-009' is not known"),
        ("/routers/router-001/faults", {"door": True}, "unknown field 'door'"),
        ("/routers/router-001/reboot", {"seconds": -1}, "seconds: -1"),
        ("/head-end", {"host": "127.0.0.1", "port": 9, "trap_port": "x"}, "trap_port: 'x' is not a port"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            site.control(path, **body)
        with refused.value as answer:
            assert said in json.loads(answer.read())["error"]
