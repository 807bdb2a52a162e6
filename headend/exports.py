"""What is due to be exported, and how its files are called and put together. Pure."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache

from headend.calendars import wall_instant
from headend.model.channels import CHANNEL_BY_NAME, CHANNELS, ChannelId
from headend.model.endpoint import CONFIGURATIONS
from headend.model.export import Content, ExportFormat, ExportRun, ExportSchedule, FileSet, MeterData, Wanted
from headend.model.selections import LOADS, REGISTERS, VOLTAGES
from headend.model.utility import Utility

CATCH_UP_DAYS = 7
"""Days back that are exported when no process ran."""

CORRECTED_DAYS = 62
"""Days back of which corrections are exported: two bill cycles."""

CORRECTIONS = "-corrections"
"""What stands behind the kind of files that correct earlier ones."""

SUFFIXES = {ExportFormat.HEADEND: ".xml", ExportFormat.CIM: ".xml", ExportFormat.CMEP: ".csv"}


def due_at(utility: Utility, schedule: ExportSchedule, day: date) -> datetime:
    """When the export of a local day is due: at its time on the day after it."""
    return wall_instant(day + timedelta(days=1), schedule.at, utility.time_zone)


def due_days(utility: Utility, schedule: ExportSchedule, last: date | None, now: datetime) -> Iterator[date]:
    """Days whose export is due and not made, the oldest first; only the newest where none ever was."""
    newest = utility.local_day(now) - timedelta(days=1)
    while due_at(utility, schedule, newest) > now:
        newest -= timedelta(days=1)
    day = newest if last is None else max(last + timedelta(days=1), newest - timedelta(days=CATCH_UP_DAYS))
    while day <= newest:
        yield day
        day += timedelta(days=1)


def file_sets(schedule: ExportSchedule, *, corrections: bool) -> Iterator[FileSet]:
    """The sets of files of a run, corrections last."""
    for late in (False, True) if corrections else (False,):
        for contents in schedule.files:
            for commodities in [(one,) for one in schedule.commodities] if schedule.per_commodity else [schedule.commodities]:
                kind = "readings" if len(contents) > 1 else contents[0].value
                kind = f"{kind}-{commodities[0].value}" if schedule.per_commodity else kind
                one = FileSet(f"{kind}{CORRECTIONS}" if late else kind, frozenset(contents), frozenset(commodities), late)
                if any(_channels(one)):
                    yield one


def wanted_of(files: FileSet) -> Wanted:
    """The channels of a set."""
    registers, intervals = _channels(files)
    return Wanted(registers, intervals, files.commodities)


def batch_name(utility: Utility, schedule: ExportSchedule, run: ExportRun) -> str:
    """The name of a run, and of its manifest."""
    return f"{utility.utility_id}_{schedule.name}_{run.day}_{run.number}"


def part_name(utility: Utility, schedule: ExportSchedule, run: ExportRun, files: FileSet, number: int) -> str:
    """The name of a part, counted from 1.

    Source  reference/domain-itron-openway.md 4.5
    """
    return f"{utility.utility_id}_{schedule.name}-{files.kind}_{run.day}_{run.number}_{number:03}{SUFFIXES[schedule.format]}"


def local_days(utility: Utility, first: date, last: date, before: date) -> list[date]:
    """Local days before another that have an instant of UTC days `first` to `last`, no longer ago than corrections go."""
    day, end = first - timedelta(days=1), last + timedelta(days=1)
    day = max(day, before - timedelta(days=CORRECTED_DAYS))
    return [day + timedelta(days=i) for i in range((min(end, before - timedelta(days=1)) - day).days + 1)]


def missing_values(data: MeterData, wanted: Wanted, end_us: int) -> int:
    """How many values a meter should have had and has not: intervals, and configured registers at the end of the day."""
    gaps = sum(0 if day.whole else day.values.count(None) for day in data.days)
    if not wanted.registers:
        return gaps
    read = {row.channel_id for row in data.registers if row.instant_us == end_us}
    return gaps + sum(one in wanted.registers and one not in read for one in _registers(data.meter.configuration))


@lru_cache(maxsize=1_024)
def _registers(configuration: str) -> tuple[ChannelId, ...]:
    return tuple(CHANNEL_BY_NAME[name].channel_id for name in CONFIGURATIONS[configuration].registers)


def _channels(files: FileSet) -> tuple[frozenset[ChannelId], frozenset[ChannelId]]:
    of_commodity = frozenset(c.channel_id for c in CHANNELS.values() if c.commodity in files.commodities)
    nothing: frozenset[ChannelId] = frozenset()
    registers = REGISTERS.registers & of_commodity if Content.REGISTERS in files.contents else nothing
    intervals = LOADS & of_commodity if Content.INTERVALS in files.contents else nothing
    voltages = VOLTAGES & of_commodity if Content.VOLTAGE in files.contents else nothing
    return registers, intervals | voltages
