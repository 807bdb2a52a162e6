"""A partner's profile as the settings file says it, one section a partner; every mistake has its place and its words."""

import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from cryptography.x509 import Name as X509Name
from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator

from headend.commands.ordering import REQUESTER
from headend.limits import EVENTS_PER_NOTIFICATION_MAX, SUBSCRIPTIONS_PER_PARTNER_MAX
from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, Severity
from headend.model.habits import COMMON_HABITS, Habit
from headend.model.partner import (
    ClientCertificate,
    Credentials,
    EnergyUnit,
    EventChoice,
    MeterIdentifier,
    MeterScope,
    NotificationProfile,
    Partner,
    PeerServer,
    PeerTls,
    StandingSubscription,
)
from headend.model.subscription import NOT_IN_V3, SUBJECT_OF
from headend.passwords import hash_problem, is_hash
from headend.settings_section import HttpUrl, Section, beside

PASSWORD_CHARACTERS_MIN = 8
"""Characters of a partner's password: fewer are guessed within the attempts that are let through in a month."""

PATTERNS_MAX = 200
"""Patterns of one list of a profile: one for each operation of a server."""

OperationPattern = Annotated[str, Field(pattern=r"^!?([A-Za-z_*?]+/)?[A-Za-z0-9_*?]+$", max_length=120)]
Text = Annotated[str, Field(min_length=1, max_length=120)]


def fingerprint_of(value: str) -> str:
    """A fingerprint in plain hex. Raises ValueError."""
    plain = value.replace(":", "").replace(" ", "").lower()
    if value and not re.fullmatch(r"[0-9a-f]{64}", plain):
        raise ValueError("is no SHA-256 fingerprint: 64 hex digits, with or without colons")
    return plain


class CertificateSettings(Section):
    """The TLS client certificate a partner is known by: `sha256`, the fingerprint of the very one, or `subject`, of any from the CA."""

    sha256: str = ""
    subject: str = ""

    @field_validator("sha256")
    @classmethod
    def _fingerprint(cls, value: str) -> str:
        return fingerprint_of(value)

    @field_validator("subject")
    @classmethod
    def _subject(cls, value: str) -> str:
        try:
            return X509Name.from_rfc4514_string(value).rfc4514_string() if value else ""
        except ValueError:
            raise ValueError("is no subject as RFC 4514 writes it, e.g. CN=cis,O=Example") from None

    @model_validator(mode="after")
    def _one_of_them(self) -> "CertificateSettings":
        if bool(self.sha256) == bool(self.subject):
            raise ValueError("names either sha256 or subject")
        return self


class MeterSettings(Section):
    """Which meters a partner knows of: those of a `group` or of a `commodity`."""

    group: str = Field(default="", max_length=256)
    commodity: Commodity | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> "MeterSettings":
        if bool(self.group) == (self.commodity is not None):
            raise ValueError("names either a group or a commodity")
        return self


