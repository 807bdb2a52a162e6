"""What a look back at days found: gaps, asked for with interrogations a few times at most, and notices."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import Connection, delete, select
from twisted.internet.defer import Deferred

from adapters.store import plan_tables, schema
from adapters.store.bulk import OnConflict, fetch, put
from adapters.store.database import Database
from adapters.store.instants import DAY_US, from_day, from_us, to_day, to_us
from headend.limits import GAP_DAYS, GAP_TRIES_MAX, GAPS_PER_ENDPOINT_MAX
from headend.model.collection import Gap
from headend.model.endpoint import EndpointId
from headend.model.events import ExceptionRecord

_G = plan_tables.interval_gap.c


def reviewed(connection: Connection) -> date | None:
    """The last day that was looked at."""
    day = connection.execute(select(plan_tables.gap_mark.c.day)).scalar()
    return None if day is None else from_day(day)


def keep(
    connection: Connection, gaps: Sequence[tuple[EndpointId, Gap]], notices: Sequence[ExceptionRecord], day: date, last: bool
) -> None:
    """Keep what is new; forget gaps that are too old to be asked for once a day is done."""
    told = [(one.endpoint_id, to_us(one.occurred), one.kind.value, one.reason) for one in notices]
    put(connection, schema.exception_record, told, OnConflict.IGNORE)
    put(connection, plan_tables.interval_gap, [(one, to_us(start), to_us(end), 0) for one, (start, end) in gaps], OnConflict.IGNORE)
    if last:
        put(connection, plan_tables.gap_mark, [(1, to_day(day))], OnConflict.REPLACE)
        connection.execute(delete(plan_tables.interval_gap).where(_G.end_us < (to_day(day) - 2 * GAP_DAYS) * DAY_US))


def taken(connection: Connection, endpoint_ids: Sequence[int]) -> dict[int, tuple[Gap, ...]]:
    """The gaps to ask these endpoints for; each counts as asked for once more."""
    if connection.execute(select(_G.endpoint_id).limit(1)).first() is None:
        return {}
    rows = fetch(connection, plan_tables.interval_gap, ("endpoint_id",), [(one,) for one in endpoint_ids])
    asked = [row for row in sorted(rows) if row[3] < GAP_TRIES_MAX]
    put(connection, plan_tables.interval_gap, [(*row[:3], row[3] + 1) for row in asked], OnConflict.REPLACE)
    gaps: dict[int, tuple[Gap, ...]] = {}
    for endpoint_id, start, end, _ in asked:
        gaps[endpoint_id] = (*gaps.get(endpoint_id, ()), (from_us(start), from_us(end)))[-GAPS_PER_ENDPOINT_MAX:]
    return gaps


def in_vain(connection: Connection, endpoint_ids: Sequence[int]) -> dict[int, list[Gap]]:
    """Gaps that were asked for as often as any is."""
    gaps: dict[int, list[Gap]] = {}
    for endpoint_id, start, end, tries in fetch(connection, plan_tables.interval_gap, ("endpoint_id",), [(one,) for one in endpoint_ids]):
        if tries >= GAP_TRIES_MAX:
            gaps.setdefault(endpoint_id, []).append((from_us(start), from_us(end)))
    return gaps


class GapPart:
    """ReviewedDays of a store, beside completeness."""

    _database: Database

    def reviewed(self) -> Deferred[date | None]:
        return self._database.read(reviewed)

    def keep_review(
        self, gaps: Sequence[tuple[EndpointId, Gap]], notices: Sequence[ExceptionRecord], day: date, last: bool
    ) -> Deferred[None]:
        return self._database.run(lambda c: keep(c, gaps, notices, day, last))
