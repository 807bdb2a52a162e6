"""Housekeeping: regular work that one process at a time does, how far data is thinned, where changes stood on which day."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0012"
down_revision = "0011"

_STATEMENTS = (
    """CREATE TABLE regular_work (
        work {text} NOT NULL CONSTRAINT pk_regular_work PRIMARY KEY,
        owner {text},
        until_us {big} NOT NULL,
        done_us {big}
    ) {keyed}""",
    """CREATE TABLE thinned (
        one {small} NOT NULL CONSTRAINT pk_thinned PRIMARY KEY CONSTRAINT ck_thinned_one CHECK (one = 1),
        before_day {int} NOT NULL,
        change_seq {big} NOT NULL
    ) {plain}""",
    """CREATE TABLE change_day (
        day {int} NOT NULL CONSTRAINT pk_change_day PRIMARY KEY,
        change_seq {big} NOT NULL
    ) {plain}""",
    "CREATE INDEX ix_interval_day_history_day ON interval_day_history (day)",
    "CREATE INDEX ix_register_read_history_instant ON register_read_history (instant_us)",
    "CREATE INDEX ix_work_item_closed ON work_item (closed_us) WHERE closed_us IS NOT NULL",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
