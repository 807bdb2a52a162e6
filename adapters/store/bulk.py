"""Many rows by one statement: PostgreSQL gets arrays, SQLite a JSON list of keys or rows of values.

Statements are built once per table and kept; all text in them comes from the schema. Values go straight to the driver: integers, text,
octets and None need no conversion.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, Connection, Integer, LargeBinary, Table
from sqlalchemy.dialects.postgresql import dialect as postgresql_dialect

from adapters.store.limits import KEYS_PER_QUERY_MAX

Values = tuple[Any, ...]

STATEMENTS_KEPT = 512
"""Texts of statements kept as PostgreSQL wants them."""

ROWS_PER_STATEMENT = (256, 32, 4, 1)
"""Rows that go together into SQLite: few sizes, since each is a statement that is kept prepared. Its limit is 32,766 values."""

_LITERALS_AND_PLACES = re.compile(r"('(?:[^']|'')*')|\?")
"""A question mark within a literal is text, any other the place of a parameter."""

_POSTGRESQL = postgresql_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy says no types here


class OnConflict(Enum):
    """What becomes of a row whose key is stored already."""

    FAIL = auto()
    IGNORE = auto()
    REPLACE = auto()


def put(connection: Connection, table: Table, rows: Sequence[Values], on_conflict: OnConflict) -> None:
    """Insert `rows`, each with a value for every column of `table` in order, but for a key that the database counts up."""
    if not rows:
        return
    is_sqlite = connection.dialect.name == "sqlite"
    columns = _given(table)
    if not is_sqlite:
        connection.exec_driver_sql(_insertion(table, on_conflict), _arrays(columns, rows))
    elif len(columns) < len(table.columns):
        _put_in_pieces(connection, table, rows, on_conflict)
    else:
        # In the order of the key: neighbours share pages.
        _put_in_pieces(connection, table, sorted(rows, key=_key_getter(table)), on_conflict)


def _put_in_pieces(connection: Connection, table: Table, rows: Sequence[Values], on_conflict: OnConflict) -> None:
    """Insert in statements of many rows: SQLite's driver lets other threads have their turn at each one, and waits to get its own back."""
    done = 0
    for size in ROWS_PER_STATEMENT:
        statement = _insertion(table, on_conflict, size)
        while len(rows) - done >= size:
            connection.exec_driver_sql(statement, tuple(chain.from_iterable(rows[done : done + size])))
            done += size


def fetch(
    connection: Connection, table: Table, key: tuple[str, ...], keys: Iterable[Values], within: tuple[str, int, int] | None = None
) -> list[Values]:
    """Rows of `table`, all columns, whose columns `key` equal one of `keys`.

    `within` names a column and bounds that all these rows keep: it lets PostgreSQL leave partitions aside when it plans.
    """
    wanted = list(keys)
    found: list[Values] = []
    is_sqlite = connection.dialect.name == "sqlite"
    statement = _selection(table, key, within[0] if within else None, is_sqlite=is_sqlite)
    bounds = within[1:] if within else ()
    for start in range(0, len(wanted), KEYS_PER_QUERY_MAX):
        chunk = wanted[start : start + KEYS_PER_QUERY_MAX]
        columns: Values = (json.dumps(chunk),) if is_sqlite else _arrays([table.columns[name] for name in key], chunk)
        found += _rows(connection, statement, columns + bounds)
    return found


def remove(connection: Connection, table: Table, keys: Sequence[Values]) -> None:
    """Delete the rows of `table` whose primary keys are `keys`."""
    if not keys:
        return
    columns = list(table.primary_key)
    if connection.dialect.name == "sqlite":
        matches = " AND ".join(f"{column.name} = ?" for column in columns)
        connection.exec_driver_sql(f"DELETE FROM {table.name} WHERE {matches}", list(keys))  # noqa: S608
    else:
        names = ", ".join(column.name for column in columns)
        statement = f"DELETE FROM {table.name} WHERE ({names}) IN (SELECT * FROM {_postgresql_keys(columns)})"  # noqa: S608
        connection.exec_driver_sql(statement, _arrays(columns, keys))


def rows_of(connection: Connection, statement: str, parameters: Values) -> list[Any]:
    """Rows as the driver makes them, for queries of many: SQLAlchemy's own cost as much again. Parameters stand as `?` in `statement`."""
    return _rows(connection, statement if connection.dialect.name == "sqlite" else _as_postgresql(statement), parameters)


@lru_cache(maxsize=STATEMENTS_KEPT)
def _as_postgresql(statement: str) -> str:
    return _LITERALS_AND_PLACES.sub(lambda found: found[1] or "%s", statement)


