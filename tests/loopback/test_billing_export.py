"""Billing and exports of a running head-end: requests over HTTP and as files, responses and exports in a directory, the command line."""

import base64
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from adapters.validation.files import problems_of
from headend.meter_groups import GroupKind, MeterGroup
from headend.model.collection import Collected
from headend.model.endpoint import Commodity, Customer, EndpointId, Installation, ServicePoint
from headend.model.utility import Utility, UtilityId
from headend.ports import CustomerItem
from tests.conftest import RunningReactor
from tests.loopback.processes import WAIT_SECONDS, run, running
from tests.store.world import opened, register, shipment

NS = "urn:open-ami-headend:billing:1"
UTILITY = Utility(UtilityId("demo"), "demo", ZoneInfo("America/Chicago"), ".1.4")
SETTINGS = """
[server]
port = 0

[[utilities]]
id = "demo"
time_zone = "America/Chicago"
database = "sqlite:///headend.db"
key_file = "headend.key"
field = { port = 0 }
collection = { interrogations = ["00:15"] }
billing = { window_start = "received", window_hours = 100, inbox = "requests", partner = "cis", targets = ["cis"] }
targets = [{ name = "cis", kind = "directory", path = "responses" }, { name = "mdm", kind = "directory", path = "files" }]

[[utilities.exports.schedules]]
name = "daily"
content = ["registers", "intervals"]
targets = ["mdm"]

[[utilities.partners]]
user_id = "cis"
password = "correct horse"
applications = ["Billing*"]

[[utilities.partners]]
user_id = "oms"
password = "battery staple"
operations = ["OD_Server/*"]

[[utilities.partners]]
user_id = "coop"
password = "only some"
meters = { group = "East" }
"""


