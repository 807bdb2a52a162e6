"""Backups of a utility's database: written beside running processes, read back into an empty database, checked before anything is touched.

The key file is no part of a backup: without it meters' keys in a backup open for nobody, and whoever keeps both together knows so.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.engine import URL

from adapters.store import postgresql_backup, sqlite_backup
from adapters.store.errors import StoreMismatchError, database_name
from adapters.store.keys import KeySealer
from adapters.store.migration import revisions
from headend.errors import StoreError
from headend.model.utility import Utility

OnProgress = Callable[[int, int], None]
"""Told how much is done of how much."""

MAGIC = {b"SQLite format 3\0": "sqlite", b"PGDMP": "postgresql"}
"""How a backup of each kind of database begins."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose data a backup holds: the utility, the schema's revision, and what tells its key file."""

    utility_id: str
    revision: str
    key_check: bytes = field(repr=False)


def write_backup(url: URL, file: Path, on_progress: OnProgress) -> None:
    """Write the database to `file`, which appears when it is whole. Processes that use it go on. Raises StoreError."""
    if file.exists():
        raise StoreError(f"{file} is there already; a backup overwrites nothing")
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    write = sqlite_backup.write if url.get_backend_name() == "sqlite" else postgresql_backup.write
    try:
        write(url, unfinished, on_progress)
        unfinished.chmod(0o600)
        unfinished.rename(file)
    except OSError as error:
        raise StoreError(f"{error.filename or file}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def identity_of(file: Path) -> Identity:
    """Whose a backup is. Raises StoreError for a file that is none, or a damaged one."""
    read = sqlite_backup.identity if kind_of(file) == "sqlite" else postgresql_backup.identity
    return Identity(*read(file))


def kind_of(file: Path) -> str:
    """Which kind of database a backup is of. Raises StoreError."""
    try:
        with file.open("rb") as opened:
            head = opened.read(16)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}") from None
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    raise StoreError(f"{file} is no backup: it begins with neither SQLite's nor pg_dump's mark")


def check_identity(identity: Identity, utility: Utility, sealer: KeySealer) -> None:
    """That a backup is this utility's, of a version that is known, and its keys open. Raises StoreMismatchError."""
    if identity.utility_id != str(utility.utility_id):
        raise StoreMismatchError(f"the backup is utility {identity.utility_id!r}'s, not {str(utility.utility_id)!r}'s")
    if identity.revision not in revisions():
        raise StoreMismatchError(f"the backup has schema {identity.revision}, made by a newer version than this: upgrade the head-end")
    sealer.open(identity.key_check, "", 0)


def restore(url: URL, file: Path, on_progress: OnProgress, *, force: bool) -> None:
    """Read a backup into a database that is empty, or with `force` into any, whose data is then gone. Raises StoreError."""
    kind = url.get_backend_name()
    if kind_of(file) != kind:
        raise StoreError(f"{file} is a backup of {kind_of(file)}, and {database_name(url)} is {kind}")
    part = sqlite_backup if kind == "sqlite" else postgresql_backup
    if not force and part.has_tables(url):
        raise StoreError(f"{database_name(url)} is not empty; --force replaces what is in it")
    part.restore(url, file, on_progress)
