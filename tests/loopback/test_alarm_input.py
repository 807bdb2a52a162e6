"""What comes in as alarms and is none, or too many: between emulated meters and a running head-end a tap records and interferes."""

import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.validation.files import problems_of
from headend.c1222.acse import parse_apdu
from headend.c1222.association import Association
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import ResponseControl
from headend.c1222.security import Cipher, SecurityMode
from headend.ports import ShipmentItem
from headend.provisioning import read_shipment
from headend.provisioning_rows import FileFormat
from headend.push import is_event
from tests.loopback.asking import Taken, partner
from tests.loopback.outage_desk import desk_settings, tell_emulator
from tests.loopback.processes import Running, run, running
from tests.loopback.sshd import Sshd, sshd
from tests.loopback.stored import wait_for
from tests.loopback.test_status import metrics_at

SECONDS = 120.0
URGENT_NOTIFICATION = 6
FLOOD_EVENTS = 20
HEAD_END = ApTitle.parse(".1.4")

CHOICES = f"""
collection = {{ collector = "one", retry_minutes = 0.05 }}
alarms = {{ hold_off_seconds = 0, flood_events = {FLOOD_EVENTS} }}
"""

FILES = """
[[utilities.targets]]
name = "share"
kind = "directory"
path = "share"

[[utilities.targets]]
name = "far"
kind = "sftp"
{sftp}

[[utilities.event_files]]
name = "oms"
targets = ["share", "far"]
age_seconds = 1
"""


class Tap:
    """Takes what meters send, records it, and passes it on unless it `holds`."""

    def __init__(self, head_end: tuple[str, int]) -> None:
        self.head_end = head_end
        self.holds = False
        self.taken: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _pass_on(self) -> None:
        while octets := self._socket.recv(65_536):
            self.taken.append(octets)
            if not self.holds:
                self.send(octets)

    def send(self, octets: bytes) -> None:
        self._socket.sendto(octets, self.head_end)


