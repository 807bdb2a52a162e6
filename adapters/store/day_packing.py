"""All interval blocks of an endpoint's UTC day as the octets of one row.

Layout  uint8: version 1, then for each block, by channel: uint16 channel | uint16 length | octets as in `packing`.
        A block's interval length is the day divided by its number of intervals. Integers little-endian.
Raises  PackingError
"""

import struct

from adapters.store.packing import PackingError, intervals_of
from headend.model.readings import DAY_SECONDS

BlockKey = tuple[int, int]
"""Channel, interval length in seconds."""

_VERSION = 1
_ENTRY = struct.Struct("<HH")


def join_day(blocks: dict[BlockKey, bytes]) -> bytes:
    """The octets of a day's packed blocks."""
    try:
        return bytes((_VERSION,)) + b"".join([_ENTRY.pack(key[0], len(blocks[key])) + blocks[key] for key in sorted(blocks)])
    except struct.error:
        raise PackingError("a channel number or a packed block is too large for its day") from None


def split_day(octets: bytes) -> dict[BlockKey, bytes]:
    """The packed blocks of a day."""
    if octets[:1] != bytes((_VERSION,)):
        raise PackingError(f"a packed day that begins with {octets[:1].hex() or 'nothing'} is not known")
    blocks: dict[BlockKey, bytes] = {}
    offset = 1
    while offset < len(octets):
        if offset + _ENTRY.size > len(octets):
            raise PackingError(f"a packed day ends at octet {len(octets)}, in the middle of a block's head")
        channel, length = _ENTRY.unpack_from(octets, offset)
        offset += _ENTRY.size
        block = octets[offset : offset + length]
        offset += length
        if len(block) != length:
            raise PackingError(f"a packed day ends at octet {len(octets)}, in the middle of channel {channel}")
        blocks[channel, DAY_SECONDS // intervals_of(block)] = block
    return blocks
