"""What was missing when days were exported."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0028"
down_revision = "0027"

_TABLE = """CREATE TABLE export_gap (
    schedule {text} NOT NULL,
    kind {text} NOT NULL,
    day {int} NOT NULL,
    endpoint_id {int} NOT NULL,
    missing {int} NOT NULL,
    CONSTRAINT pk_export_gap PRIMARY KEY (schedule, kind, day, endpoint_id)
) {keyed}"""


def upgrade() -> None:
    """Make it."""
    op.execute(_TABLE.format(**words(op.get_bind().dialect.name)))
