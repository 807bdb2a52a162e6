"""Files of events: how far each feed is, and which events each of its files has."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0029"
down_revision = "0028"

_STATEMENTS = (
    """CREATE TABLE event_feed (
        feed {text} NOT NULL CONSTRAINT pk_event_feed PRIMARY KEY,
        number {int} NOT NULL,
        change_seq {big} NOT NULL,
        position {int} NOT NULL,
        made_us {big} NOT NULL
    ) {plain}""",
    """CREATE TABLE event_file (
        feed {text} NOT NULL,
        number {int} NOT NULL,
        after_seq {big} NOT NULL,
        after_position {int} NOT NULL,
        last_seq {big} NOT NULL,
        last_position {int} NOT NULL,
        events {int} NOT NULL,
        made_us {big} NOT NULL,
        queued {small} NOT NULL,
        CONSTRAINT pk_event_file PRIMARY KEY (feed, number)
    ) {keyed}""",
    "CREATE INDEX ix_event_file_waiting ON event_file (feed, number) WHERE queued = 0",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
