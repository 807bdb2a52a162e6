"""What drivers raise, said as StoreError: what happened to which database, and never its password."""

import sqlite3

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from headend.errors import StoreError


class StoreBusyError(StoreError):
    """Another process holds the database or a row of it, or the server restarts; worth another try."""


class StoreRaceError(StoreBusyError):
    """Two transactions got into each other's way: ordinary, and over as soon as one of them is."""


class StoreCorruptedError(StoreError):
    """The file is no database, or a damaged one."""


class StoreFullError(StoreError):
    """No room left for the database."""


class StoreUnreachableError(StoreError):
    """The database cannot be opened, read or written: no server, no file, no permission, a disk that fails."""


class StoreMismatchError(StoreError):
    """A database that is not the one meant: another utility's, a newer version's, sealed under another key file."""


class PartitionMissingError(StoreError):
    """PostgreSQL has no partition for a day: dropped since it was made."""


_SQLITE_KINDS: dict[str, tuple[type[StoreError], str]] = {
    "SQLITE_BUSY": (StoreBusyError, "is locked by another process"),
    "SQLITE_LOCKED": (StoreBusyError, "is locked by another connection"),
    "SQLITE_NOTADB": (StoreCorruptedError, "is not a database: the file holds something else"),
    "SQLITE_CORRUPT": (StoreCorruptedError, "is corrupted: restore it from a backup, or move it away to start anew"),
    "SQLITE_FULL": (StoreFullError, "cannot grow: the disk is full"),
    "SQLITE_IOERR": (StoreUnreachableError, "cannot be read or written: the disk reports an error"),
    "SQLITE_CANTOPEN": (StoreUnreachableError, "cannot be opened: check that its directory exists and may be written"),
    "SQLITE_READONLY": (StoreUnreachableError, "may not be written"),
    "SQLITE_PERM": (StoreUnreachableError, "may not be opened"),
}

_SQLSTATE_KINDS: dict[str, tuple[type[StoreError], str]] = {
    "40001": (StoreRaceError, "lost a race with another transaction"),
    "40P01": (StoreRaceError, "lost a race with another transaction (deadlock)"),
    "55P03": (StoreBusyError, "is locked by another transaction"),
    "53300": (StoreBusyError, "has no connection left"),
    "53100": (StoreFullError, "cannot grow: the disk is full"),
    "28P01": (StoreUnreachableError, "refused the password"),
    "28000": (StoreUnreachableError, "refused the user"),
    "3D000": (StoreUnreachableError, "does not exist"),
    "42501": (StoreUnreachableError, "does not permit that to this user"),
    "57P01": (StoreBusyError, "was shut down by its administrator"),
    "57P02": (StoreBusyError, "crashed and restarts"),
    "57P03": (StoreBusyError, "is starting up"),
    "XX001": (StoreCorruptedError, "is corrupted: restore it from a backup"),
    "XX002": (StoreCorruptedError, "has a corrupted index"),
}
_SQLSTATE_CLASSES: dict[str, tuple[type[StoreError], str]] = {
    "08": (StoreBusyError, "dropped the connection"),
}


DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, psycopg.Error)
"""All that a database raises; drivers' own come through bare where SQLAlchemy calls back while it connects."""


def store_error(error: Exception, url: URL) -> StoreError:
    """What a failed transaction means."""
    name = database_name(url)
    if isinstance(error, PoolTimeoutError):
        return StoreBusyError(f"{name} has no free connection")
    driver_error = error.orig if isinstance(error, DBAPIError) else error
    kind, what = StoreError, f"failed: {_first_line(driver_error or error)}"
    if isinstance(driver_error, sqlite3.Error):
        kind, what = _sqlite_kind(driver_error, what)
    elif isinstance(driver_error, psycopg.Error):
        kind, what = _postgresql_kind(driver_error, what)
    return kind(f"{name} {what}")


def database_name(url: URL) -> str:
    """The database as messages name it, without driver and password."""
    return f"database {url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)}"


def _sqlite_kind(error: sqlite3.Error, otherwise: str) -> tuple[type[StoreError], str]:
    # Extended codes (SQLITE_BUSY_SNAPSHOT, SQLITE_IOERR_WRITE…) begin with the name of the code they extend.
    name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
    return _SQLITE_KINDS.get(name, (StoreError, otherwise))


def _postgresql_kind(error: psycopg.Error, otherwise: str) -> tuple[type[StoreError], str]:
    state = error.sqlstate or ""
    if state == "23514" and "no partition" in str(error):
        return PartitionMissingError, "has no partition for a day"
    if state in _SQLSTATE_KINDS:
        return _SQLSTATE_KINDS[state]
    if state[:2] in _SQLSTATE_CLASSES:
        return _SQLSTATE_CLASSES[state[:2]]
    if not state and isinstance(error, psycopg.OperationalError):
        return _connection_kind(str(error))
    return StoreError, otherwise


def _connection_kind(message: str) -> tuple[type[StoreError], str]:
    # libpq reports a failed connection without SQLSTATE; only its words tell why.
    if "password authentication failed" in message or "no password supplied" in message:
        return StoreUnreachableError, "refused the password"
    if "does not exist" in message:
        return StoreUnreachableError, f"cannot be opened: {message.strip().splitlines()[-1].split('FATAL:')[-1].strip()}"
    if "closed" in message or "terminat" in message or "lost" in message:
        return StoreBusyError, "dropped the connection"
    return StoreUnreachableError, "cannot be reached: is the server running and the address right?"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
