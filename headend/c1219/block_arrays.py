"""Many load-profile blocks of one layout decoded at once: the arrays that `BlockLayout.decode` gives column by column, block by block.

Only plain integers are decoded here; a layout with numbers of another kind has its blocks decoded one by one.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headend.c1219.interval_status import COMMON_FLAGS, HIGH_FLAGS, LOW_FLAGS, MISSING
from headend.c1219.profile_blocks import DST, BlockLayout

_COMMON, _LOW, _HIGH = (np.array(table, np.uint16) for table in (COMMON_FLAGS, LOW_FLAGS, HIGH_FLAGS))


class BlockArrays(NamedTuple):
    """As many blocks as were given, in time order, `intervals` of each.

    Layout  values: int64[blocks, channels, intervals] | flags: uint16 of the same shape, None where no interval has any
            stamps: the STIME octets of each | dst: what the status of the newest interval says, None where there is no such status
    """

    stamps: list[bytes]
    values: NDArray[np.int64]
    flags: NDArray[np.uint16] | None
    dst: list[bool] | None


def is_plain(layout: BlockLayout) -> bool:
    """Whether blocks of this layout can be decoded here."""
    return layout.number.read is None


def decode_blocks(layout: BlockLayout, octets: Sequence[bytes], valid: int, *, descending: bool) -> BlockArrays:
    """Blocks of `valid` intervals; each is the head and these intervals' rows, all of one length. See `BlockLayout.decode`."""
    count = len(octets)
    size = layout.header_size + valid * layout.row_size
    whole = np.frombuffer(b"".join(octets), np.uint8).reshape(count, -1)[:, :size]
    rows = whole[:, layout.header_size :].reshape(count, valid, layout.row_size)
    if descending:
        rows = rows[:, ::-1]
    number = np.dtype(("<" if layout.formats.little else ">") + layout.number.code)
    items = np.ascontiguousarray(rows[:, :, layout.status_size :]).view(number)
    values = np.ascontiguousarray(items.transpose(0, 2, 1), np.int64)
    flags, dst = _extended(layout, rows[:, :, : layout.status_size]) if layout.extended else (None, None)
    if layout.simple:
        flags = _with_simple(flags, whole[:, layout.header_size - layout.simple : layout.header_size], values.shape, descending=descending)
    stamp = layout.formats.time.stime_size
    return BlockArrays([block[:stamp] for block in octets], values, flags, dst)


def _extended(layout: BlockLayout, status: NDArray[np.uint8]) -> tuple[NDArray[np.uint16] | None, list[bool]]:
    """Flags and daylight saving from status octets[blocks, intervals, octets]."""
    if not status.any():
        return None, [False] * len(status)
    common = _COMMON[status[:, :, 0]]
    columns = [common | (_HIGH if channel % 2 else _LOW)[status[:, :, (channel + 1) // 2]] for channel in range(layout.channels)]
    flags = np.stack(columns, axis=1)
    return flags, (flags[:, 0, -1] & DST != 0).tolist()


def _with_simple(
    flags: NDArray[np.uint16] | None, bits: NDArray[np.uint8], shape: tuple[int, ...], *, descending: bool
) -> NDArray[np.uint16] | None:
    """`flags` with MISSING where the bit of an interval is clear; bits count rows, which are in time order unless `descending`."""
    valid = np.unpackbits(bits, axis=1, count=shape[2], bitorder="little").astype(bool)
    if valid.all():
        return flags
    if descending:
        valid = valid[:, ::-1]
    missing = np.where(valid, np.uint16(0), np.uint16(MISSING))[:, np.newaxis]
    return np.broadcast_to(missing, shape) | (np.zeros((), np.uint16) if flags is None else flags)