def _rows(connection: Connection, statement: str, parameters: Values) -> list[Any]:
    cursor = connection.exec_driver_sql(statement, parameters).cursor
    assert cursor is not None, f"{statement} has no rows"
    try:
        return list(cursor.fetchall())
    finally:
        cursor.close()


def key_source(connection: Connection, key: Sequence[Column[Any]], keys: Sequence[Values]) -> tuple[str, Values]:
    """SQL for a derived table `k` with the columns of `key`, one row for each of `keys`, and its parameters."""
    if connection.dialect.name == "sqlite":
        return _sqlite_keys(key), (json.dumps(keys),)
    return _postgresql_keys(key), _arrays(key, keys)


def _sqlite_keys(key: Sequence[Column[Any]]) -> str:
    values = ", ".join(f"json_extract(value, '$[{i}]') AS {column.name}" for i, column in enumerate(key))
    return f"(SELECT {values} FROM json_each(?)) AS k"  # noqa: S608


def _postgresql_keys(key: Sequence[Column[Any]]) -> str:
    arrays = ", ".join(f"%s::{_array_type(column)}" for column in key)
    return f"unnest({arrays}) AS k({', '.join(column.name for column in key)})"


def _arrays(columns: Sequence[Column[Any]], rows: Sequence[Values]) -> Values:
    """Rows turned into one array for each column.

    Arrays of integers and octets are written as literals here: psycopg looks at each element, which takes several times as long.
    """
    turned = zip(*rows, strict=True) if rows else [()] * len(columns)
    return tuple([_literal(column, values) for column, values in zip(columns, turned, strict=True)])


def _literal(column: Column[Any], values: Values) -> str | list[Any]:
    if isinstance(column.type, Integer):
        return f"{{{','.join(map(str, values))}}}".replace("None", "NULL")
    if isinstance(column.type, LargeBinary):
        return "{" + ",".join(["NULL" if octets is None else f'"\\\\x{octets.hex()}"' for octets in values]) + "}"
    return list(values)


@lru_cache(maxsize=64)
def _key_getter(table: Table) -> Callable[[Values], Any]:
    names = [column.name for column in table.columns]
    key = _SQLITE_KEYS.get(table.name) or [column.name for column in table.primary_key]
    return itemgetter(*[names.index(name) for name in key])


_SQLITE_KEYS = {"interval_day": ["day", "endpoint_id"]}
"""Keys whose columns SQLite has in another order than the schema says."""


@lru_cache(maxsize=64)
def _given(table: Table) -> list[Column[Any]]:
    return [column for column in table.columns if column.autoincrement is not True]


@lru_cache(maxsize=256)
def _insertion(table: Table, on_conflict: OnConflict, rows: int = 0) -> str:
    """For SQLite of so many rows; for PostgreSQL of as many as its arrays have."""
    names = ", ".join(column.name for column in _given(table))
    if rows:
        source = "VALUES " + ", ".join([f"({', '.join('?' * len(_given(table)))})"] * rows)
    else:
        source = f"SELECT * FROM unnest({', '.join(f'%s::{_array_type(column)}' for column in _given(table))})"  # noqa: S608
    return f"INSERT INTO {table.name} ({names}) {source} {_conflict(table, on_conflict)}"


def _conflict(table: Table, on_conflict: OnConflict) -> str:
    match on_conflict:
        case OnConflict.FAIL:
            return ""
        case OnConflict.IGNORE:
            return "ON CONFLICT DO NOTHING"
        case OnConflict.REPLACE:
            key = ", ".join(column.name for column in table.primary_key)
            others = ", ".join(f"{column.name} = excluded.{column.name}" for column in table.columns if not column.primary_key)
            return f"ON CONFLICT ({key}) DO UPDATE SET {others}"


@lru_cache(maxsize=64)
def _selection(table: Table, key: tuple[str, ...], within: str | None, *, is_sqlite: bool) -> str:
    columns = [table.columns[name] for name in key]
    names = ", ".join(f"t.{column.name}" for column in table.columns)
    mark = "?" if is_sqlite else "%s"
    source = _sqlite_keys(columns) if is_sqlite else _postgresql_keys(columns)
    matches = " AND ".join(f"t.{name} = k.{name}" for name in key)
    bounds = f" AND t.{within} BETWEEN {mark} AND {mark}" if within else ""
    # CROSS JOIN keeps SQLite to the written order: keys outside, the index inside.
    join = "CROSS JOIN" if is_sqlite else "JOIN"
    where = "WHERE" if is_sqlite else "ON"
    return f"SELECT {names} FROM {source} {join} {table.name} AS t {where} {matches}{bounds}"  # noqa: S608


def _array_type(column: Column[Any]) -> str:
    return column.type.compile(dialect=_POSTGRESQL).split(" COLLATE")[0].lower() + "[]"
