"""Ids of routers by name: the same, whether a shipment, a partner or a routers file names them first."""

from sqlalchemy import Connection, func, select

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put


def router_ids_of(connection: Connection, names: set[str]) -> dict[str, int]:
    """The routers of these names, made where there were none. Whoever asks holds the lock of master data."""
    known = {row[1]: row[0] for row in fetch(connection, schema.router, ("name",), [(name,) for name in sorted(names)])}
    next_id = (connection.execute(select(func.max(schema.router.c.router_id))).scalar() or 0) + 1
    new = {name: next_id + i for i, name in enumerate(sorted(names - known.keys()))}
    put(connection, schema.router, [(router_id, name) for name, router_id in new.items()], OnConflict.FAIL)
    return known | new
