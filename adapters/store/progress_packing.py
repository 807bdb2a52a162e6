"""Collection progress and meter programs as octets.

Layout  progress: uint8 version 2 | int64 self_read_seq | int64 event_seq | uint16 reply_octets_max | uint8 octets of device, UTF-8 |
        uint8 wake-ups, uint16 each |
        for each set: int64 block_seq, uint16 element, uint16 valid_intervals, int64 end in microseconds. Empty: nothing collected yet.
        Version 1 has no device.
        program: for each table: uint16 number | uint32 length | octets.
        Integers little-endian.
Raises  StoreError for octets that are neither
"""

import struct

from adapters.store.instants import from_us, to_us
from headend.errors import StoreError
from headend.model.collection import Progress, SetProgress

_VERSION = 2
_DEVICE_OCTETS_MAX = 64
_PROGRESS = struct.Struct("<BqqH")
_SET = struct.Struct("<qHHq")
_TABLE = struct.Struct("<HI")

_NOTHING = Progress()


def pack_progress(progress: Progress) -> bytes:
    """Octets of `progress`."""
    try:
        device = progress.device.encode()[:_DEVICE_OCTETS_MAX]
        head = _PROGRESS.pack(_VERSION, progress.self_read_seq, progress.event_seq, progress.reply_octets_max)
        head += bytes((len(device),)) + device + bytes((len(progress.wake_ups),))
        if progress.wake_ups:
            head += struct.pack(f"<{len(progress.wake_ups)}H", *progress.wake_ups)
        return head + b"".join([_SET.pack(s.block_seq, s.element, s.valid_intervals, to_us(s.end)) for s in progress.sets])
    except (struct.error, ValueError) as error:
        raise StoreError(f"collection progress out of range: {error}") from None


def unpack_progress(octets: bytes) -> Progress:
    """The progress that made `octets`."""
    if not octets:
        return _NOTHING
    try:
        version, self_read_seq, event_seq, reply_octets_max = _PROGRESS.unpack_from(octets)
        if version not in {1, _VERSION}:
            raise StoreError(f"collection progress of version {version} is not known")
        at, device = _PROGRESS.size, ""
        wake_ups: tuple[int, ...] = ()
        if version == _VERSION:
            at += 1 + octets[at]
            device = octets[_PROGRESS.size + 1 : at].decode("utf-8", "replace")
            wake_ups = struct.unpack_from(f"<{octets[at]}H", octets, at + 1)
            at += 1 + 2 * octets[at]
        parts = _SET.iter_unpack(octets[at:])
        sets = tuple([SetProgress(seq, element, valid, from_us(end)) for seq, element, valid, end in parts])
    except (struct.error, OverflowError, IndexError):
        raise StoreError(f"{len(octets)} octets that are no collection progress") from None
    return Progress(sets, self_read_seq, event_seq, reply_octets_max, device, wake_ups)


def pack_tables(tables: tuple[tuple[int, bytes], ...]) -> bytes:
    """Octets of a meter program's tables."""
    return b"".join([_TABLE.pack(number, len(octets)) + octets for number, octets in tables])


def unpack_tables(octets: bytes) -> tuple[tuple[int, bytes], ...]:
    """The tables that made `octets`."""
    tables, offset = [], 0
    while offset < len(octets):
        if offset + _TABLE.size > len(octets):
            raise StoreError("a stored meter program ends in the middle of a table")
        number, length = _TABLE.unpack_from(octets, offset)
        offset += _TABLE.size
        tables.append((number, octets[offset : offset + length]))
        offset += length
    if offset != len(octets):
        raise StoreError("a stored meter program ends in the middle of a table")
    return tuple(tables)
