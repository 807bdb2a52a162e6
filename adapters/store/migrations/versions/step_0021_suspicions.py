"""Suspicions of theft: events that wait to be looked at, what lasts, the last day that was looked at."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0021"
down_revision = "0020"

_STATEMENTS = (
    """CREATE TABLE suspect_event (
        endpoint_id {int} NOT NULL CONSTRAINT fk_suspect_event_endpoint REFERENCES endpoint,
        occurred_us {big} NOT NULL,
        code {int} NOT NULL,
        sequence {big} NOT NULL,
        argument {bytes} NOT NULL,
        CONSTRAINT pk_suspect_event PRIMARY KEY (endpoint_id, occurred_us, code, sequence)
    ) {keyed}""",
    """CREATE TABLE suspicion (
        endpoint_id {int} NOT NULL CONSTRAINT fk_suspicion_endpoint REFERENCES endpoint,
        kind {text} NOT NULL,
        since_us {big} NOT NULL,
        seen_us {big} NOT NULL,
        CONSTRAINT pk_suspicion PRIMARY KEY (endpoint_id, kind)
    ) {keyed}""",
    """CREATE TABLE suspicion_mark (
        one {small} NOT NULL CONSTRAINT pk_suspicion_mark PRIMARY KEY CONSTRAINT ck_suspicion_mark_one CHECK (one = 1),
        day {int} NOT NULL
    ) {plain}""",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
