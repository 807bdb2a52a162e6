"""A whole demo collection, recorded by the links, and read by tshark: every frame it can verify, it verifies."""

import json
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.pcap import PcapWriter
from headend.c1222.identifiers import ApTitle
from headend.cli.demo import DemoOptions, demo_settings
from headend.model.collection import CollectionSummary
from headend.ports import ShipmentItem
from headend.provisioning import read_shipment
from headend.provisioning_rows import FileFormat
from headend.service import HeadEndService, UtilityService
from headend.surrounding import Surrounding
from tests.conftest import RunningReactor
from tests.edge.tshark import Tally, decode, needs_tshark, of_device, tally
from tests.loopback.processes import WAIT_SECONDS
from tests.loopback.processes import running as running_command

ENDPOINTS = 20


@needs_tshark
def test_tshark_verifies_a_demo_collection(tmp_path: Path, running: RunningReactor) -> None:
    capture = tmp_path / "collection.pcap"
    with capture.open("wb") as stream:
        items, ports, summary = collect(tmp_path, running, PcapWriter(stream))
    assert summary.failed == 0
    tallies = [verify(capture, item, ports, tmp_path) for item in items if item.address.transport == "udp"]
    assert sum(len(t.verified) for t in tallies) > 3 * ENDPOINTS
    assert [t.failed for t in tallies if t.failed] == []
    assert any(t.segments for t in tallies), "no model of this collection answers in segments"
    assert not any(t.clear for t in tallies), "something went over the wire unsecured"


def verify(capture: Path, item: ShipmentItem, ports: set[int], directory: Path) -> Tally:
    """tshark knows one key for a key id, so it is run for one meter at a time."""
    own = directory / f"{item.meter_no}.pcap"
    assert of_device(capture, ApTitle.parse(item.ap_title).absolute, own) > 0
    return tally(decode(own, {item.key_id: item.key}, directory, ports))


def collect(place: Path, running: RunningReactor, recorder: PcapWriter) -> tuple[Sequence[ShipmentItem], set[int], CollectionSummary]:
    settings = demo_settings(DemoOptions(True, ENDPOINTS, 0, None, 1, "no secret at all"), place)
    service: HeadEndService = running.wait(HeadEndService.start, settings, Surrounding(running.reactor, datagrams=recorder))
    try:
        with running_command("emulate", "--endpoints", str(ENDPOINTS), "--directory", place / "field") as field:
            ready = json.loads(field.line_with("control"))
            shipment = read_shipment(Path(ready["shipment"]).read_bytes(), FileFormat.CSV)
            utility = service.only_utility
            running.wait(utility.store.import_shipment, shipment.items, datetime.now(UTC))
            told = {"host": utility.address.host, "port": utility.address.port, "wake_within": 1}
            urllib.request.urlopen(f"{ready['control']}/head-end", data=json.dumps(told).encode(), timeout=WAIT_SECONDS).close()
            summary = until_collected(running, utility)
    finally:
        running.wait(service.stop)
    ports = {item.address.port for item in shipment.items} | {utility.address.port}
    return shipment.items, ports, summary


def until_collected(running: RunningReactor, utility: UtilityService) -> Any:
    start, end = utility.utility.day_bounds(utility.utility.local_day(datetime.now(UTC)) - timedelta(days=1))
    running.wait(utility.collect, start)
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        summary = running.wait(utility.store.summary)
        pushed, pushing = running.wait(utility.store.pushed, end)
        if not summary.due and pushed == pushing:
            return summary
        assert time.monotonic() < deadline, f"{summary}, {pushed} of {pushing} pushed"
        time.sleep(0.1)
