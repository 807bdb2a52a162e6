"""Requests as client stacks really send them, taken from the message log into the golden documents (`HEADEND_REWRITE_GOLDEN=1`)."""

import json
import time
from pathlib import Path

from tests.interop.served import Served
from tests.loopback.processes import WAIT_SECONDS, run

GOLDEN = Path(__file__).parents[1] / "golden" / "soap" / "requests"
RECORDED = {
    "3.0": ("GetLatestReadingsByMeterNoListFormattedBlock", "InitiateConnectDisconnect", "InitiateOutageDetectionEventRequest"),
    "4.1.6": ("GetLatestReadingsByMeterListFormattedBlock", "InitiateConnectDisconnect", "InitiateOutageDetectionEventRequest"),
}
"""One operation of each server, with arrays, attributes, and objects within objects."""


def record(head_end: Served, client: str, version: str) -> None:
    """Keep what a client has sent last."""
    for operation in RECORDED[version]:
        (GOLDEN / f"{client}-{version}-{operation}.xml").write_text(_sent(head_end, client, version, operation))


def _sent(head_end: Served, client: str, version: str, operation: str) -> str:
    """The newest request of an operation, without its password; the log is written a second behind."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        listed = run("messages", "list", "--config", head_end.config, "--operation", operation, "--limit", "1", "--json")
        newest = json.loads(listed.stdout) if listed.stdout else {}
        if newest.get("version") == version:
            shown = run("messages", "show", str(newest["number"]), "--config", head_end.config, "--json")
            request: str = json.loads(shown.stdout)["request"]
            if operation.startswith("Get") or f"{client}-{version}" in request:
                return request
        assert time.monotonic() < deadline, f"{operation} of {client} is not in the message log"
        time.sleep(0.2)
