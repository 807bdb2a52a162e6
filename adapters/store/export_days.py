"""Packed rows of an endpoint → all intervals of a period, channel by channel, known or not.

Unlike blocks of days these fit a local day. What a segment brings to a period follows from its head and the day that it is kept with, so
that is worked out once for all endpoints that are alike; a segment that is just the period, without flags, is taken as it is.
"""

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from struct import error as struct_error
from typing import NamedTuple

from adapters.store.blocks import at_scale
from adapters.store.day_packing import VERSION, check_version
from adapters.store.segments import (
    CHANNEL,
    CHANNELS_AT,
    FLAGS_SIZE,
    HEAD,
    OFFSETS,
    SIGNED,
    Column,
    Head,
    PackingError,
    head_of,
    unpack_segment,
)
from headend.model.channels import CHANNEL_BY_NAME, ChannelId
from headend.model.endpoint import CONFIGURATIONS
from headend.model.export import ChannelDay, intervals_between
from headend.model.readings import DAY_SECONDS

Key = tuple[int, int]
"""Channel, interval length in seconds."""

PLANS_MAX = 4_096
"""Plans remembered of one period: like endpoints have some dozens."""


@lru_cache(maxsize=4_096)
def expected_keys(configuration: str, channels: frozenset[ChannelId]) -> tuple[Key, ...]:
    """Channels that a configuration has intervals of, as far as they are wanted."""
    found = ((CHANNEL_BY_NAME[name].channel_id, seconds) for name, seconds in CONFIGURATIONS[configuration].intervals)
    return tuple(sorted(key for key in found if key[0] in channels))


class _Taken(NamedTuple):
    """A column that is the whole period: where its smallest value and its offsets are, counted from the segment's beginning."""

    key: Key
    channel_id: ChannelId
    exponent: int
    smallest: Struct
    smallest_at: int
    offsets: Struct | None
    offsets_at: int


class _Plan(NamedTuple):
    """What a segment brings. `columns` where they are taken as they are; else `span`, where anything of it is wanted.

    `span` is interval length, place of its first interval in the period, how many lie before that, how many in it, how many the period has.
    """

    head: Head
    columns: tuple[_Taken, ...]
    span: tuple[int, int, int, int, int] | None


class PeriodDays:
    """Reads endpoints' rows of one period, from UNIX second `start` to `end`, as far as `channels` are wanted."""

    def __init__(self, start: int, end: int, channels: frozenset[ChannelId]) -> None:
        self._start = start
        self._end = end
        self._channels = channels
        self._plans: dict[tuple[int, bytes], _Plan] = {}

    def of(self, rows: Sequence[tuple[int, bytes]], expected: Sequence[Key]) -> list[ChannelDay]:
        """An endpoint's channels by channel and length; those expected are there if only as gaps.

        A channel that has values of another length than the expected one is told by that. Raises PackingError.
        """
        found: dict[Key, ChannelDay] = {}
        for day, row in rows:
            self._take(found, day, row)
        if len(found) == len(expected) == 1 and expected[0] in found:
            return list(found.values())
        measured = {channel for channel, _ in found}
        for channel, seconds in expected:
            if channel not in measured:
                total = intervals_between(self._start, self._end, seconds)
                found[channel, seconds] = ChannelDay(ChannelId(channel), seconds, 0, [None] * total, None, whole=False)
        return [found[key] for key in sorted(found)]

    def _take(self, found: dict[Key, ChannelDay], day: int, row: bytes) -> None:
        check_version(row)
        offset, plans = len(VERSION), self._plans
        try:
            while offset < len(row):
                octets = row[offset : offset + HEAD.size + row[offset + CHANNELS_AT] * CHANNEL.size]
                plan = plans.get((day, octets)) or self._planned(day, octets)
                for key, channel_id, exponent, smallest, smallest_at, offsets, offsets_at in plan.columns:
                    (least,) = smallest.unpack_from(row, offset + smallest_at)
                    if offsets is None:
                        values = [least] * plan.span[4]  # type: ignore[index]  # what is taken has one
                    else:
                        values = [least + one for one in offsets.unpack_from(row, offset + offsets_at)]
                    found[key] = ChannelDay(channel_id, key[1], exponent, values, None, True)
                if plan.span is not None and not plan.columns:
                    self._merge(found, row, offset, plan)
                end = offset + plan.head.size
                offset = end + (FLAGS_SIZE.size + FLAGS_SIZE.unpack_from(row, end)[0] if plan.head.flags_form else 0)
        except (struct_error, IndexError):
            raise PackingError(f"a segment at octet {offset} goes on beyond {len(row)}") from None

    def _merge(self, found: dict[Key, ChannelDay], row: bytes, offset: int, plan: _Plan) -> None:
        assert plan.span is not None, "something of it is wanted"
        seconds, first, skip, count, total = plan.span
        for column in unpack_segment(row, offset, plan.head):
            if column.channel in self._channels:
                any_flags = plan.head.flags_form > 0
                _put(found, (column.channel, seconds), column, first, skip, count, total, any_flags=any_flags)

    def _planned(self, day: int, octets: bytes) -> _Plan:
        if len(self._plans) >= PLANS_MAX:
            self._plans.clear()
        head = head_of(octets)
        seconds = DAY_SECONDS // head.per_day
        first = day * DAY_SECONDS // seconds + head.first - self._start // seconds
        total = intervals_between(self._start, self._end, seconds)
        low, high = max(first, 0), min(first + head.end - head.first, total)
        wanted = any(channel in self._channels for channel, _, _ in head.channels)
        span = (seconds, low, low - first, high - low, total) if wanted and low < high else None
        is_taken = span is not None and span[3] == total == head.end - head.first and not head.flags_form
        is_taken = is_taken and all(form for _, _, form in head.channels)
        plan = self._plans[day, octets] = _Plan(head, self._columns(head, seconds) if is_taken else (), span)
        return plan

    def _columns(self, head: Head, seconds: int) -> tuple[_Taken, ...]:
        """Source  the layout in `segments`"""
        at = HEAD.size + CHANNEL.size * len(head.channels)
        body, count, found = at + sum(form >> 4 for _, _, form in head.channels), head.end - head.first, []
        for channel, exponent, form in head.channels:
            size, width = form >> 4, form & 15
            if channel in self._channels:
                offsets = Struct(f"<{count}{OFFSETS[width]}") if width else None
                key = channel, seconds
                found.append(_Taken(key, ChannelId(channel), exponent, Struct(f"<{SIGNED[size]}"), at, offsets, body))
            at += size
            body += width * count
        return tuple(found)


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
