"""Events as cases: what was decided of each, what is remembered of devices, silencings; queues of subscribers, and what they answered."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0027"
down_revision = "0026"

_STATEMENTS = (
    """CREATE TABLE event_case (
        change_seq {big} NOT NULL,
        position {int} NOT NULL,
        is_router {small} NOT NULL,
        device_id {int} NOT NULL,
        code {int} NOT NULL,
        occurred_us {big} NOT NULL,
        sequence {big} NOT NULL,
        path {text} NOT NULL,
        argument {bytes} NOT NULL,
        received_us {big} NOT NULL,
        state {text} NOT NULL,
        reason {text} NOT NULL,
        due_us {big},
        CONSTRAINT pk_event_case PRIMARY KEY (change_seq, position)
    ) {keyed}""",
    "CREATE INDEX ix_event_case_due ON event_case (due_us, change_seq, position) WHERE due_us IS NOT NULL",
    "CREATE INDEX ix_event_case_device ON event_case (device_id, change_seq)",
    """CREATE TABLE event_memory (
        endpoint_id {int} NOT NULL CONSTRAINT pk_event_memory PRIMARY KEY CONSTRAINT fk_event_memory_endpoint REFERENCES endpoint,
        packed {text} NOT NULL
    ) {plain}""",
    """CREATE TABLE silencing (
        silencing_no {int} NOT NULL CONSTRAINT pk_silencing PRIMARY KEY,
        scope {text} NOT NULL,
        name {text} NOT NULL,
        codes {text} NOT NULL,
        starts_us {big} NOT NULL,
        ends_us {big},
        is_maintenance {small} NOT NULL,
        reason {text} NOT NULL,
        said_by {text} NOT NULL
    ) {plain}""",
    """CREATE TABLE outbox_queue (
        queue {text} NOT NULL CONSTRAINT pk_outbox_queue PRIMARY KEY,
        partner {text} NOT NULL,
        subscription {text} NOT NULL,
        lane {small} NOT NULL,
        owner {text},
        until_us {big} NOT NULL,
        not_before_us {big} NOT NULL,
        failures {int} NOT NULL,
        reason {text} NOT NULL
    ) {plain}""",
    "ALTER TABLE outbox ADD COLUMN answer {text} NOT NULL DEFAULT ''",
    "CREATE INDEX ix_outbox_order ON outbox (subscriber, change_seq, position) WHERE state = 'queued'",
)


def upgrade() -> None:
    """Make them."""
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(op.get_bind().dialect.name)))
