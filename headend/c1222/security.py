"""EAX': the authenticated encryption of C12.22, under one key.

Layout  N: the canonical cleartext | P: services, after the control octet | MAC: 4 octets
        L = E(0), D = dbl(L), Q = dbl(D); dbl reads 16 octets least significant first, and xors 87 into the first on a carry
        CMAC'(T, X): CBC-MAC from T over X, its last block xored with D, or padded with 80 00… and xored with Q
        encrypted: n = CMAC'(D, N), C = P xor CTR(n with bits 7 of octets 12 and 14 cleared), MAC = end of n xor CMAC'(Q, C)
        authenticated: MAC = end of CMAC'(D, N P)
Source  reference/field-protocol-c1222.md 2
"""

from enum import IntEnum
from functools import lru_cache
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes

from headend.c1222.errors import MacError
from headend.errors import SecurityError

KEY_OCTETS = 16
MAC_OCTETS = 4

_BLOCK = 16
_PADS = tuple((b"\x80" + bytes(15))[: (-length) % _BLOCK] for length in range(_BLOCK))
_COUNTER_MASK = ~(1 << 31 | 1 << 15)
_BLOCK_MASK = (1 << 128) - 1
_MAC_MASK = 0xFFFFFFFF


class SecurityMode(IntEnum):
    """How the services of a message are protected."""

    CLEAR = 0
    AUTHENTICATED = 1
    ENCRYPTED = 2


_CLEAR, _AUTHENTICATED, _ENCRYPTED = SecurityMode  # an enum's member costs more to look up than a global


class Cipher:
    """EAX' contexts of one 16-octet key: about 2.6 KiB and 20 microseconds, so one lives for a conversation, not for an endpoint.

    One CBC and one ECB context serve all messages: the value CBC still holds from the last one is cancelled by xor, since making
    a context costs more than encrypting a message. Hence not for use from several threads.
    """

    __slots__ = ("_chain", "_chained", "_d", "_independent", "_q")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_OCTETS:
            raise SecurityError(f"a key has {KEY_OCTETS} octets, not {len(key)}")
        aes = algorithms.AES(key)
        # EAX' itself is built of single blocks, and its MAC begins at a value of its own: hence ECB and a zero start.
        self._independent = BlockCipher(aes, modes.ECB()).encryptor().update  # noqa: S305
        self._chained = BlockCipher(aes, modes.CBC(bytes(_BLOCK))).encryptor().update
        self._chain = 0
        once = _double(self._independent(bytes(_BLOCK)))
        self._d = int.from_bytes(once)
        self._q = int.from_bytes(_double(once))

    def __repr__(self) -> str:
        return "Cipher()"

    def seal(self, mode: SecurityMode, cleartext_n: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """(what goes on the wire in place of `plaintext`, its MAC). Raises SecurityError."""
        _check(mode, cleartext_n)
        if mode == _AUTHENTICATED:
            return plaintext, (self._mac(self._d, cleartext_n + plaintext) & _MAC_MASK).to_bytes(MAC_OCTETS)
        n = self._mac(self._d, cleartext_n)
        if not plaintext:
            return plaintext, (n & _MAC_MASK).to_bytes(MAC_OCTETS)
        ciphertext = self._crypt(n, plaintext)
        return ciphertext, ((n ^ self._mac(self._q, ciphertext)) & _MAC_MASK).to_bytes(MAC_OCTETS)

    def open(self, mode: SecurityMode, cleartext_n: bytes, ciphertext: bytes, mac: bytes) -> bytes:
        """The plaintext, once `mac` (compared in constant time) has been found right. Raises MacError, SecurityError."""
        _check(mode, cleartext_n)
        if mode == _AUTHENTICATED:
            code = n = self._mac(self._d, cleartext_n + ciphertext)
        else:
            n = self._mac(self._d, cleartext_n)
            code = n ^ self._mac(self._q, ciphertext) if ciphertext else n
        if not compare_digest((code & _MAC_MASK).to_bytes(MAC_OCTETS), mac):
            raise MacError
        return self._crypt(n, ciphertext) if mode == _ENCRYPTED and ciphertext else ciphertext

    def _mac(self, start: int, octets: bytes) -> int:
        """CMAC' of `octets` (never empty) from `start`."""
        if remainder := len(octets) % _BLOCK:
            octets += _PADS[remainder]
            last = self._q
        else:
            last = self._d
        size = len(octets)
        first = (start ^ self._chain) << 8 * size - 128
        blocks = self._chained((int.from_bytes(octets) ^ first ^ last).to_bytes(size))
        self._chain = chain = int.from_bytes(blocks) & _BLOCK_MASK
        return chain

    def _crypt(self, n: int, octets: bytes) -> bytes:
        """`octets` (never empty) xored with the key stream of `n`: its own inverse."""
        length = len(octets)
        blocks = (length + _BLOCK - 1) // _BLOCK
        ones, steps = _counters(blocks)
        stream = self._independent(((n & _COUNTER_MASK) * ones + steps).to_bytes(blocks * _BLOCK))
        return (int.from_bytes(octets) ^ int.from_bytes(stream[:length])).to_bytes(length)


def _check(mode: SecurityMode, cleartext_n: bytes) -> None:
    # EAX' is broken for a cleartext of one block (eprint 2012/018); no legal message comes near it.
    if len(cleartext_n) <= _BLOCK:
        raise SecurityError(f"canonical cleartext of {len(cleartext_n)} octets: EAX' is unsafe up to {_BLOCK}")
    if mode == _CLEAR:
        raise SecurityError("mode 0 has nothing to seal or open")


def _double(octets: bytes) -> bytes:
    value = int.from_bytes(octets, "little") << 1
    if value >> 128:
        value = (value & _BLOCK_MASK) ^ 0x87
    return value.to_bytes(_BLOCK, "little")


@lru_cache(maxsize=128)
def _counters(blocks: int) -> tuple[int, int]:
    """(a one in each of so many 128-bit words, 0 1 2 … in them): c * ones + steps is c, c + 1, … side by side.

    The cleared bits of the first counter leave room for 2^15 blocks, so no word carries into the next.
    """
    ones = steps = 0
    for step in range(blocks):
        ones = ones << 128 | 1
        steps = steps << 128 | step
    return ones, steps
