"""Status, metrics and the JSON log of a head-end that runs, as an operator meets them."""

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.loopback.processes import WAIT_SECONDS, run
from tests.loopback.processes import running as running_command
from tests.loopback.stored import slow_collection, wait_for


def metrics_at(address: str) -> dict[tuple[str, str], float]:
    """Samples by name and the value of their second label, if they have one."""
    with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples if sample.name.startswith("headend_")]
    assert all(sample.labels["utility"] == "demo" for sample in samples)
    return {(s.name, next((v for k, v in s.labels.items() if k != "utility"), "")): s.value for s in samples}


def test_what_an_operator_sees_while_a_collection_runs(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/headend.db"
    config = slow_collection(tmp_path, url)
    config.write_text("metrics = { port = 0 }\n" + config.read_text())
    with running_command("emulate", "--endpoints", "8", "--directory", tmp_path / "field") as field:
        ready = json.loads(field.line_with("control"))
        assert run("import", "shipment", ready["shipment"], "--config", config).returncode == 0
        with running_command("serve", "--config", config, "--verbose", "--log-json") as serve:
            address = serve.line_with("metrics: ").split()[-1]
            assert address.startswith("http://127.0.0.1:")
            wait_for(url, lambda tally: tally["done"] > 0 and tally["due"] == 0)
            measured = metrics_at(address)
            told = run("status", "--config", config, "--json")
            shown = run("status", "--config", config)
            assert serve.end(signal.SIGTERM) == 0
            lines = [json.loads(line) for line in (*serve.output, *serve.rest().splitlines()) if line.startswith("{")]
    assert measured["headend_finished_total", ""] >= measured["headend_recorded_total", ""] > 0
    assert measured["headend_endpoints", ""] == 8
    assert measured["headend_database_octets", ""] > 100_000
    status: dict[str, Any] = json.loads(told.stdout)
    assert (status["utility"], status["collection"]["due"], status["reach"]["active"]) == ("demo", 0, 8)
    assert status["leases"]["held"] == {}
    assert {"headend", "schema", "database", "python"} == status["versions"].keys()
    assert "heard in 24 h" in shown.stdout
    assert "collection" in shown.stdout
    assert lines, "nothing was logged"
    assert {"time", "level", "from", "message"} <= lines[0].keys()
    assert any(line.get("fields", {}).get("utility") == "demo" for line in lines)
