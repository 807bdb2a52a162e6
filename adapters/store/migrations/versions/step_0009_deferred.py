"""Deferred requests and their targets."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0009"
down_revision = "0008"

_TABLES = (
    """CREATE TABLE deferred_request (
        request_id {big} NOT NULL CONSTRAINT pk_deferred_request PRIMARY KEY,
        partner {text} NOT NULL,
        transaction_id {text},
        kind {text} NOT NULL,
        operation {text} NOT NULL,
        server {text} NOT NULL,
        version {text} NOT NULL,
        response_url {text} NOT NULL,
        answers {text} NOT NULL,
        parameters {text} NOT NULL,
        accepted_us {big} NOT NULL,
        begins_us {big},
        expires_us {big} NOT NULL,
        fingerprint {bytes} NOT NULL,
        refusals {text} NOT NULL
    ) {plain}""",
    """CREATE TABLE deferred_target (
        request_id {big} NOT NULL CONSTRAINT fk_deferred_target_request REFERENCES deferred_request,
        endpoint_id {int} NOT NULL CONSTRAINT fk_deferred_target_endpoint REFERENCES endpoint,
        position {int} NOT NULL,
        action {text},
        actuates {small} NOT NULL,
        details {text} NOT NULL,
        state {text} NOT NULL,
        attempts {int} NOT NULL,
        due_us {big},
        changed_us {big} NOT NULL,
        reason {text} NOT NULL,
        CONSTRAINT pk_deferred_target PRIMARY KEY (request_id, endpoint_id)
    ) {keyed}""",
    "CREATE INDEX ix_deferred_request_transaction ON deferred_request (transaction_id, partner) WHERE transaction_id IS NOT NULL",
    "CREATE INDEX ix_deferred_request_monitoring ON deferred_request (partner) WHERE kind = 'outage monitoring'",
    "CREATE INDEX ix_deferred_target_endpoint ON deferred_target (endpoint_id)",
    "CREATE INDEX ix_deferred_target_due ON deferred_target (due_us, request_id, endpoint_id) WHERE due_us IS NOT NULL",
    # One actuation at a time at an endpoint: whoever takes up a second one while the first is under way is told so by the database.
    "CREATE UNIQUE INDEX uq_deferred_target_actuating ON deferred_target (endpoint_id)"
    " WHERE actuates = 1 AND state IN ('sent', 'awaiting')",
    "CREATE INDEX IF NOT EXISTS ix_endpoint_serial_no ON endpoint (serial_no)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _TABLES:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
