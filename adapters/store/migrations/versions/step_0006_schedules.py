"""Schedules that partners establish, and until when those that read meters have been followed."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0006"
down_revision = "0005"

_STATEMENT = """CREATE TABLE schedule (
        kind {text} NOT NULL,
        schedule_id {text} NOT NULL,
        enabled {small} NOT NULL,
        purpose {text} NOT NULL,
        times {text} NOT NULL,
        targets {text} NOT NULL,
        version {text} NOT NULL,
        told {text} NOT NULL,
        partner {text} NOT NULL,
        followed_us {big} NOT NULL,
        CONSTRAINT pk_schedule PRIMARY KEY (kind, schedule_id)
    ) {keyed}"""


def upgrade() -> None:
    """Make it."""
    op.execute(_STATEMENT.format(**words(op.get_bind().dialect.name)))
