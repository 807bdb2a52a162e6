"""New events in a recording transaction: kept with the meter's others, looked at for theft, and put before the event desk."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection

from adapters.store import schema
from adapters.store.bulk import OnConflict, put
from adapters.store.event_tables import event_case
from adapters.store.watch_tables import suspect_event
from headend.model.event_case import CaseState
from headend.model.events import EventPath

Row = tuple[Any, ...]

_NEW = CaseState.NEW.value


def put_events(connection: Connection, rows: Sequence[Row], suspicious: Collection[int]) -> None:
    """Store rows of `device_event`, none of which is there yet, all of one change; events of the codes in `suspicious` hint at theft."""
    put(connection, schema.device_event, rows, OnConflict.IGNORE)
    put(connection, suspect_event, [(*row[:4], row[5]) for row in rows if row[2] in suspicious], OnConflict.IGNORE)
    cases = [
        (change_seq, place, 0, endpoint_id, code, occurred_us, sequence, path, argument, received_us, _NEW, "", received_us)
        for place, (endpoint_id, occurred_us, code, sequence, path, argument, received_us, change_seq) in enumerate(rows)
    ]
    put(connection, event_case, cases, OnConflict.IGNORE)


def put_router_events(connection: Connection, rows: Sequence[Row], change_seq: int) -> None:
    """Put rows of `router_event`, which are new, before the desk."""
    cases = [
        (change_seq, place, 1, router_id, code, at, sequence, EventPath.ROUTER.value, detail.encode(), at, _NEW, "", at)
        for place, (router_id, sequence, code, at, detail) in enumerate(rows)
    ]
    put(connection, event_case, cases, OnConflict.IGNORE)
