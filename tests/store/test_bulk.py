"""Many rows at once: none is lost where a statement ends and the next begins, and conflicts are settled as asked."""

import pytest
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError

from adapters.store.bulk import ROWS_PER_STATEMENT, OnConflict, put
from adapters.store.partner_tables import message_day

COUNTS = sorted({size + step for size in ROWS_PER_STATEMENT for step in (-1, 0, 1)} | {700})


@pytest.mark.parametrize("count", COUNTS)
def test_rows_of_any_count_are_stored_and_replaced(count: int) -> None:
    engine = create_engine("sqlite://")
    message_day.create(engine)
    rows = [(day, day * 2, 7) for day in range(count)]
    with engine.begin() as connection:
        put(connection, message_day, rows[::-1], OnConflict.FAIL)
        put(connection, message_day, [(day, 0, 0) for day in range(count)], OnConflict.IGNORE)
        assert [tuple(row) for row in connection.execute(select(message_day).order_by("day"))] == rows
        put(connection, message_day, [(day, 1, 1) for day in range(count)], OnConflict.REPLACE)
        assert [tuple(row) for row in connection.execute(select(message_day).order_by("day"))] == [(day, 1, 1) for day in range(count)]
    if count:
        with pytest.raises(IntegrityError), engine.begin() as connection:
            put(connection, message_day, rows[-1:], OnConflict.FAIL)
