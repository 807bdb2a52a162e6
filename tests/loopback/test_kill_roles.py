"""Gateway and dispatcher killed in mid-work: what was accepted is done and told, what was not is asked again, nothing is done twice."""

import json
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from adapters.store.database import parse_url
from tests.fakes.deferred_requests import SERVER_OF, request
from tests.fakes.soap_world import envelope
from tests.loopback.asking import Taken, partner
from tests.loopback.processes import WAIT_SECONDS, Running, run, running
from tests.loopback.stored import rows_of
from tests.loopback.test_roles import free_port

VERSION, OPERATION = "4.1.6", "InitiateMeterReadingsByMeterID"
REQUESTS = 18

SETTINGS = """
[server]
port = {port}

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "{url}"
key_file = "headend.key"
field = {{ port = {field} }}
routers = {{ poll = false }}

[[utilities.partners]]
user_id = "cis"
password = "s3cret-word"
notifications = {{ response_networks = ["127.0.0.0/8"] }}
"""


class Site:
    """One utility on PostgreSQL, each of its roles a process that can be killed and started again."""

    def __init__(self, place: Path, url: str, processes: ExitStack) -> None:
        self.url = url
        self.config = place / "headend.toml"
        self.config.write_text(SETTINGS.format(port=free_port(), url=url, field=free_port()))
        self.address = ""
        self._processes = processes
        emulator = processes.enter_context(running("emulate", "--endpoints", "40", "--seed", "5", "--directory", place))
        ready = json.loads(emulator.line_with("control"))
        assert run("import", "shipment", ready["shipment"], "--config", self.config).returncode == 0
        with urllib.request.urlopen(f"{ready['control']}/endpoints?limit=200") as answer:
            endpoints = json.loads(answer.read())["endpoints"]
        self.homes = [e["meter_no"] for e in endpoints if e["configuration"] == "residential" and e["router"] != "cellular"]

    def start(self, role: str) -> Running:
        process: Running = self._processes.enter_context(running("serve", "--config", self.config, "--role", role, "--verbose"))
        if role == "gateway":
            self.address = process.line_with(f"MR_Server {VERSION}").split()[-1].removesuffix("MR_Server?wsdl")
        elif role == "collector":
            process.line_with("listening to the field")
        return process

    def ask(self, transaction: str, meter: str, told_at: str) -> bool:
        """Ask for a reading; whether it was accepted: False where no answer came."""
        inside = request(VERSION, OPERATION, meter=meter, transaction=transaction, url=told_at)
        address = self.address + SERVER_OF[VERSION, OPERATION]
        octets = envelope(VERSION, OPERATION, inside, user="cis")
        asked = urllib.request.Request(address, data=octets, headers={"Content-Type": "text/xml; charset=utf-8"})
        try:
            with urllib.request.urlopen(asked, timeout=WAIT_SECONDS) as answer:
                said: str = answer.read().decode()
        except (urllib.error.URLError, HTTPException, OSError):
            return False
        assert "errorString" not in said, said
        return True

    def forget_claims(self) -> None:
        """As if the time had passed for which messages are a dispatcher's own."""
        engine = create_engine(parse_url(self.url))
        with engine.begin() as connection:
            connection.execute(text("UPDATE outbox SET next_try_us = 0 WHERE state = 'queued'"))
        engine.dispose()

    def commands(self) -> list[tuple[Any, ...]]:
        return rows_of(self.url, "SELECT transaction_id, count(*) FROM deferred_request GROUP BY transaction_id")


@pytest.fixture
def site(tmp_path: Path, postgresql_url: str) -> Iterator[Site]:
    with ExitStack() as processes:
        yield Site(tmp_path, postgresql_url, processes)


@pytest.fixture
def taken() -> Iterator[Taken]:
    with partner() as one:
        yield one


def told(taken: Taken) -> Counter[str]:
    return Counter(transaction for one in taken.all for transaction in set(re.findall(r"t-\d+", one["body"])))


@pytest.mark.postgresql
def test_gateway_and_dispatcher_are_killed_in_mid_work(site: Site, taken: Taken) -> None:
    url = f"http://127.0.0.1:{taken.port}/any"
    gateway, collector = site.start("gateway"), site.start("collector")
    accepted: dict[str, bool] = {}

    def ask_all() -> None:
        for number in range(REQUESTS):
            transaction = f"t-{number}"
            while not accepted.setdefault(transaction, False):
                accepted[transaction] = site.ask(transaction, site.homes[number % len(site.homes)], url)

    asking = threading.Thread(target=ask_all)
    asking.start()
    while sum(accepted.values()) < REQUESTS // 3:
        time.sleep(0.005)
    gateway.end(signal.SIGKILL)
    gateway = site.start("gateway")
    asking.join(WAIT_SECONDS)
    assert sum(accepted.values()) == REQUESTS
    assert sorted(site.commands()) == sorted((f"t-{number}", 1) for number in range(REQUESTS)), "each is stored once, however often asked"
    dispatcher = site.start("dispatcher")
    while len(told(taken)) < 3:
        taken.drain(0.2)
    dispatcher.end(signal.SIGKILL)
    # What the killed one had claimed is told again when its claim is over: the test does not wait for that.
    site.forget_claims()
    dispatcher = site.start("dispatcher")
    taken.wait_for({f"t-{number}" for number in range(REQUESTS)})
    taken.drain(2)
    assert set(told(taken)) == {f"t-{number}" for number in range(REQUESTS)}
    again = {transaction for transaction, times in told(taken).items() if times > 1}
    assert len(again) <= 3, "only what was under way when it was killed is told again"
    assert gateway.end(signal.SIGTERM) == collector.end(signal.SIGTERM) == dispatcher.end(signal.SIGTERM) == 0
