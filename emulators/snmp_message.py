"""SNMP messages of versions 2c and 3 around their PDUs; version 3 with its security parameters, digest and encryption.

Source  RFC 1901 3, RFC 3412 6, RFC 3414 2.4 and 3
"""

import hmac
from dataclasses import dataclass, field, replace

from emulators.snmp_ber import Reader, Tag, element, integer, sequence
from emulators.snmp_pdu import Pdu
from emulators.snmp_usm import LocalUser
from headend.errors import SecurityError, WireError

MESSAGE_OCTETS_MAX = 1_400
"""Largest message sent, and said to be taken: one datagram that no link on the way has to fragment."""

MESSAGE_OCTETS_MIN = 484
"""Least that everybody takes (RFC 3417 3.2.1)."""

V2C, V3 = 1, 3
AUTH, PRIVACY, REPORTABLE = 1, 2, 4
SALT_OCTETS = 8
_USM = 3


@dataclass(frozen=True, slots=True)
class CommunityMessage:
    """A message of version 2c."""

    community: bytes = field(repr=False)
    pdu: Pdu

    def encode(self) -> bytes:
        """The whole message."""
        return sequence(integer(V2C), element(Tag.OCTETS, self.community), self.pdu.encode())


@dataclass(frozen=True, slots=True)
class ScopedPdu:
    """A PDU and the context it is about."""

    engine_id: bytes
    context: bytes
    pdu: Pdu

    def encode(self) -> bytes:
        """As it stands in a message, before encryption."""
        return sequence(element(Tag.OCTETS, self.engine_id), element(Tag.OCTETS, self.context), self.pdu.encode())

    @classmethod
    def decode(cls, octets: bytes) -> "ScopedPdu":
        """Raises WireError; what was decrypted with a wrong key rarely is one."""
        inside = Reader(octets).inside(Tag.SEQUENCE)
        return cls(inside.take(Tag.OCTETS), inside.take(Tag.OCTETS), Pdu.take(inside))


@dataclass(frozen=True, slots=True)
class SecureMessage:
    """A message of version 3; `scoped` is the encoded scoped PDU, encrypted where the flags say so.

    `seconds` is the authoritative engine's time since its boot number `boots`. `received` are the octets it came in, and `digest_at`
    where its digest stands in them.
    """

    message_id: int
    flags: int
    engine_id: bytes
    boots: int
    seconds: int
    user: bytes
    scoped: bytes = field(repr=False)
    max_octets: int = MESSAGE_OCTETS_MAX
    digest: bytes = b""
    salt: bytes = b""
    received: bytes = field(default=b"", repr=False)
    digest_at: int = 0

    def encode(self) -> bytes:
        """The whole message, with the digest it holds."""
        header = sequence(integer(self.message_id), integer(self.max_octets), element(Tag.OCTETS, bytes((self.flags,))), integer(_USM))
        security = sequence(
            element(Tag.OCTETS, self.engine_id),
            integer(self.boots),
            integer(self.seconds),
            element(Tag.OCTETS, self.user),
            element(Tag.OCTETS, self.digest),
            element(Tag.OCTETS, self.salt),
        )
        scoped = element(Tag.OCTETS, self.scoped) if self.flags & PRIVACY else self.scoped
        return sequence(integer(V3), header, element(Tag.OCTETS, security), scoped)

    def sealed(self, user: LocalUser, salt: bytes) -> bytes:
        """The whole message, encrypted and authenticated as its flags say."""
        message = replace(self, user=user.name.encode())
        if self.flags & PRIVACY:
            message = replace(message, scoped=user.encrypt(self.scoped, self.boots, self.seconds, salt), salt=salt)
        if self.flags & AUTH:
            message = replace(message, digest=bytes(user.digest_octets))
            message = replace(message, digest=user.digest(message.encode()))
        return message.encode()

    def verify(self, user: LocalUser) -> None:
        """Raises SecurityError where the digest is not this user's."""
        end = self.digest_at + len(self.digest)
        blank = self.received[: self.digest_at] + bytes(len(self.digest)) + self.received[end:]
        if len(self.digest) != user.digest_octets or not hmac.compare_digest(user.digest(blank), self.digest):
            raise SecurityError("the digest is wrong")

    def opened(self, user: LocalUser | None) -> ScopedPdu:
        """The scoped PDU, decrypted where it has to be. Raises WireError."""
        if not self.flags & PRIVACY:
            return ScopedPdu.decode(self.scoped)
        if user is None or len(self.salt) != SALT_OCTETS:
            raise SecurityError("it cannot be decrypted")
        return ScopedPdu.decode(user.decrypt(self.scoped, self.boots, self.seconds, self.salt))


def parse_message(octets: bytes) -> CommunityMessage | SecureMessage:
    """The message a datagram holds. Raises WireError."""
    inside = Reader(octets).inside(Tag.SEQUENCE)
    version = inside.integer()
    if version == V2C:
        return CommunityMessage(inside.take(Tag.OCTETS), Pdu.take(inside))
    if version != V3:
        raise WireError(f"version {version} of SNMP is not spoken here")
    header = inside.inside(Tag.SEQUENCE)
    message_id, max_octets, flags, model = header.integer(), header.integer(), header.take(Tag.OCTETS), header.integer()
    if len(flags) != 1 or model != _USM:
        raise WireError(f"security model {model} is not spoken here")
    security = inside.inside(Tag.OCTETS).inside(Tag.SEQUENCE)
    engine_id, boots, seconds = security.take(Tag.OCTETS), security.integer(), security.integer()
    user, digest = security.take(Tag.OCTETS), security.take(Tag.OCTETS)
    digest_at = security.offset - len(digest)
    salt = security.take(Tag.OCTETS)
    if not (0 <= boots < 2**31 and 0 <= seconds < 2**31):
        raise WireError("an engine's boots and time are 31 bits")
    begin = inside.offset
    body = inside.any()
    scoped = body.content if flags[0] & PRIVACY else octets[begin : inside.offset]
    return SecureMessage(
        message_id, flags[0], engine_id, boots, seconds, user, scoped, max_octets, digest, salt, octets, digest_at
    )
