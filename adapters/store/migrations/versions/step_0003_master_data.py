"""Meters that nobody has shipped, service points that nobody pays for, customers, switches, kept documents, and the log of changes."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0003"
down_revision = "0002"

_NULLABLE = {
    "endpoint": (
        *(("ap_title", "text"), ("ap_title_octets", "bytes"), ("key_id", "small")),
        *(("transport", "text"), ("host", "text"), ("port", "int")),
    ),
    "service_point": (("account_no", "text"),),
}

_STATEMENTS = (
    "ALTER TABLE endpoint ADD COLUMN muted {small} NOT NULL DEFAULT 0",
    "ALTER TABLE service_point ADD COLUMN location_no {text} NOT NULL DEFAULT ''",
    "UPDATE service_point SET location_no = service_point_no",
    """CREATE TABLE customer (
        customer_id {text} NOT NULL CONSTRAINT pk_customer PRIMARY KEY,
        name {text} NOT NULL,
        phone {text} NOT NULL,
        email {text} NOT NULL
    ) {keyed}""",
    "ALTER TABLE account ADD COLUMN customer_id {text} CONSTRAINT fk_account_customer REFERENCES customer",
    """CREATE TABLE switch_device (
        endpoint_id {int} NOT NULL CONSTRAINT pk_switch_device PRIMARY KEY CONSTRAINT fk_switch_device_endpoint REFERENCES endpoint,
        device_id {text} NOT NULL,
        present {small} NOT NULL
    ) {plain}""",
    """CREATE TABLE document (
        document_kind {text} NOT NULL,
        object_id {text} NOT NULL,
        fields {text} NOT NULL,
        ended {text} NOT NULL,
        changed_us {big} NOT NULL,
        CONSTRAINT pk_document PRIMARY KEY (document_kind, object_id)
    ) {keyed}""",
    """CREATE TABLE master_change (
        change_no {big} NOT NULL,
        position {int} NOT NULL,
        at_us {big} NOT NULL,
        partner {text} NOT NULL,
        operation {text} NOT NULL,
        kind {text} NOT NULL,
        object_key {text} NOT NULL,
        before {text},
        after {text},
        CONSTRAINT pk_master_change PRIMARY KEY (change_no, position)
    ) {keyed}""",
    """CREATE TABLE meter_change (
        change_no {big} NOT NULL,
        endpoint_id {int} NOT NULL CONSTRAINT fk_meter_change_endpoint REFERENCES endpoint,
        is_new {small} NOT NULL,
        CONSTRAINT pk_meter_change PRIMARY KEY (change_no, endpoint_id)
    ) {keyed}""",
    "CREATE INDEX ix_endpoint_ap_title ON endpoint (ap_title)",
    "CREATE INDEX ix_meter_change_endpoint ON meter_change (endpoint_id, change_no)",
    "CREATE INDEX ix_service_point_location ON service_point (location_no)",
    "CREATE INDEX ix_account_customer ON account (customer_id)",
    "CREATE INDEX ix_switch_device_device ON switch_device (device_id)",
)


def upgrade() -> None:
    """Make them."""
    dialect = op.get_bind().dialect.name
    types = words(dialect)
    for table, columns in _NULLABLE.items():
        for column, kind in columns:
            _drop_not_null(dialect, table, column, types[kind])
    if dialect == "sqlite":
        # Read the changed definitions in.
        op.execute("PRAGMA writable_schema = RESET")
    for statement in _STATEMENTS:
        op.execute(statement.format(**types))


def _drop_not_null(dialect: str, table: str, column: str, column_type: str) -> None:
    if dialect == "postgresql":
        op.execute(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
        return
    # SQLite has no ALTER for it. Its documentation names this way for constraints that do not touch what is stored: a million endpoints
    # are not copied, and foreign keys that point at the table stay as they are.
    version = op.get_bind().exec_driver_sql("PRAGMA schema_version").scalar_one()
    op.execute("PRAGMA writable_schema = ON")
    edited = f"replace(sql, '{column} {column_type} NOT NULL', '{column} {column_type}')"
    op.execute(f"UPDATE sqlite_schema SET sql = {edited} WHERE type = 'table' AND name = '{table}'")  # noqa: S608
    op.execute(f"PRAGMA schema_version = {version + 1}")
    op.execute("PRAGMA writable_schema = OFF")
