"""Events that came before their endpoint's program was known: kept as they are until it is."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from adapters.store.bulk import OnConflict, fetch, put, remove, rows_of
from adapters.store.event_tables import early_event
from adapters.store.instants import from_us, to_us
from headend.limits import EARLY_EVENTS_MAX
from headend.model.collection import Collected
from headend.model.endpoint import EndpointId
from headend.model.events import EarlyEvent, EarlySender, ExceptionKind

Row = tuple[Any, ...]

_WAITING = (
    "SELECT s.endpoint_id, s.program FROM endpoint_state AS s WHERE s.endpoint_id > ? AND s.program IS NOT NULL"
    " AND s.endpoint_id IN (SELECT endpoint_id FROM early_event) ORDER BY s.endpoint_id LIMIT ?"
)
_US = 1_000_000


def keep(connection: Connection, batch: Sequence[Collected]) -> list[Row]:
    """Keep what came too early and forget what is understood; rows of exceptions for what is beyond the bound of an endpoint."""
    understood = {_key(item, early) for item in batch for early in item.early_understood}
    remove(connection, early_event, sorted(understood))
    came = {_key(item, early): early for item in batch for early in item.early_events}
    came = {key: early for key, early in came.items() if key not in understood}
    if not came:
        return []
    kept = {row[:3]: row for row in fetch(connection, early_event, ("endpoint_id",), sorted({key[:1] for key in came}))}
    counts = Counter(key[0] for key in kept)
    rows: list[Row] = []
    refused: list[Row] = []
    for key, early in came.items():
        if key in kept:
            continue
        counts[key[0]] += 1
        if counts[key[0]] <= EARLY_EVENTS_MAX:
            rows.append((*key, round(early.off_seconds * _US)))
        else:
            reason = f"more than {EARLY_EVENTS_MAX} events before its program is known; not kept: {early.entry.hex()}"
            refused.append((key[0], key[1], ExceptionKind.MALFORMED.value, reason))
    put(connection, early_event, rows, OnConflict.IGNORE)
    return refused


def waiting(connection: Connection, after: int, limit: int) -> list[EarlySender]:
    """Endpoints above a number whose events wait and whose program is known."""
    programs = {row[0]: bytes(row[1]) for row in rows_of(connection, _WAITING, (after, limit))}
    events = kept_of(connection, list(programs))
    return [EarlySender(one, programs[one], of_it) for one, of_it in events.items()]


def kept_of(connection: Connection, endpoint_ids: Sequence[int]) -> dict[EndpointId, tuple[EarlyEvent, ...]]:
    """What is kept of some endpoints, in order of their numbers."""
    events: dict[EndpointId, list[EarlyEvent]] = {}
    rows = fetch(connection, early_event, ("endpoint_id",), [(one,) for one in endpoint_ids])
    for endpoint_id, received_us, entry, off_us in sorted(rows):
        events.setdefault(EndpointId(endpoint_id), []).append(EarlyEvent(from_us(received_us), bytes(entry), off_us / _US))
    return {endpoint_id: tuple(of_it) for endpoint_id, of_it in events.items()}


def _key(item: Collected, early: EarlyEvent) -> Row:
    return item.endpoint_id, to_us(early.received), early.entry
