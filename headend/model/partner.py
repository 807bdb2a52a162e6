"""Partners: the systems of a utility that call us and are told things, and how each wants it done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from headend.model.endpoint import Commodity
from headend.model.event_kinds import Category, Severity
from headend.model.habits import COMMON_HABITS, Habit
from headend.model.utility import Utility
from headend.named_addresses import Network, is_named_by


class MeterIdentifier(StrEnum):
    """Which of an endpoint's identifiers a partner calls the meter's."""

    METER_NO = "meter_no"
    SERIAL_NO = "serial_no"
    AP_TITLE = "ap_title"


class EnergyUnit(StrEnum):
    """In which unit a partner is told energy; reactive energy follows it."""

    KILOWATT_HOUR = "kWh"
    WATT_HOUR = "Wh"


class PeerServer(StrEnum):
    """The kinds of server that take what a head-end tells: billing, meter data, outage analysis, the receiver of all notifications."""

    CB = "CB"
    MDM = "MDM"
    OA = "OA"
    NOT = "NOT"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What we log in with at a partner's server."""

    user_id: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A TLS client certificate: SHA-256 of its DER octets in lower-case hex, and its subject as RFC 4514 writes it; empty where unknown."""

    sha256: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class PeerTls:
    """How a partner's HTTPS servers are believed, and what we show them; all in PEM files.

    Trusted are servers that `ca_file` vouches for, without one those that the system trusts; where `sha256` is given (as in
    ClientCertificate) only the server with this very certificate, whoever signed it and whatever its name. `certificate_file` and
    `key_file` are ours.
    """

    ca_file: Path | None = None
    sha256: str = ""
    certificate_file: Path | None = None
    key_file: Path | None = None


@dataclass(frozen=True, slots=True)
class MeterScope:
    """The meters that a partner knows of: those of a group or of a commodity. All others are unknown to it."""

    group: str = ""
    commodity: Commodity | None = None


@dataclass(frozen=True, slots=True)
class EventChoice:
    """Which events a partner wants to be told, and how many at once; an empty choice takes all.

    One notification tells `batch_objects` at most and waits `delay_seconds` for more to tell; so many `connections` are used at once.
    `momentaries` tells outages too that were over before anybody was told, as instantaneous ones.
    `lease_hours` is how long a registration holds that is not renewed by registering again; 0: for good.
    """

    categories: frozenset[Category] = frozenset()
    severities: frozenset[Severity] = frozenset()
    commodities: frozenset[Commodity] = frozenset()
    groups: frozenset[str] = frozenset()
    routers: bool = False
    batch_objects: int = 500
    delay_seconds: float = 0.0
    connections: int = 4
    lease_hours: float = 0.0
    momentaries: bool = False


@dataclass(frozen=True, slots=True)
class StandingSubscription:
    """What a partner is told without having registered for it."""

    name: str
    url: str
    version: str
    notifications: tuple[str, ...]
    choice: EventChoice = EventChoice()


@dataclass(frozen=True, slots=True)
class NotificationProfile:
    """How a partner is told things.

    `urls` by kind of server, `notification_urls` by notification, which win. `allowed_urls` are patterns (`*`, `?`) of the addresses that
    the partner may name itself; none allows every one that leads to a public network address or into one of `networks`. `target` is the
    kind of server it runs, where it runs several. `version` is the MultiSpeak version it is told things in; empty, the one it spoke when
    it asked. `soap` is the version of SOAP. `plural` sends many objects in one notification. `events` is the choice for what it registers
    for, `subscriptions` what it is told without that.
    """

    urls: Mapping[PeerServer, str] = field(default_factory=dict)
    notification_urls: Mapping[str, str] = field(default_factory=dict)
    allowed_urls: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    target: PeerServer | None = None
    version: str = ""
    soap: str = "1.1"
    plural: bool = True
    timeout_seconds: float = 30.0
    credentials: Credentials | None = None
    tls: PeerTls = PeerTls()
    events: EventChoice = EventChoice()
    subscriptions: tuple[StandingSubscription, ...] = ()

    def is_configured(self, url: str) -> bool:
        """Whether the utility itself gave this address, which may then lead anywhere."""
        standing = (one.url for one in self.subscriptions)
        return url in self.urls.values() or url in self.notification_urls.values() or url in standing

    def may_name(self, url: str) -> bool:
        """Whether the partner may ask to be told things at this address."""
        return not self.allowed_urls or any(is_named_by(pattern, url) for pattern in self.allowed_urls)

    def url_for(self, notification: str, servers: Iterable[PeerServer]) -> str:
        """The configured address for a notification that `servers`, in order of preference, can take; empty where there is none."""
        if notification in self.notification_urls:
            return self.notification_urls[notification]
        takers = [server for server in servers if server in self.urls]
        if self.target in takers:
            return self.urls[self.target]
        return self.urls[takers[0]] if takers else ""


@dataclass(frozen=True, slots=True)
class Partner:
    """A SOAP peer of a utility and its profile.

    `password` is in the clear or a hash (`headend.passwords`); empty where only a client certificate opens. `company` and `applications`
    (patterns) must match what the partner says of itself, where they are given. `operations` are patterns of `Operation` or
    `Server/Operation`; one with `!` before it takes away. `page_size` counts objects. `tolerated` are the habits put right for it.
    """

    user_id: str
    name: str
    password: str = field(repr=False)
    page_size: int = 10_000
    identifier: MeterIdentifier = MeterIdentifier.METER_NO
    energy_unit: EnergyUnit = EnergyUnit.KILOWATT_HOUR
    company: str = ""
    applications: tuple[str, ...] = ()
    certificate: ClientCertificate | None = None
    operations: tuple[str, ...] = ("*",)
    meters: MeterScope | None = None
    tolerated: frozenset[Habit] = COMMON_HABITS
    notifications: NotificationProfile = field(default_factory=NotificationProfile)

    def may_call(self, server: str, operation: str) -> bool:
        """Whether the profile lets an operation of a server be called."""
        return _allowed(self.operations, server, operation)

    def is_application(self, company: str, app_name: str) -> bool:
        """Whether what a caller says of itself is what the profile says."""
        if not self.company and not self.applications:
            return True
        company_matches = not self.company or company.strip().casefold() == self.company.casefold()
        name = app_name.strip().casefold()
        return company_matches and (not self.applications or any(fnmatchcase(name, a.casefold()) for a in self.applications))

    def holds(self, certificate: ClientCertificate) -> bool:
        """Whether a certificate that TLS has verified is this partner's."""
        known = self.certificate
        if known is None:
            return False
        return certificate.sha256 == known.sha256 if known.sha256 else certificate.subject == known.subject


@lru_cache(maxsize=4_096)
def _allowed(patterns: tuple[str, ...], server: str, operation: str) -> bool:
    """Kept, because every call asks."""
    allowed = False
    for pattern in patterns:
        takes_away = pattern.startswith("!")
        if fnmatchcase(f"{server}/{operation}" if "/" in pattern else operation, pattern.removeprefix("!")):
            if takes_away:
                return False
            allowed = True
    return allowed


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling, and for which utility; everything a request does is done for this utility."""

    utility: Utility
    partner: Partner
