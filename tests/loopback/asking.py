"""A partner that asks by SOAP: what it sends to a head-end that runs as a process, and what its own server, another process, has taken."""

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

from tests.fakes.deferred_requests import SERVER_OF, request
from tests.fakes.soap_world import envelope
from tests.loopback.outage_desk import tell_emulator
from tests.loopback.processes import QUIET, Running
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
        self.begin(serve)
        with urllib.request.urlopen(f"{control}/endpoints?limit=200") as answer:
            self._endpoints = json.loads(answer.read())["endpoints"]
        self.homes = self.meters("residential")

    def begin(self, serve: Running) -> None:
        """Go by a head-end that has just been started."""
        self.serve = serve
        field = re.search(r"at (\S+):(\d+)", serve.line_with("listening to the field"))
        assert field is not None
        self.field = {"host": field[1], "port": int(field[2])}
        self.urls = {version: serve.line_with(f"MR_Server {version}").split()[-1].removesuffix("MR_Server?wsdl") for version in VERSIONS}

    def end(self) -> None:
        """End the head-end in peace."""
        assert self.serve.end(signal.SIGTERM) == 0
        assert "Traceback" not in self.serve.rest()

    def meters(self, configuration: str) -> list[str]:
        """Numbers of meters of a configuration, behind routers."""
        return [e["meter_no"] for e in self._endpoints if e["configuration"] == configuration and e["router"] != "cellular"]

    def tell_emulator(self, path: str, body: dict[str, Any]) -> None:
        """By its control port."""
        tell_emulator(self.control, path, body)

    def ask(self, version: str, operation: str, meter: str, url: str, transaction: str, user: str = "cis") -> str:
        inside = request(version, operation, meter=meter, transaction=transaction, url=url)
        inside = inside.replace("<objectName>SP1", f"<objectName>{meter}").replace("<nounType>serviceLocation", "<nounType>meter")
        inside = inside.replace("<string>SP1</string>", f"<string>{place_of(self.place, meter)}</string>")
        soon = datetime.now(UTC) + timedelta(seconds=3)
        inside = inside.replace("2026-03-04T02:00:00Z", f"{soon:%Y-%m-%dT%H:%M:%SZ}")
        return self.call(version, SERVER_OF[version, operation], operation, inside, user)

    def call(self, version: str, server: str, operation: str, inside: str, user: str = "cis") -> str:
        """Send a request; its answer, which refuses nothing."""
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
