"""Routers files → profiles to import: name, SNMP addresses and credentials, place and size of the mesh. Credentials are never shown."""

from headend.model.endpoint import NativeAddress, Transport
from headend.model.router import AuthProtocol, CommunityAccess, PrivacyProtocol, RouterAccess, RouterProfile, UserAccess
from headend.provisioning import ImportFile, RowError, collect, degrees, needed, number
from headend.provisioning_rows import FileFormat, Row, rows

ROUTER_COLUMNS = frozenset(
    (
        *("name", "host", "port", "second_host", "second_port", "version", "community", "write_community"),
        *("user", "auth", "auth_password", "privacy", "privacy_password", "expected_nodes", "location", "latitude", "longitude"),
    )
)

SNMP_PORT = 161
PASSWORD_CHARACTERS_MIN = 8
"""Least characters of a password of version 3 (RFC 3414 11.2)."""

USER_OCTETS_MAX = 32
"""Longest user name of version 3 (RFC 3414 2.4)."""

EXPECTED_NODES_MAX = 100_000


def read_routers(octets: bytes, file_format: FileFormat) -> ImportFile[RouterProfile]:
    """Routers of a file; a name occurs once. Raises ProvisioningFileError."""
    seen: dict[str, int] = {}

    def unique(line: int, profile: RouterProfile) -> None:
        first = seen.setdefault(profile.name, line)
        if first != line:
            raise RowError(f"name {profile.name!r} is on line {first} already")

    return collect(rows(octets, file_format, ROUTER_COLUMNS), _profile, unique)


def _profile(row: Row) -> RouterProfile:
    second = NativeAddress(Transport.UDP, row["second_host"], _port(row, "second_port")) if row["second_host"] else None
    return RouterProfile(
        name=needed(row, "name"),
        address=NativeAddress(Transport.UDP, needed(row, "host"), _port(row, "port")),
        access=_access(row),
        second_address=second,
        expected_nodes=number(row, "expected_nodes", 0, EXPECTED_NODES_MAX) if row["expected_nodes"] else None,
        location=row["location"],
        latitude=degrees(row, "latitude", 90),
        longitude=degrees(row, "longitude", 180),
    )


def _port(row: Row, column: str) -> int:
    return number(row, column, 1, 65_535) if row[column] else SNMP_PORT


def _access(row: Row) -> RouterAccess:
    match row["version"].lower():
        case "2c" | "2":
            return CommunityAccess(needed(row, "community"), row["write_community"] or None)
        case "3":
            return _user(row)
        case other:
            raise RowError(f"version {other!r} is none of 2c, 3")


def _user(row: Row) -> UserAccess:
    auth, privacy = row["auth"].lower() or AuthProtocol.SHA256.value, row["privacy"].lower() or PrivacyProtocol.AES128.value
    if auth not in frozenset(AuthProtocol):
        raise RowError(f"auth {auth!r} is none of {', '.join(AuthProtocol)}")
    if privacy not in frozenset(PrivacyProtocol):
        raise RowError(f"privacy {privacy!r} is none of {', '.join(PrivacyProtocol)}")
    user = needed(row, "user")
    if len(user.encode()) > USER_OCTETS_MAX:
        raise RowError(f"user has {len(user.encode())} octets, {USER_OCTETS_MAX} are the most")
    auth_password, privacy_password = _password(row, "auth_password"), _password(row, "privacy_password")
    return UserAccess(user, AuthProtocol(auth), auth_password, PrivacyProtocol(privacy), privacy_password)


def _password(row: Row, column: str) -> str:
    password = needed(row, column)
    if len(password) < PASSWORD_CHARACTERS_MIN:
        raise RowError(f"{column} has fewer than {PASSWORD_CHARACTERS_MIN} characters")
    return password
