"""A partner asks by SOAP, meters act, the partner is told: emulated utility, head-end and the partner's server as real processes."""

import json
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from adapters.private_ca import PrivateAuthority
from multispeak.contract import load_contract
from multispeak.notifier import ALL_NOTIFICATIONS
from multispeak.schema import compile_schema
from tests.edge.test_groups_and_schedules import group
from tests.edge.test_official_notifications import REFERENCE, compiled, official
from tests.fakes.deferred_requests import OPERATIONS, SERVER_OF, request
from tests.fakes.soap_world import envelope
from tests.loopback.processes import QUIET, Running, run, running
from wsdl import VERSIONS

WAIT_SECONDS = 120

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

[[utilities.partners]]
user_id = "cis"
password = "s3cret-word"
notifications = { user_id = "ami", password = "their-word", response_networks = ["127.0.0.0/8"] }

[[utilities.partners]]
user_id = "crm"
password = "s3cret-word"
notifications = { response_networks = ["127.0.0.0/8"], timeout_seconds = 3 }
"""

NOT_HERE = {"InitiateMeterExchange", "InitiateMeterInstallation", "InitiateODMonitoringRequestByObject"}
"""Answered only when something happens."""


class Taken:
    """What a partner's server has taken."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        self.process = process
        self.port = int(process.stdout.readline())
        self._lines: queue.Queue[str] = queue.Queue()
        self.all: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)

    def wait_for(self, transactions: set[str]) -> None:
        """Until each of them was told."""
        deadline = time.monotonic() + WAIT_SECONDS
        missing = transactions - self.transactions()
        while missing:
            self.all.append(json.loads(self._lines.get(timeout=max(0.1, deadline - time.monotonic()))))
            missing = transactions - self.transactions()

    def drain(self, seconds: float) -> None:
        """All that comes within so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.all.append(json.loads(self._lines.get(timeout=0.1)))
            except queue.Empty:
                continue

    def transactions(self) -> set[str]:
        return {transaction for one in self.all for transaction in transactions_in(one["body"])}


def transactions_in(body: str) -> list[str]:
    return re.findall(r"(?:transactionID|extValue)>([^<]+)<", body)


@contextmanager
def partner(*arguments: Path) -> Iterator[Taken]:
    command = [sys.executable, "-u", "-m", "tests.loopback.notified", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=QUIET) as process:
        try:
            yield Taken(process)
        finally:
            process.kill()


class Site:
    """One utility that is emulated and served."""

    def __init__(self, place: Path, control: str, serve: Running) -> None:
        self.place = place
        self.control = control
        self.serve = serve
        self.urls = {version: serve.line_with(f"MR_Server {version}").split()[-1].removesuffix("MR_Server?wsdl") for version in VERSIONS}
        with urllib.request.urlopen(f"{control}/endpoints?limit=200") as answer:
            endpoints = json.loads(answer.read())["endpoints"]
        self.homes = [e["meter_no"] for e in endpoints if e["configuration"] == "residential" and e["router"] != "cellular"]

    def ask(self, version: str, operation: str, meter: str, url: str, transaction: str, user: str = "cis") -> str:
        inside = request(version, operation, meter=meter, transaction=transaction, url=url)
        inside = inside.replace("<objectName>SP1", f"<objectName>{meter}").replace("<nounType>serviceLocation", "<nounType>meter")
        inside = inside.replace("<string>SP1</string>", f"<string>{place_of(self.place, meter)}</string>")
        soon = datetime.now(UTC) + timedelta(seconds=3)
        inside = inside.replace("2026-03-04T02:00:00Z", f"{soon:%Y-%m-%dT%H:%M:%SZ}")
        return self.call(version, SERVER_OF[version, operation], operation, inside, user)

    def call(self, version: str, server: str, operation: str, inside: str, user: str = "cis") -> str:
        octets = envelope(version, operation, inside, user=user)
        address = self.urls[version] + server
        asked = urllib.request.Request(address, data=octets, headers={"Content-Type": "text/xml; charset=utf-8"})
        with urllib.request.urlopen(asked) as answer:
            said: str = answer.read().decode()
        assert "errorString" not in said, said
        return said


def place_of(place: Path, meter: str) -> str:
    """The service point where a meter is installed, by the customer file."""
    lines = (place / "customers.csv").read_text().splitlines()
    names = lines[0].split(",")
    row = next(line.split(",") for line in lines[1:] if meter in line.split(","))
    return row[names.index("service_point_no")]


@pytest.fixture(scope="module")
def taken() -> Iterator[Taken]:
    with partner() as one:
        yield one


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("told")
    (place / "headend.toml").write_text(SETTINGS)
    with running("emulate", "--endpoints", "60", "--seed", "5", "--directory", place) as emulator:
        said = json.loads(emulator.line_with("control"))
        for kind in ("shipment", "customers"):
            done = run("import", kind, said[kind], "--config", place / "headend.toml")
            assert done.returncode == 0, done.stderr
        with running("serve", "--config", place / "headend.toml") as serve:
            yield Site(place, said["control"], serve)
            assert serve.end(signal.SIGTERM) == 0
            assert "Traceback" not in serve.rest()


def official_servers(folder: Path) -> dict[str, tuple[etree.XMLSchema, Any]]:
    """By version the schema and zeep's binding of the standard's WSDL of the server that takes all notifications; none without it."""
    if not REFERENCE:
        return {}
    found = {}
    for version in VERSIONS:
        (folder / version).mkdir()
        (service,) = zeep.Client(str(official(version))).wsdl.services.values()
        found[version] = compiled(version, folder / version), service.ports[f"{ALL_NOTIFICATIONS}Soap"].binding
    return found


def test_every_deferred_operation_is_answered_by_one_valid_notification(site: Site, taken: Taken, tmp_path: Path) -> None:
    asked = {}
    for version in VERSIONS:
        site.call(version, "MR_Server", "EstablishMeterGroup", group(version, "F7", site.homes[0]))
    operations = [(version, name) for version, name in OPERATIONS if name not in NOT_HERE]
    for number, (version, operation) in enumerate(operations):
        transaction = f"t-{version}-{operation}"
        meter = site.homes[number % len(site.homes)]
        site.ask(version, operation, meter, f"http://127.0.0.1:{taken.port}/any", transaction)
        asked[transaction] = version, site.homes[0] if "Group" in operation else meter
    taken.wait_for(set(asked))
    taken.drain(3)
    schemas = {version: compile_schema(load_contract(version), load_contract(version).services["MDM_Server"]) for version in VERSIONS}
    counted: dict[str, int] = {}
    standard = official_servers(tmp_path)
    for one in taken.all:
        (transaction,) = set(transactions_in(one["body"]))
        counted[transaction] = counted.get(transaction, 0) + 1
        version, meter = asked[transaction]
        contract = load_contract(version)
        assert one["action"].strip('"') == contract.services["MDM_Server"].operations[one["operation"]].soap_action
        root = etree.fromstring(one["body"].encode())
        header, message = root[0][0], root[1][0]
        assert (header.get("UserID"), header.get("Pwd")) == ("ami", "their-word")
        assert schemas[version].validate(message), schemas[version].error_log
        if standard:
            schema, taker = standard[version]
            assert schema.validate(message), schema.error_log
            body = taker.get(one["operation"]).input.body
            assert meter in str(body.type.parse_xmlelement(message, taker.wsdl.types)), "zeep finds what was told"
    assert counted == dict.fromkeys(asked, 1)


def test_a_partner_that_is_away_is_told_when_it_is_back_and_the_log_has_it_without_secrets(site: Site) -> None:
    with partner() as one:
        port = one.port
    transaction = "t-away"
    site.ask("4.1.6", "InitiateMeterReadingsByMeterID", site.homes[0], f"http://127.0.0.1:{port}/any", transaction)
    time.sleep(3)
    taker = "import tests.loopback.notified as n, sys; s = n.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), n.Taker);"
    command = [sys.executable, "-u", "-c", taker + "print(s.server_port, flush=True); s.serve_forever()", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=QUIET) as process:
        try:
            back = Taken(process)
            back.wait_for({transaction})
            back.drain(2)
            assert len(back.all) == 1
        finally:
            process.kill()
    done = run("messages", "list", "--config", site.place / "headend.toml", "--json")
    assert "their-word" not in done.stdout
    assert "ReadingChangedNotification" in done.stdout, done.stdout[-2_000:] + done.stderr


def told_of(site: Site, partner_name: str, transactions: set[str]) -> dict[str, str]:
    """What first became of the notifications of a partner's transactions, by the message log."""
    deadline = time.monotonic() + WAIT_SECONDS
    found: dict[str, str] = {}
    while not transactions <= set(found):
        assert time.monotonic() < deadline, found
        time.sleep(0.3)
        listed = run("messages", "list", "--partner", partner_name, "--config", site.place / "headend.toml", "--json").stdout.splitlines()
        for entry in map(json.loads, listed):
            if entry["operation"].endswith("Notification"):
                found.setdefault(entry["transaction_id"], entry["verdict"])
    return found


