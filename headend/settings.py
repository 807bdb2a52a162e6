"""Settings of a head-end process: one frozen value read from TOML, every mistake reported at once.

Relative paths are relative to the settings file. Secrets are `SecretStr` and show as asterisks wherever they are printed.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator

from headend import limits
from headend.c1222.identifiers import ApTitle
from headend.errors import HeadEndError, RequestError
from headend.model.utility import Utility, UtilityId

SETTINGS_OCTETS_MAX = 1_000_000
"""Largest settings file read, in octets: a thousand partners fit in a tenth of it."""

PASSWORD_CHARACTERS_MIN = 8
"""Characters of a partner's password: fewer are guessed within the attempts that are let through in a month."""

Port = Annotated[int, Field(ge=0, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


class SettingsError(RequestError):
    """A settings file that cannot be used; `problems` names every mistake as (place, what is wrong)."""

    def __init__(self, file: str, problems: list[tuple[str, str]]) -> None:
        self.file = file
        self.problems = problems
        lines = "".join(f"\n  {place}: {what}" for place, what in problems)
        super().__init__(f"{file} has {len(problems)} mistake{'s' if len(problems) != 1 else ''}:{lines}")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ServerSettings(_Section):
    """Where SOAP is served. `public_url` is what WSDLs say as address; by default made from host and port. Port 0 picks one."""

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")


class PartnerSettings(_Section):
    """A SOAP peer: its credentials, and how many objects it gets a page."""

    user_id: str = Field(min_length=1, max_length=64)
    password: SecretStr
    name: str = ""
    page_size: int = Field(default=10_000, ge=1, le=100_000)

    @field_validator("password")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value()) < PASSWORD_CHARACTERS_MIN:
            raise ValueError(f"has fewer than {PASSWORD_CHARACTERS_MIN} characters")
        return value


class FieldSettings(_Section):
    """The field side: where endpoints reach this head-end over C12.22, by UDP and TCP on one port number."""

    host: str = "127.0.0.1"
    port: Port = 1153


class CollectionSettings(_Section):
    """How endpoints are interrogated: every so many hours, so many at once, each request sent so often.

    `history_days` is how far back a first contact reads. `collector` is this process's name among those that share the database: one
    that starts again under its name at once takes back what it held when it was killed.
    """

    collector: Name = "collector"
    every_hours: float = Field(default=6, gt=0, le=24)
    history_days: int = Field(default=2, ge=1, le=60)
    conversations: int = Field(default=limits.CONVERSATIONS_MAX, ge=1, le=limits.CONVERSATIONS_MAX)
    conversations_per_router: int = Field(default=limits.CONVERSATIONS_PER_ROUTER_MAX, ge=1, le=limits.CONVERSATIONS_MAX)
    reply_seconds: float = Field(default=2.0, gt=0, le=60)
    transmissions: int = Field(default=limits.TRANSMISSIONS_MAX, ge=1, le=10)


class UtilitySettings(_Section):
    """One utility: its own database, key file, time zone, partners and field network."""

    id: Name
    name: str = ""
    time_zone: str
    database: str = Field(min_length=1)
    key_file: Path
    ap_title: str = ".1.4"
    field: FieldSettings = FieldSettings()
    collection: CollectionSettings = CollectionSettings()
    partners: tuple[PartnerSettings, ...] = ()

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is not a time zone of the IANA data base") from None
        return value

    @field_validator("ap_title")
    @classmethod
    def _valid_title(cls, value: str) -> str:
        try:
            ApTitle.parse(value)
        except HeadEndError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("database")
    @classmethod
    def _known_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
            raise ValueError("is neither sqlite:///FILE nor postgresql://USER@HOST/NAME")
        return value

    @field_validator("database", "key_file")
    @classmethod
    def _beside_the_file(cls, value: str | Path, info: ValidationInfo) -> str | Path:
        base: Path = (info.context or {}).get("base", Path())
        if isinstance(value, Path):
            return base / value
        prefix = "sqlite:///"
        return f"{prefix}{base / value.removeprefix(prefix)}" if value.startswith(prefix) else value

    @property
    def utility(self) -> Utility:
        return Utility(UtilityId(self.id), self.name or self.id, ZoneInfo(self.time_zone), self.ap_title)


class Settings(_Section):
    """All of it. Partner names are unique over all utilities, because the login says which utility is meant."""

    server: ServerSettings = ServerSettings()
    utilities: tuple[UtilitySettings, ...]

    @model_validator(mode="after")
    def _unique(self) -> "Settings":
        problems = [
            *([] if self.utilities else ["utilities names none"]),
            *_repeated("utility id", [u.id for u in self.utilities]),
            *_repeated("database", [u.database for u in self.utilities]),
            *_repeated("partner user_id", [p.user_id for u in self.utilities for p in u.partners]),
            *_repeated("field address", [f"{u.field.host}:{u.field.port}" for u in self.utilities if u.field.port]),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _repeated(what: str, values: list[str]) -> list[str]:
    return [f"{what} {value!r} is used {values.count(value)} times" for value in dict.fromkeys(values) if values.count(value) > 1]


def load_settings(file: Path) -> Settings:
    """Settings read from a TOML file. Raises SettingsError."""
    try:
        if file.stat().st_size > SETTINGS_OCTETS_MAX:
            raise SettingsError(str(file), [("file", f"is larger than {SETTINGS_OCTETS_MAX} octets")])
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(str(file), [("file", error.strerror or "cannot be read")]) from None
    except UnicodeDecodeError as error:
        raise SettingsError(str(file), [("file", f"is not UTF-8 at octet {error.start}")]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(str(file), [("TOML", str(error))]) from None
    return settings_from(table, file.parent, str(file))


def settings_from(table: dict[str, Any], base: Path, source: str) -> Settings:
    """Settings from a table shaped like the TOML file; `base` is what relative paths are relative to. Raises SettingsError."""
    try:
        return Settings.model_validate(table, context={"base": base})
    except ValidationError as error:
        raise SettingsError(source, [(_place(e["loc"]), _what(e["msg"])) for e in error.errors(include_url=False)]) from None


def _place(location: tuple[int | str, ...]) -> str:
    """`utilities[1].time_zone`, counting from 1 as people do."""
    text = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in location)
    return text.removeprefix(".") or "settings"


_IN_OUR_WORDS = {"Extra inputs are not permitted": "is not a setting", "Field required": "is missing"}


def _what(message: str) -> str:
    return _IN_OUR_WORDS.get(message, message.removeprefix("Value error, "))
