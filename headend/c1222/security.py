"""EAX': the authenticated encryption of C12.22, under one key.

Layout  N: the canonical cleartext | P: services, after the control octet | MAC: 4 octets
        L = E(0), D = dbl(L), Q = dbl(D); dbl reads 16 octets least significant first, and xors 87 into the first on a carry
        CMAC'(T, X): CBC-MAC from T over X, its last block xored with D, or padded with 80 00… and xored with Q
        encrypted: n = CMAC'(D, N), C = P xor CTR(n with bits 7 of octets 12 and 14 cleared), MAC = end of n xor CMAC'(Q, C)
        authenticated: MAC = end of CMAC'(D, N P)
Source  reference/field-protocol-c1222.md 2
"""

from enum import IntEnum
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes

from headend.c1222.errors import MacError
from headend.errors import SecurityError

_number = int.from_bytes  # binding it at every use would cost as much as the conversion

KEY_OCTETS = 16
MAC_OCTETS = 4

_BLOCK = 16
_PADS = tuple((b"\x80" + bytes(15))[: (-length) % _BLOCK] for length in range(_BLOCK))
_COUNTER_MASK = ~(1 << 31 | 1 << 15)
_BLOCK_MASK = (1 << 128) - 1
_MAC_MASK = 0xFFFFFFFF
_CTR, _CBC = modes.CTR(bytes(_BLOCK)), modes.CBC(bytes(_BLOCK))
"""Where both contexts begin; they hold no key."""


class SecurityMode(IntEnum):
    """How the services of a message are protected."""

    CLEAR = 0
    AUTHENTICATED = 1
    ENCRYPTED = 2


_CLEAR, _AUTHENTICATED, _ENCRYPTED = SecurityMode  # an enum's member costs more to look up than a global


class Cipher:
    """EAX' contexts of one 16-octet key: about 2.6 KiB and 20 microseconds, so one lives for a conversation, not for an endpoint.

    One CBC and one CTR context serve all messages, since making a context costs more than encrypting a message: the value CBC still
    holds from the last one is cancelled by xor. Hence not for use from several threads.
    """

    __slots__ = ("_chain", "_chained", "_d", "_q", "_reset_stream", "_streamed")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_OCTETS:
            raise SecurityError(f"a key has {KEY_OCTETS} octets, not {len(key)}")
        aes = algorithms.AES128(key)
        stream = BlockCipher(aes, _CTR).encryptor()
        self._streamed = stream.update
        self._reset_stream = stream.reset_nonce
        self._chained = BlockCipher(aes, _CBC).encryptor().update
        self._chain = 0
        once = _double(self._streamed(bytes(_BLOCK)))
        self._d = _number(once)
        self._q = _number(_double(once))

    def __repr__(self) -> str:
        return "Cipher()"

    def seal(self, mode: SecurityMode, cleartext_n: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        """(what goes on the wire in place of `plaintext`, its MAC). Raises SecurityError."""
        if mode == _CLEAR or len(cleartext_n) <= _BLOCK:
            raise _unsafe(mode, cleartext_n)
        if mode == _AUTHENTICATED:
            code = self._mac(self._d, cleartext_n + plaintext)
        else:
            code = self._mac(self._d, cleartext_n)
            if plaintext:
                plaintext = self._crypt(code, plaintext)
                code ^= self._mac(self._q, plaintext)
        return plaintext, (code & _MAC_MASK).to_bytes(4)

    def open(self, mode: SecurityMode, cleartext_n: bytes, ciphertext: bytes, mac: bytes) -> bytes:
        """The plaintext, once `mac` (compared in constant time) has been found right. Raises MacError, SecurityError."""
        if mode == _CLEAR or len(cleartext_n) <= _BLOCK:
            raise _unsafe(mode, cleartext_n)
        if mode == _AUTHENTICATED:
            code = n = self._mac(self._d, cleartext_n + ciphertext)
        else:
            code = n = self._mac(self._d, cleartext_n)
            if ciphertext:
                code ^= self._mac(self._q, ciphertext)
        if not compare_digest((code & _MAC_MASK).to_bytes(4), mac):
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
        self._chain = chain = _number(self._chained((_number(octets) ^ first ^ last).to_bytes(size))[-_BLOCK:])
        return chain

    def _crypt(self, n: int, octets: bytes) -> bytes:
        """`octets` xored with the key stream of `n`: its own inverse."""
        self._reset_stream((n & _COUNTER_MASK).to_bytes(_BLOCK))
        return self._streamed(octets)


def _unsafe(mode: SecurityMode, cleartext_n: bytes) -> SecurityError:
    if mode == _CLEAR:
        return SecurityError("mode 0 has nothing to seal or open")
    # EAX' is broken for a cleartext of one block (eprint 2012/018); no legal message comes near it.
    return SecurityError(f"canonical cleartext of {len(cleartext_n)} octets: EAX' is unsafe up to {_BLOCK}")


def _double(octets: bytes) -> bytes:
    value = int.from_bytes(octets, "little") << 1
    if value >> 128:
        value = (value & _BLOCK_MASK) ^ 0x87
    return value.to_bytes(_BLOCK, "little")
