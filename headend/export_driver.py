"""Makes exports when they are due, and hands their files over to delivery; a run that was broken off is made again."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.errors import HeadEndError, StoreError
from headend.exports import (
    CORRECTED_DAYS,
    CORRECTIONS,
    batch_name,
    due_at,
    due_days,
    file_sets,
    local_days,
    missing_values,
    wanted_of,
)
from headend.limits import EXPORT_CLAIM_SECONDS, METERS_PER_EXPORT_STEP
from headend.model.delivery import FinishedFile
from headend.model.endpoint import EndpointId
from headend.model.export import ExportRun, ExportSchedule, ExportStore, FileSet, Gap, MeterData, Part, Wanted
from headend.model.instants import to_us
from headend.model.selections import Period
from headend.model.utility import Utility
from headend.model.work_item import HEAD_END, Party, WorkItem, WorkItemChange, WorkItemEntry, WorkItemKind, WorkItemState
from headend.regular_work import Claims, RegularWork

LOOK_SECONDS = 15
"""How often it is looked whether an export is due: it begins at most so late."""

Tell = Callable[[str, int, int], Awaitable[None]]
"""Hears of progress: the kind of files, meters written, meters there are."""


async def tell_nobody(_kind: str, _done: int, _total: int) -> None:
    """A `Tell` for runs that nobody watches."""


class PartsMaker(Protocol):
    """Writes the parts of one set of files."""

    def add(self, data: Sequence[MeterData], period: Period) -> Awaitable[None]:
        """Meters with what they have of a period. Raises HeadEndError where there is no room."""

    def finish(self) -> Awaitable[list[Part]]:
        """All parts, whole."""

    def abandon(self) -> Awaitable[None]:
        """Remove what was written."""


class FileMaker(Protocol):
    """Makes files in a run's own directory."""

    def parts(self, schedule: ExportSchedule, run: ExportRun, files: FileSet, period: Period) -> PartsMaker:
        """A set of files to be written."""

    def manifest(self, schedule: ExportSchedule, run: ExportRun, parts: Sequence[Part]) -> Awaitable[FinishedFile]:
        """The file that says what belongs together."""

    def discard(self, parts: Sequence[Part]) -> Awaitable[None]:
        """Remove what was made of a run that is broken off."""


class ExportsStore(ExportStore, Claims, Protocol):
    """All that exports need of a store."""

    def change_work_item(self, change: WorkItemChange) -> Awaitable[WorkItem | None]:
        """Open, change or close a work item."""


@dataclass(frozen=True, slots=True)
class Exporter:
    """Makes runs of one utility, one after the other."""

    utility: Utility
    store: ExportStore
    maker: FileMaker
    now: Callable[[], datetime]

    async def run(self, schedule: ExportSchedule, run: ExportRun, tell: Tell = tell_nobody) -> list[FinishedFile]:
        """Write all files of a run, the manifest last. Raises HeadEndError; then nothing is left of it."""
        period = Period(*self.utility.day_bounds(run.day))
        parts: list[Part] = []
        gaps: list[Gap] = []
        try:
            for files in file_sets(schedule, corrections=run.from_seq < run.to_seq):
                parts += await self._set(schedule, run, files, period, tell, gaps)
            manifest = await self.maker.manifest(schedule, run, parts)
        except HeadEndError as error:
            await self.maker.discard(parts)
            await self.store.fail_run(run, str(error), self.now())
            raise
        files_made = [*(part.file for part in parts), manifest]
        deadline = run.as_of + timedelta(minutes=schedule.deadline_minutes)
        batch = batch_name(self.utility, schedule, run)
        # What a run by hand tells is told beside the regular ones, whose corrections it does not change.
        kept = gaps if run.scheduled else []
        await self.store.end_run(run, batch, parts, files_made, schedule.targets, self.now(), deadline, kept)
        return files_made

    async def _set(
        self, schedule: ExportSchedule, run: ExportRun, files: FileSet, period: Period, tell: Tell, gaps: list[Gap]
    ) -> list[Part]:
        maker = self.maker.parts(schedule, run, files, period)
        try:
            if files.corrections:
                await self._correct(maker, schedule, run, files, tell, gaps)
            else:
                await self._write(maker, run, files, period, tell, gaps)
            return await maker.finish()
        except HeadEndError:
            await maker.abandon()
            raise

    async def _write(
        self, maker: PartsMaker, run: ExportRun, files: FileSet, period: Period, tell: Tell, gaps: list[Gap]
    ) -> None:
        wanted, after, done = wanted_of(files), EndpointId(0), 0
        total = await self.store.count_export_meters(wanted, period)
        while data := await self.store.export_meters(wanted, period, after, METERS_PER_EXPORT_STEP):
            await maker.add(data, period)
            gaps += [one for one in gaps_in(data, wanted, files, run.day, period) if one.missing]
            after, done = EndpointId(data[-1].meter.endpoint_id), done + len(data)
            await tell(files.kind, done, max(total, done))

    async def _correct(
        self, maker: PartsMaker, schedule: ExportSchedule, run: ExportRun, files: FileSet, tell: Tell, gaps: list[Gap]
    ) -> None:
        """Days before the run's that are told anew: of meters of which values were missing and came since the last run, and of those
        of which values were replaced."""
        wanted, kind = wanted_of(files), files.kind.removesuffix(CORRECTIONS)
        known = await self.store.export_gaps(schedule.name, kind, run.day - timedelta(days=CORRECTED_DAYS), run.day)
        missing = {(one.endpoint_id, one.day): one.missing for one in known}
        changed = await self.store.export_changed(run.from_seq, run.to_seq, {one.endpoint_id for one in known})
        replaced = await self.store.export_superseded(wanted, run.from_seq, run.to_seq)
        by_day: dict[date, set[EndpointId]] = {}
        for spans, only in ((changed, missing), (replaced, None)):
            for endpoint_id, span in spans.items():
                for day in local_days(self.utility, *span, run.day):
                    if only is None or (endpoint_id, day) in only:
                        by_day.setdefault(day, set()).add(endpoint_id)
        total, done = sum(map(len, by_day.values())), 0
        for day in sorted(by_day):
            period, ids = Period(*self.utility.day_bounds(day)), sorted(by_day[day])
            for start in range(0, len(ids), METERS_PER_EXPORT_STEP):
                data = await self.store.export_these(wanted, period, ids[start : start + METERS_PER_EXPORT_STEP])
                now_missing = gaps_in(data, wanted, replace(files, kind=kind), day, period)
                told = [
                    (one, gap)
                    for one, gap in zip(data, now_missing, strict=True)
                    if gap.endpoint_id in replaced or gap.missing != missing.get((gap.endpoint_id, day))
                ]
                await maker.add([one for one, _ in told], period)
                gaps += [gap for _, gap in told]
                done += len(data)
                await tell(files.kind, done, total)


