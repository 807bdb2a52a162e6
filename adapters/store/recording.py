"""Stores a batch of collected items in one transaction: select what exists, merge, count the transaction, write what changed.

The rows of `endpoint_state` are locked first, in order, so that two writers of the same endpoint follow one another; everything else
of an endpoint is written under that lock alone. The row of `tally` is locked last and holds writers up only while they write.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text
from twisted.logger import Logger

from adapters.store import early_store, schema
from adapters.store.arrivals import Arrivals, EndpointDay, ReadKey, arrange, spoil
from adapters.store.bulk import OnConflict, fetch, put, rows_of
from adapters.store.change_packing import pack_changes
from adapters.store.day_packing import extended_days
from adapters.store.endpoint_state import Ending, EndpointState, Outcome
from adapters.store.event_recording import put_events
from adapters.store.instants import DAY_US, from_day, to_us
from adapters.store.limits import REASON_CHARACTERS_MAX
from adapters.store.merging import merge_days
from adapters.store.partitions import DayKey, require_partitions
from adapters.store.progress_packing import pack_tables
from adapters.store.segments import PackingError, Segment
from headend.model.collection import Collected
from headend.model.interval_runs import IntervalRuns
from headend.retries import RetryPolicy

Row = tuple[Any, ...]

_log = Logger()


@dataclass(slots=True)
class _Changes:
    """Rows to write; `None` stands for the change sequence until it is known. `spans` are days that an endpoint's intervals changed on."""

    days: list[Row] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)
    days_superseded: list[Row] = field(default_factory=list)
    reads: list[Row] = field(default_factory=list)
    reads_superseded: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    messages: list[Row] = field(default_factory=list)
    intervals: int = 0
    reads_new: int = 0

    def any(self) -> bool:
        return bool(self.days or self.reads or self.events or self.messages)


def record(
    connection: Connection,
    batch: Sequence[Collected],
    runs: Sequence[IntervalRuns],
    now: datetime,
    retries: RetryPolicy,
    partitions: set[DayKey] | None,
    suspicious: Collection[int],
) -> None:
    """Store `batch` and the `runs` of its endpoints. `partitions` are the days known to have one, None where the database has none.

    `suspicious` are codes of events that hint at theft.

    Raises PartitionsWantedError before anything is written.
    """
    arrivals = arrange(batch, runs, now)
    if partitions is not None:
        _check_partitions(arrivals, partitions)
    states = lock_states(connection, sorted({item.endpoint_id for item in batch}))
    known = [item for item in batch if item.endpoint_id in states]
    _drop_unknown(arrivals, states, len(batch) - len(known))
    changes = _Changes()
    _merge_days(connection, arrivals, changes, now)
    _merge_reads(connection, arrivals, changes, now)
    _new_events(connection, arrivals, changes, now)
    _messages(known, changes, now)
    after = _states_after(known, arrivals, states, now, retries)
    change_seq = _count(connection, changes, states, after)
    _write(connection, changes, change_seq, suspicious)
    _write_around(connection, known, arrivals)
    changed = [state for endpoint_id, state in after.items() if state != states[endpoint_id]]
    put(connection, schema.endpoint_state, changed, OnConflict.REPLACE)


def lock_states(connection: Connection, endpoint_ids: list[int]) -> dict[int, EndpointState]:
    """The states of endpoints, theirs until the transaction ends."""
    if connection.dialect.name == "sqlite":
        rows = fetch(connection, schema.endpoint_state, ("endpoint_id",), [(one,) for one in endpoint_ids])
    else:
        statement = "SELECT * FROM endpoint_state WHERE endpoint_id = ANY(?::integer[]) ORDER BY endpoint_id FOR UPDATE"
        rows = rows_of(connection, statement, (f"{{{','.join(map(str, endpoint_ids))}}}",))
    return {row[0]: EndpointState(*row) for row in rows}


