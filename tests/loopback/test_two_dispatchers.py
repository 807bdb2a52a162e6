"""Two dispatchers of one utility at once, in a storm: each event is told once, in its meter's order, and all are when one is killed."""

import json
import re
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.loopback.asking import Taken, partner
from tests.loopback.outage_desk import desk_settings, tell_emulator
from tests.loopback.processes import Running, run, running
from tests.loopback.stored import rows_of, wait_for

SECONDS = 150.0
DESK_OWNER = "SELECT owner FROM regular_work WHERE work = 'event desk'"


def changes(taken: Taken) -> dict[str, list[str]]:
    """What was told of the supply, by meter."""
    told: dict[str, list[str]] = {}
    for one in taken.all:
        for event in re.findall(r"<outageDetectionEvent\b.*?</outageDetectionEvent>", one["body"], re.DOTALL):
            meter = re.search(r"<meterID\b[^>]*>([^<]+)<", event)
            assert meter is not None
            told.setdefault(meter[1], []).append("Outage" if ">Outage<" in event else "Restoration")
    return told


@pytest.mark.postgresql
@pytest.mark.parametrize("is_killed", [False, True])
def test_each_event_is_told_once_and_in_order(tmp_path: Path, postgresql_url: str, is_killed: bool) -> None:
    with ExitStack() as stack:
        taken = stack.enter_context(partner())
        config = tmp_path / "headend.toml"
        config.write_text(desk_settings(taken.port, "alarms = { hold_off_seconds = 0 }", postgresql_url))
        emulator = stack.enter_context(running("emulate", "--endpoints", "60", "--seed", "5", "--directory", tmp_path))
        said = json.loads(emulator.line_with("control"))
        assert run("import", "shipment", said["shipment"], "--config", config).returncode == 0

        def serve(role: str) -> Running:
            return stack.enter_context(running("serve", "--config", config, "--role", role))

        collector, dispatchers = serve("collector"), [serve("dispatcher"), serve("dispatcher")]
        field = re.search(r"at (\S+):(\d+)", collector.line_with("listening to the field"))
        assert field is not None
        tell_emulator(said["control"], "head-end", {"host": field[1], "port": int(field[2])})
        wait_for(postgresql_url, lambda tally: tally["done"] > 0 == tally["due"])  # a log that is read first makes alarms history
        planned = tell_emulator(said["control"], "storm", {"seconds": 4, "restore_after": 5})
        meters = int(planned["outages"])
        assert meters == int(planned["restorations"]) > 30
        while len(changes(taken)) < 5:
            taken.drain(0.1)
        if is_killed:
            ((owner,),) = rows_of(postgresql_url, DESK_OWNER)
            (at_the_desk,) = [one for one in dispatchers if str(one.process.pid) in owner]
            at_the_desk.end(signal.SIGKILL)
            dispatchers.remove(at_the_desk)
        deadline = time.monotonic() + SECONDS
        while sum(told[-1] == "Restoration" for told in changes(taken).values()) < meters:
            assert time.monotonic() < deadline, f"{len(changes(taken))} of {meters} are told"
            taken.drain(0.5)
        told = changes(taken)
        if is_killed:  # what was on its way then may have come twice
            assert {tuple(dict.fromkeys(one)) for one in told.values()} == {("Outage", "Restoration")}
        else:
            assert set(map(tuple, told.values())) == {("Outage", "Restoration")}
        for one in (collector, *dispatchers):
            assert one.end(signal.SIGTERM) == 0
            assert "Traceback" not in "".join(one.output) + one.rest()
