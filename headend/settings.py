"""Settings of a head-end process: one frozen value read from TOML, every mistake reported at once.

Relative paths are relative to the settings file. Secrets are `SecretStr` and show as asterisks wherever they are printed.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from headend import limits
from headend.alarm_settings import AlarmSettings
from headend.billing_settings import BillingSettings
from headend.c1222.identifiers import ApTitle
from headend.collection_plan import CollectionPlan, GroupPlan, PlanKind, check_plan, parse_time
from headend.command_settings import CommandSettings
from headend.delivery_settings import AnyTargetSettings
from headend.errors import HeadEndError, RequestError
from headend.event_file_settings import EventFeedSettings
from headend.event_settings import EventKindSettings, catalogue_of
from headend.export_settings import ExportSettings
from headend.gas_day import GasDayRule
from headend.model.utility import Utility, UtilityId
from headend.partner_settings import PartnerSettings
from headend.retention_settings import RetentionSettings
from headend.settings_section import Section, WallTime, beside
from headend.silence_settings import SilenceSettings
from headend.suspicion_settings import SuspicionSettings

SETTINGS_OCTETS_MAX = 1_000_000
"""Largest settings file read, in octets: a thousand partners fit in a tenth of it."""

Port = Annotated[int, Field(ge=0, le=65_535)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]


def known_zone(value: str) -> str:
    """A time zone's name. Raises ValueError where there is none of that name."""
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{value!r} is not a time zone of the IANA data base") from None
    return value


class SettingsError(RequestError):
    """A settings file that cannot be used; `problems` names every mistake as (place, what is wrong)."""

    def __init__(self, file: str, problems: list[tuple[str, str]]) -> None:
        self.file = file
        self.problems = problems
        lines = "".join(f"\n  {place}: {what}" for place, what in problems)
        super().__init__(f"{file} has {len(problems)} mistake{'s' if len(problems) != 1 else ''}:{lines}")


