"""A PostgreSQL server for tests, and databases on it that are dropped afterwards.

The server is the one HEADEND_TEST_DATABASE_URL names; else one that runs on this machine; else one started here for the session.
"""

import os
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"


@contextmanager
def server(directory: Path) -> Iterator[URL]:
    """The address of a server's maintenance database. Skips, with the reason, where none can be had."""
    named = os.environ.get("HEADEND_TEST_DATABASE_URL")
    if named:
        reason = _refusal(named)
        assert reason is None, f"HEADEND_TEST_DATABASE_URL: {reason}"
        yield make_url(named)
    elif _refusal(LOCAL) is None:
        yield make_url(LOCAL)
    else:
        yield from _own_server(directory)


@contextmanager
def database(address: URL) -> Iterator[URL]:
    """A new, empty database."""
    name = f"headend_test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(_libpq(address), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        try:
            yield address.set(database=name)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _refusal(url: str) -> str | None:
    try:
        psycopg.connect(_libpq(make_url(url)), connect_timeout=3).close()
    except psycopg.Error as error:
        return str(error)
    return None


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _own_server(directory: Path) -> Iterator[URL]:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = programs[-1].parent if programs else Path(shutil.which("initdb") or "/nowhere/initdb").parent
    if not (found / "initdb").exists():
        pytest.skip("no PostgreSQL: none is named, none runs on 127.0.0.1:5432, and initdb is not installed")
    data, port = directory / "data", _free_port()
    data.mkdir()
    as_user: list[str | Path] = [*_unprivileged(directory)]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB"
    subprocess.run([*as_user, found / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"], check=True, capture_output=True)
    pg_ctl = [*as_user, found / "pg_ctl", "-D", data, "-w"]
    subprocess.run([*pg_ctl, "-l", data / "log", "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield make_url(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    finally:
        subprocess.run([*pg_ctl, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL)


def _unprivileged(directory: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the words that run a command as somebody else, to whom the directory then belongs."""
    if os.geteuid() != 0:
        return []
    for user in ("postgres", "nobody"):
        try:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, user)
        except LookupError:
            continue
        for parent in directory.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
        return ["runuser", "-u", user, "--"]
    pytest.skip("no PostgreSQL: tests run as root, and there is no other user to start one as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