def _check_partitions(arrivals: Arrivals, partitions: set[DayKey]) -> None:
    days: set[DayKey] = {("interval_day", day + s.head.days[-1]) for (_, day), segments in arrivals.days.items() for s in segments}
    days |= {("interval_day", day) for _, day in arrivals.days}
    days |= {("register_read", key[1] // DAY_US) for key in arrivals.reads}
    days |= {("device_event", key[1] // DAY_US) for key in arrivals.events}
    require_partitions(days, partitions)


def _drop_unknown(arrivals: Arrivals, states: dict[int, EndpointState], unknown: int) -> None:
    if not unknown:
        return
    _log.warn("{unknown} collected items are of endpoints that this store does not know; dropped", unknown=unknown)
    arrivals.days = {key: value for key, value in arrivals.days.items() if key[0] in states}
    arrivals.reads = {key: value for key, value in arrivals.reads.items() if key[0] in states}
    arrivals.events = {key: value for key, value in arrivals.events.items() if key[0] in states}
    arrivals.exceptions = [one for one in arrivals.exceptions if one.endpoint_id in states]


def _merge_days(connection: Connection, arrivals: Arrivals, changes: _Changes, now: datetime) -> None:
    if not arrivals.days:
        return
    arrived: dict[int, dict[int, list[Segment]]] = {}
    wanted: set[EndpointDay] = set()
    for key, segments in arrivals.days.items():
        endpoint_id, day = key
        arrived.setdefault(endpoint_id, {})[day] = segments
        # What is known of a day may stand with the day before; what reaches into the next day may be known there.
        wanted |= {key, (endpoint_id, day - 1)}
        if any([head.end > head.per_day for head, _ in segments]):  # noqa: C419 - a list is quicker for two or three
            wanted.add((endpoint_id, day + 1))
    days = {day for _, day in wanted}
    rows = fetch(connection, schema.interval_day, ("endpoint_id", "day"), list(wanted), ("day", min(days), max(days)))
    stored: dict[int, dict[int, Row]] = {}
    for row in rows:
        stored.setdefault(row[0], {})[row[1]] = row
    for endpoint_id, by_day in arrived.items():
        try:
            _merge_endpoint(endpoint_id, by_day, stored.get(endpoint_id, {}), changes)
        except PackingError as error:
            texts = ", ".join([str(from_day(day)) for day in by_day])
            spoil(arrivals, endpoint_id, [f"interval days {texts}: {error}"], now)


def _merge_endpoint(endpoint_id: int, arrived: dict[int, list[Segment]], stored: dict[int, Row], changes: _Changes) -> None:
    """Put what arrived behind what is stored; where they overlap, merge them."""
    rows = {day: row[3] for day, row in stored.items()}
    longer = extended_days(rows, arrived)
    if longer is not None:
        changes.days += [(endpoint_id, day, None, row) for day, row in longer.items()]
        for day, segments in arrived.items():
            changes.intervals += sum([head.known for head, _ in segments])
            reached = max([(head.end - 1) // head.per_day for head, _ in segments])
            changes.spans.append((endpoint_id, day, day + reached))
        return
    merged = merge_days(rows, arrived)
    if merged is None:
        return
    changes.intervals += merged.values_added
    changes.days += [(endpoint_id, day, None, row) for day, row in merged.rows.items()]
    changes.spans += [(endpoint_id, day, day) for day in merged.days]
    for day, predecessor in merged.superseded.items():
        seq = max([stored[one][2] for one in (day - 1, day) if one in stored])
        changes.days_superseded.append((endpoint_id, day, seq, None, predecessor))


def _merge_reads(connection: Connection, arrivals: Arrivals, changes: _Changes, now: datetime) -> None:
    if not arrivals.reads:
        return
    instants = [key[1] for key in arrivals.reads]
    columns = ("endpoint_id", "instant_us", "channel_id", "source")
    rows = fetch(connection, schema.register_read, columns, list(arrivals.reads), ("instant_us", min(instants), max(instants)))
    stored: dict[ReadKey, Row] = {row[:4]: row for row in rows}
    received_us = to_us(now)
    for key, read in arrivals.reads.items():
        old = stored.get(key)
        if old is None:
            changes.reads_new += 1
        elif old[5] == read.flags and _same_quantity(old[6], old[4], read.value, read.exponent):
            continue
        else:
            changes.reads_superseded.append((*old, None))
        changes.reads.append((*key, read.exponent, read.flags, read.value, received_us, None))


def _same_quantity(value: int, exponent: int, other: int, other_exponent: int) -> bool:
    smaller = min(exponent, other_exponent)
    scale, other_scale = int(10 ** (exponent - smaller)), int(10 ** (other_exponent - smaller))
    return value * scale == other * other_scale


def _new_events(connection: Connection, arrivals: Arrivals, changes: _Changes, now: datetime) -> None:
    if not arrivals.events:
        return
    occurred = [key[1] for key in arrivals.events]
    columns = ("endpoint_id", "occurred_us", "code", "sequence")
    rows = fetch(connection, schema.device_event, columns, list(arrivals.events), ("occurred_us", min(occurred), max(occurred)))
    stored = {row[:4] for row in rows}
    received_us = to_us(now)
    changes.events += [
        (*key, event.path.value, event.argument, received_us, None) for key, event in arrivals.events.items() if key not in stored
    ]


def _messages(batch: Sequence[Collected], changes: _Changes, now: datetime) -> None:
    now_us = to_us(now)
    for item in batch:
        for message in item.messages:
            facts = (message.subscriber, message.kind, message.endpoint_id, message.payload)
            message_id = hashlib.sha256(repr(facts).encode()).digest()[:16]
            position = len(changes.messages)
            row = (None, position, message_id, *facts, "queued", 0, now_us, now_us, "")
            changes.messages.append(row)


def _states_after(
    batch: Sequence[Collected], arrivals: Arrivals, states: dict[int, EndpointState], now: datetime, retries: RetryPolicy
) -> dict[int, EndpointState]:
    last_reads: dict[int, int] = {}
    for endpoint_id, instant, _, _ in arrivals.reads:
        last_reads[endpoint_id] = max(last_reads.get(endpoint_id, instant), instant)
    after: dict[int, EndpointState] = {}
    for item in batch:
        endpoint_id = item.endpoint_id
        failed = item.exception is not None or endpoint_id in arrivals.spoilt
        before = after.get(endpoint_id, states[endpoint_id])
        after[endpoint_id] = before.after(item, last_reads.get(endpoint_id), Ending(failed, now, retries))
    return after


def _count(connection: Connection, changes: _Changes, before: dict[int, EndpointState], after: dict[int, EndpointState]) -> int:
    moves = [(before[key].outcome, state.outcome) for key, state in after.items() if before[key].outcome != state.outcome]
    due, done, failed = (_gained(moves, outcome) for outcome in (Outcome.DUE, Outcome.DONE, Outcome.FAILED))
    if not (changes.any() or moves):
        return 0
    counted = connection.execute(
        text(
            "UPDATE tally SET change_seq = change_seq + :changed, due = due + :due, done = done + :done, failed = failed + :failed,"
            " register_reads = register_reads + :reads, intervals = intervals + :intervals, events = events + :events RETURNING change_seq"
        ),
        {
            "changed": int(changes.any()),
            "due": due,
            "done": done,
            "failed": failed,
            "reads": changes.reads_new,
            "intervals": changes.intervals,
            "events": len(changes.events),
        },
    )
    return int(counted.scalar_one())


def _gained(moves: list[tuple[int, int]], outcome: Outcome) -> int:
    """How many more endpoints have an outcome than before."""
    return sum(after == outcome for _, after in moves) - sum(before == outcome for before, _ in moves)


def _changed_days(changes: _Changes) -> bytes:
    """Of each endpoint the first and the last day that something changed on."""
    spans: dict[int, tuple[int, int]] = {}
    found = changes.spans + [(row[0], row[1] // DAY_US, row[1] // DAY_US) for row in (*changes.reads, *changes.events)]
    for endpoint_id, first, last in found:
        known = spans.get(endpoint_id)
        if known is None or first < known[0] or last > known[1]:
            spans[endpoint_id] = (first, last) if known is None else (min(first, known[0]), max(last, known[1]))
    return pack_changes(spans)


def _write(connection: Connection, changes: _Changes, change_seq: int, suspicious: Collection[int]) -> None:
    seq = (change_seq,)
    if changes.any():
        put(connection, schema.endpoint_change, [(change_seq, _changed_days(changes))], OnConflict.FAIL)
    put(connection, schema.interval_day_history, [(*row[:3], change_seq, row[4]) for row in changes.days_superseded], OnConflict.IGNORE)
    put(connection, schema.interval_day, [(*row[:2], change_seq, row[3]) for row in changes.days], OnConflict.REPLACE)
    put(connection, schema.register_read_history, [row[:9] + seq for row in changes.reads_superseded], OnConflict.IGNORE)
    put(connection, schema.register_read, [row[:8] + seq for row in changes.reads], OnConflict.REPLACE)
    put_events(connection, [row[:7] + seq for row in changes.events], suspicious)
    put(connection, schema.outbox, [seq + row[1:] for row in changes.messages], OnConflict.IGNORE)


def _write_around(connection: Connection, batch: Sequence[Collected], arrivals: Arrivals) -> None:
    programs = {item.program.fingerprint: pack_tables(item.program.tables) for item in batch if item.program is not None}
    put(connection, schema.program, list(programs.items()), OnConflict.IGNORE)
    exceptions = [(one.endpoint_id, to_us(one.occurred), one.kind.value, _printable(one.reason)) for one in arrivals.exceptions]
    exceptions += early_store.keep(connection, batch)
    put(connection, schema.exception_record, exceptions, OnConflict.IGNORE)


def _printable(reason: str) -> str:
    # PostgreSQL takes no NUL and no lone surrogate; what a device said may be quoted in a reason.
    return reason[:REASON_CHARACTERS_MAX].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