def test_addresses_that_fail_each_in_its_way_are_told_apart_and_delay_nobody(site: Site, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    issued = PrivateAuthority.in_directory(tmp_path, "nobody knows", now).issue_server("server", ["127.0.0.1"], now)
    with partner() as gone:
        closed = gone.port
    with partner() as good, partner() as slow, partner() as mortal, partner() as strict, partner(issued.certificate, issued.key) as unknown:
        said = {
            f"http://127.0.0.1:{slow.port}/hang": "no answer within 3 seconds",
            f"http://127.0.0.1:{mortal.port}/die": "the connection was closed before there was an answer",
            f"http://127.0.0.1:{closed}/any": "connection refused",
            f"https://127.0.0.1:{good.port}/any": "TLS: it does not speak TLS",
            f"https://127.0.0.1:{unknown.port}/any": "TLS: its certificate is not trusted",
            f"http://127.0.0.1:{strict.port}/refuse": "unknown meter",
            f"http://127.0.0.1:{good.port}/any": "answered",
        }
        for number, url in enumerate(said):
            site.ask("4.1.6", "InitiateMeterReadingsByMeterID", site.homes[number], url, f"t-bad-{number}", "crm")
        good.wait_for({f"t-bad-{len(said) - 1}"})
        told = told_of(site, "crm", {f"t-bad-{number}" for number in range(len(said))})
        good.drain(1)
    for number, (url, words) in enumerate(said.items()):
        assert words in told[f"t-bad-{number}"], url
    assert len(good.all) == 1, "what another server was to be told does not come here, nor anything twice"
