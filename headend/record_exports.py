"""Regular exports that are no readings of a local day: gas days, provisional and closed, and master data; runs and deliveries as others."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from twisted.logger import Logger

from headend.errors import HeadEndError
from headend.export_driver import ExportsStore
from headend.exports import CATCH_UP_DAYS, batch_name, due_at
from headend.gas_day import GasAdjustment, GasDayRule, GasDayState, GasTake
from headend.gas_days import GasMark
from headend.limits import METERS_PER_FILE_MAX
from headend.model.delivery import FinishedFile
from headend.model.endpoint import EndpointId, MeterEntry
from headend.model.export import ExportFormat, ExportRun, ExportSchedule, Part
from headend.model.utility import Utility
from headend.ports import Page
from headend.regular_work import RegularWork

GAS_PROVISIONAL, GAS_CLOSED, MASTER_DATA = "gas-day-provisional", "gas-day-closed", "master-data"
RESERVED = (GAS_PROVISIONAL, GAS_CLOSED, MASTER_DATA)
"""Names of these exports; no other may have them."""

ADJUSTED_DAYS = 62
"""Days back whose adjustments are told with a closed day: two bill cycles."""

CLAIM_SECONDS = 3_600.0
"""After how long another process makes them, in seconds, when this one is gone."""


@dataclass(frozen=True, slots=True)
class RecordExport:
    """One of them: where it goes, how long after it is due it is to be there. `at` is for master data, minutes after local midnight."""

    targets: tuple[str, ...]
    deadline_minutes: int = 60
    at: int = 360

    def schedule(self, name: str) -> ExportSchedule:
        """As runs and file names know it."""
        return ExportSchedule(
            name=name,
            at=self.at,
            files=(),
            commodities=(),
            per_commodity=False,
            format=ExportFormat.HEADEND,
            targets=self.targets,
            deadline_minutes=self.deadline_minutes,
            meters_per_file=METERS_PER_FILE_MAX,
            corrections=False,
        )


@dataclass(frozen=True, slots=True)
class GasPage:
    """Part of a gas day's takes, and with the last of them adjustments of earlier days."""

    state: GasDayState
    takes: Sequence[tuple[str, GasTake]]
    adjustments: Sequence[tuple[str, GasAdjustment]] = ()


class RecordStore(ExportsStore, Protocol):
    """What is asked of a store."""

    def gas_mark(self) -> Awaitable[tuple[GasMark | None, int]]:
        """How far gas days have been seen to."""

    def gas_takes(self, day: date, after: EndpointId, limit: int) -> Awaitable[Sequence[tuple[str, GasTake]]]:
        """A day's takes with their meter numbers."""

    def gas_adjustments(self, day: date) -> Awaitable[Sequence[tuple[str, GasAdjustment]]]:
        """A day's adjustments."""

    def meters(self, after: str | None, limit: int) -> Awaitable[Page[MeterEntry]]:
        """Active endpoints in order of meter number."""


class RecordMaker(Protocol):
    """Writes their files."""

    def gas_part(self, schedule: ExportSchedule, run: ExportRun, number: int, page: GasPage) -> Awaitable[Part]:
        """A part of a gas day."""

    def master_part(self, schedule: ExportSchedule, run: ExportRun, number: int, page: Sequence[MeterEntry]) -> Awaitable[Part]:
        """A part of the master data."""

    def manifest(self, schedule: ExportSchedule, run: ExportRun, parts: Sequence[Part]) -> Awaitable[FinishedFile]:
        """The file that says what belongs together."""


@dataclass(frozen=True, slots=True)
class RecordExports:
    """Which of them a utility wants."""

    gas_day: RecordExport | None = None
    master_data: RecordExport | None = None
    rule: GasDayRule = field(default_factory=GasDayRule)


