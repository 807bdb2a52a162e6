"""Packed rows of an endpoint → all intervals of a period, channel by channel, known or not.

Unlike blocks of days these fit a local day, and where a segment is just that day, its columns are taken as they are.
"""

from collections.abc import Sequence
from functools import lru_cache

from adapters.store.blocks import at_scale
from adapters.store.day_packing import VERSION, check_version
from adapters.store.segments import Column, Head, heads, unpack_segment
from headend.model.channels import CHANNEL_BY_NAME, ChannelId
from headend.model.endpoint import CONFIGURATIONS
from headend.model.export import ChannelDay, intervals_between
from headend.model.readings import DAY_SECONDS

Key = tuple[int, int]
"""Channel, interval length in seconds."""


@lru_cache(maxsize=4_096)
def expected_keys(configuration: str, channels: frozenset[ChannelId]) -> tuple[Key, ...]:
    """Channels that a configuration has intervals of, as far as they are wanted."""
    found = ((CHANNEL_BY_NAME[name].channel_id, seconds) for name, seconds in CONFIGURATIONS[configuration].intervals)
    return tuple(sorted(key for key in found if key[0] in channels))


def channel_days(
    rows: Sequence[tuple[int, bytes]], start: int, end: int, channels: frozenset[ChannelId], expected: Sequence[Key]
) -> list[ChannelDay]:
    """An endpoint's intervals from UNIX second `start` to `end`, by channel and length; those expected are there if only as gaps.

    A channel that has values of another length than the expected one is told by that. Raises PackingError.
    """
    found: dict[Key, ChannelDay] = {}
    for day, row in rows:
        check_version(row)
        begin = day * DAY_SECONDS
        for offset, head in heads(row, len(VERSION)):
            span = _span(head, begin, start, end)
            if span is None or channels.isdisjoint(_channels(head)):
                continue
            seconds, first, skip, count, total = span
            for column in unpack_segment(row, offset, head):
                if column.channel in channels:
                    _put(found, (column.channel, seconds), column, first, skip, count, total, any_flags=head.flags_form > 0)
    measured = {channel for channel, _ in found}
    for channel, seconds in expected:
        if channel not in measured:
            total = intervals_between(start, end, seconds)
            found[channel, seconds] = ChannelDay(ChannelId(channel), seconds, 0, [None] * total, None, whole=False)
    return [found[key] for key in sorted(found)]


@lru_cache(maxsize=4_096)
def _channels(head: Head) -> frozenset[int]:
    return frozenset(channel for channel, _, _ in head.channels)


@lru_cache(maxsize=4_096)
def _span(head: Head, begin: int, start: int, end: int) -> tuple[int, int, int, int, int] | None:
    """(interval length, place of its first interval in the period, how many lie before that, how many in it, how many the period has)."""
    seconds = DAY_SECONDS // head.per_day
    first = begin // seconds + head.first - start // seconds
    total = intervals_between(start, end, seconds)
    low, high = max(first, 0), min(first + head.end - head.first, total)
    return None if low >= high else (seconds, low, low - first, high - low, total)


def _put(
    found: dict[Key, ChannelDay], key: Key, column: Column, first: int, skip: int, count: int, total: int, *, any_flags: bool
) -> None:
    """Put a segment's column into the period, over what is there."""
    before = found.get(key)
    part = slice(skip, skip + count)
    values: Sequence[int | None] = [None] * count if column.values is None else column.values[part]
    flags = column.flags[part] if any_flags else None
    if flags is not None and not any(flags):
        flags = None
    if count == total:
        whole = column.values is not None and flags is None
        found[key] = ChannelDay(ChannelId(key[0]), key[1], column.exponent, values, flags, whole)
        return
    exponent = column.exponent if before is None else min(column.exponent, before.exponent)
    all_values: list[int | None] = [None] * total if before is None else list(_scaled(before.values, before.exponent, exponent))
    all_values[first : first + count] = _scaled(values, column.exponent, exponent)
    all_flags = None if before is None or before.flags is None else list(before.flags)
    if flags is not None or all_flags is not None:
        all_flags = all_flags or [0] * total
        all_flags[first : first + count] = flags or [0] * count
    whole = all_flags is None and None not in all_values
    found[key] = ChannelDay(ChannelId(key[0]), key[1], exponent, all_values, all_flags, whole)


def _scaled(values: Sequence[int | None], exponent: int, wanted: int) -> Sequence[int | None]:
    return values if exponent == wanted else at_scale((values, [0] * len(values), exponent), wanted)[0]
