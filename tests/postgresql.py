"""A PostgreSQL server for tests, and databases on it that are dropped afterwards.

The server is the one HEADEND_TEST_DATABASE_URL names; else one that runs on this machine; else one started here for the session.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from tests.ports import free_port

LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"


@contextmanager
def server() -> Iterator[URL]:
    """The address of a server's maintenance database. Skips, with the reason, where none can be had."""
    named = os.environ.get("HEADEND_TEST_DATABASE_URL")
    if named:
        reason = _refusal(named)
        assert reason is None, f"HEADEND_TEST_DATABASE_URL: {reason}"
        yield make_url(named)
    elif _refusal(LOCAL) is None:
        yield make_url(LOCAL)
    else:
        with own_server() as own:
            yield own.url


@contextmanager
def database(address: URL, template: str = "template0") -> Iterator[URL]:
    """A new database, empty or a copy of another to which nobody is connected."""
    name = f"headend_test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(_libpq(address), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE {template}")
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


class OwnServer:
    """A server that can be stopped and started again; listens on loopback only."""

    def __init__(self, url: URL, pg_ctl: Sequence[str | Path], options: Sequence[str | Path]) -> None:
        self.url = url
        self._pg_ctl = pg_ctl
        self._options = options

    def start(self) -> None:
        subprocess.run([*self._pg_ctl, *self._options, "start"], check=True, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        """At once, whoever is connected."""
        subprocess.run([*self._pg_ctl, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL)


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """A server of one's own. Skips, with the reason, where none can be had."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = programs[-1].parent if programs else Path(shutil.which("initdb") or "/nowhere/initdb").parent
    if not (found / "initdb").exists():
        pytest.skip("no PostgreSQL: none is named, none runs on 127.0.0.1:5432, and initdb is not installed")
    with TemporaryDirectory(prefix="headend-postgresql-") as directory:  # not in pytest's, which only its own user may enter
        yield from _own_server(found, Path(directory))


def _own_server(programs: Path, directory: Path) -> Iterator[OwnServer]:
    data, port = directory / "data", free_port()
    as_user: list[str | Path] = [*_unprivileged(directory)]
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c shared_buffers=16MB"
    initdb = [*as_user, programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run(initdb, check=True, capture_output=True)
    url = make_url(f"postgresql://postgres@127.0.0.1:{port}/postgres")
    own = OwnServer(url, [*as_user, programs / "pg_ctl", "-D", data, "-w"], ["-l", directory / "log", "-o", settings])
    own.start()
    try:
        yield own
    finally:
        own.stop()


def _unprivileged(directory: Path) -> list[str]:
    """PostgreSQL refuses to run as root: the words that run a command as somebody else, to whom the directory then belongs."""
    if os.geteuid() != 0:
        return []
    for user in ("postgres", "nobody"):
        with suppress(LookupError):
            shutil.chown(directory, user)
            return ["runuser", "-u", user, "--"]
    pytest.skip("no PostgreSQL: tests run as root, and there is no other user to start one as")
