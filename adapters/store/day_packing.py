"""What is known of an endpoint's UTC day as the octets of one row: a version, then segments, none of which overlaps another.

A segment stands with the day on which it begins and may reach into the next: a local day, which touches two UTC days, is one of them,
and is written once. So what is known of a day is told by its own row and by that of the day before.

Layout  uint8: version 2 | segments, as in `segments`
Raises  PackingError
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from adapters.store.blocks import Block, BlockKey, Values, at_scale
from adapters.store.segments import CHANNELS_MAX, Column, Head, PackingError, Segment, heads, pack_segment, unpack_segment
from headend.model.readings import DAY_SECONDS

VERSION = b"\x02"

SEGMENTS_MAX = 16
"""Segments of a row from which on those that continue one another are joined: each has some twenty octets that are no values."""

Blocks = dict[BlockKey, Block]
"""What is known of one day."""


def extended_days(rows: Mapping[int, bytes], arrived: Mapping[int, Sequence[Segment]]) -> dict[int, bytes] | None:
    """An endpoint's rows by day, with the segments that `arrived` behind theirs: those rows that are longer then.

    `rows` are those there are of each day's of `arrived`, the ones before and the ones after. None where one segment overlaps another,
    or where they are too many.
    """
    there = {day: heads_of(row) for day, row in rows.items()}
    longer: dict[int, bytes] = {}
    for day, segments in arrived.items():
        own = there.setdefault(day, [])
        if len(own) + len(segments) > SEGMENTS_MAX:
            return None
        before = [other for other in there.get(day - 1, ()) if other.end > other.per_day]
        after = there.get(day + 1, ())
        parts = [rows.get(day, VERSION)]
        for head, octets in segments:
            for later, others in ((-1, before), (0, own), (1, after)):
                for other in others:
                    if head.overlaps(other, later):
                        return None
            own.append(head)
            parts.append(octets)
        longer[day] = b"".join(parts)
    return longer


def heads_of(row: bytes) -> list[Head]:
    """What the segments of a row are of."""
    check_version(row)
    return [head for _, head in heads(row, len(VERSION))]


def segments_in(row: bytes) -> Iterator[Segment]:
    """The segments of a row, each by itself."""
    check_version(row)
    there = [*heads(row, len(VERSION))]
    ends = [start for start, _ in there[1:]] + [len(row)]
    for (start, head), end in zip(there, ends, strict=True):
        yield Segment(head, row[start:end])


def unpack_day(rows: Mapping[int, bytes], day: int, channels: Collection[int] | None = None) -> Blocks:
    """The blocks of a day, of `channels` or of all; `rows` are the day's and that of the day before, where there are any."""
    return unpack_days(rows.items(), channels).get(day, {})


def unpack_days(rows: Iterable[tuple[int, bytes]], channels: Collection[int] | None = None) -> dict[int, Blocks]:
    """The blocks in an endpoint's rows, of `channels` or of all, by day; what rows that are not given hold of these days is missing."""
    days: dict[int, Blocks] = {}
    for day, row in rows:
        check_version(row)
        for start, head in heads(row, len(VERSION)):
            if channels is None or any(channel in channels for channel, _, _ in head.channels):
                for column in unpack_segment(row, start, head):
                    if channels is None or column.channel in channels:
                        _place(days, day, head, column)
    return days


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
                    Column(channel, exponent, values[first:end] if known else None, flags[first:end])  # type: ignore[arg-type]  # a run is known
                    for channel, (values, flags, exponent) in members[start : start + CHANNELS_MAX]
                ]
                yield pack_segment(per_day, first, columns)


def part_of_day(segment: Segment, later: int) -> Segment:
    """What of a segment lies in the day it is kept with (0), or in the next (1); still counted from the beginning of the first."""
    head = segment.head
    first, end = max(head.first, later * head.per_day), min(head.end, (later + 1) * head.per_day)
    part = slice(first - head.first, end - head.first)
    columns = [
        column._replace(values=None if column.values is None else column.values[part], flags=column.flags[part])
        for column in unpack_segment(segment.octets, 0, head)
    ]
    return pack_segment(head.per_day, first, columns)


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


def _place(days: dict[int, Blocks], day: int, head: Head, column: Column) -> None:
    """Put a column of a segment that is kept with `day` into the days it is of."""
    per_day = head.per_day
    for later in head.days:
        first, end = max(head.first - later * per_day, 0), min(head.end - later * per_day, per_day)
        skipped = first + later * per_day - head.first
        part = slice(skipped, skipped + end - first)
        values: Values = [None] * (end - first) if column.values is None else column.values[part]
        _put(days.setdefault(day + later, {}), per_day, slice(first, end), column, (values, column.flags[part], column.exponent))


def _put(blocks: Blocks, per_day: int, place: slice, column: Column, part: Block) -> None:
    key = column.channel, DAY_SECONDS // per_day
    before = blocks.get(key)
    values, flags, exponent = before or ([None] * per_day, [0] * per_day, part[2])
    if part[2] != exponent:
        # The meter has been reprogrammed in mid-day.
        exponent = min(exponent, part[2])
        values, _, _ = at_scale((values, flags, before[2] if before else exponent), exponent)
        part = at_scale(part, exponent)
    values[place] = part[0]  # type: ignore[index]  # lists by now: new, or from at_scale or _put
    flags[place] = part[1]  # type: ignore[index]  # as the values
    blocks[key] = (values, flags, exponent)


def check_version(row: bytes) -> None:
    """Raises PackingError for a row of another version."""
    if row[:1] != VERSION:
        raise PackingError(f"a packed day that begins with {row[:1].hex() or 'nothing'} is not known")
