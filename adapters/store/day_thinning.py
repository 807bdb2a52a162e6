"""A packed day without some of its channels: segments of other channels stay as they are, mixed ones are packed anew."""

from collections.abc import Collection

from adapters.store.day_packing import VERSION, segments_in
from adapters.store.segments import pack_segment, unpack_segment


def thinned_day(day: bytes, channels: Collection[int]) -> bytes | None:
    """`day` without the values and flags of `channels`; b"" where nothing is left, None where it has none of them. Raises PackingError."""
    parts: list[bytes] = []
    is_thinner = False
    for head, octets in segments_in(day):
        gone = sum(channel in channels for channel, _, _ in head.channels)
        is_thinner |= gone > 0
        if not gone:
            parts.append(octets)
        elif gone < len(head.channels):
            kept = [column for column in unpack_segment(octets, 0, head) if column.channel not in channels]
            parts.append(pack_segment(head.per_day, head.first, kept).octets)
    if not is_thinner:
        return None
    return VERSION + b"".join(parts) if parts else b""