def gaps_in(data: Sequence[MeterData], wanted: Wanted, files: FileSet, day: date, period: Period) -> list[Gap]:
    """How many values are missing of each meter."""
    end_us = to_us(period.end)
    return [Gap(files.kind, day, EndpointId(one.meter.endpoint_id), missing_values(one, wanted, end_us)) for one in data]


class ExportDriver:
    """The regular exports of one utility in one process."""

    log = Logger()

    def __init__(self, exporter: Exporter, store: ExportsStore, schedules: Sequence[ExportSchedule], owner: str) -> None:
        self._exporter = exporter
        self._store = store
        self._days: dict[str, date] = {}
        claim = EXPORT_CLAIM_SECONDS
        self._schedules = [(one, RegularWork(store, f"export {one.name}", owner, exporter.now, claim)) for one in schedules]

    async def look(self) -> None:
        """Make what is due. Never raises for what cannot be done now: a later look does it."""
        for schedule, turn in self._schedules:
            try:
                await self._look_at(schedule, turn)
            except HeadEndError as error:
                self.log.warn("export {export} not made: {error}", export=schedule.name, error=error)
                await self._note(schedule, str(error))

    async def _look_at(self, schedule: ExportSchedule, turn: RegularWork) -> None:
        last = await self._store.last_scheduled_day(schedule.name)
        for day in due_days(self._exporter.utility, schedule, last, self._exporter.now()):
            if not await turn.is_ours():
                return
            await self._make(schedule, day, turn)

    async def _make(self, schedule: ExportSchedule, day: date, turn: RegularWork) -> None:
        async def hold(_kind: str, _done: int, _total: int) -> None:
            await turn.lasts()

        self._days[schedule.name] = day
        run = await self._store.begin_run(schedule.name, day, due_at(self._exporter.utility, schedule, day), scheduled=True)
        files = await self._exporter.run(schedule, run, hold)
        await self._note(schedule, "")
        octets = sum(file.size for file in files)
        words = {"export": schedule.name, "day": day, "files": len(files), "octets": octets}
        self.log.info("export {export} of {day}: {files} files, {octets} octets", **words)

    async def _note(self, schedule: ExportSchedule, problem: str) -> None:
        """Open a work item for an export that cannot be made, and close it once it was. Never raises."""
        day = self._days.get(schedule.name)
        if day is None:
            return
        due = due_at(self._exporter.utility, schedule, day)
        state = WorkItemState.OPEN if problem else WorkItemState.CLOSED
        # The instant is that of the export, so that it is told once however often it is tried.
        entry = WorkItemEntry(due, HEAD_END, "it cannot be made" if problem else "it was made")
        change = WorkItemChange(
            WorkItemKind.LATE_EXPORT, f"{schedule.name} of {day}", due, state, (entry,), problem[:1_000], Party.OPERATOR
        )
        try:
            await self._store.change_work_item(change)
        except StoreError as error:
            self.log.warn("no work item for an export that is late: {error}", error=error)
