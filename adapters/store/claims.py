"""Regular work that one process at a time does: claimed for a while, noted when done."""

from datetime import datetime

from sqlalchemy import Connection, text

from adapters.store.instants import to_us

_CLAIM = text(
    "INSERT INTO regular_work (work, owner, until_us) VALUES (:work, :owner, :until)"
    " ON CONFLICT (work) DO UPDATE SET owner = excluded.owner, until_us = excluded.until_us"
    " WHERE (regular_work.owner IS NULL OR regular_work.owner = excluded.owner OR regular_work.until_us <= :now)"
    " AND (regular_work.done_us IS NULL OR regular_work.done_us <= :done_before) RETURNING owner"
)


def claim(connection: Connection, work: str, owner: str, now: datetime, *, until: datetime, done_before: datetime) -> bool:
    """Whether `owner` may do `work` until `until`: nobody else has it, and it was not done after `done_before`."""
    parameters = {"work": work, "owner": owner, "now": to_us(now), "until": to_us(until), "done_before": to_us(done_before)}
    return connection.execute(_CLAIM, parameters).first() is not None


def finish(connection: Connection, work: str, owner: str, done: datetime, *, keep: bool = False) -> None:
    """`owner` did `work`, and may `keep` its claim; an owner whose claim has passed to another changes nothing."""
    statement = text("UPDATE regular_work SET owner = :kept, done_us = :done WHERE work = :work AND owner = :owner")
    connection.execute(statement, {"work": work, "owner": owner, "kept": owner if keep else None, "done": to_us(done)})


def release(connection: Connection, owner: str) -> None:
    """Whatever `owner` has claimed, others may do."""
    connection.execute(text("UPDATE regular_work SET owner = NULL WHERE owner = :owner"), {"owner": owner})
