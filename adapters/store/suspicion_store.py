"""Suspicions of theft: who is a suspect by what is stored, and what became known of them, recorded in one transaction."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy import Connection, bindparam, delete, select, text
from twisted.internet.defer import Deferred

from adapters.store import schema
from adapters.store.bulk import OnConflict, fetch, put, remove
from adapters.store.database import Database
from adapters.store.instants import from_day, from_us, to_day, to_us
from adapters.store.limits import REASON_CHARACTERS_MAX
from adapters.store.watch_tables import suspect_event, suspicion, suspicion_mark
from adapters.store.work_item_store import change_work_items
from headend.model.endpoint import CONFIGURATIONS, Commodity, EndpointId
from headend.model.events import ExceptionKind
from headend.model.readings import ReadSource
from headend.model.selections import Period
from headend.model.work_item import HEAD_END, Party, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.suspicion import DELIVERED, LASTS, Suspect, SuspectEvent, Suspicion
from headend.switches import SwitchState

_E, _W, _X = schema.endpoint.c, schema.switch_state.c, suspect_event.c
_OPEN = (SwitchState.DISCONNECTED.value, SwitchState.ARMED.value)
_ELECTRIC = [name for name, configuration in CONFIGURATIONS.items() if configuration.commodity is Commodity.ELECTRIC]
_FINE = 1_000
"""Steps of a register in a watt-hour, at most: candidates are rather too many, the values decide."""

# Endpoints outside, the primary key of reads inside, twice.
_UNUSED = (
    "SELECT e.endpoint_id, e.meter_no, e.configuration FROM endpoint AS e"
    " JOIN register_read AS a ON a.endpoint_id = e.endpoint_id AND a.instant_us = :start AND a.channel_id = :channel AND a.source = :source"
    " JOIN register_read AS b ON b.endpoint_id = e.endpoint_id AND b.instant_us = :end AND b.channel_id = :channel AND b.source = :source"
    " LEFT JOIN switch_state AS w ON w.endpoint_id = e.endpoint_id"
    " WHERE e.endpoint_id > :after AND e.active = 1 AND a.exponent = b.exponent AND b.value - a.value BETWEEN 0 AND :most"
    " AND (w.state IS NULL OR w.state NOT IN (:disconnected, :armed)) ORDER BY e.endpoint_id LIMIT :limit"
)
_CONFIGURED = text(
    "SELECT endpoint_id, meter_no, configuration FROM endpoint WHERE endpoint_id > :after AND active = 1 AND configuration IN :names"
    " ORDER BY endpoint_id LIMIT :limit"
).bindparams(bindparam("names", expanding=True))


def events(connection: Connection, limit: int) -> list[SuspectEvent]:
    """Those that wait, by endpoint."""
    joined = suspect_event.join(schema.endpoint, _E.endpoint_id == _X.endpoint_id)
    statement = select(_E.meter_no, _E.configuration, *suspect_event.columns).select_from(joined)
    rows = connection.execute(statement.order_by(_X.endpoint_id, _X.occurred_us).limit(limit)).all()
    return [
        SuspectEvent(Suspect(EndpointId(number), meter_no, configuration), code, from_us(occurred_us), sequence, bytes(argument))
        for meter_no, configuration, number, occurred_us, code, sequence, argument in rows
    ]


def unused(connection: Connection, period: Period, most_wh: int, after: int, limit: int) -> list[Suspect]:
    """Meters that count hardly anything between two midnights."""
    parameters = {
        "start": to_us(period.start),
        "end": to_us(period.end),
        "channel": DELIVERED,
        "source": ReadSource.SELF_READ.value,
        "most": most_wh * _FINE,
        "after": after,
        "limit": limit,
    }
    rows = connection.execute(text(_UNUSED), parameters | dict(zip(("disconnected", "armed"), _OPEN, strict=True)))
    return [Suspect(EndpointId(number), meter_no, configuration) for number, meter_no, configuration in rows]


def open_switches(connection: Connection, after: int, limit: int) -> list[Suspect]:
    """Meters whose switch is open, since when that is known."""
    joined = schema.endpoint.join(schema.switch_state, _W.endpoint_id == _E.endpoint_id)
    statement = (
        select(_E.endpoint_id, _E.meter_no, _E.configuration, _W.since_us)
        .select_from(joined)
        .where(_E.endpoint_id > after, _E.active == 1, _E.configuration.in_(_ELECTRIC), _W.since_us.is_not(None), _W.state.in_(_OPEN))
        .order_by(_E.endpoint_id)
        .limit(limit)
    )
    return [Suspect(EndpointId(row[0]), row[1], row[2], from_us(row[3])) for row in connection.execute(statement)]


def configured(connection: Connection, names: Collection[str], after: int, limit: int) -> list[Suspect]:
    """Meters of some configurations."""
    rows = connection.execute(_CONFIGURED, {"names": list(names), "after": after, "limit": limit})
    return [Suspect(EndpointId(row[0]), row[1], row[2]) for row in rows]


def suspected_until(connection: Connection) -> date | None:
    """The last day that was looked at."""
    day = connection.execute(select(suspicion_mark.c.day)).scalar()
    return None if day is None else from_day(day)


def keep(connection: Connection, found: Sequence[Suspicion], now: datetime, looked_at: Sequence[SuspectEvent], day: date | None) -> int:
    """Keep what was found; how many are new."""
    lasting = {(one.endpoint_id, one.kind.value): one for one in found if one.lasts}
    known = {row[:2]: row for row in fetch(connection, suspicion, ("endpoint_id", "kind"), list(lasting))}
    again = {key for key, row in known.items() if row[3] >= to_us(now - LASTS)}
    rows = [(*key, known[key][2] if key in again else to_us(one.since), to_us(now)) for key, one in lasting.items()]
    put(connection, suspicion, rows, OnConflict.REPLACE)
    new = [one for one in found if not one.lasts or (one.endpoint_id, one.kind.value) not in again]
    noticed = [(one.endpoint_id, to_us(one.since), ExceptionKind.SUSPICION.value, one.text[:REASON_CHARACTERS_MAX]) for one in new]
    put(connection, schema.exception_record, noticed, OnConflict.IGNORE)
    change_work_items(connection, [_opened(one, now) for one in new])
    remove(connection, suspect_event, [(one.suspect.endpoint_id, to_us(one.occurred), one.code, one.sequence) for one in looked_at])
    if day is not None:
        put(connection, suspicion_mark, [(1, to_day(day))], OnConflict.REPLACE)
        connection.execute(delete(suspicion).where(suspicion.c.seen_us < to_us(now - LASTS)))
    return len(new)


def _opened(one: Suspicion, now: datetime) -> WorkItemChange:
    entry = WorkItemEntry(now, HEAD_END, f"{one.text} (since {one.since:%Y-%m-%d %H:%M} UTC)")
    return WorkItemChange(WorkItemKind.THEFT_SUSPICION, one.meter_no, now, WorkItemState.OPEN, (entry,), one.text, Party.UTILITY)


class SuspicionPart:
    """SuspicionStore of a store, beside its readings."""

    _database: Database

    def suspect_events(self, limit: int) -> Deferred[list[SuspectEvent]]:
        return self._database.read(lambda c: events(c, limit))

    def unused_meters(self, period: Period, most_wh: int, after: EndpointId, limit: int) -> Deferred[list[Suspect]]:
        return self._database.read(lambda c: unused(c, period, most_wh, after, limit))

    def open_switches(self, after: EndpointId, limit: int) -> Deferred[list[Suspect]]:
        return self._database.read(lambda c: open_switches(c, after, limit))

    def meters_configured(self, configurations: Collection[str], after: EndpointId, limit: int) -> Deferred[list[Suspect]]:
        return self._database.read(lambda c: configured(c, configurations, after, limit))

    def suspected_until(self) -> Deferred[date | None]:
        return self._database.read(suspected_until)

    def keep_suspicions(
        self, found: Sequence[Suspicion], now: datetime, events: Sequence[SuspectEvent] = (), day: date | None = None
    ) -> Deferred[int]:
        return self._database.run(lambda c: keep(c, found, now, events, day))
