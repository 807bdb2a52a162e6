"""Groups of meters and their members in order."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0002"
down_revision = "0001"

_TABLES = (
    """CREATE TABLE meter_group (
        group_kind {text} NOT NULL,
        group_id {text} NOT NULL,
        name {text} NOT NULL,
        changed_us {big} NOT NULL,
        CONSTRAINT pk_meter_group PRIMARY KEY (group_kind, group_id)
    ) {keyed}""",
    """CREATE TABLE meter_group_member (
        group_kind {text} NOT NULL,
        group_id {text} NOT NULL,
        endpoint_id {int} NOT NULL CONSTRAINT fk_meter_group_member_endpoint REFERENCES endpoint,
        position {int} NOT NULL,
        transaction_id {text},
        response_url {text},
        CONSTRAINT pk_meter_group_member PRIMARY KEY (group_kind, group_id, endpoint_id),
        CONSTRAINT fk_meter_group_member_group FOREIGN KEY (group_kind, group_id) REFERENCES meter_group
    ) {keyed}""",
    "CREATE INDEX ix_meter_group_name ON meter_group (group_kind, name)",
    "CREATE INDEX ix_meter_group_member_endpoint ON meter_group_member (endpoint_id)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _TABLES:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
