"""Routers under watch: profiles with sealed credentials, their state, events and troubleshootings; who watches; work items."""

from alembic import op

from adapters.store.migrations.column_types import words

revision = "0011"
down_revision = "0010"

_STATEMENTS = (
    """CREATE TABLE router_profile (
        router_id {int} NOT NULL CONSTRAINT pk_router_profile PRIMARY KEY CONSTRAINT fk_router_profile_router REFERENCES router,
        host {text} NOT NULL,
        port {int} NOT NULL,
        second_host {text},
        second_port {int},
        expected_nodes {int},
        location {text} NOT NULL,
        latitude {real},
        longitude {real},
        sealed {bytes} NOT NULL,
        created_us {big} NOT NULL
    ) {plain}""",
    """CREATE TABLE router_state (
        router_id {int} NOT NULL CONSTRAINT pk_router_state PRIMARY KEY CONSTRAINT fk_router_state_router REFERENCES router,
        state {text} NOT NULL,
        heard_us {big},
        health {bytes} NOT NULL,
        troubleshooting {bytes}
    ) {hot}""",
    """CREATE TABLE router_event (
        router_id {int} NOT NULL CONSTRAINT fk_router_event_router REFERENCES router,
        sequence {big} NOT NULL,
        code {int} NOT NULL,
        occurred_us {big} NOT NULL,
        detail {text} NOT NULL,
        CONSTRAINT pk_router_event PRIMARY KEY (router_id, sequence)
    ) {keyed}""",
    """CREATE TABLE router_troubleshooting (
        router_id {int} NOT NULL CONSTRAINT fk_router_troubleshooting_router REFERENCES router,
        began_us {big} NOT NULL,
        code {int} NOT NULL,
        packed {bytes} NOT NULL,
        CONSTRAINT pk_router_troubleshooting PRIMARY KEY (router_id, began_us, code)
    ) {keyed}""",
    """CREATE TABLE router_watch (
        one {small} NOT NULL CONSTRAINT pk_router_watch PRIMARY KEY CONSTRAINT ck_router_watch_one CHECK (one = 1),
        owner {text} NOT NULL,
        until_us {big} NOT NULL
    ) {plain}""",
    """CREATE TABLE work_item (
        work_item_id {int} NOT NULL CONSTRAINT pk_work_item PRIMARY KEY,
        kind {text} NOT NULL,
        subject {text} NOT NULL,
        state {text} NOT NULL,
        routed_to {text} NOT NULL,
        opened_us {big} NOT NULL,
        closed_us {big},
        diagnosis {text} NOT NULL,
        history {bytes} NOT NULL
    ) {plain}""",
    "CREATE UNIQUE INDEX uq_work_item_open ON work_item (kind, subject) WHERE closed_us IS NULL",
    "CREATE INDEX ix_work_item_opened ON work_item (opened_us)",
)


def upgrade() -> None:
    """Make them."""
    dialect = op.get_bind().dialect.name
    # A router's row is rewritten at every poll: room on the page for the next version.
    hot = "STRICT" if dialect == "sqlite" else "WITH (fillfactor = 70)"
    for statement in _STATEMENTS:
        op.execute(statement.format(**words(dialect), hot=hot))
