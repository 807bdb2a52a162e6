"""Interrogations missed in a row, and since when."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0015"
down_revision = "0014"

_STATEMENTS = (
    "ALTER TABLE endpoint_state ADD COLUMN missed {int} NOT NULL DEFAULT 0",
    "ALTER TABLE endpoint_state ADD COLUMN missed_us {big}",
)


def upgrade() -> None:
    """Add them; nothing is known of earlier ones."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
