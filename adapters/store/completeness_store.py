"""What of endpoints decides what is expected of them: configuration, installations, when they were last heard."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, text
from twisted.internet.defer import Deferred

from adapters.store import gap_store, schema
from adapters.store.bulk import fetch
from adapters.store.database import Database
from adapters.store.instants import from_us
from headend.completeness import EndpointFacts
from headend.model.endpoint import EndpointId

_ENDPOINTS = (
    "SELECT e.endpoint_id, e.meter_no, e.configuration, r.name, s.heard_us FROM endpoint AS e"
    " JOIN endpoint_state AS s ON s.endpoint_id = e.endpoint_id LEFT JOIN router AS r ON r.router_id = e.router_id"
    # Said of both, or the states of all endpoints before the page are gone through as well.
    " WHERE e.active = 1 AND e.ap_title IS NOT NULL AND e.endpoint_id > :after AND s.endpoint_id > :after{named}"
    " ORDER BY e.endpoint_id LIMIT :limit"
)


def endpoint_facts(connection: Connection, after: int, limit: int, meter_no: str | None) -> list[EndpointFacts]:
    """A page of active endpoints, or one of them."""
    named = {} if meter_no is None else {"meter_no": meter_no}
    statement = text(_ENDPOINTS.format(named=" AND e.meter_no = :meter_no" if named else ""))
    rows = connection.execute(statement, {"after": after, "limit": limit} | named).all()
    installed: dict[int, list[tuple[datetime, datetime | None]]] = {}
    for row in fetch(connection, schema.installation, ("endpoint_id",), [(row[0],) for row in rows]):
        one = schema.installation.c.keys()
        period = dict(zip(one, row, strict=True))
        ended = period["ended_us"]
        installed.setdefault(row[0], []).append((from_us(period["started_us"]), None if ended is None else from_us(ended)))
    in_vain = gap_store.in_vain(connection, [row[0] for row in rows])
    return [
        EndpointFacts(
            EndpointId(i),
            no,
            configuration,
            router,
            None if heard is None else from_us(heard),
            tuple(installed.get(i, ())),
            tuple(in_vain.get(i, ())),
        )
        for i, no, configuration, router, heard in rows
    ]


class CompletenessPart:
    """CompletenessQueries of a store, beside its readings."""

    _database: Database

    def endpoint_facts(self, after: EndpointId, limit: int, meter_no: str | None = None) -> Deferred[Sequence[EndpointFacts]]:
        return self._database.read(lambda c: endpoint_facts(c, after, limit, meter_no))