class RecordExportDriver:
    """Makes them when they are due."""

    log = Logger()

    def __init__(
        self, utility: Utility, store: RecordStore, maker: RecordMaker, wanted: RecordExports, now: Callable[[], datetime], owner: str
    ) -> None:
        self._utility = utility
        self._store = store
        self._maker = maker
        self._wanted = wanted
        self._now = now
        self._turn = RegularWork(store, "exports of records", owner, now, CLAIM_SECONDS)

    async def look(self) -> None:
        """Make what is due. Never raises for what cannot be done now: a later look does it."""
        for work in (self._gas_days, self._master_data):
            try:
                await work()
            except HeadEndError as error:
                self.log.warn("an export is not made: {error}", error=error)

    async def _gas_days(self) -> None:
        wanted, rule = self._wanted.gas_day, self._wanted.rule
        if wanted is None:
            return
        mark, _ = await self._store.gas_mark()
        if mark is None:
            return
        for name, newest, due in ((GAS_PROVISIONAL, mark.taken, rule.taken_at), (GAS_CLOSED, mark.closed, rule.closed_at)):
            schedule = wanted.schedule(name)
            for day in await self._days(name, newest):
                await self._make(schedule, day, due(day), self._gas_parts)

    async def _master_data(self) -> None:
        if self._wanted.master_data is None:
            return
        schedule, now = self._wanted.master_data.schedule(MASTER_DATA), self._now()
        newest = self._utility.local_day(now) - timedelta(days=1)
        if due_at(self._utility, schedule, newest) > now:
            newest -= timedelta(days=1)
        if (await self._days(MASTER_DATA, newest))[-1:] == [newest]:
            await self._make(schedule, newest, due_at(self._utility, schedule, newest), self._master_parts)

    async def _days(self, name: str, newest: date) -> list[date]:
        """Days that are due and not made, the oldest first."""
        last = await self._store.last_scheduled_day(name)
        first = newest if last is None else max(last + timedelta(days=1), newest - timedelta(days=CATCH_UP_DAYS))
        return [first + timedelta(days=i) for i in range((newest - first).days + 1)]

    async def _make(
        self,
        schedule: ExportSchedule,
        day: date,
        due: datetime,
        parts_of: Callable[[ExportSchedule, ExportRun], AsyncIterator[Part]],
    ) -> None:
        if not await self._turn.is_ours():
            return
        run = await self._store.begin_run(schedule.name, day, due, scheduled=True)
        try:
            parts = [part async for part in parts_of(schedule, run)]
            manifest = await self._maker.manifest(schedule, run, parts)
            files = [*(part.file for part in parts), manifest]
            deadline = run.as_of + timedelta(minutes=schedule.deadline_minutes)
            batch = batch_name(self._utility, schedule, run)
            await self._store.end_run(run, batch, parts, files, schedule.targets, self._now(), deadline)
        except HeadEndError as error:
            await self._store.fail_run(run, str(error), self._now())
            raise

    async def _gas_parts(self, schedule: ExportSchedule, run: ExportRun) -> AsyncIterator[Part]:
        state = GasDayState.CLOSED if schedule.name == GAS_CLOSED else GasDayState.PROVISIONAL
        after, number = EndpointId(0), 0
        while True:
            takes = await self._store.gas_takes(run.day, after, METERS_PER_FILE_MAX)
            is_last = len(takes) < METERS_PER_FILE_MAX
            adjusted = await self._adjustments(run) if is_last and state is GasDayState.CLOSED else []
            number += 1
            yield await self._maker.gas_part(schedule, run, number, GasPage(state, takes, adjusted))
            if is_last:
                return
            after = takes[-1][1].volume.endpoint_id

    async def _adjustments(self, run: ExportRun) -> list[tuple[str, GasAdjustment]]:
        """Those that came since the day before was closed."""
        rule = self._wanted.rule
        since, until = rule.closed_at(run.day - timedelta(days=1)), run.as_of
        found = []
        for back in range(1, ADJUSTED_DAYS + 1):
            told = await self._store.gas_adjustments(run.day - timedelta(days=back))
            found += [one for one in told if since < one[1].at <= until]
        return found

    async def _master_parts(self, schedule: ExportSchedule, run: ExportRun) -> AsyncIterator[Part]:
        after: str | None = None
        number = 0
        while True:
            page = await self._store.meters(after, METERS_PER_FILE_MAX)
            number += 1
            yield await self._maker.master_part(schedule, run, number, page.items)
            if not page.remaining or not page.items:
                return
            after = page.items[-1].endpoint.meter_no
