"""What is known of an endpoint's UTC day as the octets of one row: a version, then segments, none of which overlaps another.

Layout  uint8: version 2 | segments, as in `segments`
Raises  PackingError
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

from adapters.store.blocks import Block, BlockKey, Values, at_scale
from adapters.store.segments import CHANNELS_MAX, Column, Head, PackingError, Segment, heads, pack_segment, unpack_segment
from headend.model.readings import DAY_SECONDS

VERSION = b"\x02"

SEGMENTS_MAX = 16
"""Segments of a day from which on those that continue one another are joined: each has some twenty octets that are no values."""


def extended_day(day: bytes, segments: Sequence[Segment]) -> bytes | None:
    """`day` (b"" where there is none) with `segments` behind it; None where one overlaps another, or where they are too many."""
    there = heads_of(day) if day else []
    if len(there) + len(segments) > SEGMENTS_MAX:
        return None
    for segment in segments:
        for other in there:
            if segment.head.overlaps(other):
                return None
        there.append(segment.head)
    return (day or VERSION) + b"".join([segment.octets for segment in segments])


def heads_of(day: bytes) -> list[Head]:
    """What the segments of a day are of."""
    check_version(day)
    return [head for _, head in heads(day, len(VERSION))]


def unpack_day(day: bytes, channels: Collection[int] | None = None) -> dict[BlockKey, Block]:
    """The blocks of a day, of `channels` or of all."""
    check_version(day)
    blocks: dict[BlockKey, Block] = {}
    for start, head in heads(day, len(VERSION)):
        if channels is None or any(channel in channels for channel, _, _ in head.channels):
            for column in unpack_segment(day, start, head):
                if channels is None or column.channel in channels:
                    _place(blocks, head, column)
    return blocks


def pack_day(blocks: Mapping[BlockKey, Block]) -> bytes:
    """The octets of whole blocks."""
    return VERSION + b"".join([segment.octets for segment in segments_of(blocks)])


def segments_of(blocks: Mapping[BlockKey, Block]) -> Iterator[Segment]:
    """Whole blocks as segments: a run of known values each, or of flags alone; channels with the same runs share theirs."""
    alike: dict[tuple[int, tuple[_Run, ...]], list[tuple[int, Block]]] = {}
    for channel, seconds in sorted(blocks):
        block = blocks[channel, seconds]
        alike.setdefault((len(block[0]), _runs(block[0], block[1])), []).append((channel, block))
    for (per_day, runs), members in alike.items():
        for first, end, known in runs:
            for start in range(0, len(members), CHANNELS_MAX):
                columns = [
                    Column(channel, exponent, values[first:end] if known else None, flags[first:end])  # type: ignore[arg-type]
                    for channel, (values, flags, exponent) in members[start : start + CHANNELS_MAX]
                ]
                yield pack_segment(per_day, first, columns)


_Run = tuple[int, int, bool]
"""Interval at which it begins, the one after its last, and whether their values are known."""


def _runs(values: Values, flags: Sequence[int]) -> tuple[_Run, ...]:
    if None not in values:
        return ((0, len(values), True),)
    kinds = [(value is not None, value is not None or flag != 0) for value, flag in zip(values, flags, strict=True)]
    runs, first = [], 0
    for (known, any_there), slots in groupby(kinds):
        end = first + sum(1 for _ in slots)
        if any_there:
            runs.append((first, end, known))
        first = end
    return tuple(runs)


def _place(blocks: dict[BlockKey, Block], head: Head, column: Column) -> None:
    """Put a segment's column into its day."""
    key = column.channel, DAY_SECONDS // head.per_day
    before = blocks.get(key)
    values, flags, exponent = before or ([None] * head.per_day, [0] * head.per_day, column.exponent)
    part: Values = column.values or [None] * len(column.flags)
    if column.exponent != exponent:
        # The meter has been reprogrammed in mid-day.
        exponent = min(exponent, column.exponent)
        values, _, _ = at_scale((values, flags, before[2] if before else exponent), exponent)
        part, _, _ = at_scale((part, column.flags, column.exponent), exponent)
    ends = slice(head.first, head.end)
    values[ends] = part  # type: ignore[index]
    flags[ends] = column.flags  # type: ignore[index]
    blocks[key] = (values, flags, exponent)


def check_version(day: bytes) -> None:
    """Raises PackingError for a day of another version."""
    if day[:1] != VERSION:
        raise PackingError(f"a packed day that begins with {day[:1].hex() or 'nothing'} is not known")
