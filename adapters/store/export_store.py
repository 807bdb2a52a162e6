"""ExportStore of a store: what meters have of a period, and the runs of exports."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from twisted.internet.defer import Deferred

from adapters.store import delivery_store, export_reading, schema
from adapters.store.bulk import OnConflict, put, remove
from adapters.store.database import Database
from adapters.store.export_tables import export_gap, export_run
from adapters.store.instants import from_day, from_us, to_day, to_us
from headend.errors import StoreError
from headend.model.delivery import FinishedFile
from headend.model.endpoint import EndpointId
from headend.model.export import ExportRun, ExportRunId, Gap, MeterData, Part, RunState, Spans, Wanted
from headend.model.selections import Period

_R = export_run.c
_DONE = RunState.DONE.value


def begin(connection: Connection, schedule: str, day: date, as_of: datetime, *, scheduled: bool) -> ExportRun:
    """The next run of a schedule for a day, or that scheduled one which was broken off."""
    of_day = select(export_run).where(_R.schedule == schedule, _R.day == to_day(day))
    if scheduled:
        broken = connection.execute(of_day.where(_R.scheduled == 1, _R.state != _DONE)).first()
        if broken is not None:
            again = update(export_run).where(_R.run_id == broken.run_id).values(state=RunState.RUNNING.value, reason="", ended_us=None)
            connection.execute(again)
            return _run(broken, RunState.RUNNING)
    present = connection.execute(select(schema.tally.c.change_seq)).scalar_one()
    from_seq = present
    if scheduled:
        seen = select(func.max(_R.to_seq)).where(_R.schedule == schedule, _R.scheduled == 1, _R.state == _DONE)
        from_seq = connection.execute(seen).scalar() or present
    number = (connection.execute(select(func.max(_R.number)).where(_R.schedule == schedule, _R.day == to_day(day))).scalar() or 0) + 1
    values: dict[str, Any] = {"schedule": schedule, "day": to_day(day), "number": number, "scheduled": int(scheduled)}
    values |= {"as_of_us": to_us(as_of), "from_seq": from_seq, "to_seq": present, "state": RunState.RUNNING.value}
    values |= {"files": 0, "meters": 0, "octets": 0, "ended_us": None, "reason": ""}
    row = connection.execute(export_run.insert().values(values).returning(*export_run.columns)).one()
    return _run(row)


def end(
    connection: Connection, run: ExportRun, parts: Sequence[Part], files: Sequence[FinishedFile], targets: Sequence[str],
    now: datetime, deadline: datetime, batch: str, gaps: Sequence[Gap],
) -> None:
    """A run is made, and its files are queued."""
    counts = {"files": len(files), "meters": sum(part.counts.meters for part in parts), "octets": sum(file.size for file in files)}
    made = update(export_run).where(_R.run_id == run.run_id).values(state=_DONE, ended_us=to_us(now), reason="", **counts)
    if connection.execute(made).rowcount != 1:
        raise StoreError(f"there is no run {run.run_id} of an export")
    rows = [(run.schedule, one.kind, to_day(one.day), one.endpoint_id, one.missing) for one in gaps]
    put(connection, export_gap, [row for row in rows if row[-1]], OnConflict.REPLACE)
    remove(connection, export_gap, [row[:-1] for row in rows if not row[-1]])
    delivery_store.queue(connection, batch, files, targets, now, deadline)


def gaps_of(connection: Connection, schedule: str, kind: str, since: date, before: date) -> list[Gap]:
    """Meters of which something was missing."""
    g = export_gap.c
    wanted = select(g.day, g.endpoint_id, g.missing).where(g.schedule == schedule, g.kind == kind)
    wanted = wanted.where(g.day >= to_day(since), g.day < to_day(before))
    return [Gap(kind, from_day(row[0]), EndpointId(row[1]), row[2]) for row in connection.execute(wanted)]


def fail(connection: Connection, run: ExportRun, reason: str, now: datetime) -> None:
    """A run is broken off."""
    values = {"state": RunState.FAILED.value, "reason": reason[:1_000], "ended_us": to_us(now)}
    connection.execute(update(export_run).where(_R.run_id == run.run_id, _R.state == RunState.RUNNING.value).values(values))


def runs(connection: Connection, limit: int, schedule: str | None, day: date | None) -> list[ExportRun]:
    """The newest runs."""
    wanted = select(export_run).order_by(_R.run_id.desc()).limit(limit)
    if schedule is not None:
        wanted = wanted.where(_R.schedule == schedule)
    if day is not None:
        wanted = wanted.where(_R.day == to_day(day))
    return [_run(row) for row in connection.execute(wanted).all()[::-1]]


def last_day(connection: Connection, schedule: str) -> date | None:
    """The last day for which a scheduled run was made."""
    newest = select(func.max(_R.day)).where(_R.schedule == schedule, _R.scheduled == 1, _R.state == _DONE)
    day = connection.execute(newest).scalar()
    return None if day is None else from_day(day)


def _run(row: Any, state: RunState | None = None) -> ExportRun:
    return ExportRun(
        run_id=ExportRunId(row.run_id),
        schedule=row.schedule,
        day=from_day(row.day),
        number=row.number,
        as_of=from_us(row.as_of_us),
        from_seq=row.from_seq,
        to_seq=row.to_seq,
        state=state or RunState(row.state),
        scheduled=bool(row.scheduled),
        files=row.files,
        meters=row.meters,
        octets=row.octets,
        ended=None if row.ended_us is None else from_us(row.ended_us),
        reason=row.reason,
    )


class ExportPart:
    """ExportStore of a store."""

    _database: Database

    def export_meters(self, wanted: Wanted, period: Period, after: EndpointId, limit: int) -> Deferred[list[MeterData]]:
        return self._database.read(lambda c: export_reading.meters_after(c, wanted, period, after, limit))

    def export_gaps(self, schedule: str, kind: str, since: date, before: date) -> Deferred[list[Gap]]:
        return self._database.read(lambda c: gaps_of(c, schedule, kind, since, before))

    def export_changed(self, from_seq: int, to_seq: int, among: Collection[EndpointId]) -> Deferred[Spans]:
        return self._database.read(lambda c: export_reading.changed(c, from_seq, to_seq, among))

    def export_superseded(self, wanted: Wanted, from_seq: int, to_seq: int) -> Deferred[Spans]:
        return self._database.read(lambda c: export_reading.superseded(c, wanted, from_seq, to_seq))

    def export_these(self, wanted: Wanted, period: Period, endpoint_ids: Sequence[EndpointId]) -> Deferred[list[MeterData]]:
        return self._database.read(lambda c: export_reading.these_meters(c, wanted, period, endpoint_ids))

    def count_export_meters(self, wanted: Wanted, period: Period) -> Deferred[int]:
        return self._database.read(lambda c: export_reading.count_meters(c, wanted, period))

    def begin_run(self, schedule: str, day: date, as_of: datetime, *, scheduled: bool) -> Deferred[ExportRun]:
        return self._database.run(lambda c: begin(c, schedule, day, as_of, scheduled=scheduled))

    def end_run(
        self,
        run: ExportRun,
        batch: str,
        parts: Sequence[Part],
        files: Sequence[FinishedFile],
        targets: Sequence[str],
        now: datetime,
        deadline: datetime,
        gaps: Sequence[Gap] = (),
    ) -> Deferred[None]:
        return self._database.run(lambda c: end(c, run, parts, files, targets, now, deadline, batch, gaps))

    def fail_run(self, run: ExportRun, reason: str, now: datetime) -> Deferred[None]:
        return self._database.run(lambda c: fail(c, run, reason, now))

    def export_runs(self, limit: int, schedule: str | None = None, day: date | None = None) -> Deferred[list[ExportRun]]:
        return self._database.read(lambda c: runs(c, limit, schedule, day))

    def last_scheduled_day(self, schedule: str) -> Deferred[date | None]:
        return self._database.read(lambda c: last_day(c, schedule))
