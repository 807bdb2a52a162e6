"""A packed day without some of its channels: segments of other channels stay as they are, mixed ones are packed anew."""

from collections.abc import Collection

from adapters.store.day_packing import VERSION, check_version
from adapters.store.segments import heads, pack_segment, unpack_segment


def thinned_day(day: bytes, channels: Collection[int]) -> bytes | None:
    """`day` without the values and flags of `channels`; b"" where nothing is left, None where it has none of them. Raises PackingError."""
    check_version(day)
    parts: list[bytes] = []
    is_thinner = False
    there = [*heads(day, len(VERSION))]
    ends = [start for start, _ in there[1:]] + [len(day)]
    for (start, head), end in zip(there, ends, strict=True):
        gone = sum(channel in channels for channel, _, _ in head.channels)
        is_thinner |= gone > 0
        if not gone:
            parts.append(day[start:end])
        elif gone < len(head.channels):
            kept = [column for column in unpack_segment(day, start, head) if column.channel not in channels]
            parts.append(pack_segment(head.per_day, head.first, kept).octets)
    if not is_thinner:
        return None
    return VERSION + b"".join(parts) if parts else b""
