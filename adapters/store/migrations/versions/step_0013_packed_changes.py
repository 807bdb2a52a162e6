"""What a recording transaction changed becomes one row: a row for each endpoint took a tenth of what is stored."""

import struct
from itertools import groupby
from operator import itemgetter

from alembic import op
from sqlalchemy import Connection, text

from adapters.store.migrations.column_types import words

revision = "0013"
down_revision = "0012"

_SPAN = struct.Struct("<iiI")
_TAKEN = 1_000
"""Changes taken at a time."""


def upgrade() -> None:
    """Pack the rows there are."""
    connection = op.get_bind()
    dialect = connection.dialect.name
    op.execute("ALTER TABLE endpoint_change RENAME TO endpoint_change_before")
    op.execute(
        "CREATE TABLE endpoint_change (change_seq {big} NOT NULL CONSTRAINT pk_endpoint_change_packed PRIMARY KEY,"
        " packed {bytes} NOT NULL) {plain}".format(**words(dialect))
    )
    last = 0
    while (taken := _packed(connection, last)) != last:
        last = taken
    op.execute("DROP TABLE endpoint_change_before")


def _packed(connection: Connection, last: int) -> int:
    """Pack some changes after `last`; the last of them."""
    rows = connection.execute(
        text(
            "SELECT change_seq, first_day, last_day, endpoint_id FROM endpoint_change_before WHERE change_seq > :last"
            " AND change_seq <= (SELECT max(change_seq) FROM (SELECT DISTINCT change_seq FROM endpoint_change_before"
            " WHERE change_seq > :last ORDER BY change_seq LIMIT :taken) AS taken) ORDER BY 1, 2, 3, 4"
        ),
        {"last": last, "taken": _TAKEN},
    ).all()
    changes = [{"change_seq": seq, "packed": _octets(list(spans))} for seq, spans in groupby(map(tuple, rows), itemgetter(0))]
    if changes:
        connection.execute(text("INSERT INTO endpoint_change (change_seq, packed) VALUES (:change_seq, :packed)"), changes)
    return int(changes[-1]["change_seq"]) if changes else last


def _octets(rows: list[tuple[int, ...]]) -> bytes:
    parts = []
    for (first, last), members in groupby(rows, itemgetter(1, 2)):
        ids = [row[3] for row in members]
        parts.append(_SPAN.pack(first, last, len(ids)) + struct.pack(f"<{len(ids)}I", *ids))
    return b"".join(parts)
