"""The first tables: identity and tallies, master data, collection state, reads, blocks, events, outbox.

PostgreSQL partitions the three large tables by UTC day from here on; SQLite clusters interval days by day, so that a batch of
endpoints writes few pages and a purged day is one run of them.
"""

from alembic import op

revision = "0001"
down_revision = None

_TYPES = {
    "sqlite": {"small": "INTEGER", "int": "INTEGER", "big": "INTEGER", "text": "TEXT", "real": "REAL", "bytes": "BLOB"},
    "postgresql": {
        "small": "smallint",
        "int": "integer",
        "big": "bigint",
        "text": 'text COLLATE "C"',
        "real": "double precision",
        "bytes": "bytea",
    },
}

_TABLES = (
    """CREATE TABLE store_identity (
        one {small} NOT NULL CONSTRAINT pk_store_identity PRIMARY KEY CONSTRAINT ck_store_identity_one CHECK (one = 1),
        utility_id {text} NOT NULL,
        key_check {bytes} NOT NULL
    ) {plain}""",
    """CREATE TABLE tally (
        one {small} NOT NULL CONSTRAINT pk_tally PRIMARY KEY CONSTRAINT ck_tally_one CHECK (one = 1),
        change_seq {big} NOT NULL,
        endpoints {big} NOT NULL,
        due {big} NOT NULL,
        done {big} NOT NULL,
        failed {big} NOT NULL,
        register_reads {big} NOT NULL,
        intervals {big} NOT NULL,
        events {big} NOT NULL
    ) {plain}""",
    """CREATE TABLE router (
        router_id {int} NOT NULL CONSTRAINT pk_router PRIMARY KEY,
        name {text} NOT NULL CONSTRAINT uq_router_name UNIQUE
    ) {plain}""",
    """CREATE TABLE endpoint (
        endpoint_id {int} NOT NULL CONSTRAINT pk_endpoint PRIMARY KEY,
        meter_no {text} NOT NULL CONSTRAINT uq_endpoint_meter_no UNIQUE,
        serial_no {text} NOT NULL,
        model {text} NOT NULL,
        configuration {text} NOT NULL,
        ap_title {text} NOT NULL,
        ap_title_octets {bytes} NOT NULL CONSTRAINT uq_endpoint_ap_title UNIQUE,
        key_id {small} NOT NULL,
        router_id {int} CONSTRAINT fk_endpoint_router REFERENCES router,
        transport {text} NOT NULL,
        host {text} NOT NULL,
        port {int} NOT NULL,
        active {small} NOT NULL,
        polled {small} NOT NULL,
        created_us {big} NOT NULL
    ) {plain}""",
    """CREATE TABLE endpoint_key (
        endpoint_id {int} NOT NULL CONSTRAINT fk_endpoint_key_endpoint REFERENCES endpoint,
        key_id {small} NOT NULL,
        sealed {bytes} NOT NULL,
        CONSTRAINT pk_endpoint_key PRIMARY KEY (endpoint_id, key_id)
    ) {keyed}""",
    """CREATE TABLE account (
        account_no {text} NOT NULL CONSTRAINT pk_account PRIMARY KEY,
        name {text} NOT NULL,
        phone {text} NOT NULL,
        email {text} NOT NULL
    ) {keyed}""",
    """CREATE TABLE service_point (
        service_point_no {text} NOT NULL CONSTRAINT pk_service_point PRIMARY KEY,
        commodity {text} NOT NULL,
        address_line {text} NOT NULL,
        city {text} NOT NULL,
        state {text} NOT NULL,
        postal_code {text} NOT NULL,
        account_no {text} NOT NULL CONSTRAINT fk_service_point_account REFERENCES account,
        bill_cycle {text} NOT NULL,
        latitude {real},
        longitude {real}
    ) {keyed}""",
    """CREATE TABLE installation (
        endpoint_id {int} NOT NULL CONSTRAINT fk_installation_endpoint REFERENCES endpoint,
        started_us {big} NOT NULL,
        service_point_no {text} NOT NULL CONSTRAINT fk_installation_service_point REFERENCES service_point,
        ended_us {big},
        CONSTRAINT pk_installation PRIMARY KEY (endpoint_id, started_us)
    ) {keyed}""",
    """CREATE TABLE endpoint_state (
        endpoint_id {int} NOT NULL CONSTRAINT pk_endpoint_state PRIMARY KEY
            CONSTRAINT fk_endpoint_state_endpoint REFERENCES endpoint,
        outcome {small} NOT NULL,
        due_us {big},
        scheduled_us {big},
        collect_from_us {big} NOT NULL,
        lease_owner {text},
        lease_no {int} NOT NULL,
        attempts {int} NOT NULL,
        next_invocation_id {int} NOT NULL,
        program {bytes},
        progress {bytes} NOT NULL,
        replay_window {bytes} NOT NULL,
        heard_us {big},
        transport {text},
        host {text},
        port {int},
        octets_sent {big} NOT NULL,
        octets_received {big} NOT NULL,
        last_read_us {big}
    ) {hot}""",
    """CREATE TABLE program (
        fingerprint {bytes} NOT NULL CONSTRAINT pk_program PRIMARY KEY,
        tables {bytes} NOT NULL
    ) {plain}""",
    """CREATE TABLE register_read (
        endpoint_id {int} NOT NULL,
        instant_us {big} NOT NULL,
        channel_id {small} NOT NULL,
        source {small} NOT NULL,
        exponent {small} NOT NULL,
        flags {int} NOT NULL,
        value {big} NOT NULL,
        received_us {big} NOT NULL,
        change_seq {big} NOT NULL,
        CONSTRAINT pk_register_read PRIMARY KEY (endpoint_id, instant_us, channel_id, source)
    ) {keyed} {by_instant}""",
    """CREATE TABLE register_read_history (
        endpoint_id {int} NOT NULL,
        instant_us {big} NOT NULL,
        channel_id {small} NOT NULL,
        source {small} NOT NULL,
        exponent {small} NOT NULL,
        flags {int} NOT NULL,
        value {big} NOT NULL,
        received_us {big} NOT NULL,
        change_seq {big} NOT NULL,
        superseded_seq {big} NOT NULL,
        CONSTRAINT pk_register_read_history PRIMARY KEY (endpoint_id, instant_us, channel_id, source, change_seq)
    ) {keyed}""",
    """CREATE TABLE interval_day (
        endpoint_id {int} NOT NULL,
        day {int} NOT NULL,
        change_seq {big} NOT NULL,
        packed {bytes} NOT NULL,
        CONSTRAINT pk_interval_day PRIMARY KEY ({day_key})
    ) {keyed} {by_day}""",
    """CREATE TABLE interval_day_history (
        endpoint_id {int} NOT NULL,
        day {int} NOT NULL,
        change_seq {big} NOT NULL,
        superseded_seq {big} NOT NULL,
        packed {bytes} NOT NULL,
        CONSTRAINT pk_interval_day_history PRIMARY KEY (endpoint_id, day, change_seq)
    ) {keyed}""",
    """CREATE TABLE device_event (
        endpoint_id {int} NOT NULL,
        occurred_us {big} NOT NULL,
        code {int} NOT NULL,
        sequence {big} NOT NULL,
        path {text} NOT NULL,
        argument {bytes} NOT NULL,
        received_us {big} NOT NULL,
        change_seq {big} NOT NULL,
        CONSTRAINT pk_device_event PRIMARY KEY (endpoint_id, occurred_us, code, sequence)
    ) {keyed} {by_occurred}""",
    """CREATE TABLE endpoint_change (
        change_seq {big} NOT NULL,
        endpoint_id {int} NOT NULL,
        first_day {int} NOT NULL,
        last_day {int} NOT NULL,
        CONSTRAINT pk_endpoint_change PRIMARY KEY (change_seq, endpoint_id)
    ) {keyed}""",
    """CREATE TABLE exception_record (
        endpoint_id {int} NOT NULL CONSTRAINT fk_exception_record_endpoint REFERENCES endpoint,
        occurred_us {big} NOT NULL,
        kind {text} NOT NULL,
        reason {text} NOT NULL,
        CONSTRAINT pk_exception_record PRIMARY KEY (endpoint_id, occurred_us, kind)
    ) {keyed}""",
    """CREATE TABLE outbox (
        change_seq {big} NOT NULL,
        position {int} NOT NULL,
        message_id {bytes} NOT NULL CONSTRAINT uq_outbox_message_id UNIQUE,
        subscriber {text} NOT NULL,
        kind {text} NOT NULL,
        endpoint_id {int},
        payload {bytes} NOT NULL,
        state {text} NOT NULL,
        attempts {int} NOT NULL,
        next_try_us {big} NOT NULL,
        created_us {big} NOT NULL,
        CONSTRAINT pk_outbox PRIMARY KEY (change_seq, position)
    ) {plain}""",
    "CREATE INDEX ix_endpoint_router ON endpoint (router_id)",
    "CREATE INDEX ix_service_point_account ON service_point (account_no)",
    "CREATE INDEX ix_installation_service_point ON installation (service_point_no)",
    "CREATE INDEX ix_endpoint_state_due ON endpoint_state (due_us, endpoint_id) WHERE due_us IS NOT NULL",
    "CREATE INDEX ix_exception_record_occurred ON exception_record (occurred_us, endpoint_id)",
    "CREATE INDEX ix_outbox_next_try ON outbox (subscriber, next_try_us) WHERE state = 'queued'",
    "INSERT INTO tally (one, change_seq, endpoints, due, done, failed, register_reads, intervals, events)"
    " VALUES (1, 0, 0, 0, 0, 0, 0, 0, 0)",
)

def upgrade() -> None:
    """Make them."""
    dialect = op.get_bind().dialect.name
    is_sqlite = dialect == "sqlite"
    words = _TYPES[dialect] | {
        "plain": "STRICT" if is_sqlite else "",
        "keyed": "STRICT, WITHOUT ROWID" if is_sqlite else "",
        # Rows that are rewritten at every interrogation: room on the page for the next version.
        "hot": "STRICT" if is_sqlite else "WITH (fillfactor = 70)",
        "day_key": "day, endpoint_id" if is_sqlite else "endpoint_id, day",
        "by_instant": "" if is_sqlite else "PARTITION BY RANGE (instant_us)",
        "by_day": "" if is_sqlite else "PARTITION BY RANGE (day)",
        "by_occurred": "" if is_sqlite else "PARTITION BY RANGE (occurred_us)",
    }
    for statement in _TABLES:
        op.execute(statement.format(**words))
