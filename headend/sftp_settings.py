"""SFTP servers as the settings file says them: how one is known and logged in to, and a directory of one that files are fetched from."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from headend.settings_section import Section, beside

HOST_KEY = re.compile(r"SHA256:[A-Za-z0-9+/]{43}|(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?")

Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class SftpLoginSettings(Section):
    """A server that is known by its host keys (lines as in known_hosts without the host, or fingerprints, `SHA256:…`), and a login."""

    host: Text
    port: int = Field(default=22, ge=1, le=65_535)
    user: Text
    host_keys: tuple[Text, ...] = Field(min_length=1, max_length=20)
    password: SecretStr = SecretStr("")
    key_file: Path | None = None
    passphrase: SecretStr = SecretStr("")

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
    def _some_login(self) -> "SftpLoginSettings":
        if self.key_file is None and not self.password.get_secret_value():
            raise ValueError("has neither key_file nor password to log in with")
        return self


class SftpInboxSettings(SftpLoginSettings):
    """A directory there that is looked at every `look_seconds`; what was fetched from it is moved into `done` below it, or removed."""

    directory: Text = "."
    look_seconds: float = Field(default=60, ge=1, le=86_400)
    fetched: Literal["moved", "removed"] = "moved"
