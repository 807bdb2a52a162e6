"""From a meter to the outage desk: emulated utility, head-end and a partner's server as real processes, in both versions."""

import json
import re
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from multispeak.contract import load_contract
from multispeak.schema import compile_schema
from tests.fakes.soap_world import envelope
from tests.loopback.asking import Taken, partner
from tests.loopback.outage_desk import tell_emulator
from tests.loopback.processes import Running, run, running
from wsdl import VERSIONS

SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = {{ port = 0 }}
routers = {{ poll = false }}
collection = {{ retry_minutes = 0.05 }}
alarms = {{ hold_off_seconds = 0, logged_events_at = "00:00" }}

[[utilities.partners]]
user_id = "cis"
password = "s3cret-word"

[utilities.partners.notifications]
user_id = "ami"
password = "their-word"
response_networks = ["127.0.0.0/8"]

[[utilities.partners.notifications.subscriptions]]
name = "desk"
url = "http://127.0.0.1:{port}/standing"
notifications = ["ODEventNotification"]
severities = ["critical"]
"""

WANTED = {
    "3.0": (("OD_Server", "ODEventNotification"), ("MR_Server", "HistoryLogChangedNotification")),
    "4.1.6": (("OD_Server", "ODEventNotification"), ("MR_Server", "MeterEventNotification")),
}

TOLD_SECONDS = 120.0
"""How long an alarm may take on a crowded machine on which forty meters are spoken to for the first time."""


class AlarmSite:
    """A utility whose partner has subscribed: `registered` is registration id by (version, notification)."""

    def __init__(self, place: Path, control: str, serve: Running, taken: Taken) -> None:
        self.place, self.control, self.serve, self.taken = place, control, serve, taken
        field = re.search(r"at (\S+):(\d+)", serve.line_with("listening to the field"))
        assert field is not None
        self.urls = {version: serve.line_with(f"MR_Server {version}").split()[-1].removesuffix("MR_Server?wsdl") for version in VERSIONS}
        self.tell_emulator("head-end", {"host": field[1], "port": int(field[2])})
        with urllib.request.urlopen(f"{control}/endpoints?limit=60") as answer:
            endpoints = json.loads(answer.read())["endpoints"]
        self.homes = [e["meter_no"] for e in endpoints if e["configuration"] == "residential" and e["router"] != "cellular"]
        wanted = [(version, server, name) for version in VERSIONS for server, name in WANTED[version]]
        self.registered = {(version, name): self._register(version, server, name) for version, server, name in wanted}

    def tell_emulator(self, path: str, body: dict[str, Any]) -> None:
        tell_emulator(self.control, path, body)

    def soap(self, version: str, server: str, operation: str, inside: str = "") -> str:
        octets = envelope(version, operation, inside, user="cis")
        asked = urllib.request.Request(self.urls[version] + server, data=octets, headers={"Content-Type": "text/xml; charset=utf-8"})
        with urllib.request.urlopen(asked) as answer:
            said: str = answer.read().decode()
        assert "errorString" not in said, said
        return said

    def _register(self, version: str, server: str, name: str) -> str:
        found = re.search(r"Result>([0-9a-f-]{36})<", self.soap(version, server, "RequestRegistrationID"))
        assert found is not None
        inside = (
            f"<registrationDetails><registrationID>{found[1]}</registrationID><responseURL>http://127.0.0.1:{self.taken.port}/any</responseURL>"
            f"<methodsList><methodName>{name}</methodName></methodsList></registrationDetails>"
        )
        self.soap(version, server, "RegisterForService", inside)
        return found[1]

    def told(self, name: str, meter_no: str, word: str, registration: str) -> list[dict[str, Any]]:
        """Notifications taken that tell of a meter."""
        return [
            one
            for one in self.taken.all
            if one["operation"] == name and meter_no in one["body"] and word in one["body"] and registration in one["body"]
        ]

    def cause(self, meter_no: str, event: str, word: str) -> None:
        """Have something happen to a meter, once, and wait until every subscriber was told, though it may never have been spoken to."""
        wanted = [(name, word if name.startswith("OD") else "", registration) for (_, name), registration in self.registered.items()]
        self.tell_emulator(f"endpoints/{meter_no}/events", {"event": event, "alarm": True})
        deadline = time.monotonic() + TOLD_SECONDS
        while not all(self.told(name, meter_no, told, registration) for name, told, registration in wanted):
            assert time.monotonic() < deadline, f"not all were told of {event}: {said(self, 'events', 'list', '--meter', meter_no)}"
            self.taken.drain(0.5)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlarmSite]:
    place = tmp_path_factory.mktemp("alarms")
    with partner() as taken:
        (place / "headend.toml").write_text(SETTINGS.format(port=taken.port))
        with running("emulate", "--endpoints", "40", "--seed", "5", "--directory", place) as emulator:
            said = json.loads(emulator.line_with("control"))
            done = run("import", "shipment", said["shipment"], "--config", place / "headend.toml")
            assert done.returncode == 0, done.stderr
            with running("serve", "--config", place / "headend.toml") as serve:
                yield AlarmSite(place, said["control"], serve, taken)
                assert serve.end(signal.SIGTERM) == 0
                assert "Traceback" not in serve.rest()


def said(site: AlarmSite, *arguments: str) -> Any:
    done = run(*arguments, "--config", site.place / "headend.toml", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_last_gasp_and_a_restoration_are_told_to_all_who_subscribed_and_why_somebody_was_not(site: AlarmSite) -> None:
    meter_no = site.homes[0]
    site.cause(meter_no, "power-down", "Outage<")
    time.sleep(1.1)
    site.cause(meter_no, "power-up", "Restoration<")
    schemas = {version: compile_schema(load_contract(version), load_contract(version).services["MDM_Server"]) for version in VERSIONS}
    versions = {registration: version for (version, _), registration in site.registered.items()} | {"cis:desk": "4.1.6"}
    for one in site.taken.all:
        root = etree.fromstring(one["body"].encode())
        header, message = root[0][0], root[1][0]
        version = versions[header.get("RegistrationID")]
        assert (header.get("UserID"), header.get("Pwd")) == ("ami", "their-word")
        assert schemas[version].validate(message), schemas[version].error_log
    standing = [one for one in site.taken.all if one["path"] == "/standing"]
    assert standing
    assert all("Outage<" in one["body"] for one in standing), "a restoration is no critical event"
    events = said(site, "events", "list", "--meter", meter_no, "--code", "2")
    told = next(one for one in events if one["decision"] == "told")
    whole = said(site, "events", "show", told["number"])
    assert {one["state"] for one in whole["told"]} == {"acknowledged"}
    assert {one["notification"] for one in whole["told"]} == {name for pairs in WANTED.values() for _, name in pairs}
    (missed,) = whole["not_told"]
    assert (missed["subscription"], missed["reason"]) == ("cis:desk", "severity information is not wanted")
    deadline = time.monotonic() + TOLD_SECONDS  # other meters' logs are still being told of
    while any(one["queued"] for one in said(site, "outbox", "queues")):
        assert time.monotonic() < deadline, json.dumps([one for one in said(site, 'outbox', 'queues') if one['queued']])
    assert said(site, "outbox", "list", "--state", "queued") == []


def test_a_subscription_can_be_tried_out_and_a_meter_silenced(site: AlarmSite) -> None:
    subscriptions = said(site, "subscriptions", "list")
    assert {one["subscription"] for one in subscriptions} == {"cis:desk", *site.registered.values()}
    came = said(site, "subscriptions", "test", "cis:desk", "--meter", site.homes[1])
    assert came == [{"notification": "ODEventNotification", "result": "acknowledged", "reason": ""}]
    number = said(site, "silence", "begin", "meter", site.homes[2], "--reason", "line work", "--hours", "1", "--maintenance")["number"]
    site.tell_emulator(f"endpoints/{site.homes[2]}/events", {"event": "tamper", "alarm": True})
    for _ in range(30):
        found = said(site, "events", "list", "--meter", site.homes[2], "--code", "47")
        if found:
            break
        time.sleep(0.5)
    assert (found[0]["decision"], found[0]["reason"].partition(":")[0]) == ("withheld", "maintenance")
    assert said(site, "silence", "end", str(number)) == {"ended": number}
