"""The change sequence, for transactions that record something but what was collected."""

from sqlalchemy import Connection, text

_NEXT = text("UPDATE tally SET change_seq = change_seq + 1 RETURNING change_seq")


def next_change(connection: Connection) -> int:
    """The number of this transaction; no other gets one until it ends, so take it late."""
    return int(connection.execute(_NEXT).scalar_one())