class PeerTlsSettings(Section):
    """HTTPS to a partner's servers: `ca_file`, their CA, where no public one vouches for them, or `sha256`, the fingerprint of the one
    certificate that is believed; `cert_file` and `key_file` are what we show them."""

    ca_file: Path | None = None
    sha256: str = ""
    cert_file: Path | None = None
    key_file: Path | None = None

    @field_validator("ca_file", "cert_file", "key_file")
    @classmethod
    def _beside_the_file(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        return None if value is None else beside(value, info)

    @field_validator("sha256")
    @classmethod
    def _fingerprint(cls, value: str) -> str:
        return fingerprint_of(value)

    @model_validator(mode="after")
    def _whole(self) -> "PeerTlsSettings":
        if self.ca_file is not None and self.sha256:
            raise ValueError("names either ca_file or sha256")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("names cert_file and key_file together, or neither")
        return self


class EventChoiceSettings(Section):
    """Which events a partner is told, of those that it registers for; empty choices take all. The rest is at EventChoice."""

    categories: frozenset[Category] = frozenset()
    severities: frozenset[Severity] = frozenset()
    commodities: frozenset[Commodity] = frozenset()
    groups: frozenset[Text] = frozenset()
    routers: bool = False
    batch_objects: int = Field(default=500, ge=1, le=EVENTS_PER_NOTIFICATION_MAX)
    delay_seconds: float = Field(default=0, ge=0, le=3_600)
    connections: int = Field(default=4, ge=1, le=16)
    lease_hours: float = Field(default=0, ge=0, le=87_600)
    momentaries: bool = False

    @property
    def choice(self) -> EventChoice:
        return EventChoice(**{name: getattr(self, name) for name in EventChoiceSettings.model_fields})


class SubscriptionSettings(EventChoiceSettings):
    """What a partner is told without having registered for it: at `url`, by these `notifications`."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")
    url: HttpUrl
    version: Literal["3.0", "4.1.6"] = "4.1.6"
    notifications: tuple[Text, ...] = Field(min_length=1, max_length=len(SUBJECT_OF))

    @field_validator("notifications")
    @classmethod
    def _of_events(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        strange = [name for name in value if name not in SUBJECT_OF]
        if strange:
            raise ValueError(f"{', '.join(strange)}: notifications of events are {', '.join(SUBJECT_OF)}")
        return value

    @model_validator(mode="after")
    def _in_the_version(self) -> "SubscriptionSettings":
        missing = [name for name in self.notifications if name in NOT_IN_V3] if self.version == "3.0" else []
        if missing:
            raise ValueError(f"version 3.0 has no {' and no '.join(missing)}")
        return self

    @property
    def subscription(self) -> StandingSubscription:
        return StandingSubscription(self.name, self.url, self.version, self.notifications, self.choice)


class NotificationSettings(Section):
    """How a partner is told things.

    `urls` by kind of server (CB, MDM, OA, NOT) or by notification; `response_urls` are patterns of the addresses it may name itself, and
    `response_networks` the private networks into which they may lead.
    """

    user_id: str = Field(default="", max_length=64)
    password: SecretStr = SecretStr("")
    urls: dict[str, HttpUrl] = Field(default_factory=dict)
    response_urls: tuple[Text, ...] = Field(default=(), max_length=PATTERNS_MAX)
    response_networks: tuple[str, ...] = Field(default=(), max_length=PATTERNS_MAX)
    target: PeerServer | None = None
    version: Literal["", "3.0", "4.1.6"] = ""
    soap: Literal["1.1", "1.2"] = "1.1"
    plural: bool = True
    timeout_seconds: float = Field(default=30, ge=1, le=600)
    tls: PeerTlsSettings = PeerTlsSettings()
    events: EventChoiceSettings = EventChoiceSettings()
    subscriptions: tuple[SubscriptionSettings, ...] = Field(default=(), max_length=SUBSCRIPTIONS_PER_PARTNER_MAX)

    @field_validator("urls")
    @classmethod
    def _named(cls, value: dict[str, str]) -> dict[str, str]:
        strange = [n for n in value if n not in set(PeerServer) and not re.fullmatch(r"[A-Z][A-Za-z]*Notification", n)]
        if strange:
            raise ValueError(f"{', '.join(strange)}: names are {', '.join(PeerServer)} and those of notifications")
        return value

    @field_validator("response_networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                ip_network(text)
            except ValueError:
                raise ValueError(f"{text[:80]!r} is no network such as 10.1.0.0/16 or fd00::/8") from None
        return value

    @field_validator("password")
    @classmethod
    def _in_the_clear(cls, value: SecretStr) -> SecretStr:
        if is_hash(value.get_secret_value()):
            raise ValueError("is a hash; what we log in with must be the password itself")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "NotificationSettings":
        names = [one.name for one in self.subscriptions]
        if len(names) != len(set(names)):
            raise ValueError("two subscriptions have one name")
        if self.version == "3.0" and PeerServer.NOT in {self.target, *self.urls}:
            raise ValueError("version 3.0 has no NOT server")
        return self

    @property
    def profile(self) -> NotificationProfile:
        by_server = {PeerServer(name): url for name, url in self.urls.items() if name in set(PeerServer)}
        return NotificationProfile(
            urls=by_server,
            notification_urls={name: url for name, url in self.urls.items() if name not in by_server},
            allowed_urls=self.response_urls,
            networks=tuple(map(ip_network, self.response_networks)),
            target=self.target,
            version=self.version,
            soap=self.soap,
            plural=self.plural,
            timeout_seconds=self.timeout_seconds,
            credentials=Credentials(self.user_id, self.password.get_secret_value()) if self.user_id else None,
            tls=PeerTls(self.tls.ca_file, self.tls.sha256, self.tls.cert_file, self.tls.key_file),
            events=self.events.choice,
            subscriptions=tuple(one.subscription for one in self.subscriptions),
        )


class PartnerSettings(Section):
    """A SOAP peer: how it is known, what it may ask, how it wants to be answered and told."""

    user_id: str = Field(min_length=1, max_length=64)
    password: SecretStr | None = None
    name: str = Field(default="", max_length=120)
    company: str = Field(default="", max_length=120)
    applications: tuple[Text, ...] = Field(default=(), max_length=PATTERNS_MAX)
    certificate: CertificateSettings | None = None
    operations: tuple[OperationPattern, ...] = Field(default=("*",), min_length=1, max_length=PATTERNS_MAX)
    meters: MeterSettings | None = None
    page_size: int = Field(default=10_000, ge=1, le=1_000_000)
    identifier: MeterIdentifier = MeterIdentifier.METER_NO
    energy_unit: EnergyUnit = EnergyUnit.KILOWATT_HOUR
    tolerance: frozenset[Habit] = COMMON_HABITS
    notifications: NotificationSettings = NotificationSettings()

    @field_validator("user_id")
    @classmethod
    def _no_person(cls, value: str) -> str:
        if value.startswith(REQUESTER):
            raise ValueError(f"begins with {REQUESTER!r}, as the names of people do who give orders at the command line")
        return value

    @field_validator("password")
    @classmethod
    def _hard_to_guess(cls, value: SecretStr | None) -> SecretStr | None:
        stored = value.get_secret_value() if value else ""
        if value is not None and is_hash(stored):
            problem = hash_problem(stored)
            if problem:
                raise ValueError(problem)
        elif value is not None and len(stored) < PASSWORD_CHARACTERS_MIN:
            raise ValueError(f"has fewer than {PASSWORD_CHARACTERS_MIN} characters")
        return value

    @field_validator("certificate")
    @classmethod
    def _some_login(cls, value: CertificateSettings | None, info: ValidationInfo) -> CertificateSettings | None:
        """Runs for an absent certificate, too."""
        if value is None and info.data.get("password", value) is None and "password" in info.data:
            raise ValueError("is missing, and so is password: one of them must open")
        return value

    model_config = Section.model_config | {"validate_default": True}

    @property
    def partner(self) -> Partner:
        certificate = self.certificate
        return Partner(
            user_id=self.user_id,
            name=self.name or self.user_id,
            password=self.password.get_secret_value() if self.password else "",
            page_size=self.page_size,
            identifier=self.identifier,
            energy_unit=self.energy_unit,
            company=self.company,
            applications=self.applications,
            certificate=ClientCertificate(certificate.sha256, certificate.subject) if certificate else None,
            operations=self.operations,
            meters=MeterScope(self.meters.group, self.meters.commodity) if self.meters else None,
            tolerated=self.tolerance,
            notifications=self.notifications.profile,
        )
