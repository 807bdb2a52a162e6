"""Values of exports: what is exported when, of which meters, and what of a meter goes into a file."""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple, NewType, Protocol

from headend.model.channels import ChannelId
from headend.model.delivery import FinishedFile
from headend.model.endpoint import Commodity, EndpointId
from headend.model.readings import RegisterRow
from headend.model.selections import Period

ExportRunId = NewType("ExportRunId", int)


class Content(StrEnum):
    """What a file tells of meters."""

    REGISTERS = "registers"
    INTERVALS = "intervals"
    VOLTAGE = "voltage"


class ExportFormat(StrEnum):
    """How it is written: our own XML, IEC 61968-9 MeterReadings, CMEP's comma-separated values."""

    HEADEND = "headend"
    CIM = "cim"
    CMEP = "cmep"


@dataclass(frozen=True, slots=True)
class ExportSchedule:
    """One regular export: every day at `at` (minutes after the utility's midnight) the local day before, to `targets`.

    `files` is one file set for each tuple of contents in it; `per_commodity` parts each further. `deadline_minutes` after `at`, the
    files are to be at their targets. With `corrections`, what came late for earlier days follows in files of its own.
    """

    name: str
    at: int
    files: tuple[tuple[Content, ...], ...]
    commodities: tuple[Commodity, ...]
    per_commodity: bool
    format: ExportFormat
    targets: tuple[str, ...]
    deadline_minutes: int
    meters_per_file: int
    corrections: bool


@dataclass(frozen=True, slots=True)
class FileSet:
    """Parts that belong together: what they tell, of meters of which commodities. `kind` is its name in file names."""

    kind: str
    contents: frozenset[Content]
    commodities: frozenset[Commodity]
    corrections: bool = False


class MeterRow(NamedTuple):
    """A meter and where it was installed; the last two are empty where it was not."""

    endpoint_id: int
    meter_no: str
    serial_no: str
    configuration: str
    service_point_no: str
    account_no: str


class ChannelDay(NamedTuple):
    """All intervals of a channel that end in a period, known or not; interval i ends at UNIX second (start // seconds + i + 1) * seconds.

    `values` × 10^`exponent` of the channel's unit, None where none is known; `flags` runs parallel, None where no interval has any.
    `whole` says that every value is known and none has flags.
    """

    channel_id: ChannelId
    seconds: int
    exponent: int
    values: Sequence[int | None]
    flags: Sequence[int] | None
    whole: bool


def intervals_between(start: int, end: int, seconds: int) -> int:
    """How many intervals end after UNIX second `start`, up to and with `end`."""
    return end // seconds - start // seconds


class MeterData(NamedTuple):
    """What a file tells of a meter in a period: its register reads, and all channels that it has or should have."""

    meter: MeterRow
    registers: Sequence[RegisterRow]
    days: Sequence[ChannelDay]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which channels are exported: register reads of some, intervals of some."""

    registers: frozenset[ChannelId]
    intervals: frozenset[ChannelId]
    commodities: frozenset[Commodity]


class RunState(StrEnum):
    """Being made; made and handed over to delivery; broken off, with the reason."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ExportRun:
    """One run of a schedule for a local day; `number` counts the runs for it.

    `as_of` is when it was due, or asked for; `from_seq` and `to_seq` are the changes of data whose corrections it brings, none where equal.
    """

    run_id: ExportRunId
    schedule: str
    day: date
    number: int
    as_of: datetime
    from_seq: int
    to_seq: int
    state: RunState
    scheduled: bool = False
    files: int = 0
    meters: int = 0
    octets: int = 0
    ended: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PartCounts:
    """What a part has in it."""

    meters: int = 0
    registers: int = 0
    intervals: int = 0
    missing: int = 0

    def __add__(self, other: "PartCounts") -> "PartCounts":
        mine = (self.meters, self.registers, self.intervals, self.missing)
        theirs = (other.meters, other.registers, other.intervals, other.missing)
        return PartCounts(*map(sum, zip(mine, theirs, strict=True)))


class Gap(NamedTuple):
    """A meter of which values of a day were missing when it was exported, and how many: later data of it make a correction; 0 for none."""

    kind: str
    day: date
    endpoint_id: EndpointId
    missing: int


@dataclass(frozen=True, slots=True)
class Part:
    """A finished part of an export."""

    file: FinishedFile
    kind: str
    counts: PartCounts


Spans = Mapping[EndpointId, tuple[date, date]]
"""The first and the last UTC day that something of an endpoint is about."""


class ExportStore(Protocol):
    """What exports ask of a store."""

    def export_meters(self, wanted: Wanted, period: Period, after: EndpointId, limit: int) -> Awaitable[list[MeterData]]:
        """The next meters after an endpoint with what they have of a period; [] when there is none.

        They are those that were installed then, and active ones that were known before its end.
        """

    def export_gaps(self, schedule: str, kind: str, since: date, before: date) -> Awaitable[list[Gap]]:
        """Meters of which something was missing when these days were exported."""

    def export_changed(self, from_seq: int, to_seq: int, among: Collection[EndpointId]) -> Awaitable[Spans]:
        """Which of these endpoints have data that changed after one number up to another, and of which UTC days, the first and the last."""

    def export_superseded(self, wanted: Wanted, from_seq: int, to_seq: int) -> Awaitable[Spans]:
        """Endpoints of which values that were known were replaced by others."""

    def export_these(self, wanted: Wanted, period: Period, endpoint_ids: Sequence[EndpointId]) -> Awaitable[list[MeterData]]:
        """The same as `export_meters` of given endpoints."""

    def count_export_meters(self, wanted: Wanted, period: Period) -> Awaitable[int]:
        """How many meters that would be."""

    def begin_run(self, schedule: str, day: date, as_of: datetime, *, scheduled: bool) -> Awaitable[ExportRun]:
        """The next run of a schedule for a day. A scheduled one that was broken off before is the same again, and corrects what
        changed since the last scheduled one."""

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
    ) -> Awaitable[None]:
        """A run is made: its files are queued for their targets in the same transaction."""

    def fail_run(self, run: ExportRun, reason: str, now: datetime) -> Awaitable[None]:
        """A run is broken off."""

    def export_runs(self, limit: int, schedule: str | None = None, day: date | None = None) -> Awaitable[list[ExportRun]]:
        """The newest runs, the newest last."""

    def last_scheduled_day(self, schedule: str) -> Awaitable[date | None]:
        """The last day for which a scheduled run was made."""
