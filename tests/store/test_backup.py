"""Backups of both kinds of database, written beside a process that goes on writing, and read back whole."""

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool

from adapters.store.backup import Identity, check_identity, identity_of, restore, write_backup
from adapters.store.database import parse_url
from adapters.store.errors import StoreMismatchError
from adapters.store.keys import create_key_file, read_key_file
from headend.errors import StoreError
from tests import postgresql
from tests.conftest import RunningReactor
from tests.store.world import DAY, NOW, UTILITY, OpenStore, endpoint_day, opened, shipment

TABLES = ("endpoint", "endpoint_key", "endpoint_state", "register_read", "interval_day", "endpoint_change", "tally", "store_identity")


def silent(_done: int, _all: int) -> None:
    """For tests that show no progress."""


def rows(store: OpenStore) -> dict[str, list[Any]]:
    """Everything that matters."""
    return {table: sorted(store.sql(f"SELECT * FROM {table}"), key=repr) for table in TABLES}


def test_a_backup_holds_everything_and_overwrites_nothing(
    store: OpenStore, running: RunningReactor, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store.call("import_shipment", shipment(20), NOW)
    store.call("record", [endpoint_day(n) for n in range(1, 21)], NOW)
    before = rows(store)
    url = store.store._database.url
    seen: list[tuple[int, int]] = []
    file = tmp_path / "backup"
    write_backup(url, file, lambda done, all_: seen.append((done, all_)))
    assert seen[-1][0] == seen[-1][1] > 0
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="overwrites nothing"):
        write_backup(url, file, silent)

    identity = identity_of(file)
    assert (identity.utility_id, "key_check" in repr(identity)) == ("demo", False)
    check_identity(identity, UTILITY, read_key_file(tmp_path / "keys", "demo"))
    create_key_file(tmp_path / "other keys")
    with pytest.raises(StoreMismatchError):
        check_identity(identity, UTILITY, read_key_file(tmp_path / "other keys", "demo"))
    with pytest.raises(StoreMismatchError, match="newer version"):
        check_identity(Identity("demo", "9999", identity.key_check), UTILITY, read_key_file(tmp_path / "keys", "demo"))

    with pytest.raises(StoreError, match="not empty"):
        restore(url, file, silent, force=False)
    store.call("record", [endpoint_day(1, DAY.replace(day=2))], NOW)
    store.call("close")
    restore(url, file, silent, force=True)
    again = opened(running, url.render_as_string(hide_password=False), tmp_path / "keys")
    assert rows(again) == before
    again.call("record", [endpoint_day(1, DAY.replace(day=2))], NOW)
    assert again.registers("M000001") == 2
    again.call("close")


def test_a_backup_into_a_new_database(store: OpenStore, running: RunningReactor, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    store.call("import_shipment", shipment(3), NOW)
    store.call("record", [endpoint_day(n) for n in range(1, 4)], NOW)
    file = tmp_path / "backup"
    write_backup(store.store._database.url, file, silent)

    def restored(url: str) -> None:
        restore(parse_url(url), file, silent, force=False)
        other = opened(running, url, tmp_path / "keys")
        assert rows(other) == rows(store)
        other.call("close")

    if store.store._database.is_sqlite:
        restored(f"sqlite:///{tmp_path}/new.sqlite")
    else:
        with postgresql.database(request.getfixturevalue("postgresql_server")) as url:
            restored(url.render_as_string(hide_password=False))


def test_a_process_goes_on_writing_while_a_backup_is_made(store: OpenStore, running: RunningReactor, tmp_path: Path) -> None:
    store.call("import_shipment", shipment(200), NOW)
    store.call("record", [endpoint_day(n) for n in range(1, 201)], NOW)
    recorded_meanwhile: list[int] = []
    file = tmp_path / "backup"
    recorded = threading.Event()

    def wait(_done: int, _all: int) -> None:
        """A small backup may be over before anything is written beside it."""
        recorded.wait(20)

    reactor = running.reactor

    async def together() -> None:
        backing: Deferred[None] = deferToThreadPool(reactor, reactor.getThreadPool(), write_backup, store.store._database.url, file, wait)
        n = 0
        while not backing.called:
            n += 1
            await store.store.record([endpoint_day(n, DAY.replace(day=2))], NOW)
            if not backing.called:
                recorded_meanwhile.append(n)
            recorded.set()
            if n == 200:
                break
        await backing

    running.wait(together)
    assert recorded_meanwhile, "nothing was written while the backup was made"
    identity_of(file)
    assert store.call("summary").endpoints == 200


@pytest.mark.parametrize("octets", [b"", b"headend", b"SQLite format 3\0" + bytes(50), b"PGDMP" + bytes(50)])
def test_what_is_no_backup_is_a_sentence(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "file").write_bytes(octets)
    if octets.startswith(b"PGDMP") and shutil.which("pg_restore") is None:
        pytest.skip("pg_restore is not installed")
    with pytest.raises(StoreError):
        identity_of(tmp_path / "file")


def test_a_backup_of_one_kind_does_not_go_into_the_other(store: OpenStore, tmp_path: Path) -> None:
    url = store.store._database.url
    write_backup(url, tmp_path / "backup", silent)
    other = "postgresql://nobody@127.0.0.1:1/none" if store.store._database.is_sqlite else f"sqlite:///{tmp_path}/x.sqlite"
    with pytest.raises(StoreError, match="is a backup of"):
        restore(parse_url(other), tmp_path / "backup", silent, force=True)


def test_passwords_are_on_no_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, postgresql_url: str) -> None:
    began: list[list[str]] = []
    popen = subprocess.Popen

    def noted(command: list[str], **named: Any) -> Any:
        began.append(command)
        return popen(command, **named)

    monkeypatch.setattr(subprocess, "Popen", noted)
    write_backup(parse_url(postgresql_url).set(password="unseen"), tmp_path / "backup", silent)
    assert began
    assert "unseen" not in repr(began)
