"""Where files go, as the settings file says it: one section a target; every mistake has its place and its words."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from headend.delivery import DeliveryPolicy
from headend.settings_section import HttpUrl, Section, beside
from headend.sftp_settings import SftpLoginSettings, Text

TargetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class TargetSettings(Section):
    """What all targets have: how often a file is tried and for how long, when a person is told, whom files are encrypted for (age)."""

    name: TargetName
    retry_seconds: float = Field(default=10, ge=0.1, le=3_600)
    retry_minutes_max: float = Field(default=15, gt=0, le=1_440)
    give_up_days: float = Field(default=3, gt=0, le=60)
    alert_minutes: float = Field(default=30, ge=0, le=1_440)
    age_recipients: tuple[Text, ...] = Field(default=(), max_length=20)

    @property
    def policy(self) -> DeliveryPolicy:
        longest = max(self.retry_minutes_max * 60, self.retry_seconds)
        return DeliveryPolicy(self.retry_seconds, longest, self.give_up_days, self.alert_minutes)


class DirectoryTargetSettings(TargetSettings):
    """A directory of this machine, or mounted on it. It must exist unless `create` says otherwise: an absent mount is not filled up."""

    kind: Literal["directory"]
    path: Path
    create: bool = False

    @field_validator("path")
    @classmethod
    def _beside_the_file(cls, value: Path, info: ValidationInfo) -> Path:
        return beside(value, info)


class SftpTargetSettings(TargetSettings, SftpLoginSettings):
    """A directory of an SFTP server."""

    kind: Literal["sftp"]
    directory: Text = "."
    verify: Literal["sha256", "size"] = "sha256"


class HttpsTargetSettings(TargetSettings):
    """An HTTP server that takes PUT below `url`. `verify`: by GET and hash, by HEAD and size, or by its answer alone."""

    kind: Literal["https"]
    url: HttpUrl
    user: str = Field(default="", max_length=120)
    password: SecretStr = SecretStr("")
    token: SecretStr = SecretStr("")
    ca: Path | None = None
    verify: Literal["sha256", "size", "answer"] = "size"

    @field_validator("ca")
    @classmethod
    def _beside_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else beside(value, info)


AnyTargetSettings = Annotated[DirectoryTargetSettings | SftpTargetSettings | HttpsTargetSettings, Field(discriminator="kind")]
