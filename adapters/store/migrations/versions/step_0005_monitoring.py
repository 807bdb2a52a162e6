"""What partners have watched at meters."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0005"
down_revision = "0004"

_STATEMENTS = (
    """CREATE TABLE meter_monitoring (
        kind {text} NOT NULL,
        endpoint_id {int} NOT NULL CONSTRAINT fk_meter_monitoring_endpoint REFERENCES endpoint,
        partner {text} NOT NULL,
        item_id {text} NOT NULL,
        starts_us {big} NOT NULL,
        ends_us {big},
        response_url {text} NOT NULL,
        transaction_id {text} NOT NULL,
        details {text} NOT NULL,
        CONSTRAINT pk_meter_monitoring PRIMARY KEY (kind, endpoint_id, partner, item_id)
    ) {keyed}""",
    "CREATE INDEX ix_meter_monitoring_item ON meter_monitoring (kind, partner, item_id)",
    "CREATE INDEX ix_meter_monitoring_endpoint ON meter_monitoring (endpoint_id)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
