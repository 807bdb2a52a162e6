"""Requests by which nodes join, leave and find their way through a C12.22 network.

Source  reference/field-protocol-c1222.md 1.4
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from headend.c1222.ber import element
from headend.c1222.cursor import Cursor
from headend.c1222.errors import BoundError
from headend.c1222.identifiers import ApTitle
from headend.c1222.limits import TRACE_TITLES_MAX

NODE_END_DEVICE = 0x20
NODE_DOMAIN_PATTERN = 0x80
"""Bits of the node type."""

CONNECTION_ACCEPTANCE_WINDOW = 0x02
CONNECTION_PLAYBACK_REJECTION = 0x04
CONNECTION_CONNECTIONLESS = 0x10
CONNECTION_ACCEPTS_CONNECTIONLESS = 0x20
CONNECTION_MODE = 0x40
CONNECTION_ACCEPTS = 0x80
"""Bits of the connection type, and of the registration information but for bit 0."""

REGISTRATION_DIRECT_MESSAGING = 0x01
"""Bit of the registration information."""


@dataclass(frozen=True, slots=True)
class Deregister:
    """A node leaves. Layout  title with its tag"""

    CODE: ClassVar[int] = 0x24
    ap_title: ApTitle

    def encode(self) -> bytes:
        return b"\x24" + self.ap_title.element

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(ApTitle.take(cursor))


@dataclass(frozen=True, slots=True)
class Resolve:
    """Which native address a title has. Layout  title with its tag"""

    CODE: ClassVar[int] = 0x25
    ap_title: ApTitle

    def encode(self) -> bytes:
        return b"\x25" + self.ap_title.element

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(ApTitle.take(cursor))


@dataclass(frozen=True, slots=True)
class Trace:
    """Which relays lie on the way. Layout  titles with their tags, each relay adding its own"""

    CODE: ClassVar[int] = 0x26
    ap_titles: tuple[ApTitle, ...]

    def encode(self) -> bytes:
        return b"\x26" + b"".join([title.element for title in self.ap_titles])

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(take_titles(cursor))


@dataclass(frozen=True, slots=True)
class Register:
    """A node joins, or says that it is still there.

    Layout  node type, connection type: uint8 | device class: 4 octets | title | serial number: tag, length, octets |
            native address: uint8 length, octets | period in seconds: uint24 | [domain pattern: uint8 length, octets]
            The domain pattern is there where the node type says so. `serial_number` is kept with its tag `serial_tag`.
    """

    CODE: ClassVar[int] = 0x27
    node_type: int
    connection_type: int
    device_class: bytes
    ap_title: ApTitle
    serial_number: bytes
    native_address: bytes
    period_seconds: int
    domain_pattern: bytes | None = None
    serial_tag: int = 0x06

    def encode(self) -> bytes:
        pattern = self.domain_pattern
        return b"".join((
            bytes((0x27, self.node_type & ~NODE_DOMAIN_PATTERN | (0 if pattern is None else NODE_DOMAIN_PATTERN), self.connection_type)),
            self.device_class.ljust(4)[:4],
            self.ap_title.element,
            element(self.serial_tag, self.serial_number),
            _counted(self.native_address),
            self.period_seconds.to_bytes(3),
            b"" if pattern is None else _counted(pattern),
        ))  # fmt: skip

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        node_type, connection_type = cursor.uint8(), cursor.uint8()
        device_class = cursor.take(4)
        ap_title = ApTitle.take(cursor)
        serial_tag = cursor.uint8()
        serial_number = cursor.take(cursor.length())
        native_address = cursor.take(cursor.uint8())
        period_seconds = cursor.uint24()
        pattern = cursor.take(cursor.uint8()) if node_type & NODE_DOMAIN_PATTERN else None
        return cls(
            node_type, connection_type, device_class, ap_title, serial_number, native_address, period_seconds, pattern, serial_tag
        )


def take_titles(cursor: Cursor) -> tuple[ApTitle, ...]:
    """All titles that follow. Raises WireError."""
    titles: list[ApTitle] = []
    while cursor.remaining:
        if len(titles) == TRACE_TITLES_MAX:
            raise BoundError("titles in one trace", TRACE_TITLES_MAX + 1, TRACE_TITLES_MAX)
        titles.append(ApTitle.take(cursor))
    return tuple(titles)


def _counted(octets: bytes) -> bytes:
    if len(octets) > 0xFF:
        raise BoundError("octets behind a one-octet length", len(octets), 0xFF)
    return bytes((len(octets),)) + octets
