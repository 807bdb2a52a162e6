"""Registrations of partners and the notifications they are about."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0008"
down_revision = "0007"

_TABLES = (
    """CREATE TABLE registration (
        registration_id {text} NOT NULL CONSTRAINT pk_registration PRIMARY KEY,
        partner {text} NOT NULL,
        requested_us {big} NOT NULL,
        registered_us {big},
        version {text} NOT NULL,
        server {text} NOT NULL,
        response_url {text} NOT NULL,
        response_user_id {text} NOT NULL,
        response_password {bytes},
        function {text} NOT NULL
    ) {keyed}""",
    """CREATE TABLE registration_notification (
        notification {text} NOT NULL,
        registration_id {text} NOT NULL CONSTRAINT fk_registration_notification_registration REFERENCES registration,
        CONSTRAINT pk_registration_notification PRIMARY KEY (notification, registration_id)
    ) {keyed}""",
    "CREATE INDEX ix_registration_partner ON registration (partner)",
    "CREATE INDEX ix_registration_notification_registration ON registration_notification (registration_id)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _TABLES:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
