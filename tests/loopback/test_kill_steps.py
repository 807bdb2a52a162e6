"""A head-end killed at any step of a command: whoever asked gets one final answer, true to the switch, which moved once at most.

A relay between head-end and meter kills at the chosen request, when the meter has done it and before its reply is there. By default the
steps that matter most; `HEADEND_KILL_STEPS=all` takes every one.
"""

import csv
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest

from tests.loopback.asking import SETTINGS, Site, Taken, partner, transactions_in
from tests.loopback.processes import Running, run, running
from tests.loopback.relay import Relay

EVERY = os.environ.get("HEADEND_KILL_STEPS") == "all"
OPERATION = "InitiateConnectDisconnect"


class Field:
    """One utility whose datagrams pass a relay; its head-end is started again and again."""

    def __init__(self, place: Path, control: str, relays: list[Relay], taken: Taken) -> None:
        self.place = place
        self.control = control
        self.relays = relays
        self.taken = taken
        self.serve: Running | None = None
        self.site: Site
        self._stack = ExitStack()
        self._used = 0

    def start(self) -> None:
        self.serve = self._stack.enter_context(running("serve", "--config", self.place / "headend.toml"))
        self.site = Site(self.place, self.control, self.serve)

    def kill(self) -> None:
        assert self.serve is not None
        self.serve.process.send_signal(signal.SIGKILL)

    def is_killed(self, seconds: float = 15.0) -> bool:
        """Whether the head-end ends within so long."""
        assert self.serve is not None
        try:
            self.serve.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def started_again(self) -> None:
        assert self.serve is not None
        self.serve.process.wait(30)
        for relay in self.relays:
            relay.at_each(lambda number: True)
        self.start()

    def stop(self) -> None:
        self._stack.close()

    def home(self) -> str:
        """One that no test has used, when nobody is spoken to any more."""
        for relay in self.relays:
            relay.wait_until_quiet()
        self._used += 1
        return self.site.homes[self._used]

    def actuations(self, meter_no: str) -> int:
        return int(self.switch(meter_no)["actuations"])

    def switch(self, meter_no: str) -> Any:
        with urlopen(f"{self.control}/endpoints/{meter_no}/switch") as answer:
            return json.loads(answer.read())

    def ask(self, meter_no: str, transaction: str, path: str = "any") -> None:
        self.site.ask("4.1.6", OPERATION, meter_no, f"http://127.0.0.1:{self.taken.port}/{path}", transaction)

    def answers(self, transaction: str) -> list[str]:
        """What was told of a transaction, but for what differs with the hour."""
        self.taken.wait_for({transaction})
        self.taken.drain(1.5)
        bodies = [one["body"] for one in self.taken.all if transaction in transactions_in(one["body"])]
        return [re.sub(r' (MessageID|TimeStamp)="[^"]*"', "", body) for body in bodies]


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    place = tmp_path_factory.mktemp("steps")
    away = (datetime.now(UTC) + timedelta(hours=12)).astimezone(ZoneInfo("America/Chicago"))
    quiet = f'collection = {{ collector = "one", interrogations = ["{away:%H:%M}"] }}\n'
    (place / "headend.toml").write_text(SETTINGS.replace("routers = ", quiet + "routers = "))
    with ExitStack() as stack:
        emulator = stack.enter_context(running("emulate", "--endpoints", "60", "--routers", "2", "--seed", "5", "--directory", place))
        said = json.loads(emulator.line_with("control"))
        relays = []
        with Path(said["shipment"]).open(newline="") as file:
            rows = list(csv.DictReader(file))
        for address in sorted({(row["host"], int(row["port"])) for row in rows if row["transport"] == "udp"}):
            relay = stack.enter_context(Relay(address))
            relays.append(relay)
            for row in rows:
                if (row["host"], row["port"]) == (address[0], str(address[1])):
                    row["port"] = f"by relay {relay.port}"
        for row in rows:
            row["port"] = row["port"].removeprefix("by relay ")
        with (place / "relayed.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        for kind, name in (("shipment", place / "relayed.csv"), ("customers", said["customers"])):
            done = run("import", kind, name, "--config", place / "headend.toml")
            assert done.returncode == 0, done.stderr
        taken = stack.enter_context(partner())
        one = Field(place, said["control"], relays, taken)
        stack.callback(one.stop)
        one.start()
        yield one


def undisturbed(field: Field) -> list[int]:
    """Of each request of a disconnection, how often the switch had moved when its reply came."""
    home = field.home()
    moved: list[int] = []

    def look(number: int) -> bool:
        moved.append(field.actuations(home))
        return True

    for relay in field.relays:
        relay.at_each(look)
    field.ask(home, "t-whole")
    (body,) = field.answers("t-whole")
    assert ">Opened<" in body, body
    return moved


def test_a_kill_at_any_request_leaves_one_true_answer_and_one_movement(field: Field) -> None:
    moved = undisturbed(field)
    assert moved[-1] == moved[0] + 1
    acts = next(number for number, count in enumerate(moved, 1) if count > moved[0])
    steps = range(1, len(moved) + 1) if EVERY else (1, acts, acts + 1)
    for step in steps:
        home, transaction = field.home(), f"t-{step}"

        def kill(number: int, step: int = step) -> bool:
            if number >= step:
                field.kill()
            return number < step

        for relay in field.relays:
            relay.at_each(kill)
        field.ask(home, transaction)
        if not field.is_killed():
            assert step > acts, "a meter of another model has been asked less often"
            field.kill()
        field.started_again()
        (body,) = field.answers(transaction)
        found = field.switch(home)
        assert found["actuations"] <= 1, (step, found)
        assert (">Opened<" in body) is (found["position"] == "open"), (step, found, body)
        assert found["position"] == "open", (step, found, body)


def test_a_kill_between_the_request_and_the_first_datagram_loses_nothing(field: Field) -> None:
    home = field.home()
    field.ask(home, "t-accepted")
    field.kill()
    field.started_again()
    (body,) = field.answers("t-accepted")
    assert ">Opened<" in body
    assert field.switch(home)["actuations"] == 1


def test_a_kill_before_the_partner_has_answered_tells_the_same_again(field: Field) -> None:
    home = field.home()
    field.ask(home, "t-told", "hang")
    field.taken.wait_for({"t-told"})
    field.kill()
    field.started_again()
    deadline = time.monotonic() + 90
    while len(bodies := field.answers("t-told")) < 2 and time.monotonic() < deadline:
        continue
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
    assert field.switch(home)["actuations"] == 1
