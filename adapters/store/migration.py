"""Brings a database's schema up to date when it is opened; refuses one that a newer version made."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from adapters.store.errors import StoreMismatchError, database_name

MIGRATIONS = Path(__file__).parent / "migrations"
_STEP = "step_"
_LOCK = 0x48454144454E44
"""PostgreSQL's advisory lock under which one process at a time migrates."""


def migrate(connection: Connection, target: str | None = None) -> None:
    """Run the steps that are missing, up to `target` or the newest, in the connection's transaction.

    Raises StoreMismatchError for a newer schema.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    known = revisions()
    revision = stored_revision(connection)
    if revision is not None and revision not in known:
        raise StoreMismatchError(
            f"{database_name(connection.engine.url)} has schema {revision}, made by a newer version than this, which knows {known[-1]}: "
            "upgrade the head-end"
        )
    if revision != (target or known[-1]):
        from adapters.store.upgrading import upgrade  # noqa: PLC0415  # a quarter of a second, wanted once in a database's life

        upgrade(connection, target or known[-1])


def stored_revision(connection: Connection) -> str | None:
    """The schema's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def revisions() -> list[str]:
    """All revisions known, oldest first, as the files of their steps are named: step_0001_what_it_makes.py."""
    return sorted(file.name.removeprefix(_STEP)[:4] for file in (MIGRATIONS / "versions").glob(f"{_STEP}*.py"))
