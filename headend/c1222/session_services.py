"""Requests that ask who a device is, open and close sessions, and prove who asks.

Source  reference/field-protocol-c1222.md 1.4
"""

from dataclasses import dataclass, field
from typing import ClassVar, Self

from headend.c1222.cursor import Cursor
from headend.errors import RequestError

USER_OCTETS = 10
PASSWORD_OCTETS = 20


@dataclass(frozen=True, slots=True)
class Identify:
    """Which standard, version and features."""

    CODE: ClassVar[int] = 0x20

    def encode(self) -> bytes:
        return b"\x20"

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class Terminate:
    """End the session at once."""

    CODE: ClassVar[int] = 0x21

    def encode(self) -> bytes:
        return b"\x21"

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Leave the network; has nothing to do with the switch of a meter."""

    CODE: ClassVar[int] = 0x22

    def encode(self) -> bytes:
        return b"\x22"

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class Logon:
    """Begin a session. Layout  user id: uint16 | user: 10 octets, spaces at the end | idle timeout in seconds: uint16"""

    CODE: ClassVar[int] = 0x50
    user_id: int
    user: bytes
    timeout_seconds: int

    def encode(self) -> bytes:
        return b"\x50" + self.user_id.to_bytes(2) + _padded(self.user, USER_OCTETS, "user") + self.timeout_seconds.to_bytes(2)

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint16(), cursor.take(USER_OCTETS).rstrip(b" "), cursor.uint16())


@dataclass(frozen=True, slots=True)
class Security:
    """Give a password. Layout  password: 20 octets, spaces at the end | user id: uint16, only outside a session"""

    CODE: ClassVar[int] = 0x51
    password: bytes = field(repr=False)
    user_id: int | None = None

    def encode(self) -> bytes:
        user_id = b"" if self.user_id is None else self.user_id.to_bytes(2)
        return b"\x51" + _padded(self.password, PASSWORD_OCTETS, "password") + user_id

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.take(PASSWORD_OCTETS).rstrip(b" "), cursor.uint16() if cursor.remaining else None)


@dataclass(frozen=True, slots=True)
class Logoff:
    """End the session in order."""

    CODE: ClassVar[int] = 0x52

    def encode(self) -> bytes:
        return b"\x52"

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls()


@dataclass(frozen=True, slots=True)
class Authenticate:
    """Authentication as in C12.21. Layout  length: uint8 | octets"""

    CODE: ClassVar[int] = 0x53
    data: bytes = field(repr=False)

    def encode(self) -> bytes:
        return bytes((0x53, len(self.data))) + self.data

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.take(cursor.uint8()))


@dataclass(frozen=True, slots=True)
class Wait:
    """Keep the session open while nothing is sent. Layout  seconds: uint8"""

    CODE: ClassVar[int] = 0x70
    seconds: int

    def encode(self) -> bytes:
        return bytes((0x70, self.seconds))

    @classmethod
    def take(cls, code: int, cursor: Cursor) -> Self:
        return cls(cursor.uint8())


def _padded(octets: bytes, width: int, what: str) -> bytes:
    if len(octets) > width:
        raise RequestError(f"{what} of {len(octets)} octets: {width} at most")
    return octets.ljust(width)
