"""Commands: targets of deferred requests are handed out by priority, remember what their endpoint was told, and how they ended."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0014"
down_revision = "0013"

_STATEMENTS = (
    "ALTER TABLE deferred_target ADD COLUMN priority {small} NOT NULL DEFAULT 0",
    "ALTER TABLE deferred_target ADD COLUMN lease_owner {text}",
    "ALTER TABLE deferred_target ADD COLUMN lease_no {int} NOT NULL DEFAULT 0",
    "ALTER TABLE deferred_target ADD COLUMN began_us {big}",
    "ALTER TABLE deferred_target ADD COLUMN told {text}",
    "ALTER TABLE deferred_target ADD COLUMN outcome {text}",
    "DROP INDEX ix_deferred_target_due",
    "CREATE INDEX ix_deferred_target_turn ON deferred_target (priority, due_us, request_id, endpoint_id) WHERE due_us IS NOT NULL",
    "CREATE INDEX ix_deferred_target_lease ON deferred_target (lease_owner) WHERE lease_owner IS NOT NULL",
)


def upgrade() -> None:
    """Add what was not there."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
