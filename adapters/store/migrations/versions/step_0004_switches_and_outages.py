"""Where switches stand, which meters have power, and the sessions in which partners are told of modified meters."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0004"
down_revision = "0003"

_STATEMENTS = (
    """CREATE TABLE switch_state (
        endpoint_id {int} NOT NULL CONSTRAINT pk_switch_state PRIMARY KEY CONSTRAINT fk_switch_state_endpoint REFERENCES endpoint,
        enabled {small} NOT NULL,
        state {text} NOT NULL,
        since_us {big},
        known_by {text}
    ) {plain}""",
    """CREATE TABLE outage_state (
        endpoint_id {int} NOT NULL CONSTRAINT pk_outage_state PRIMARY KEY CONSTRAINT fk_outage_state_endpoint REFERENCES endpoint,
        state {text} NOT NULL,
        since_us {big},
        said_status {text}
    ) {plain}""",
    """CREATE TABLE meter_session (
        session_no {big} NOT NULL CONSTRAINT pk_meter_session PRIMARY KEY,
        meter_list {text} NOT NULL,
        partner {text} NOT NULL,
        previous {text} NOT NULL,
        after_no {big},
        until_no {big} NOT NULL,
        started_us {big} NOT NULL
    ) {plain}""",
    "CREATE INDEX ix_outage_state_outaged ON outage_state (endpoint_id) WHERE state = 'outaged'",
    "CREATE INDEX ix_meter_session_partner ON meter_session (partner, meter_list, session_no)",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
