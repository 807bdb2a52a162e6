"""A head-end killed or stopped in mid-collection: nothing it had stored is lost, and its next start finishes the rest."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import RunningReactor
from tests.loopback.processes import run
from tests.loopback.processes import running as running_command
from tests.loopback.stored import rows_of, slow_collection, tally_of, values_as_held, wait_for


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_an_end_in_mid_collection(by: signal.Signals, tmp_path: Path, running: RunningReactor) -> None:
    url = f"sqlite:///{tmp_path}/headend.db"
    config = slow_collection(tmp_path, url)
    with running_command("emulate", "--endpoints", "24", "--hop-seconds", "0.02", "--directory", tmp_path / "field") as field:
        ready = json.loads(field.line_with("control"))
        assert run("import", "shipment", ready["shipment"], "--config", config).returncode == 0
        with running_command("serve", "--config", config) as serve:
            wait_for(url, lambda tally: tally["done"] >= 4)
            assert serve.end(by) == (-by if by is signal.SIGKILL else 0)
        before = tally_of(url)
        kept = reads_and_events(url)
        assert before["due"] > 0, "ended too late to be in mid-collection"
        held = rows_of(url, "SELECT count(*) FROM endpoint_state WHERE lease_owner IS NOT NULL")[0][0]
        assert (held > 0) is (by is signal.SIGKILL), "one that is stopped gives back what it holds"
        assert kept
        with running_command("serve", "--config", config) as serve:
            wait_for(url, lambda tally: tally["due"] == 0)
            assert serve.end(signal.SIGTERM) == 0
        assert tally_of(url)["failed"] == 0
        assert kept <= reads_and_events(url), "what was stored before the kill has gone or changed"
        assert values_as_held(running, url, tmp_path / "headend.key", ready["control"]) > 4_000


def reads_and_events(url: str) -> set[tuple[Any, ...]]:
    """Everything stored of reads and events, with its change sequence."""
    return {row for table in ("register_read", "device_event") for row in rows_of(url, f"SELECT '{table}', {table}.* FROM {table}")}
