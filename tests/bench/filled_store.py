"""A store with a million meters and two midnight reads of each, made in seconds by the database itself, on SQLite and PostgreSQL.

Meter numbers are in an order of their own. What more a bench wants is put in by statements with the same `WORDS`.
"""

from typing import Any

from adapters.store.instants import DAY_US, to_day
from adapters.store.partitions import make_partitions
from headend.model.instants import from_us
from headend.model.selections import Period
from tests.store.world import DAY, OpenStore

METERS = 1_000_000
MIDNIGHT_US = to_day(DAY) * DAY_US + 5 * DAY_US // 24
NIGHT = Period(from_us(MIDNIGHT_US), from_us(MIDNIGHT_US))

_ENDPOINTS = (
    "INSERT INTO endpoint (endpoint_id, meter_no, serial_no, model, configuration, ap_title, ap_title_octets, key_id, transport, host,"
    " port, active, polled, created_us) {series} SELECT i, 'M' || {shuffled}, 'S' || i, 'm', 'residential', '.100.' || i, {octets}, 1,"
    " 'udp', '127.0.0.1', 1153, 1, {polled}, 0 FROM series"
)
_STATES = (
    "INSERT INTO endpoint_state (endpoint_id, outcome, collect_from_us, lease_no, attempts, next_invocation_id, progress, replay_window,"
    " octets_sent, octets_received, last_read_us, heard_us) {series}"
    " SELECT i, 0, 0, 0, 0, 1, {nothing}, {nothing}, 0, 0, {instant}, {heard} FROM series"
)
_READS = (
    "INSERT INTO register_read (endpoint_id, instant_us, channel_id, source, exponent, flags, value, received_us, change_seq)"
    " {series} SELECT i, {instant}, 1, 1, 0, 0, 12000000 + i, 0, 1 FROM series"
)
WORDS = {
    "sqlite": {
        "series": f"WITH RECURSIVE series(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < {METERS})",
        "shuffled": f"printf('%08d', mod(i * 7919, {METERS}))",
        "octets": "CAST(printf('%08x', i) AS BLOB)",
        "nothing": "x''",
    },
    "postgresql": {
        "series": f"WITH series(i) AS (SELECT * FROM generate_series(1, {METERS}))",
        "shuffled": f"lpad(mod(i * 7919::bigint, {METERS})::text, 8, '0')",
        "octets": "int4send(i)",
        "nothing": "''::bytea",
    },
}


def fill(store: OpenStore, name: str, *, polled: bool = True) -> None:
    """Put them all in; `name` is the database's kind. Those that are not `polled` are heard of for ever, so that nobody looks for them."""
    words: dict[str, Any] = WORDS[name]
    days = (MIDNIGHT_US - DAY_US, MIDNIGHT_US)
    if name == "postgresql":
        wanted = {("register_read", instant // DAY_US) for instant in days}
        store.running.wait(store.store._database.run, lambda c: make_partitions(c, wanted))
    store.sql(_ENDPOINTS.format(**words, polled=int(polled)))
    store.sql(_STATES.format(**words, instant=MIDNIGHT_US, heard=MIDNIGHT_US if polled else 100 * 366 * DAY_US))
    for instant in days:
        store.sql(_READS.format(**words, instant=instant))
    store.sql("ANALYZE")
