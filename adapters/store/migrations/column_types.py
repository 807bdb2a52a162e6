"""Words for column types in the statements of migration steps, by dialect."""

COLUMN_TYPES = {
    "sqlite": {"small": "INTEGER", "int": "INTEGER", "big": "INTEGER", "text": "TEXT", "real": "REAL", "bytes": "BLOB"},
    "postgresql": {
        "small": "smallint",
        "int": "integer",
        "big": "bigint",
        "text": 'text COLLATE "C"',
        "real": "double precision",
        "bytes": "bytea",
    },
}


def words(dialect: str) -> dict[str, str]:
    """Types, and what stands behind a table that is only looked up by its key (`keyed`) or has rows of its own (`plain`)."""
    is_sqlite = dialect == "sqlite"
    return COLUMN_TYPES[dialect] | {"plain": "STRICT" if is_sqlite else "", "keyed": "STRICT, WITHOUT ROWID" if is_sqlite else ""}
