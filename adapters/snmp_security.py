"""A user of SNMPv3 at one engine: keys, digests and ciphers, all pysnmp's.

Source  RFC 3414 3, RFC 7860, RFC 3826; AES-256 with Cisco's key where the digest is shorter than it
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from pyasn1.type.univ import OctetString
from pysnmp.error import PySnmpError
from pysnmp.proto.secmod.eso.priv.aes256 import Aes256
from pysnmp.proto.secmod.rfc3414.auth.hmacsha import HmacSha
from pysnmp.proto.secmod.rfc3826.priv.aes import Aes
from pysnmp.proto.secmod.rfc7860.auth.hmacsha2 import HmacSha2

from adapters.snmp_message import AUTH, PRIVACY, Pdu, SecureMessage, decode_scoped, encode_scoped
from headend.errors import SecurityError
from headend.model.router import AuthProtocol, PrivacyProtocol, UserAccess

_AUTH_IDS = {
    AuthProtocol.SHA1: HmacSha.SERVICE_ID,
    AuthProtocol.SHA256: HmacSha2.SHA256_SERVICE_ID,
    AuthProtocol.SHA384: HmacSha2.SAH384_SERVICE_ID,
    AuthProtocol.SHA512: HmacSha2.SHA512_SERVICE_ID,
}
MASTER_KEYS_KEPT = 4_096
"""Passwords whose keys are kept: hashing a megabyte takes ten milliseconds, and routers have two."""

SALT_OCTETS = 8


@dataclass(frozen=True, slots=True)
class LocalUser:
    """One user's keys at one engine."""

    name: bytes
    engine_id: bytes
    auth: Any
    auth_key: Any = field(repr=False)
    privacy: Any
    privacy_key: Any = field(repr=False)

    @classmethod
    def at(cls, access: UserAccess, engine_id: bytes) -> "LocalUser":
        """The user of `access` at `engine_id`."""
        auth, privacy, engine = _auth(access.auth), _privacy(access.privacy), OctetString(engine_id)
        auth_key = auth.localize_key(_master_key(access.auth, access.auth_password), engine)
        privacy_key = privacy.localize_key(_AUTH_IDS[access.auth], _master_key(access.auth, access.privacy_password), engine)
        return cls(access.user.encode(), engine_id, auth, auth_key, privacy, privacy_key)

    def sealed(self, message: SecureMessage, pdu: Pdu) -> bytes:
        """`message` around `pdu`, encrypted and authenticated."""
        scoped = OctetString(encode_scoped(pdu))
        encrypted, salt = self.privacy.encrypt_data(self.privacy_key, (message.boots, message.seconds, None), scoped.asOctets())
        whole = replace(
            message,
            flags=message.flags | AUTH | PRIVACY,
            engine_id=self.engine_id,
            user=self.name,
            scoped=bytes(encrypted),
            digest=bytes(self.auth.digest_length),
            salt=bytes(salt),
        )
        return bytes(self.auth.authenticate_outgoing_message(self.auth_key, whole.encode()))

    def signed(self, message: SecureMessage, pdu: Pdu) -> bytes:
        """`message` around `pdu`, authenticated and readable: for reports of the time, which the other side lacks."""
        whole = replace(
            message,
            flags=AUTH,
            engine_id=self.engine_id,
            user=self.name,
            scoped=encode_scoped(pdu),
            digest=bytes(self.auth.digest_length),
        )
        return bytes(self.auth.authenticate_outgoing_message(self.auth_key, whole.encode()))

    def opened(self, message: SecureMessage) -> Pdu:
        """The PDU of a received message that is this user's. Raises SecurityError, WireError."""
        self.verify(message)
        if not message.flags & PRIVACY:
            return decode_scoped(message.scoped)
        if len(message.salt) != SALT_OCTETS:
            raise SecurityError("it cannot be decrypted")
        parameters = (message.boots, message.seconds, OctetString(message.salt))
        return decode_scoped(bytes(self.privacy.decrypt_data(self.privacy_key, parameters, OctetString(message.scoped))))

    def verify(self, message: SecureMessage) -> None:
        """Raises SecurityError where a received message is not authentic."""
        if not message.flags & AUTH or message.user != self.name or message.engine_id != self.engine_id:
            raise SecurityError("it is not authenticated as this user")
        try:
            self.auth.authenticate_incoming_message(self.auth_key, OctetString(message.digest), message.received)
        except PySnmpError:
            raise SecurityError("its digest is wrong") from None


@lru_cache
def _auth(protocol: AuthProtocol) -> Any:
    return HmacSha() if protocol is AuthProtocol.SHA1 else HmacSha2(_AUTH_IDS[protocol])


@lru_cache
def _privacy(protocol: PrivacyProtocol) -> Any:
    # One of each for the whole process: it counts its salts, and none is to be used twice.
    return Aes() if protocol is PrivacyProtocol.AES128 else Aes256()


@lru_cache(maxsize=MASTER_KEYS_KEPT)
def _master_key(protocol: AuthProtocol, password: str) -> Any:
    return _auth(protocol).hash_passphrase(password.encode())
