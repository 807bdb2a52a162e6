"""Storms over the control port: last gasps that arrive, meters that fall silent and come back, a recording played again."""

import json
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from headend.c1222.acse import parse_apdu
from headend.c1222.identifiers import ApTitle
from headend.c1222.services import FullRead, encode_request
from headend.cli.storm import recording, storm
from headend.model.endpoint import Commodity
from headend.model.event_case import Device, EventCase, EventNumber
from headend.model.events import EventPath
from headend.push import is_event
from tests.loopback.test_emulator_service import Running, association_with


@pytest.fixture(scope="module")
def head_end():
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


def told(running, head_end, count):
    """Meters whose alarms come, in their order; pushes and registrations are passed over."""
    titles = {ApTitle.parse(i.ap_title).absolute: i for i in running.shipment.values()}
    found = []
    while len(found) < count:
        apdu = parse_apdu(head_end.recv(65_536))
        item = titles[apdu.calling.absolute]
        body = association_with(item).open(apdu)[0]
        if is_event([body]):
            found.append(item.meter_no)
    return found


def test_a_transformer_falls_silent_after_its_last_gasps_and_comes_back(running, head_end):
    order = ["begin", "--control", running.control, "--transformer", "T-1", "--seconds", "0.3", "--restore-after", "1.5"]
    ran = CliRunner().invoke(storm, order)
    assert ran.exit_code == 0, ran.output
    planned = json.loads(ran.output)
    assert planned["outages"] == planned["restorations"] == planned["endpoints"] > 10
    gasps = told(running, head_end, planned["outages"])
    assert len(set(gasps)) == planned["outages"]
    silent = running.shipment[next(m for m in gasps if running.shipment[m].router)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(0.3)
        request = association_with(silent).encode([encode_request(FullRead(5))], 1, int(time.time()))
        caller.sendto(request, (silent.address.host, silent.address.port))
        with pytest.raises(TimeoutError):
            caller.recv(65_536)
        assert set(told(running, head_end, planned["restorations"])) == set(gasps)
        caller.settimeout(10)
        request = association_with(silent).encode([encode_request(FullRead(5))], 2, int(time.time()))
        caller.sendto(request, (silent.address.host, silent.address.port))
        assert caller.recv(65_536)
    watched = CliRunner().invoke(storm, ["watch", "--control", running.control])
    assert json.loads(watched.output.splitlines()[-1])["waiting"] == 0


def test_a_recording_is_played_again_faster(running, head_end, tmp_path):
    meters = [i.meter_no for i in running.shipment.values() if i.meter_no[0] == "1"][:3]
    lines = [{"at": 10 * n, "meter_no": m, "code": 47} for n, m in enumerate([*meters, "unknown"])]
    recording = tmp_path / "day.ndjson"
    recording.write_text("\n".join(map(json.dumps, lines)))
    ran = CliRunner().invoke(storm, ["replay", str(recording), "--control", running.control, "--speed", "50"])
    assert json.loads(ran.output.splitlines()[-1]) == {"events": 3, "unknown": 1}
    assert told(running, head_end, 3) == meters


def test_what_is_stored_of_a_day_is_a_recording():
    begun = datetime(2026, 7, 1, tzinfo=UTC)
    device = Device(1, "10000001", Commodity.ELECTRIC)
    at = [begun + timedelta(seconds=seconds) for seconds in (-1, 0, 30, 60)]
    cases = [EventCase(EventNumber(n, 0), device, 47, one, n, EventPath.UNSOLICITED, b"\x05\x01", one) for n, one in enumerate(at)]
    written = list(recording(cases, begun, begun + timedelta(seconds=60)))
    assert [(one["at"], one["meter_no"], one["code"], one["argument"]) for one in written] == [
        (0, "10000001", 47, 261), (30, "10000001", 47, 261),
    ]  # fmt: skip


def test_what_cannot_be_is_said_in_a_sentence(running, tmp_path):
    ran = CliRunner().invoke(storm, ["begin", "--control", running.control, "--feeder", "north"])
    assert ran.exit_code == 1
    assert ran.output == "headend: the emulated utility refuses: feeder: 'north' is none; they are numbered F-1 to F-1\n"
    recording = tmp_path / "bad.ndjson"
    recording.write_text('{"at": 0}\nnonsense\n')
    ran = CliRunner().invoke(storm, ["replay", str(recording), "--control", running.control])
    assert ran.exit_code == 1
    assert "line 2 is no event of a recording" in ran.output
    gone = CliRunner().invoke(storm, ["calm", "--control", "http://127.0.0.1:1"])
    assert "no emulated utility answers at http://127.0.0.1:1" in gone.output
