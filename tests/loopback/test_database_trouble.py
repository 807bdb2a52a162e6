"""Databases that are locked, damaged, foreign or gone, as whoever runs `headend serve` meets them: named, and survived where possible."""

import json
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.conftest import RunningReactor
from tests.loopback.processes import run
from tests.loopback.processes import running as running_command
from tests.loopback.stored import slow_collection, tally_of, values_as_held, wait_for
from tests.postgresql import OwnServer, own_server


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process's lock, as an administrator's forgotten transaction holds it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def test_a_locked_database_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    config = slow_collection(tmp_path, "sqlite:///headend.db")
    with locked(tmp_path / "headend.db"):
        done = run("serve", "--config", config)
    first, last = done.stderr.strip().splitlines()
    assert first.endswith("headend.db is locked by another process; trying again")
    assert last == f"headend: database sqlite:///{tmp_path}/headend.db is locked by another process"
    assert done.returncode == 1


def test_a_database_locked_for_a_while_only_delays_the_start(tmp_path: Path) -> None:
    config = slow_collection(tmp_path, "sqlite:///headend.db")
    with running_command("serve", "--config", config) as serve:
        with locked(tmp_path / "headend.db"):
            serve.line_with("is locked by another process; trying again")
        serve.line_with("works again")
        serve.line_with("MR_Server 4.1.6")
        assert serve.end(signal.SIGTERM) == 0


def test_a_database_locked_in_mid_collection_costs_nothing_but_time(tmp_path: Path, running: RunningReactor) -> None:
    with through_trouble(tmp_path, running, f"sqlite:///{tmp_path}/headend.db") as says, locked(tmp_path / "headend.db"):
        says("is locked by another process; trying again")


def test_a_stop_waits_for_a_locked_database_no_longer_than_it_may(tmp_path: Path) -> None:
    config = slow_collection(tmp_path, f"sqlite:///{tmp_path}/headend.db")
    with running_command("serve", "--config", config, "--stop-seconds", "1") as serve:
        serve.line_with("MR_Server 4.1.6")
        with locked(tmp_path / "headend.db"):
            assert serve.end(signal.SIGTERM) == 75
        assert "not everything has ended within 1 s" in serve.rest()


@pytest.fixture
def own_postgresql() -> Iterator[OwnServer]:
    with own_server() as server:
        yield server


@pytest.mark.postgresql
def test_a_server_that_goes_and_comes_back_in_mid_collection_costs_nothing_but_time(
    tmp_path: Path, running: RunningReactor, own_postgresql: OwnServer
) -> None:
    url = own_postgresql.url.render_as_string()
    with through_trouble(tmp_path, running, url) as says:
        own_postgresql.stop()
        says("cannot be reached: is the server running and the address right?; trying again")
        own_postgresql.start()


@pytest.mark.postgresql
def test_a_server_that_is_down_at_the_start_is_a_sentence(tmp_path: Path, own_postgresql: OwnServer) -> None:
    own_postgresql.stop()
    url = own_postgresql.url.set(password="secret").render_as_string(hide_password=False)
    done = run("serve", "--config", slow_collection(tmp_path, url))
    assert done.returncode == 1
    port = own_postgresql.url.port
    assert done.stderr == (
        f"headend: database postgresql://postgres:***@127.0.0.1:{port}/postgres cannot be reached: "
        "is the server running and the address right?\n"
    )


@contextmanager
def through_trouble(directory: Path, running: RunningReactor, url: str) -> Iterator[Callable[[str], str]]:
    """A collection under way, into which the test puts its trouble; then it must finish, with every value as the meters hold it."""
    config = slow_collection(directory, url)
    with running_command("emulate", "--endpoints", "24", "--hop-seconds", "0.02", "--directory", directory / "field") as field:
        ready = json.loads(field.line_with("control"))
        assert run("import", "shipment", ready["shipment"], "--config", config).returncode == 0
        with running_command("serve", "--config", config) as serve:
            wait_for(url, lambda tally: tally["done"] >= 4)
            yield serve.line_with
            serve.line_with("works again")
            wait_for(url, lambda tally: tally["due"] == 0)
            assert serve.end(signal.SIGTERM) == 0
            assert "Traceback" not in serve.rest()
        assert tally_of(url)["failed"] == 0
        assert values_as_held(running, url, directory / "headend.key", ready["control"]) > 4_000


def not_a_database(directory: Path) -> str:
    (directory / "headend.db").write_text("dear diary " * 500)
    return "headend.db is not a database: the file holds something else"


def corrupted(directory: Path) -> str:
    octets = bytearray((directory / "headend.db").read_bytes())
    octets[4_096:] = b"\xa5" * (len(octets) - 4_096)
    (directory / "headend.db").write_bytes(octets)
    return "headend.db is corrupted: restore it from a backup, or move it away to start anew"


def cut_off(directory: Path) -> str:
    octets = (directory / "headend.db").read_bytes()
    (directory / "headend.db").write_bytes(octets[: len(octets) // 3])
    return "headend.db is corrupted: restore it from a backup, or move it away to start anew"


def another_key_file(directory: Path) -> str:
    (directory / "headend.key").unlink()
    return f"which key file {directory}/headend.key does not hold"


def no_key_file(directory: Path) -> str:
    (directory / "headend.key").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    return f"key file {directory}/headend.key is not one: its first line is not 'headend-key-file 1'"


def newer(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "headend.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    return "headend.db has schema 9999, made by a newer version than this"


def a_directory(directory: Path) -> str:
    (directory / "headend.db").unlink()
    (directory / "headend.db").mkdir()
    return "headend.db cannot be opened: check that its directory exists and may be written"


@pytest.mark.parametrize("trouble", [not_a_database, corrupted, cut_off, another_key_file, no_key_file, newer, a_directory])
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, trouble: Callable[[Path], str]) -> None:
    config = slow_collection(tmp_path, "sqlite:///headend.db")
    with running_command("serve", "--config", config) as serve:
        serve.line_with("MR_Server 4.1.6")
        assert serve.end(signal.SIGTERM) == 0
    expected = trouble(tmp_path)
    done = run("serve", "--config", config)
    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
