"""The emulated utility as a process of its own: files, meters on UDP and TCP, the control port."""

import json
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from headend.c1222.acse import parse_apdu
from headend.c1222.association import Association
from headend.c1222.identifiers import ApTitle
from headend.c1222.message import Cipher, SecurityMode
from headend.c1222.services import FullRead, encode_request
from headend.c1222.stream import ApduStream
from headend.c1222.table_data import decode_table_data
from headend.model.endpoint import Transport
from headend.provisioning import read_customers, read_shipment
from headend.provisioning_rows import FileFormat
from headend.router_provisioning import read_routers

PROGRAM = """
import sys
from pathlib import Path
from emulators.service import EmulatorOptions, run
head_end = ("127.0.0.1", int(sys.argv[2]))
run(EmulatorOptions(endpoints=240, routers=2, seed=4, directory=Path(sys.argv[1]), head_end=head_end, wake_within=2.0))
"""


class Running:
    def __init__(self, directory, head_end):
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(directory), str(head_end)], stdout=subprocess.PIPE, text=True
        )
        self.announcement = json.loads(self.process.stdout.readline())
        self.control = self.announcement["control"]
        self.shipment = {i.meter_no: i for i in read_shipment(Path(self.announcement["shipment"]).read_bytes(), FileFormat.CSV).items}

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.control + path, data=data)) as answer:
            return json.loads(answer.read())

    def refused(self, path, body=None, raw=None):
        data = raw if raw is not None else None if body is None else json.dumps(body).encode()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(self.control + path, data=data))
        with refused.value as answer:
            return answer.code, json.loads(answer.read())["error"]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def head_end():
    """Where endpoints push to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(10)
        yield listening


@pytest.fixture(scope="module")
def running(tmp_path_factory, head_end):
    started = Running(tmp_path_factory.mktemp("utility"), head_end.getsockname()[1])
    yield started
    started.stop()


def association_with(item):
    return Association(ApTitle.parse(".1.4"), ApTitle.parse(item.ap_title), SecurityMode.ENCRYPTED, item.key_id, Cipher(item.key))


def test_battery_endpoints_push_and_cellular_ones_register(running, head_end):
    titles = {ApTitle.parse(i.ap_title).absolute: i for i in running.shipment.values()}
    pushed, registered = set(), set()
    batteries = {i.meter_no for i in running.shipment.values() if i.meter_no[0] in "47" and i.router}
    while not (batteries <= pushed and registered):
        octets, address = head_end.recvfrom(65_536)
        apdu = parse_apdu(octets)
        item = titles[apdu.calling.absolute]
        services = association_with(item).open(apdu)
        if services[0][0] == 0x27:
            registered.add(item.meter_no)
            assert address == (item.address.host, item.address.port)
        else:
            pushed.add(item.meter_no)
    assert pushed >= batteries


def test_files_are_imported_without_a_problem(running):
    directory = Path(running.announcement["shipment"]).parent
    readers = {"shipment": (read_shipment, 240), "customers": (read_customers, 240), "routers": (read_routers, 2)}
    assert {p.name for p in directory.iterdir()} == {f"{name}.{kind}" for name in readers for kind in ("csv", "json")}
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        read, count = readers[path.stem]
        found = read(path.read_bytes(), FileFormat.of(path.name, b""))
        assert found.problems == ()
        assert len(found.items) == count
    items = running.shipment.values()
    assert sum(i.router is None for i in items) == 240 // 33
    assert sum(i.address.transport is Transport.TCP for i in items) == 1
    assert {str(i.address) for i in items if i.router} == {f"udp://{address}" for address in running.announcement["routers"]}


def test_meters_answer_on_udp_and_are_counted(running):
    item = next(i for i in running.shipment.values() if i.router is None and i.address.transport is Transport.UDP and i.meter_no[0] == "1")
    association = association_with(item)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(10)
        request = association.encode([encode_request(FullRead(5))], 1, int(time.time()))
        caller.sendto(request, (item.address.host, item.address.port))
        (answer,) = association.open(parse_apdu(caller.recv(65_536)))
    octets = decode_table_data(answer, 1)
    assert item.meter_no in {octets.decode("ascii", "replace").strip(), octets.hex().lstrip("0")}
    counted = running.call("/traffic")["sockets"][item.meter_no]
    assert counted["octets_in"] >= len(request)
    assert counted["datagrams_in"] >= 1


def test_meters_answer_on_tcp_however_the_octets_come(running):
    item = next(i for i in running.shipment.values() if i.address.transport is Transport.TCP)
    association = association_with(item)
    requests = b"".join(association.encode([encode_request(FullRead(1))], n, int(time.time())) for n in (11, 12, 13))
    stream, replies = ApduStream(), []
    with socket.create_connection((item.address.host, item.address.port), 10) as caller:
        for start in range(0, len(requests), 7):
            caller.sendall(requests[start : start + 7])
        while len(replies) < 3:
            replies += stream.feed(caller.recv(4096))
    assert sorted(parse_apdu(reply).reply_to for reply in replies) == [11, 12, 13]
    with socket.create_connection((item.address.host, item.address.port), 10) as hostile:
        hostile.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert hostile.recv(10) == b""


def test_clock_is_turned_by_hand(running):
    before = running.call("/clock")
    assert before["rate"] == 1.0
    running.call("/clock", {"rate": 0})
    stood = running.call("/clock")["now"]
    turned = running.call("/clock", {"advance": 3600})["now"]
    assert stood[:13] != turned[:13]
    assert stood[14:] == turned[14:]
    assert running.call("/clock", {"rate": 1})["rate"] == 1.0


def test_endpoints_are_listed_in_pages(running):
    page = running.call("/endpoints?first=238&limit=10")
    assert page["total"] == 240
    assert len(page["endpoints"]) == 2
    assert {e["meter_no"] for e in page["endpoints"]} <= running.shipment.keys()


def test_truth_of_one_and_of_all(running):
    now = int(time.time()) // 86_400 * 86_400
    times = "start={}&end={}".format(*(time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - back * 86_400)) for back in (2, 1)))
    meter_no = next(i.meter_no for i in running.shipment.values() if i.configuration == "residential" and i.model == "HE-R100")
    one = running.call(f"/endpoints/{meter_no}/truth?{times}")
    assert [len(c["values"]) for c in one["intervals"]] == [24, 96, 96, 96]
    assert len(one["registers"]) == 1
    with urllib.request.urlopen(f"{running.control}/truth?{times}") as answer:
        everyone = [json.loads(line) for line in answer]
    assert {e["meter_no"] for e in everyone} == running.shipment.keys()
    assert next(e for e in everyone if e["meter_no"] == meter_no) == one


def test_faults_and_events(running):
    meter_no = next(iter(running.shipment))
    assert running.call("/faults", {"faults": [{"kind": "loss", "probability": 0.5, "router": "router-001"}]}) == {"faults": 1}
    assert running.call("/faults")["faults"][0]["kind"] == "loss"
    assert running.call("/faults", {"faults": [{"kind": "clock-jump", "seconds": 90, "meter_no": meter_no}]}) == {"faults": 1}
    assert running.call("/faults")["faults"] == []
    assert running.call(f"/endpoints/{meter_no}/events", {"event": "tamper", "argument": 3}) == {"event": "tamper"}


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("/nothing", None, 404, "there is no GET /nothing"),
        ("/clock", {"advance": -5}, 400, "advance: -5 s"),
        ("/clock", {"advance": "x"}, 400, "advance: 'x' is not a number"),
        ("/clock", {"turn": 1}, 400, "unknown field 'turn'"),
        ("/clock", {"rate": 1e9}, 400, "rate: 1e+09"),
        ("/endpoints/1/truth?start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z", None, 404, "meter '1' is not known"),
        ("/truth", None, 400, "start is missing"),
        ("/truth?start=2026-01-02&end=2026-01-01", None, 400, "no offset"),
        ("/truth?start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z", None, 400, "not a range"),
        ("/endpoints?limit=0", None, 400, "limit: '0'"),
        ("/faults", {"faults": 3}, 400, "a list is wanted"),
        ("/faults", {"faults": [{"kind": "x"}]}, 400, "faults[0].kind"),
        ("/faults", {"faults": [{"kind": "reboot", "meter_no": "9"}]}, 404, "meter '9'"),
        ("/endpoints/9/events", {"event": "leak"}, 404, "meter '9'"),
        ("/wake", {"seconds": -1}, 400, "seconds: -1"),
        ("/wake", {"meter_no": "9"}, 404, "meter '9'"),
    ],
)
def test_what_is_wrong_is_named(running, path, body, status, text):
    code, error = running.refused(path, body)
    assert (code, text in error) == (status, True), error


def test_bodies_that_are_no_json_are_refused(running):
    assert running.refused("/clock", raw=b"{")[0] == 400
    assert "not a JSON object" in running.refused("/clock", raw=b"[1]")[1]
    assert running.refused("/clock", raw=b"[" * 100_000)[0] == 400
    assert "more than" in running.refused("/clock", raw=b" " * (2 << 20))[1]


def test_stop_ends_the_process(tmp_path):
    started = Running(tmp_path, 9)
    try:
        assert started.call("/stop", {}) == {"stopping": True}
        assert started.process.wait(10) == 0
    finally:
        started.stop()
