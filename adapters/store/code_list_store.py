"""Code lists that a utility's own data make."""

from sqlalchemy import Connection, select
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.database import Database


def bill_cycles(connection: Connection) -> list[str]:
    """Bill cycles that service points are billed in."""
    cycle = schema.service_point.c.bill_cycle
    return list(connection.execute(select(cycle).where(cycle != "").distinct().order_by(cycle)).scalars())


class CodeListPart:
    """CodeLists of a store."""

    _database: Database

    def bill_cycles(self) -> Deferred[list[str]]:
        return self._database.read(bill_cycles)
