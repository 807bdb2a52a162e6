"""Events of endpoints whose program is not known yet."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0031"
down_revision = "0030"

_TABLE = """CREATE TABLE early_event (
        endpoint_id {int} NOT NULL CONSTRAINT fk_early_event_endpoint REFERENCES endpoint,
        received_us {big} NOT NULL,
        entry {bytes} NOT NULL,
        off_us {big} NOT NULL,
        CONSTRAINT pk_early_event PRIMARY KEY (endpoint_id, received_us, entry)
    ) {keyed}"""


def upgrade() -> None:
    """Make the table."""
    op.execute(_TABLE.format(**words(op.get_bind().dialect.name)))
