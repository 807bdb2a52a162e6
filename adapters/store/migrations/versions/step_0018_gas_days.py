"""Gas days: what each endpoint delivered, provisional or closed, what late data changed, and how far days have been seen to."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0018"
down_revision = "0017"

_STATEMENTS = (
    """CREATE TABLE gas_day (
        day {int} NOT NULL,
        endpoint_id {int} NOT NULL,
        state {small} NOT NULL,
        channel_id {small},
        volume {big} NOT NULL,
        exponent {small} NOT NULL,
        present {int} NOT NULL,
        expected {int} NOT NULL,
        register_us {big},
        register_value {big},
        register_exponent {small},
        taken_us {big} NOT NULL,
        CONSTRAINT pk_gas_day PRIMARY KEY (day, endpoint_id)
    ) {keyed}""",
    """CREATE TABLE gas_day_adjustment (
        day {int} NOT NULL,
        endpoint_id {int} NOT NULL,
        at_us {big} NOT NULL,
        channel_id {small},
        volume_before {big} NOT NULL,
        exponent_before {small} NOT NULL,
        present_before {int} NOT NULL,
        expected_before {int} NOT NULL,
        volume {big} NOT NULL,
        exponent {small} NOT NULL,
        present {int} NOT NULL,
        expected {int} NOT NULL,
        CONSTRAINT pk_gas_day_adjustment PRIMARY KEY (day, endpoint_id, at_us)
    ) {keyed}""",
    """CREATE TABLE gas_day_mark (
        one {small} NOT NULL CONSTRAINT pk_gas_day_mark PRIMARY KEY CONSTRAINT ck_gas_day_mark_one CHECK (one = 1),
        taken_day {int} NOT NULL,
        closed_day {int} NOT NULL,
        change_seq {big} NOT NULL
    ) {plain}""",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