@dataclass
class Place:
    """A running head-end and its directory; `today` is the utility's."""

    directory: Path
    url: str
    stop: Any

    @property
    def settings(self) -> Path:
        return self.directory / "headend.toml"

    def request(self, request_id: str, items: str) -> bytes:
        day = UTILITY.local_day(self.stop)
        cycle = f'<Cycle cycleId="07" billDate="{day}"/>'
        return f'<AmiBillingRequest xmlns="{NS}" version="1" requestId="{request_id}">\n{cycle}\n{items}</AmiBillingRequest>'.encode()

    def ask(self, octets: bytes | None, path: str = "/billing", login: str = "cis:correct horse") -> tuple[int, Any, Any]:
        """Status, headers, root element."""
        headers = {"Content-Type": "application/xml"}
        if login:
            headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, octets, headers), timeout=30) as reply:
                return reply.status, reply.headers, etree.fromstring(reply.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, etree.fromstring(error.read())

    def delivered(self, directory: str, ending: str) -> Path:
        """A file that comes into a directory."""
        give_up_at = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < give_up_at:
            found = [one for one in (self.directory / directory).iterdir() if one.name.endswith(ending)]
            if found:
                return found[0]
            time.sleep(0.2)
        raise AssertionError(f"nothing ending {ending} came into {directory}")


@pytest.fixture(scope="module")
def place(running_reactor: RunningReactor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    directory = tmp_path_factory.mktemp("billing")
    for name in ("requests", "responses", "files"):
        (directory / name).mkdir()
    (directory / "headend.toml").write_text(SETTINGS)
    stop = UTILITY.midnight(UTILITY.local_day(datetime.now(UTC)))
    start = UTILITY.midnight(UTILITY.local_day(stop - timedelta(days=20)))
    made = start - timedelta(days=60)
    store = opened(running_reactor, f"sqlite:///{directory}/headend.db", directory / "headend.key", UTILITY)
    store.call("import_shipment", shipment(3), made)
    for number in (1, 2, 3):
        point = ServicePoint(f"SP{number}", Commodity.ELECTRIC, "1 Main St", "Ames", "IA", "50010", f"A{number}", "07")
        installed = Installation(f"M{number:06}", f"SP{number}", made)
        store.call("import_customers", [CustomerItem(Customer(f"A{number}", "Ann"), point, installed)], made)
        instants = (start, stop)[: 1 if number == 3 else 2]
        reads = tuple(register(number, 1_000 + 500 * i, instant=instant) for i, instant in enumerate(instants))
        store.call("record", [Collected(EndpointId(number), stop, register_reads=reads)], stop)
    store.call("establish_group", MeterGroup(GroupKind.METERS, "E", "East", ("M000002",)), None, made)
    store.call("close")
    with running("serve", "--config", directory / "headend.toml", "--role", "gateway", "--role", "dispatcher") as serve:
        url = serve.line_with("MR_Server 4.1.6").split()[-1].partition("/multispeak/")[0]
        yield Place(directory, url, stop)
        assert "Traceback" not in "".join(serve.output)


@pytest.fixture(scope="module")
def running_reactor(running: RunningReactor) -> RunningReactor:
    return running


def since(place: Place) -> str:
    return f'billStart="{UTILITY.local_day(place.stop - timedelta(days=20))}"'


def test_over_http(place: Place) -> None:
    items = f'<Item itemId="1" servicePointId="SP1" {since(place)}/><Item itemId="3" servicePointId="SP3" {since(place)}/>'
    status, headers, root = place.ask(place.request("H1", items))
    assert (status, headers["Location"], root.get("complete")) == (202, "/billing/demo-1-2", "1")
    assert [one.get("itemId") for one in root] == ["1"]
    assert place.ask(None, "/billing/demo-1-2")[0] == 202
    assert [one.get("itemId") for one in place.ask(None, "/billing/demo-1-1")[2]] == ["1"]
    status, _, root = place.ask(place.request("H2", f'<Item itemId="1" servicePointId="SP1" {since(place)}/>'))
    assert (status, root.get("items"), root.get("responseId")) == (200, "1", "demo-2-1")
    assert place.ask(place.request("H2", f'<Item itemId="1" servicePointId="SP1" {since(place)}/>'))[2].get("responseId") == "demo-2-1"
    assert place.ask(place.request("H2", ""))[0] == 409
    item = '<Item responseId="demo-2-1" itemId="1" billed="2026-07-02T00:00:00Z"/>'
    confirmation = f'<AmiBillingConfirmation xmlns="{NS}" version="1">{item}'
    assert place.ask(f"{confirmation}</AmiBillingConfirmation>".encode())[2].get("items") == "1"


def test_who_is_not_let_in_and_what_is_no_request(place: Place) -> None:
    octets = place.request("N1", "<Item/>")
    assert [place.ask(octets, login=login)[0] for login in ("", "cis:wrong horse", "oms:battery staple")] == [401, 401, 401]
    assert "by HTTP Basic" in place.ask(octets, login="")[2].get("reason")
    status, _, root = place.ask(octets)
    assert (status, root.get("line")) == (400, "3")
    assert "attribute 'itemId' is required" in root.get("reason")
    for path in ("/billing/demo-99-1", "/billing/nonsense", "/billing/other-1-1", "/billing/demo-2-2"):
        assert place.ask(None, path)[0] == 404, path


def test_who_knows_some_meters_is_answered_about_those_and_the_others_do_not_exist_for_it(place: Place) -> None:
    items = "".join(
        f'<Item itemId="{number}" {what} {since(place)}/>'
        for number, what in enumerate(
            ('servicePointId="SP2"', 'servicePointId="SP1"', 'accountId="A1"', 'meterId="M000001"', 'servicePointId="nowhere"'), 1
        )
    )
    status, _, root = place.ask(place.request("S1", items), login="coop:only some")
    assert status == 200, etree.tostring(root)
    answered = {one.get("itemId"): (one.get("status"), one.get("reason")) for one in root}
    assert answered.pop("1") == ("COMPLETE", None)
    reasons = {(status, (reason or "").replace("SP1", "*").replace("nowhere", "*")) for status, reason in answered.values()}
    assert len({status for status, _ in reasons}) == 1
    assert answered["2"][1].replace("SP1", "*") == answered["5"][1].replace("nowhere", "*")
    assert answered["3"][1] == "accountId 'A1' is not known"
    of_cycle = place.request("S2", "").replace(b"<Cycle ", f"<Cycle {since(place)} ".encode())
    root = place.ask(of_cycle, login="coop:only some")[2]
    assert [one.get("itemId") for one in root] == ["SP2"]


def test_a_document_larger_than_any_soap_message_is_taken_and_one_past_the_bound_is_not(place: Place) -> None:
    item = f'<Item itemId="1" servicePointId="SP1" {since(place)}/>'
    large = place.request("L1", item + "<!-- nothing -->\n" * (9 * 64 * 1024))
    assert place.ask(large)[0] == 200
    assert place.ask(large)[2].get("items") == "1"
    host, port = place.url.removeprefix("http://").split(":")
    for path, octets, said in (("/billing", 129 << 20, b"413 "), ("/multispeak/3.0/MR_Server", 9 << 20, b"413 ")):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: text/xml\r\nContent-Length: {octets}\r\n\r\n".encode())
            assert said in connection.recv(1_000)


def test_what_is_meant_to_hurt_is_refused_and_others_are_answered(place: Place) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]>'.encode() + place.request("B1", '<Item itemId="&l11;"/>')
    attributes = " ".join([f'a{n}="1"' for n in range(100_000)])
    endless = place.request("B2", f'<Item itemId="1" servicePointId="SP1" {attributes}/>')
    for octets, words in ((bomb, "DOCTYPE is not allowed"), (endless, "a tag or a text has more than 65536 octets")):
        status, _, root = place.ask(octets)
        assert (status, words in root.get("reason")) == (400, True), root.get("reason")
    assert place.ask(place.request("B3", f'<Item itemId="1" servicePointId="SP1" {since(place)}/>'))[0] == 200


def test_as_files(place: Place) -> None:
    item = f'<Item itemId="2" servicePointId="SP2" {since(place)}/>'
    (place.directory / "requests" / ".hidden.xml").write_bytes(b"<")
    (place.directory / "requests" / "june.xml").write_bytes(place.request("F1", item))
    (place.directory / "requests" / "bad.xml").write_bytes(place.request("F2", "<Item/>"))
    manifest = place.delivered("responses", "-1_manifest.xml")
    assert problems_of(manifest) == []
    (response,) = [one for one in manifest.parent.iterdir() if one.name == manifest.name.replace("_manifest", "")]
    assert problems_of(response) == []
    assert [one.get("status") for one in etree.parse(response).getroot()] == ["COMPLETE"]
    refusal = etree.parse(place.delivered("responses", "bad_refusal.xml")).getroot()
    assert refusal.get("line") == "3"
    assert [one.name.partition("_")[2] for one in (place.directory / "requests" / "done").iterdir()] == ["june.xml"]
    assert [one.name.partition("_")[2] for one in (place.directory / "requests" / "refused").iterdir()] == ["bad.xml"]


def test_the_command_line(place: Place) -> None:
    file, output = place.directory / "again.xml", place.directory / "answer.xml"
    file.write_bytes(place.request("C1", f'<Item itemId="2" servicePointId="SP2" {since(place)}/>\n<Item itemId="9"/>'))
    dry = run("billing", "request", file, "--config", place.settings, "--dry-run")
    assert "item 9: names no servicePointId" in dry.stdout
    assert "2 items, 1 rejected" in dry.stdout
    done = run("billing", "request", file, "--config", place.settings, "--output", output)
    assert (done.returncode, "1 COMPLETE, 0 PARTIAL, 0 CANT_READ, 1 REJECTED, 0 waiting" in done.stderr) == (0, True), done.stderr
    valid = run("validate", output)
    assert (valid.returncode, valid.stdout) == (0, f"{output}: valid\n")
    output.write_bytes(output.read_bytes().replace(b'status="COMPLETE"', b'status="FINE"'))
    broken = run("validate", output)
    assert broken.returncode == 1
    assert "line 3: <Item" in broken.stdout
    assert "FINE" in broken.stdout


def test_exports_come_to_their_target(place: Place) -> None:
    day = UTILITY.local_day(place.stop - timedelta(hours=1))
    done = run("export", "run", "daily", "--day", str(day), "--config", place.settings)
    assert done.returncode == 0, done.stderr
    number = done.stdout.splitlines()[-1].partition(":")[0].rpartition("_")[2]
    manifest = place.delivered("files", f"_{day}_{number}_manifest.xml")
    assert problems_of(manifest) == []
    shown = json.loads(run("export", "show", "daily", "--day", str(day), "--config", place.settings, "--json").stdout)
    assert (shown["state"], shown["meters"]) == ("done", 6)
    assert {one["state"] for one in shown["deliveries"]} <= {"verified", "sent", "queued"}
    foreseen = run("export", "run", "daily", "--day", str(day), "--config", place.settings, "--dry-run")
    assert foreseen.stdout == "registers: 3 meters in 1 part\nintervals: 3 meters in 1 part\n"
    figures = json.loads(run("deliveries", "figures", "--config", place.settings, "--json").stdout)
    assert "mdm" in {one["target"] for one in figures}
    tested = run("deliveries", "test", "mdm", "--config", place.settings)
    assert "verified at mdm" in tested.stdout
