"""The user-based security of SNMPv3: keys from passwords, digests and ciphers.

Source  RFC 3414 A.2 (passwords and localized keys), RFC 7860 (HMAC-SHA-2), RFC 3826 (AES in CFB mode); AES-256 with the key lengthened as
        Cisco does it (draft-reeder-snmpv3-usm-3desede-00 2.1), which changes nothing where the digest is 32 octets or longer
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from headend.model.router import AuthProtocol, PrivacyProtocol, UserAccess

PASSWORD_OCTETS = 1_048_576
"""A password is repeated to so many octets before it is hashed."""

_HASHES: dict[AuthProtocol, Callable[..., "hashlib._Hash"]] = {
    AuthProtocol.SHA1: hashlib.sha1,
    AuthProtocol.SHA256: hashlib.sha256,
    AuthProtocol.SHA384: hashlib.sha384,
    AuthProtocol.SHA512: hashlib.sha512,
}
DIGEST_OCTETS = {AuthProtocol.SHA1: 12, AuthProtocol.SHA256: 24, AuthProtocol.SHA384: 32, AuthProtocol.SHA512: 48}
_KEY_OCTETS = {PrivacyProtocol.AES128: 16, PrivacyProtocol.AES256: 32}


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A user's keys at one engine."""

    name: str
    auth: AuthProtocol
    auth_key: bytes = field(repr=False)
    privacy_key: bytes = field(repr=False)

    @classmethod
    def at(cls, access: UserAccess, engine_id: bytes) -> "LocalUser":
        """The user of `access`, localized to `engine_id`."""
        auth_key = localized(access.auth, master_key(access.auth, access.auth_password), engine_id)
        privacy_key = localized(access.auth, master_key(access.auth, access.privacy_password), engine_id)
        return cls(access.user, access.auth, auth_key, _lengthened(access.auth, privacy_key, engine_id, _KEY_OCTETS[access.privacy]))

    @property
    def digest_octets(self) -> int:
        """Length of a message's digest."""
        return DIGEST_OCTETS[self.auth]

    def digest(self, message: bytes) -> bytes:
        """The digest of a whole message whose own digest is zeros."""
        return hmac.new(self.auth_key, message, _HASHES[self.auth]).digest()[: self.digest_octets]

    def encrypt(self, octets: bytes, boots: int, seconds: int, salt: bytes) -> bytes:
        """A scoped PDU under the engine's time and a salt that is never used again."""
        encryptor = self._cipher(boots, seconds, salt).encryptor()
        return encryptor.update(octets) + encryptor.finalize()

    def decrypt(self, octets: bytes, boots: int, seconds: int, salt: bytes) -> bytes:
        """The scoped PDU again; noise where the key is another."""
        decryptor = self._cipher(boots, seconds, salt).decryptor()
        return decryptor.update(octets) + decryptor.finalize()

    def _cipher(self, boots: int, seconds: int, salt: bytes) -> Cipher[CFB]:
        return Cipher(algorithms.AES(self.privacy_key), CFB(boots.to_bytes(4) + seconds.to_bytes(4) + salt))


@lru_cache(maxsize=4_096)
def master_key(auth: AuthProtocol, password: str) -> bytes:
    """The key of a password at no engine in particular: a megabyte hashed, so it is kept."""
    octets = password.encode()
    return _HASHES[auth]((octets * (PASSWORD_OCTETS // len(octets) + 1))[:PASSWORD_OCTETS]).digest()


def localized(auth: AuthProtocol, key: bytes, engine_id: bytes) -> bytes:
    """A key as one engine knows it."""
    return _HASHES[auth](key + engine_id + key).digest()


def _lengthened(auth: AuthProtocol, key: bytes, engine_id: bytes, octets: int) -> bytes:
    while len(key) < octets:
        key += localized(auth, _HASHES[auth](_ring(key)).digest(), engine_id)
    return key[:octets]


def _ring(key: bytes) -> bytes:
    return (key * (PASSWORD_OCTETS // len(key) + 1))[:PASSWORD_OCTETS]
