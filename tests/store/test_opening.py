"""Opening a store: migrations step by step, and databases that are broken, foreign, newer, locked or not there."""

import sqlite3
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from adapters.store import message_store
from adapters.store.change_packing import unpack_changes
from adapters.store.columns import metadata
from adapters.store.database import parse_url
from adapters.store.errors import StoreBusyError, StoreCorruptedError, StoreMismatchError, StoreUnreachableError
from adapters.store.instants import DAY_US
from adapters.store.migration import migrate, revisions, stored_revision
from adapters.store.upgrading import steps
from headend.errors import StoreError
from headend.model.utility import UtilityId
from multispeak.packed_envelopes import unpacked
from tests.conftest import RunningReactor
from tests.store.world import FROM, NOW, UNTIL, UTILITY, OpenStore, endpoint_day, opened, shipment


def test_files_are_named_after_their_revisions_and_make_one_chain() -> None:
    assert [script.revision for script in steps().walk_revisions()][::-1] == revisions()


@pytest.mark.parametrize("revision", revisions())
def test_each_migration_takes_the_schema_one_step_on(database_url: str, revision: str) -> None:
    engine = create_engine(parse_url(database_url))
    known = revisions()
    for step in known[: known.index(revision) + 1]:
        with engine.begin() as connection:
            migrate(connection, step)
    with engine.begin() as connection:
        assert stored_revision(connection) == revision
        migrate(connection, revision)
    engine.dispose()


def test_changes_stored_row_by_row_are_packed(database_url: str) -> None:
    engine = create_engine(parse_url(database_url))
    with engine.begin() as connection:
        migrate(connection, "0012")
        rows = [{"seq": seq, "id": one, "first": 7 - one % 2, "last": 7} for seq in range(1, 1_003) for one in (1, 2, 3)]
        connection.execute(text("INSERT INTO endpoint_change VALUES (:seq, :id, :first, :last)"), rows)
    with engine.begin() as connection:
        migrate(connection, "0013")
        packed = connection.execute(text("SELECT change_seq, packed FROM endpoint_change ORDER BY 1")).all()
    engine.dispose()
    assert [seq for seq, _ in packed] == list(range(1, 1_003))
    assert {unpack_changes(octets) == {1: (6, 7), 2: (7, 7), 3: (6, 7)} for _, octets in packed} == {True}


def test_envelopes_stored_one_by_one_are_packed_together(database_url: str) -> None:
    engine = create_engine(parse_url(database_url))
    names = "direction began_us duration_us partner address server version soap operation transaction_id registration_id"
    names += " objects_in objects_out octets_in octets_out verdict request answer"
    with engine.begin() as connection:
        migrate(connection, "0024")
        marks = ", ".join(f":{name}" for name in names.split())
        rows = [
            {name: 0 if name.endswith(("_us", "in", "out")) else "" for name in names.split()}
            | {"direction": "in", "began_us": day * DAY_US, "request": zlib.compress(f"request {day}".encode()), "answer": b""}
            for day in range(40)
        ]
        connection.execute(text(f"INSERT INTO message ({', '.join(names.split())}) VALUES ({marks})"), rows)
        connection.execute(text("INSERT INTO message_day VALUES (0, 40, 123456)"))
    with engine.begin() as connection:
        migrate(connection, "0025")
        kept = [message_store.found(connection, number) for number in range(1, 41)]
        days = connection.execute(text("SELECT day, messages, octets FROM message_day ORDER BY day")).all()
    engine.dispose()
    envelopes = [found[1] for found in kept if found]
    assert [unpacked(one.octets, one.place) for one in envelopes] == [(f"request {day}", "") for day in range(40)]
    assert [one.place for one in envelopes] == [*range(32), *range(8)]
    assert [row[:2] for row in days] == [(day, 1) for day in range(40)]
    assert all(200 < row.octets < 220 for row in days)


def test_the_migrated_database_is_what_queries_expect(store: OpenStore) -> None:
    def compared(connection: object) -> None:
        there = inspect(connection)
        for table in metadata.sorted_tables:
            columns = {column["name"]: column["nullable"] for column in there.get_columns(table.name)}
            assert list(columns.items()) == [(column.name, bool(column.nullable)) for column in table.columns], table.name
            key = there.get_pk_constraint(table.name)
            assert sorted(key["constrained_columns"]) == sorted(column.name for column in table.primary_key), table.name

    store.running.wait(store.store._database.run, compared)


def test_large_tables_of_postgresql_are_partitioned_by_day(running: RunningReactor, postgresql_url: str, tmp_path: Path) -> None:
    store = opened(running, postgresql_url, tmp_path / "keys")
    store.call("import_shipment", shipment(1), NOW)
    store.call("record", [endpoint_day(1)], NOW)
    parents = "SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid ORDER BY 1"
    assert store.sql(parents) == [("device_event",), ("interval_day",), ("register_read",)]
    parts = "SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind = 'r' ORDER BY 1"
    assert store.sql(parts) == [("interval_day_20260701",), ("register_read_20260702",)]
    store.sql("DROP TABLE interval_day_20260701")
    store.call("record", [endpoint_day(1)], NOW)
    assert len(store.call("interval_blocks", "M000001", FROM, NOW)) == 4, "a partition dropped meanwhile is made again"
    store.call("close")


