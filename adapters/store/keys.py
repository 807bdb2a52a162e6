"""Meter keys and other secrets at rest: sealed one by one with AES-GCM under a key file that stays outside the database.

Layout  key file: lines of text, `headend-key-file 1`, then `<id> <64 hex digits>` for each key; the last one seals, all open.
        The id is the first 8 hex digits of the key's SHA-256, so a changed line is noticed.
        Sealed key: uint8 1 | 4 octets key id | 12 octets nonce | ciphertext and 16 octets tag.
        Associated data: what the key belongs to (utility, meter number, key id): moved to another endpoint it does not open.
"""

import hashlib
import hmac
import os
import stat
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.store.errors import StoreMismatchError
from adapters.store.limits import KEY_FILE_OCTETS_MAX
from headend.errors import StoreError

HEADER = "headend-key-file 1"
_VERSION = 1
_ID_OCTETS = 4
_NONCE_OCTETS = 12
_PREFIX_OCTETS = 1 + _ID_OCTETS + _NONCE_OCTETS


class KeyFileError(StoreError):
    """A key file that is missing, open to others, or not one."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        super().__init__(f"key file {path} {what}")


class KeySealer:
    """Seals and opens meter keys and partners' secrets; shows none of them."""

    def __init__(self, path: Path, utility_id: str, keys: dict[bytes, bytes], random_octets: Callable[[int], bytes] = os.urandom) -> None:
        self._path = path
        self._utility_id = utility_id
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(reversed(keys))
        self._random_octets = random_octets

    def __repr__(self) -> str:
        return f"KeySealer({self._path}, keys {', '.join(key_id.hex() for key_id in self._ciphers)})"

    def seal(self, key: bytes, meter_no: str, key_id: int) -> bytes:
        """`key` under the newest line of the file, bound to its meter and id."""
        nonce = self._random_octets(_NONCE_OCTETS)
        return bytes((_VERSION,)) + self._current + nonce + self._ciphers[self._current].encrypt(nonce, key, self._owner(meter_no, key_id))

    def open(self, sealed: bytes, meter_no: str, key_id: int) -> bytes:
        """The key again. Raises StoreMismatchError for one sealed under a file that is not this one, StoreError for a damaged one."""
        try:
            return self._decrypted(sealed, self._owner(meter_no, key_id))
        except InvalidTag:
            raise StoreError(f"the stored key {key_id} of meter {meter_no!r} is damaged or belongs to another") from None

    def seal_text(self, text: str, owner: str) -> bytes:
        """A secret that is no meter's, bound to what it belongs to."""
        nonce = self._random_octets(_NONCE_OCTETS)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), self._secret_of(owner))
        return bytes((_VERSION,)) + self._current + nonce + sealed

    def open_text(self, sealed: bytes, owner: str) -> str:
        """The secret again. Raises StoreMismatchError for one sealed under another file, StoreError for a damaged one."""
        try:
            return self._decrypted(sealed, self._secret_of(owner)).decode()
        except InvalidTag:
            raise StoreError(f"the stored secret of {owner} is damaged or belongs to another") from None

    def holds(self, sealed: bytes, key: bytes, meter_no: str, key_id: int) -> bool:
        """Whether `sealed` is this key of this meter. Raises StoreMismatchError for one sealed under another file."""
        try:
            return hmac.compare_digest(self.open(sealed, meter_no, key_id), key)
        except StoreMismatchError:
            raise
        except StoreError:
            return False

    def _decrypted(self, sealed: bytes, associated: bytes) -> bytes:
        """Raises InvalidTag, StoreMismatchError."""
        cipher = self._ciphers.get(sealed[1 : 1 + _ID_OCTETS])
        if cipher is None or sealed[0] != _VERSION:
            raise StoreMismatchError(
                f"a stored key was sealed under key {sealed[1 : 1 + _ID_OCTETS].hex()}, which key file {self._path} does not hold"
            )
        return cipher.decrypt(sealed[1 + _ID_OCTETS : _PREFIX_OCTETS], sealed[_PREFIX_OCTETS:], associated)

    def _secret_of(self, owner: str) -> bytes:
        # Three fields, the last one no number: no meter's key is bound to this.
        return f"{self._utility_id}\0{owner}\0secret".encode()

    def _owner(self, meter_no: str, key_id: int) -> bytes:
        return f"{self._utility_id}\0{meter_no}\0{key_id}".encode()


def create_key_file(path: Path, random_octets: Callable[[int], bytes] = os.urandom) -> None:
    """A new file with one key, readable by its owner only. Raises KeyFileError where one stands already or cannot be written."""
    key = random_octets(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{HEADER}\n{_key_id(key).hex()} {key.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise KeyFileError(path, f"cannot be created: {error.strerror}") from None


def read_key_file(path: Path, utility_id: str) -> KeySealer:
    """The keys of a file, for one utility. Raises KeyFileError; no message shows a key."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            octets = file.read(KEY_FILE_OCTETS_MAX + 1)
    except OSError as error:
        raise KeyFileError(path, f"cannot be read: {error.strerror}") from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(path, f"may be read by others (mode {stat.S_IMODE(mode):04o}); run chmod 600 on it")
    if len(octets) > KEY_FILE_OCTETS_MAX:
        raise KeyFileError(path, f"is larger than {KEY_FILE_OCTETS_MAX} octets: not a key file")
    return KeySealer(path, utility_id, _parse(path, octets.decode("ascii", "replace").splitlines()))


def _parse(path: Path, lines: list[str]) -> dict[bytes, bytes]:
    if not lines or lines[0].strip() != HEADER:
        raise KeyFileError(path, f"is not one: its first line is not {HEADER!r}")
    keys: dict[bytes, bytes] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        try:
            key_id, key = (bytes.fromhex(word) for word in line.split())
        except ValueError:
            raise KeyFileError(path, f"line {number}: an id and 64 hex digits are wanted") from None
        if len(key) != 32 or key_id != _key_id(key):
            raise KeyFileError(path, f"line {number}: the key does not match its id")
        keys[key_id] = key
    if not keys:
        raise KeyFileError(path, "holds no key")
    return keys


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()[:_ID_OCTETS]
