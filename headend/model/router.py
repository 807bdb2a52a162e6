"""Routers: how one is reached and what it says of itself; every field of a status may be missing, for no two models tell the same."""

from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum

from headend.model.endpoint import NativeAddress, RouterId


class RouterPath(StrEnum):
    """Over which of a router's addresses it is asked."""

    PRIMARY = "primary"
    SECOND = "second"


class AuthProtocol(StrEnum):
    """Keyed hashes of SNMPv3 (RFC 3414, RFC 7860)."""

    SHA1 = "sha"
    SHA256 = "sha-256"
    SHA384 = "sha-384"
    SHA512 = "sha-512"


class PrivacyProtocol(StrEnum):
    """Ciphers of SNMPv3: RFC 3826, and Cisco's longer key."""

    AES128 = "aes-128"
    AES256 = "aes-256"


@dataclass(frozen=True, slots=True)
class CommunityAccess:
    """SNMPv2c. `write_community` is for requests that change something; None: there is none."""

    community: str = field(repr=False)
    write_community: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class UserAccess:
    """SNMPv3 of the user-based model, authenticated and encrypted: a router asked with less would be as good as one with a community."""

    user: str
    auth: AuthProtocol
    auth_password: str = field(repr=False)
    privacy: PrivacyProtocol = PrivacyProtocol.AES128
    privacy_password: str = field(default="", repr=False)


RouterAccess = CommunityAccess | UserAccess


@dataclass(frozen=True, slots=True)
class RouterProfile:
    """What is known of a router beforehand. `expected_nodes` is the number of endpoints in its mesh, None where nobody said."""

    name: str
    address: NativeAddress
    access: RouterAccess
    second_address: NativeAddress | None = None
    expected_nodes: int | None = None
    location: str = ""
    latitude: float | None = None
    longitude: float | None = None

    def address_by(self, path: RouterPath) -> NativeAddress | None:
        """The address that a path leads to."""
        return self.address if path is RouterPath.PRIMARY else self.second_address


@dataclass(frozen=True, slots=True)
class Router:
    """A router as the head-end knows it."""

    router_id: RouterId
    created: datetime
    profile: RouterProfile


class InterfaceKind(StrEnum):
    """What an interface leads to."""

    CELLULAR = "cellular"
    ETHERNET = "ethernet"
    MESH = "mesh"
    TUNNEL = "tunnel"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class InterfaceStatus:
    """One interface. `up` is None where it is switched off on purpose or not told; octets count from the router's start."""

    index: int
    kind: InterfaceKind | None = None
    name: str = ""
    up: bool | None = None
    octets_in: int | None = None
    octets_out: int | None = None

    def merged(self, older: "InterfaceStatus") -> "InterfaceStatus":
        """This where it says something, `older` where it does not."""
        return InterfaceStatus(
            self.index,
            self.kind or older.kind,
            self.name or older.name,
            older.up if self.up is None else self.up,
            older.octets_in if self.octets_in is None else self.octets_in,
            older.octets_out if self.octets_out is None else self.octets_out,
        )


class Incident(StrEnum):
    """What a router tells that has no end: it happened, and is over."""

    RESTARTED = "restarted"
    MESH_TABLE_RESET = "mesh table reset"
    CONFIGURATION_CHANGED = "configuration changed"
    IMAGE_COPIED = "image copied"
    AUTHENTICATION_FAILED = "authentication failed"


@dataclass(frozen=True, slots=True)
class RouterStatus:
    """What one poll or trap says; None is what it does not say.

    Units: seconds, dBm, degrees Celsius, percent. `uptime_seconds` wraps after 497 days. `mesh_running` is the mesh's service, `alarms_*`
    count what the router itself holds to be wrong with it. `modules_failed`, `supplies_failed`: how many.
    """

    description: str | None = None
    uptime_seconds: float | None = None
    interfaces: tuple[InterfaceStatus, ...] = ()
    mesh_nodes: int | None = None
    mesh_running: bool | None = None
    standby_lost: bool | None = None
    cellular_connected: bool | None = None
    modem_up: bool | None = None
    rssi_dbm: int | None = None
    rsrp_dbm: int | None = None
    modem_temperature_c: int | None = None
    temperature_c: int | None = None
    on_battery: bool | None = None
    battery_percent: int | None = None
    battery_failed: bool | None = None
    door_open: bool | None = None
    supplies_failed: int | None = None
    modules_failed: int | None = None
    alarms_critical: int | None = None
    alarms_major: int | None = None
    cpu_percent: int | None = None
    memory_free_octets: int | None = None
    configuration_changed: int | None = None
    incidents: tuple[Incident, ...] = ()

    def merged(self, older: "RouterStatus") -> "RouterStatus":
        """All that is known: this where it says something, `older` where it does not; incidents are not kept."""
        kept = {f.name: getattr(older, f.name) for f in fields(self) if getattr(self, f.name) is None}
        return replace(self, **kept, interfaces=_merged_interfaces(self.interfaces, older.interfaces), incidents=())

    def interface_up(self, kind: InterfaceKind) -> bool | None:
        """Whether any interface of a kind is up; None where none tells."""
        told = [i.up for i in self.interfaces if i.kind is kind and i.up is not None]
        return any(told) if told else None

    @property
    def uplinks(self) -> tuple[InterfaceKind, ...]:
        """The ways to the head-end that are up."""
        return tuple(kind for kind in (InterfaceKind.CELLULAR, InterfaceKind.ETHERNET) if self.interface_up(kind))


def _merged_interfaces(newer: tuple[InterfaceStatus, ...], older: tuple[InterfaceStatus, ...]) -> tuple[InterfaceStatus, ...]:
    known = {interface.index: interface for interface in older}
    for interface in newer:
        before = known.get(interface.index)
        known[interface.index] = interface if before is None else interface.merged(before)
    return tuple(known[index] for index in sorted(known))
