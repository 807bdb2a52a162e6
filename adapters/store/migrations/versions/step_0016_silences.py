"""Silences of endpoints, and who has a work item."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0016"
down_revision = "0015"

_STATEMENTS = (
    """CREATE TABLE endpoint_silence (
        endpoint_id {int} NOT NULL CONSTRAINT pk_endpoint_silence PRIMARY KEY
            CONSTRAINT fk_endpoint_silence_endpoint REFERENCES endpoint,
        state {text} NOT NULL,
        changed_us {big} NOT NULL,
        since_us {big},
        owner {text},
        packed {bytes} NOT NULL
    ) {plain}""",
    "CREATE INDEX ix_endpoint_silence_state ON endpoint_silence (state, changed_us) WHERE state <> 'ok'",
    "CREATE INDEX ix_endpoint_state_missed ON endpoint_state (missed_us) WHERE missed_us IS NOT NULL",
    "ALTER TABLE work_item ADD COLUMN assigned_to {text} NOT NULL DEFAULT ''",
    "CREATE INDEX ix_work_item_subject ON work_item (subject)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