def test_what_was_stored_is_there_after_reopening(running: RunningReactor, database_url: str, tmp_path: Path) -> None:
    one = opened(running, database_url, tmp_path / "keys")
    one.call("import_shipment", shipment(2), NOW)
    one.call("schedule", NOW, FROM)
    (first, _) = one.call("lease", "me", 2, NOW, UNTIL)
    one.call("record", [endpoint_day(1, lease_id=first.lease_id)], NOW)
    one.call("close")
    two = opened(running, database_url, tmp_path / "keys")
    (second,) = two.call("lease", "me", 2, UNTIL, UNTIL + (UNTIL - NOW))
    assert second.meter_no == "M000002"
    assert second.first_invocation_id == first.first_invocation_id + first.invocation_ids
    assert len(two.call("interval_blocks", "M000001", FROM, NOW)) == 4
    two.call("close")


def test_several_stores_live_in_one_process(running: RunningReactor, tmp_path: Path) -> None:
    utilities = [replace(UTILITY, utility_id=UtilityId(name)) for name in ("north", "south")]
    stores = [opened(running, f"sqlite:///{tmp_path}/{u.utility_id}.sqlite", tmp_path / "keys", u) for u in utilities]
    stores[0].call("import_shipment", shipment(3), NOW)
    assert [one.call("summary").endpoints for one in stores] == [3, 0]
    for one in stores:
        one.call("close")
    with pytest.raises(StoreMismatchError, match="belongs to utility 'north', not to 'south'"):
        opened(running, f"sqlite:///{tmp_path}/north.sqlite", tmp_path / "keys", utilities[1])


def test_a_newer_schema_is_refused(running: RunningReactor, database_url: str, tmp_path: Path) -> None:
    one = opened(running, database_url, tmp_path / "keys")
    one.sql("UPDATE alembic_version SET version_num = '9999'")
    one.call("close")
    with pytest.raises(StoreMismatchError, match="schema 9999, made by a newer version"):
        opened(running, database_url, tmp_path / "keys")


def test_a_file_that_is_no_database_is_named(running: RunningReactor, tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_text("dear diary " * 500)
    with pytest.raises(StoreCorruptedError, match=r"store\.sqlite is not a database"):
        opened(running, f"sqlite:///{tmp_path}/store.sqlite", tmp_path / "keys")


def test_a_damaged_database_is_named(running: RunningReactor, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    one = opened(running, url, tmp_path / "keys")
    one.call("import_shipment", shipment(2_000), NOW)
    one.call("close")
    octets = bytearray((tmp_path / "store.sqlite").read_bytes())
    octets[4_096:] = b"\xa5" * (len(octets) - 4_096)
    (tmp_path / "store.sqlite").write_bytes(octets)
    with pytest.raises(StoreCorruptedError, match="corrupted"):
        opened(running, url, tmp_path / "keys")


def test_a_locked_database_is_waited_for_and_then_named(running: RunningReactor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.store.limits.BUSY_SECONDS", 0.01)
    monkeypatch.setattr("adapters.store.limits.PATIENCE_SECONDS", 0.3)
    store = opened(running, f"sqlite:///{tmp_path}/store.sqlite", tmp_path / "keys")
    other = sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreBusyError, match="locked by another process"):
        store.call("import_shipment", shipment(1), NOW)
    assert store.call("summary").endpoints == 0, "readers are not kept waiting by a writer"
    other.execute("ROLLBACK")
    other.close()
    assert store.call("import_shipment", shipment(1), NOW) == 1
    store.call("close")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sqlite://", "must name a file"),
        ("sqlite:///:memory:", "must name a file"),
        ("mysql://root:secret@host/db", "'mysql' is not supported"),
        ("no url at all", "cannot be read"),
        ("sqlite:////nowhere/at/all/store.sqlite", "cannot be opened"),
    ],
)
def test_a_url_that_leads_nowhere_is_explained(running: RunningReactor, tmp_path: Path, url: str, complaint: str) -> None:
    with pytest.raises(StoreError, match=complaint) as caught:
        opened(running, url, tmp_path / "keys")
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there_is_named_without_the_password(running: RunningReactor, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachableError, match="cannot be reached") as caught:
        opened(running, "postgresql://me:secret@127.0.0.1:1/db", tmp_path / "keys")
    assert "secret" not in str(caught.value)


def test_a_database_that_does_not_exist_is_named(running: RunningReactor, postgresql_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachableError, match="does not exist"):
        opened(running, postgresql_url + "_not", tmp_path / "keys")


def test_a_closed_store_says_so(store: OpenStore) -> None:
    store.call("close")
    with pytest.raises(StoreError, match="is closed"):
        store.call("summary")


def test_a_dropped_connection_is_tried_again(running: RunningReactor, postgresql_url: str, tmp_path: Path) -> None:
    store = opened(running, postgresql_url, tmp_path / "keys")
    engine = create_engine(parse_url(postgresql_url))
    with engine.begin() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(others))
    engine.dispose()
    assert store.call("import_shipment", shipment(1), NOW) == 1
    store.call("close")
