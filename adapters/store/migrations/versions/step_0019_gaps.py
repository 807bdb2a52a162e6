"""Gaps of endpoints that are asked for, how often they were, and the last day whose gaps were looked for."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0019"
down_revision = "0018"

_STATEMENTS = (
    """CREATE TABLE interval_gap (
        endpoint_id {int} NOT NULL,
        start_us {big} NOT NULL,
        end_us {big} NOT NULL,
        tries {int} NOT NULL,
        CONSTRAINT pk_interval_gap PRIMARY KEY (endpoint_id, start_us)
    ) {keyed}""",
    """CREATE TABLE gap_mark (
        one {small} NOT NULL CONSTRAINT pk_gap_mark PRIMARY KEY CONSTRAINT ck_gap_mark_one CHECK (one = 1),
        day {int} NOT NULL
    ) {plain}""",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
