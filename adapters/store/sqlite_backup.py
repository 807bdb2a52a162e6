"""SQLite's online backup: pages of one snapshot copied while others read and write."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy.engine import URL

from adapters.store.errors import store_error
from adapters.store.limits import BACKUP_PAGES_AT_ONCE, BUSY_SECONDS
from headend.errors import StoreError

OnProgress = Callable[[int, int], None]


def write(url: URL, file: Path, on_progress: OnProgress) -> None:
    """The database as it is now, in `file`."""
    with _errors(url), closing(_opened(str(url.database))) as source, closing(sqlite3.connect(file)) as target:
        # One read transaction throughout: else each commit of another process would begin the copy anew.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        _copy(source, target, on_progress)
        source.execute("ROLLBACK")
    _sync(file)


def identity(file: Path) -> tuple[str, str, bytes]:
    """Utility, revision and key check of a backup, which is looked over whole."""
    with _errors(URL.create("sqlite", database=str(file))), closing(_opened(str(file))) as source:
        (verdict,) = source.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StoreError(f"{file} is damaged: {verdict}")
        row = source.execute("SELECT utility_id, version_num, key_check FROM store_identity, alembic_version").fetchone()
    if row is None:
        raise StoreError(f"{file} holds no utility's data")
    return row[0], row[1], row[2]


def has_tables(url: URL) -> bool:
    """Whether there is anything in the database."""
    if not Path(str(url.database)).exists():
        return False
    with _errors(url), closing(_opened(str(url.database))) as connection:
        (count,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return bool(count)


def restore(url: URL, file: Path, on_progress: OnProgress) -> None:
    """Put a backup in the place of what the database holds, in one transaction."""
    with (
        _errors(url),
        closing(_opened(str(file))) as source,
        closing(sqlite3.connect(str(url.database), timeout=BUSY_SECONDS, isolation_level=None)) as target,
    ):
        _copy(source, target, on_progress)
        target.execute("PRAGMA journal_mode = WAL")
    _sync(Path(str(url.database)))


def _copy(source: sqlite3.Connection, target: sqlite3.Connection, on_progress: OnProgress) -> None:
    def progress(_status: int, left: int, all_: int) -> None:
        on_progress(all_ - left, all_)

    source.backup(target, pages=BACKUP_PAGES_AT_ONCE, progress=progress, sleep=BUSY_SECONDS)


def _opened(database: str) -> sqlite3.Connection:
    path = Path(database).absolute().as_uri()
    return sqlite3.connect(f"{path}?mode=ro", uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _errors(url: URL) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise store_error(error, url) from None
