"""What PostgreSQL's planner knows of tables that were just filled: it learns by itself only minutes later, and joins badly until then."""

from collections.abc import Mapping

from sqlalchemy import Connection, Table

from adapters.store.limits import STATISTICS_ROWS


def refresh_statistics(connection: Connection, written: Mapping[Table, int]) -> None:
    """Count anew the tables into which many rows were written; SQLite's plans do without."""
    names = ", ".join(table.name for table, rows in written.items() if rows >= STATISTICS_ROWS)
    if names and connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ANALYZE {names}")
