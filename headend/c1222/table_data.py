"""Octets of a table, as reads and writes carry them.

Layout  count: uint16 | octets: count | checksum: uint8, two's complement of their sum; count FFFF: that many, and another follows
Raises  TruncatedError, ChecksumError, TrailingOctetsError
Source  reference/field-protocol-c1222.md 1.4, table-data
"""

from zlib import adler32

from headend.c1222.cursor import Cursor
from headend.errors import ChecksumError

CONTINUED = 0xFFFF
"""The count that says so."""

_CHUNK = 256


def encode_table_data(octets: bytes) -> bytes:
    """Table data of any length."""
    parts = []
    while len(octets) >= CONTINUED:
        parts.append(_piece(octets[:CONTINUED]))
        octets = octets[CONTINUED:]
    parts.append(_piece(octets))
    return b"".join(parts)


def decode_table_data(octets: bytes, offset: int = 0) -> bytes:
    """The table's octets in what fills `octets` from `offset`; their checksum is verified."""
    start, last = offset + 2, len(octets) - 1
    # The usual case, one short piece, at a quarter of the cost: its octets and its checksum sum to 0.
    if start <= last and last - start <= _CHUNK and octets[offset] << 8 | octets[offset + 1] == last - start:
        data = octets[start:last]
        if not (adler32(data) - 1 + octets[last]) & 0xFF:
            return data
    cursor = Cursor(octets, offset)
    data = take_table_data(cursor)
    cursor.finish()
    return data


def decode_table_data_list(octets: bytes) -> list[bytes]:
    """The octets of several pieces of table data, one after another: what an indexed read may be answered with."""
    cursor = Cursor(octets)
    pieces = []
    while cursor.remaining:
        pieces.append(take_table_data(cursor))
    return pieces


def take_table_data(cursor: Cursor) -> bytes:
    """The table's octets, and those of every continuation."""
    count = cursor.uint16()
    data = _checked(cursor, count)
    while count == CONTINUED:
        count = cursor.uint16()
        data += _checked(cursor, count)
    return data


def _checked(cursor: Cursor, count: int) -> bytes:
    data = cursor.take(count)
    if (octet_sum(data) + cursor.uint8()) & 0xFF:
        raise ChecksumError(cursor.offset)
    return data


def _piece(octets: bytes) -> bytes:
    return len(octets).to_bytes(2) + octets + (-octet_sum(octets) & 0xFF).to_bytes(1)


def octet_sum(octets: bytes) -> int:
    """The sum of the octets; ten times as fast as `sum`.

    Adler-32 holds 1 + the sum in its low half, modulo 65521: exact for 256 octets, which sum to 65280 at most.
    """
    if len(octets) <= _CHUNK:
        return (adler32(octets) & 0xFFFF) - 1
    return sum((adler32(octets[start : start + _CHUNK]) & 0xFFFF) - 1 for start in range(0, len(octets), _CHUNK))
