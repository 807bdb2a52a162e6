"""What is used: octets and intervals stored by day and interval length; octets of cellular endpoints by day and program."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0020"
down_revision = "0019"

_STATEMENTS = (
    """CREATE TABLE usage_day (
        day {int} NOT NULL,
        interval_seconds {int} NOT NULL,
        endpoints {int} NOT NULL,
        intervals {big} NOT NULL,
        octets {big} NOT NULL,
        CONSTRAINT pk_usage_day PRIMARY KEY (day, interval_seconds)
    ) {keyed}""",
    """CREATE TABLE traffic_day (
        day {int} NOT NULL,
        program {bytes} NOT NULL,
        sent {big} NOT NULL,
        received {big} NOT NULL,
        CONSTRAINT pk_traffic_day PRIMARY KEY (day, program)
    ) {keyed}""",
    """CREATE TABLE endpoint_traffic (
        endpoint_id {int} NOT NULL CONSTRAINT pk_endpoint_traffic PRIMARY KEY
            CONSTRAINT fk_endpoint_traffic_endpoint REFERENCES endpoint,
        sent {big} NOT NULL,
        received {big} NOT NULL
    ) {plain}""",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
