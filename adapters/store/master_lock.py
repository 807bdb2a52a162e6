"""One writer of master data at a time: ids are handed out from the largest, and changes are numbered in the order of their commits."""

from sqlalchemy import Connection, text

_LOCK = 0x494D504F5254
"""PostgreSQL's advisory lock; SQLite has one writer anyway."""


def lock_master_data(connection: Connection) -> None:
    """Hold it until the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