class TlsSettings(Section):
    """HTTPS: our certificate with its chain and its key, both PEM, and the CA of client certificates, where partners are known by those."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    @field_validator("certificate", "key", "client_ca")
    @classmethod
    def _beside_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else beside(value, info)


class ServerSettings(Section):
    """Where SOAP is served: over HTTPS where `tls` is given. `public_url` is what WSDLs say as address; by default made from host and port.

    Port 0 picks one. A billing document may have `billing_octets_max` octets.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/]+(/[^\s?#]*)?$")
    tls: TlsSettings | None = None
    billing_octets_max: int = Field(default=128 * 1024 * 1024, ge=1_024, le=2**31)


class MetricsSettings(Section):
    """Where a process shows its metrics to Prometheus, at /metrics; port 0 picks one. Whoever reaches it may read them."""

    host: str = "127.0.0.1"
    port: Port = 9464


class FieldSettings(Section):
    """The field side: where endpoints reach this head-end over C12.22, by UDP and TCP on one port number."""

    host: str = "127.0.0.1"
    port: Port = 1153


class CollectionSettings(Section):
    """When and how endpoints are collected: so many at once, each request sent so often.

    `interrogations` are the times of the utility's day at which windows of `window_minutes` begin; each polled endpoint is interrogated
    once in each of them. `wake_ups` and `wake_window_minutes` say the same of endpoints that push. Groups may have plans of their own.
    A clock off by more than `clock_set_seconds` is set right, one off by more than `clock_set_seconds_max` is for a person, but for that
    of a battery endpoint which is so far off that its messages could be old ones.
    `history_days` is how far back a first contact reads. `collector` is this process's name among those that share the database, by
    default its machine and field port: one that starts again under its name at once takes back what it held when it was killed;
    others may take it after `lease_seconds`. A missed interrogation is tried again after `retry_minutes`, twice as long after each
    further one, `retry_hours` at most, for `retry_days`.
    """

    collector: Name | None = None
    interrogations: tuple[WallTime, ...] = ("00:15", "06:15", "12:15", "18:15")
    window_minutes: int = Field(default=240, ge=1, le=limits.WINDOW_MINUTES_MAX)
    wake_ups: tuple[WallTime, ...] = ("00:15", "06:15", "12:15", "18:15")
    wake_window_minutes: int = Field(default=300, ge=1, le=limits.WINDOW_MINUTES_MAX)
    clock_set_seconds: float = Field(default=30, ge=5, le=3_600)
    clock_set_seconds_max: float = Field(default=900, ge=5, le=86_400)
    history_days: int = Field(default=2, ge=1, le=60)
    conversations: int = Field(default=limits.CONVERSATIONS_MAX, ge=1, le=limits.CONVERSATIONS_MAX)
    conversations_per_router: int = Field(default=limits.CONVERSATIONS_PER_ROUTER_MAX, ge=1, le=limits.CONVERSATIONS_MAX)
    reply_seconds: float = Field(default=2.0, gt=0, le=60)
    transmissions: int = Field(default=limits.TRANSMISSIONS_MAX, ge=1, le=10)
    lease_seconds: float = Field(default=limits.LEASE_SECONDS, ge=5, le=3_600)
    retry_minutes: float = Field(default=15, gt=0, le=1_440)
    retry_hours: float = Field(default=4, gt=0, le=24)
    retry_days: float = Field(default=3, ge=0, le=30)

    @field_validator("interrogations", "wake_ups")
    @classmethod
    def _times_of_a_plan(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            check_plan(CollectionPlan(tuple(map(parse_time, value)), 1))
        except RequestError as error:
            raise ValueError(str(error)) from None
        return value

    @property
    def plans(self) -> tuple[GroupPlan, GroupPlan]:
        """The common plans: of interrogations, and of wake-ups."""
        polled = CollectionPlan(tuple(map(parse_time, self.interrogations)), self.window_minutes)
        battery = CollectionPlan(tuple(map(parse_time, self.wake_ups)), self.wake_window_minutes)
        return GroupPlan(PlanKind.INTERROGATIONS, "", polled), GroupPlan(PlanKind.WAKE_UPS, "", battery)


class GasDaySettings(Section):
    """Gas days, by wall times of `time_zone`, whatever the utility's: their boundary, when one is taken, when it is closed."""

    time_zone: str = "America/Chicago"
    boundary: WallTime = "09:00"
    deadline: WallTime = "09:00"
    close: WallTime = "11:00"

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

    @property
    def rule(self) -> GasDayRule:
        return GasDayRule(ZoneInfo(self.time_zone), parse_time(self.boundary), parse_time(self.deadline), parse_time(self.close))


class MessageSettings(Section):
    """The message log: how long exchanges are kept, how large it may grow, how much of an envelope is kept. 0 days keeps nothing."""

    days: float = Field(default=30, ge=0, le=3_660)
    megabytes: int = Field(default=1_024, ge=1, le=1_000_000)
    envelope_kib: int = Field(default=64, ge=0, le=8_192)


class RouterSettings(Section):
    """How routers are watched over SNMP: from `host`, every so many seconds, so many at once, each request sent `tries` times.

    `trap_port` is where traps and informs are received at `host`, by default nowhere. A router is down after `missed_polls` polls and
    `silence_seconds` without a trap. First-tier troubleshooting asks again after `retry_seconds`, reboots one where the utility
    permits it (`may_reboot`), and waits `wait_seconds` before it is the utility's turn. The rest are thresholds.
    """

    poll: bool = True
    host: str = "127.0.0.1"
    trap_port: Port | None = None
    poll_seconds: float = Field(default=300, ge=1, le=3_600)
    polls: int = Field(default=limits.ROUTER_POLLS_MAX, ge=1, le=256)
    timeout_seconds: float = Field(default=3, gt=0, le=60)
    tries: int = Field(default=3, ge=1, le=10)
    missed_polls: int = Field(default=3, ge=1, le=100)
    silence_seconds: float = Field(default=900, ge=0, le=86_400)
    may_reboot: bool = False
    retry_seconds: float = Field(default=30, ge=0.1, le=3_600)
    wait_seconds: float = Field(default=900, ge=1, le=86_400)
    rssi_low_dbm: int = Field(default=-105, ge=-150, le=0)
    temperature_minor_c: int = Field(default=60, ge=0, le=150)
    temperature_major_c: int = Field(default=70, ge=0, le=150)
    mesh_minor_percent: int = Field(default=90, ge=0, le=100)
    mesh_major_percent: int = Field(default=50, ge=0, le=100)
    battery_low_percent: int = Field(default=30, ge=0, le=100)


class UtilitySettings(Section):
    """One utility: its own database, key file, time zone, partners and field network."""

    id: Name
    name: str = ""
    time_zone: str
    database: str = Field(min_length=1)
    key_file: Path
    ap_title: str = ".1.4"
    field: FieldSettings = FieldSettings()
    collection: CollectionSettings = CollectionSettings()
    gas_day: GasDaySettings = GasDaySettings()
    messages: MessageSettings = MessageSettings()
    routers: RouterSettings = RouterSettings()
    silence: SilenceSettings = SilenceSettings()
    suspicion: SuspicionSettings = SuspicionSettings()
    retention: RetentionSettings = RetentionSettings()
    commands: CommandSettings = CommandSettings()
    exports: ExportSettings = Field(default={}, validate_default=True)  # so that its path is beside the file
    billing: BillingSettings = BillingSettings()
    targets: tuple[AnyTargetSettings, ...] = Field(default=(), max_length=limits.TARGETS_MAX)
    alarms: AlarmSettings = AlarmSettings()
    event_files: tuple[EventFeedSettings, ...] = Field(default=(), max_length=limits.EVENT_FEEDS_MAX)
    events: tuple[EventKindSettings, ...] = ()
    partners: tuple[PartnerSettings, ...] = ()

    @field_validator("events")
    @classmethod
    def _a_catalogue(cls, value: tuple[EventKindSettings, ...]) -> tuple[EventKindSettings, ...]:
        try:
            catalogue_of(value)
        except RequestError as error:
            raise ValueError(str(error)) from None
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        return known_zone(value)

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
        if isinstance(value, Path):
            return beside(value, info)
        prefix = "sqlite:///"
        return f"{prefix}{beside(Path(value.removeprefix(prefix)), info)}" if value.startswith(prefix) else value

    @property
    def spool(self) -> Path:
        """Where this utility's files are made."""
        return self.exports.spool / self.id

    @property
    def utility(self) -> Utility:
        zone, events, commands = ZoneInfo(self.time_zone), catalogue_of(self.events), self.commands.rules(ZoneInfo(self.time_zone))
        return Utility(UtilityId(self.id), self.name or self.id, zone, self.ap_title, events, commands)


class Settings(Section):
    """All of it. Partner names are unique over all utilities, because the login says which utility is meant."""

    server: ServerSettings = ServerSettings()
    metrics: MetricsSettings | None = None
    utilities: tuple[UtilitySettings, ...]

    @model_validator(mode="after")
    def _unique(self) -> "Settings":
        problems = [
            *([] if self.utilities else ["utilities names none"]),
            *_repeated("utility id", [u.id for u in self.utilities]),
            *_repeated("database", [u.database for u in self.utilities]),
            *(problem for u in self.utilities for problem in _delivery_problems(u)),
            *_repeated("partner user_id", [p.user_id for p in self._partners]),
            *_repeated("partner certificate", [p.certificate.sha256 or p.certificate.subject for p in self._partners if p.certificate]),
            *self._unheard_certificates(),
            *_repeated("field address", [f"{u.field.host}:{u.field.port}" for u in self.utilities if u.field.port]),
            *_repeated("trap address", [f"{u.routers.host}:{u.routers.trap_port}" for u in self.utilities if u.routers.trap_port]),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def _partners(self) -> list[PartnerSettings]:
        return [partner for utility in self.utilities for partner in utility.partners]

    def _unheard_certificates(self) -> list[str]:
        """Partners known by a certificate that this server does not ask for, or could not believe."""
        tls = self.server.tls
        return [
            f"partner {p.user_id!r} has a certificate, which needs server.tls{'' if tls is None else '.client_ca'}"
            for p in self._partners
            if p.certificate and (tls is None or (p.certificate.subject and tls.client_ca is None))
        ]


def _delivery_problems(utility: UtilitySettings) -> list[str]:
    """Names of targets and exports that are used twice, and targets that there are not."""
    targets, exports = [one.name for one in utility.targets], utility.exports.schedules
    others = {"gas_day": utility.exports.gas_day, "master_data": utility.exports.master_data}
    strange = [f"export {one.name!r} goes to {to!r}, which is no target" for one in exports for to in one.targets if to not in targets]
    strange += [f"{n} goes to {to!r}, which is no target" for n, one in others.items() if one for to in one.targets if to not in targets]
    feeds = utility.event_files
    strange += [f"event file {one.name!r} goes to {to!r}, which is no target" for one in feeds for to in one.targets if to not in targets]
    strange += _repeated("event file name", [one.name for one in feeds])
    strange += [f"billing goes to {to!r}, which is no target" for to in utility.billing.targets if to not in targets]
    partner = utility.billing.partner
    if partner and partner not in {one.user_id for one in utility.partners}:
        strange.append(f"billing.partner {partner!r} is no partner")
    return [*_repeated("target name", targets), *_repeated("export name", [one.name for one in exports]), *strange]


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
