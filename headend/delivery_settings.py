"""Where files go, as the settings file says it: one section a target; every mistake has its place and its words."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from headend.delivery import DeliveryPolicy
from headend.settings_section import HttpUrl, Section, beside

HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?")

TargetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
Text = Annotated[str, Field(min_length=1, max_length=1_000)]


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


class SftpTargetSettings(TargetSettings):
    """An SFTP server, known by its host keys: lines as in known_hosts without the host, or fingerprints (`SHA256:…`)."""

    kind: Literal["sftp"]
    host: Text
    port: int = Field(default=22, ge=1, le=65_535)
    user: Text
    host_keys: tuple[Text, ...] = Field(min_length=1, max_length=20)
    directory: Text = "."
    password: SecretStr = SecretStr("")
    key_file: Path | None = None
    passphrase: SecretStr = SecretStr("")
    verify: Literal["sha256", "size"] = "sha256"

    @field_validator("host_keys")
    @classmethod
    def _keys(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        strange = [one for one in value if not HOST_KEY.fullmatch(one)]
        if strange:
            raise ValueError(f"{strange[0][:60]!r} is neither a key as ssh-keyscan shows it, without the host, nor a SHA256: fingerprint")
        return value

    @field_validator("key_file")
    @classmethod
    def _beside_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else beside(value, info)

    @model_validator(mode="after")
    def _some_login(self) -> "SftpTargetSettings":
        if self.key_file is None and not self.password.get_secret_value():
            raise ValueError("has neither key_file nor password to log in with")
        return self


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
