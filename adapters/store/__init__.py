"""The store: one utility's database (SQLite or PostgreSQL) behind the core's ports; `open_store` opens it."""

from adapters.store.keys import create_key_file
from adapters.store.store import Store, open_store

__all__ = ["Store", "create_key_file", "open_store"]
