"""Exports as the settings file says them."""

from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator

from headend.collection_plan import parse_time
from headend.delivery_settings import TargetName
from headend.limits import EXPORT_SCHEDULES_MAX, METERS_PER_FILE_MAX
from headend.model.endpoint import Commodity
from headend.model.export import Content, ExportFormat, ExportSchedule
from headend.record_exports import RESERVED, RecordExport
from headend.settings_section import Section, WallTime, beside


class ScheduleSettings(Section):
    """One daily export: at `at`, local time, of the local day before. `separate` files for registers, intervals and voltage, or one for
    all; `per_commodity` parts them further. `deadline_minutes` after `at` they are to be at their targets.
    """

    name: TargetName
    at: WallTime = "08:00"
    content: tuple[Content, ...] = Field(default=tuple(Content), min_length=1)
    separate: bool = True
    commodities: tuple[Commodity, ...] = Field(default=tuple(Commodity), min_length=1)
    per_commodity: bool = False
    format: ExportFormat = ExportFormat.HEADEND
    targets: tuple[TargetName, ...] = Field(min_length=1)
    deadline_minutes: int = Field(default=60, ge=1, le=1_440)
    meters_per_file: int = Field(default=METERS_PER_FILE_MAX, ge=1, le=METERS_PER_FILE_MAX)
    corrections: bool = True

    @field_validator("name")
    @classmethod
    def _free(cls, value: str) -> str:
        if value in RESERVED:
            raise ValueError(f"{value!r} is the name of an export of its own")
        return value

    @property
    def schedule(self) -> ExportSchedule:
        contents = tuple(one for one in Content if one in self.content)
        return ExportSchedule(
            name=self.name,
            at=parse_time(self.at),
            files=tuple((one,) for one in contents) if self.separate else (contents,),
            commodities=tuple(one for one in Commodity if one in self.commodities),
            per_commodity=self.per_commodity,
            format=self.format,
            targets=self.targets,
            deadline_minutes=self.deadline_minutes,
            meters_per_file=self.meters_per_file,
            corrections=self.corrections,
        )


class RecordSettings(Section):
    """Where gas days or master data go as files, and how many minutes after they are due they are to be there; `at` is for master data."""

    at: WallTime = "06:00"
    targets: tuple[TargetName, ...] = Field(min_length=1)
    deadline_minutes: int = Field(default=60, ge=1, le=1_440)

    @property
    def export(self) -> RecordExport:
        """As the core knows it."""
        return RecordExport(self.targets, self.deadline_minutes, parse_time(self.at))


class ExportSettings(Section):
    """Regular exports of readings, of gas days and of master data; where files are made and wait to be delivered (a directory for each
    utility below `spool`), and how many days delivered ones stay there.
    """

    spool: Path = Path("spool")
    keep_days: float = Field(default=7, ge=0, le=400)
    schedules: tuple[ScheduleSettings, ...] = Field(default=(), max_length=EXPORT_SCHEDULES_MAX)
    gas_day: RecordSettings | None = None
    master_data: RecordSettings | None = None

    model_config = Section.model_config | {"validate_default": True}

    @field_validator("spool")
    @classmethod
    def _beside_the_file(cls, value: Path, info: ValidationInfo) -> Path:
        return beside(value, info)
