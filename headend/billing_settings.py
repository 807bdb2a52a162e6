"""The AMI billing export as the settings file says it."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator, model_validator

from headend.billing_requests import BillingPolicy, WindowStart
from headend.delivery_settings import TargetName
from headend.model.billing import ReadRule
from headend.model.billing_export import ReadDefaults
from headend.settings_section import Section, beside
from headend.sftp_settings import SftpInboxSettings


class BillingSettings(Section):
    """When answers are due (`window_hours` after midnight of the day of a request, after it came, or at once), where reads are looked for
    by default, and files: an `inbox` that is looked at for requests of `partner`, an `sftp_inbox` they are fetched from, and `targets` for
    responses and corrections. For `correct_days` late data make corrections.
    """

    window_start: WindowStart = WindowStart.MIDNIGHT
    window_hours: float = Field(default=17, ge=0, le=720)
    lag_minutes: int = Field(default=4_320, ge=0, le=86_400)
    lead_minutes: int = Field(default=0, ge=0, le=86_400)
    selection: ReadRule = ReadRule.CLOSEST
    priors: bool = True
    demand: bool = False
    correct_days: float = Field(default=62, ge=0, le=400)
    inbox: Path | None = None
    sftp_inbox: SftpInboxSettings | None = None
    partner: str = ""
    targets: tuple[TargetName, ...] = ()

    @field_validator("inbox")
    @classmethod
    def _beside_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else beside(value, info)

    @model_validator(mode="after")
    def _whose(self) -> "BillingSettings":
        if (self.inbox or self.sftp_inbox) and not self.partner:
            raise ValueError("has an inbox, and no partner whose files those are")
        return self

    @property
    def policy(self) -> BillingPolicy:
        """As the core knows it."""
        lag, lead = timedelta(minutes=self.lag_minutes), timedelta(minutes=self.lead_minutes)
        defaults = ReadDefaults(lag, lead, self.selection, self.priors, self.demand)
        return BillingPolicy(self.window_start, self.window_hours, defaults, self.correct_days)