class Site:
    """A utility, its head-end, and who is told."""

    def __init__(self, place: Path, emulator: dict[str, Any], taken: Taken, stack: ExitStack) -> None:
        self._stack = stack
        self.place, self.control, self.taken = place, emulator["control"], taken
        shipment = read_shipment(Path(emulator["shipment"]).read_bytes(), FileFormat.CSV)
        self.items = {item.meter_no: item for item in shipment.items}
        self.homes = [no for no, item in self.items.items() if item.configuration == "residential" and item.router is not None]
        self.serve: Running
        self.metrics = ""
        self.tap: Tap | None = None

    def start(self) -> None:
        self.serve = self._stack.enter_context(running("serve", "--config", self.place / "headend.toml"))
        found = re.search(r"at (\S+):(\d+)", self.serve.line_with("listening to the field"))
        assert found is not None
        self.metrics = self.serve.line_with("metrics: ").split()[-1]
        head_end = found[1], int(found[2])
        if self.tap is None:
            self.tap = Tap(head_end)
            tell_emulator(self.control, "head-end", {"host": "127.0.0.1", "port": self.tap.port})
        self.tap.head_end = head_end
        wait_for(f"sqlite:///{self.place}/headend.db", lambda tally: tally["done"] > 0 == tally["due"])

    def said_by_it(self) -> str:
        """All that the head-end has said, once it has ended."""
        return "".join(self.serve.output) + self.serve.rest()

    def happens(self, meter_no: str, event: str) -> None:
        tell_emulator(self.control, f"endpoints/{meter_no}/events", {"event": event, "alarm": True})

    def said(self, *arguments: str) -> Any:
        done = run(*arguments, "--config", self.place / "headend.toml", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def until(self, done: Any, what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not done():
            assert time.monotonic() < deadline, what
            self.taken.drain(0.3)

    def is_told(self, meter_no: str) -> bool:
        return any(f">{meter_no}<" in one["body"] for one in self.taken.all)

    def alarm_of(self, meter_no: str, event: str) -> bytes:
        """The datagram in which a meter tells of an event, which it does now."""
        assert self.tap is not None
        before, item = len(self.tap.taken), self.items[meter_no]
        self.happens(meter_no, event)
        found: list[bytes] = []

        def came() -> bool:
            assert self.tap is not None
            found.extend(one for one in self.tap.taken[before:] if _event_in(item, one) is not None)
            return bool(found)

        self.until(came, f"{meter_no} says nothing")
        return found[0]

    def stored(self, meter_no: str, code: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.said("events", "list", "--meter", meter_no, "--code", str(code), "--limit", "1000")
        return found

    def dropped(self, reason: str) -> float:
        return metrics_at(self.metrics).get(("headend_dropped_total", reason), 0.0)


def _event_in(item: ShipmentItem, octets: bytes) -> bytes | None:
    """The single event that a datagram of this meter holds, as its service."""
    apdu = parse_apdu(octets)
    if apdu.calling.absolute != ApTitle.parse(item.ap_title).absolute:
        return None
    near = Association(HEAD_END, ApTitle.parse(item.ap_title), SecurityMode.ENCRYPTED, item.key_id, Cipher(item.key))
    services = near.open(apdu)
    return services[0] if is_event(services) else None


def sealed(item: ShipmentItem, service: bytes, invocation_id: int, iv: int, *, key: bytes | None = None, title: str = "") -> bytes:
    """A message as the meter sends it, at another time, under another key, or from another title."""
    near = ApTitle.parse(title or item.ap_title)
    association = Association(near, HEAD_END, SecurityMode.ENCRYPTED, item.key_id, Cipher(key or item.key))
    return association.encode([service], invocation_id, iv, response_control=ResponseControl.NEVER, qualifier=URGENT_NOTIFICATION)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as one:
        yield one


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, server: Sshd) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("alarms")
    for name in ("share", "far"):
        (place / name).mkdir()
    login = {"host": "127.0.0.1", "port": server.port, "user": server.user, "directory": str(place / "far")}
    login |= {"host_keys": [server.host_key], "key_file": str(server.client_key)}
    sftp = "\n".join(f"{name} = {json.dumps(value)}" for name, value in login.items())
    with ExitStack() as stack:
        taken = stack.enter_context(partner())
        (place / "headend.toml").write_text("metrics = { port = 0 }\n" + desk_settings(taken.port, CHOICES) + FILES.format(sftp=sftp))
        emulator = stack.enter_context(running("emulate", "--endpoints", "40", "--seed", "5", "--directory", place))
        said = json.loads(emulator.line_with("control"))
        done = run("import", "shipment", said["shipment"], "--config", place / "headend.toml")
        assert done.returncode == 0, done.stderr
        one = Site(place, said, taken, stack)
        one.start()
        yield one
        assert one.serve.end(signal.SIGTERM) == 0
        assert "Traceback" not in one.said_by_it()


def test_what_is_forged_played_again_strange_or_garbage_is_dropped_and_what_is_true_is_told(site: Site) -> None:
    meter_no, other = site.homes[:2]
    item = site.items[meter_no]
    assert site.tap is not None
    now = int(time.time())
    true = site.alarm_of(meter_no, "tamper")
    service = _event_in(item, true)
    assert service is not None
    for number in range(3):
        site.tap.send(sealed(item, service, 900 + number, now, key=bytes(16)))
        site.tap.send(sealed(item, service, 910 + number, now, title=f"{item.ap_title}77"))
        site.tap.send(true[: -1 - number])
        site.tap.send(bytes([number]) * 40)
        site.tap.send(true)
    site.until(lambda: site.dropped("wrong authentication code") >= 3 and site.dropped("stranger") >= 3, "not all were taken")
    site.until(lambda: site.stored(meter_no, 47), "the true one is not stored")
    site.happens(meter_no, "power-down")
    site.happens(other, "power-down")
    site.until(lambda: site.is_told(meter_no) and site.is_told(other), "a true alarm was not told")
    assert len(site.stored(meter_no, 47)) == 1
    assert site.dropped("malformed") >= 6


def test_a_clock_far_ahead_is_believed_once_and_an_old_message_never(site: Site) -> None:
    meter_no = site.homes[2]
    item = site.items[meter_no]
    assert site.tap is not None
    site.tap.holds = True
    down = _event_in(item, site.alarm_of(meter_no, "power-down"))
    assert down is not None
    site.tap.holds = False
    site.happens(meter_no, "tamper")
    site.until(lambda: len(site.stored(meter_no, 47)) == 1, "the event is not stored")
    day = 86_400
    before = site.dropped("old, or its clock was set back")
    site.tap.send(sealed(item, down, 2_000, int(time.time()) - day))
    site.until(lambda: site.dropped("old, or its clock was set back") > before, "the old one was taken")
    assert site.stored(meter_no, 1) == []
    site.tap.send(sealed(item, down, 2_001, int(time.time()) + day))
    site.until(lambda: site.stored(meter_no, 1), "what is newer than all before was not taken")
    site.tap.send(sealed(item, down, 2_001, int(time.time()) + day))
    site.happens(meter_no, "power-up")
    site.until(lambda: site.stored(meter_no, 2), "its clock is right again, and it is not heard")
    assert len(site.stored(meter_no, 1)) == 1


def test_a_flood_of_one_meter_is_bounded_and_costs_its_neighbours_nothing(site: Site) -> None:
    noisy, *neighbours = site.homes[3:9]
    burst, slowly = 60, 25
    overflown = site.dropped("too many waiting")
    for number in range(burst):  # far more than one meter may have waiting: its log has the rest
        site.happens(noisy, "tamper")
        if number % 15 == 7:
            site.happens(neighbours[number // 15], "power-down")
    for _ in range(slowly):
        site.happens(noisy, "tamper")
        time.sleep(0.15)
    site.until(lambda: all(site.is_told(one) for one in neighbours[:4]), "a neighbour was not told of")

    def stored_or_dropped() -> bool:
        return len(site.stored(noisy, 47)) + site.dropped("too many waiting") - overflown >= burst + slowly

    site.until(stored_or_dropped, "some are neither stored nor counted")
    site.until(lambda: "new" not in [one["decision"] for one in site.stored(noisy, 47)], "not judged")
    stored = site.stored(noisy, 47)
    withheld = [one for one in stored if one["decision"] == "withheld"]
    assert len(withheld) == len(stored) - FLOOD_EVENTS > 0
    assert all(one["reason"].startswith("flood: ") for one in withheld)


def test_files_of_alarms_have_each_event_once_whatever_is_killed(site: Site) -> None:
    place, meters = site.place, site.homes[9:12]
    for _ in range(8):
        for meter_no in meters:
            site.happens(meter_no, "tamper")
        time.sleep(0.4)
    site.serve.process.kill()  # while files are made and on their way
    assert "Traceback" not in site.said_by_it()
    site.start()
    for meter_no in meters:
        site.happens(meter_no, "tamper")
    wanted = {meter_no: {one["number"] for one in site.stored(meter_no, 47)} for meter_no in meters}

    def told(name: str) -> dict[str, list[str]]:
        events = [event for file in sorted((place / name).glob("demo_oms_*.xml")) for event in etree.parse(file).getroot()]
        mine = [one for one in events if one.get("meter") in meters and one.get("code") == "47"]
        return {meter_no: [one.get("id") for one in mine if one.get("meter") == meter_no] for meter_no in meters}

    for name in ("share", "far"):
        site.until(lambda name=name: all(wanted[one] <= set(told(name)[one]) for one in meters), f"events miss in {name}")
        assert all(len(ids) == len(set(ids)) for ids in told(name).values()), "an event is in two files"
    for name in ("share", "far"):
        site.until(lambda name=name: not [one for one in (place / name).iterdir() if one.suffix != ".xml"], f"unfinished in {name}")
        files = sorted((place / name).iterdir())
        numbers = [int(file.stem.rpartition("_")[2]) for file in files]
        assert numbers == list(range(1, len(numbers) + 1)), "numbers have a gap"
        assert [problems_of(file) for file in files] == [[]] * len(files)
