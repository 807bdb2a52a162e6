"""Brings a database's schema up to date when it is opened; refuses one that a newer version made."""

from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from adapters.store.errors import StoreMismatchError, database_name

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
        _upgrade(connection, target or known[-1])


def stored_revision(connection: Connection) -> str | None:
    """The schema's revision; None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def revisions() -> list[str]:
    """All revisions known, oldest first."""
    return [script.revision for script in _scripts().walk_revisions()][::-1]


def _upgrade(connection: Connection, target: str) -> None:
    scripts = _scripts()

    def steps(revision: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(target, revision)

    with EnvironmentContext(Config(), scripts, fn=steps) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(str(Path(__file__).parent / "migrations"))
