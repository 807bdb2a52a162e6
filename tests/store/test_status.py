"""How things stand, counted on both databases."""

import json
from datetime import timedelta
from pathlib import Path

from headend.cli.status import status_json, status_table
from headend.model.collection import Collected, OutgoingMessage
from headend.model.endpoint import EndpointId
from headend.model.events import DeviceEvent, EarlyEvent, EventPath, ExceptionKind, ExceptionRecord
from headend.settings import settings_from
from tests.store.world import DAY, FROM, NOW, UNTIL, UTILITY, OpenStore, endpoint_day, shipment


def test_what_a_database_knows_of_a_collection(store: OpenStore, tmp_path: Path) -> None:
    store.call("import_shipment", shipment(10), NOW)
    store.call("schedule", NOW, FROM)
    leased = store.call("lease", "one", 4, NOW, UNTIL)
    midnight, _ = UTILITY.day_bounds(DAY)
    done = [endpoint_day(a.endpoint_id, lease_id=a.lease_id) for a in leased[:2]]
    store.call("record", done, NOW)
    failed = ExceptionRecord(EndpointId(leased[2].endpoint_id), ExceptionKind.NO_ANSWER, NOW, "nothing came")
    message = OutgoingMessage("oms", "event", b"1")
    last = Collected(EndpointId(leased[2].endpoint_id), None, leased[2].lease_id, exception=failed, messages=(message,))
    tamper = DeviceEvent(EndpointId(1), 47, NOW, 3, path=EventPath.UNSOLICITED)
    early = Collected(EndpointId(9), NOW, early_events=(EarlyEvent(NOW, b"\1"), EarlyEvent(NOW, b"\2")))
    store.call("record", [last, early, Collected(EndpointId(1), NOW, events=(tamper,))], NOW)
    store.call("claim_work", "purge", "other-1", NOW, UNTIL, NOW)

    found = store.call("status", NOW + timedelta(seconds=9), midnight)
    assert (found.collection.due, found.collection.done, found.collection.failed) == (7, 2, 1)
    assert (found.reach.active, found.reach.heard, found.reach.read) == (10, 3, 2)
    assert found.leases.held == {"one": 1}
    assert (found.leases.first_ends, found.leases.waiting, found.leases.waiting_since) == (UNTIL, 6, NOW)
    assert found.exceptions == {"no answer": 1}
    assert found.events == {"new": 1, "early": 2}
    assert found.outbox == {"queued": 1}
    assert [(one.work, one.owner, one.done) for one in found.regular_work] == [("purge", "other-1", None)]
    assert found.octets > 100_000
    assert found.database_version.startswith(("SQLite 3", "PostgreSQL 1"))

    table = {"id": "demo", "time_zone": "America/Chicago", "database": "sqlite:///x.db", "key_file": "keys"}
    (utility,) = settings_from({"utilities": [table]}, tmp_path, "test").utilities
    told = json.loads(json.dumps(status_json(found, utility)))
    assert told["leases"]["first_ends"] == UNTIL.isoformat()
    assert told["retention_days"]["voltage"] == 92
    assert told["versions"]["schema"] == found.schema_revision
    assert len(status_table(found, utility).rows) == 16
