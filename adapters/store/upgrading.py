"""Runs the steps of a schema by Alembic."""

from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from adapters.store.migration import MIGRATIONS


def upgrade(connection: Connection, target: str) -> None:
    """Run what is missing up to the revision `target`, in the connection's transaction."""
    scripts = steps()

    def wanted(revision: Any, _context: Any) -> Any:
        return scripts._upgrade_revs(target, revision)

    with EnvironmentContext(Config(), scripts, fn=wanted) as environment:
        environment.configure(connection=connection, transactional_ddl=False)
        environment.run_migrations()


def steps() -> ScriptDirectory:
    """All that there are."""
    return ScriptDirectory(str(MIGRATIONS))
