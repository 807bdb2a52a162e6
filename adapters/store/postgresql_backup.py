"""PostgreSQL's own tools, pg_dump and pg_restore, as the PATH has them; passwords go by their environment, never on a command line."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from adapters.store.errors import store_error
from adapters.store.limits import CONNECT_SECONDS
from headend.errors import StoreError

OnProgress = Callable[[int, int], None]

_COPIED = re.compile(r"(?:dumping contents of|processing data for) table")
_ERROR = re.compile(r"(?:error|FATAL|fatal):\s*(.+)")


def write(url: URL, file: Path, on_progress: OnProgress) -> None:
    """The database as it is now, in `file`, in pg_dump's own packed format."""
    with _connected(url) as connection:
        tables = _count_tables(connection)
    options = ["--format=custom", "--no-owner", "--no-privileges", f"--file={file}", "--verbose"]
    _run("pg_dump", [*options, *_where(url)], _secrets(url), tables, on_progress)


def identity(file: Path) -> tuple[str, str, bytes]:
    """Utility, revision and key check of a backup."""
    options = ["--data-only", "--table=store_identity", "--table=alembic_version", "--file=-", str(file)]
    printed = _run("pg_restore", options, {}, 0, lambda _done, _all: None)
    rows = dict(re.findall(r"^COPY public\.(\w+) \([^)]*\) FROM stdin;\n(.*)$", printed, re.MULTILINE))
    try:
        _, utility_id, key_check = rows["store_identity"].split("\t")
        return utility_id, rows["alembic_version"].strip(), bytes.fromhex(key_check.removeprefix("\\\\x"))
    except (KeyError, ValueError):
        raise StoreError(f"{file} holds no utility's data") from None


def has_tables(url: URL) -> bool:
    """Whether there is anything in the database."""
    with _connected(url) as connection:
        return _count_tables(connection) > 0


def restore(url: URL, file: Path, on_progress: OnProgress) -> None:
    """Read a backup into the database, after what is in it is gone.

    Not in one transaction: a thousand partitions need more locks than a server has by default. What fails is said, and leaves the
    database empty.
    """
    with _connected(url) as connection:
        _drop_tables(connection)
    listed = _run("pg_restore", ["--list", str(file)], {}, 0, lambda _done, _all: None)
    tables = len(re.findall(r" TABLE DATA ", listed))
    options = ["--no-owner", "--no-privileges", "--exit-on-error", "--verbose", *_where(url), str(file)]
    try:
        _run("pg_restore", options, _secrets(url), tables, on_progress)
    except BaseException:
        with _connected(url) as connection:
            _drop_tables(connection)
        raise
    with _connected(url) as connection:
        connection.execute("ANALYZE")


def _drop_tables(connection: "psycopg.Connection[tuple[str, ...]]") -> None:
    """Drop every table, partitions before the tables they are of, each by itself."""
    of_ours = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
    for (name,) in connection.execute(f"{of_ours} ORDER BY relispartition DESC, relname").fetchall():
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(name)))


def _count_tables(connection: "psycopg.Connection[tuple[str, ...]]") -> int:
    row = connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'").fetchone()
    return 0 if row is None else int(row[0])


def _run(program: str, options: Sequence[str], secrets: Mapping[str, str], tables: int, on_progress: OnProgress) -> str:
    """Run one of PostgreSQL's programs to its end; what it printed. Raises StoreError with its own words."""
    found = shutil.which(program)
    if found is None:
        raise StoreError(f"{program} is not on the PATH; it comes with PostgreSQL's client programs")
    environment = {**os.environ, **secrets, "LC_ALL": "C"}
    said: list[str] = []
    done = 0
    pipe = subprocess.PIPE
    command = [found, *options]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, env=environment) as process:  # noqa: S603
        assert process.stdout is not None
        assert process.stderr is not None
        printed = process.stdout.read() if "--verbose" not in options else ""
        for line in process.stderr:
            if _COPIED.search(line):
                done += 1
                on_progress(min(done, tables), tables)
            said = [*said[-19:], line.strip()]
    if process.returncode:
        errors = [match.group(1) for line in said if (match := _ERROR.search(line))]
        raise StoreError(f"{program} failed: {'; '.join(errors or said[-1:])[:1_000]}")
    return printed


def _where(url: URL) -> list[str]:
    parts = {"host": url.host, "port": url.port, "username": url.username, "dbname": url.database}
    return ["--no-password", *[f"--{name}={value}" for name, value in parts.items() if value is not None]]


def _secrets(url: URL) -> dict[str, str]:
    return {} if url.password is None else {"PGPASSWORD": str(url.password)}


@contextmanager
def _connected(url: URL) -> "Iterator[psycopg.Connection[tuple[str, ...]]]":
    libpq = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(libpq, autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.Error as error:
        raise store_error(error, url) from None
