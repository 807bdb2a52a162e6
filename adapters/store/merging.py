"""What becomes of a stored block when its intervals arrive again: gaps are filled, changed values supersede, equal ones do nothing.

A value that is known is never given up for one that is not: a meter that has overwritten an interval does not erase it here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapters.store.blocks import Block, BlockKey, Values, at_scale
from adapters.store.day_packing import VERSION, pack_day, part_of_day, segments_in, segments_of, unpack_days
from adapters.store.segments import Segment


@dataclass(frozen=True, slots=True)
class Merged:
    """The block to store, and whether it takes the place of a value that was different (else it only adds)."""

    block: Block
    supersedes: bool


@dataclass(frozen=True, slots=True)
class MergedDays:
    """The rows to store, by day; how many values more they know; what the blocks were, by day, that something different took the place of.

    `days` are those whose values changed.
    """

    rows: dict[int, bytes]
    days: frozenset[int]
    values_added: int
    superseded: dict[int, bytes]


def merge_days(rows: Mapping[int, bytes], arrived: Mapping[int, Sequence[Segment]]) -> MergedDays | None:
    """The segments that `arrived` by day, one after another, over an endpoint's rows; None when nothing changes. Raises PackingError.

    `rows` are those there are of each day's of `arrived`, the ones before and the ones after. Of the days that something arrived of, all
    that is known is packed anew, each in its row; what is known of other days stays in the rows in which it is.
    """
    reached = {day + later for day, segments in arrived.items() for segment in segments for later in segment.head.days}
    kept: dict[int, list[Segment]] = {}
    merged: list[tuple[int, bytes]] = []
    for day, row in rows.items():
        for segment in segments_in(row):
            inside = [later for later in segment.head.days if day + later in reached]
            if inside:
                merged.append((day, VERSION + segment.octets))
                outside = [later for later in segment.head.days if later not in inside]
                kept.setdefault(day, []).extend([part_of_day(segment, later) for later in outside])
            else:
                kept.setdefault(day, []).append(segment)
    stored = unpack_days(merged)
    before = {day: stored.get(day, {}) for day in reached}
    after = {day: dict(blocks) for day, blocks in before.items()}
    superseded: dict[int, dict[BlockKey, Block]] = {}
    changed: set[int] = set()
    for day, blocks in _one_after_another(arrived):
        for key, block in blocks.items():
            one = merge(after[day][key], block) if key in after[day] else Merged(block, supersedes=False)
            if one is not None:
                after[day][key] = one.block
                changed.add(day)
                if one.supersedes and key in before[day]:
                    superseded.setdefault(day, {})[key] = before[day][key]
    if not changed:
        return None
    for day, blocks in after.items():
        kept.setdefault(day, []).extend(segments_of(blocks))
    packed = {day: VERSION + b"".join([segment.octets for segment in kept.get(day, [])]) for day in {*rows, *reached}}
    return MergedDays(
        {day: row for day, row in packed.items() if row != rows.get(day, VERSION)},
        frozenset(changed),
        sum([_known(after[day]) - _known(before[day]) for day in reached]),
        {day: pack_day(blocks) for day, blocks in superseded.items()},
    )


def _one_after_another(arrived: Mapping[int, Sequence[Segment]]) -> Iterator[tuple[int, dict[BlockKey, Block]]]:
    """The blocks of each segment, by day."""
    for day, segments in arrived.items():
        for segment in segments:
            yield from unpack_days([(day, VERSION + segment.octets)]).items()


def _known(blocks: Mapping[BlockKey, Block]) -> int:
    return sum([len(values) - values.count(None) for values, _, _ in blocks.values()])


def merge(stored: Block, arrived: Block) -> Merged | None:
    """`arrived` over `stored`, for as many intervals each; None when nothing changes."""
    if stored[2] != arrived[2]:
        stored, arrived = _same_scale(stored, arrived)
    values, flags, exponent = stored
    new_values, new_flags, _ = arrived
    if not (any(flags) or any(new_flags)) and (joined := _joined(values, new_values)):
        return Merged((joined, flags, exponent), supersedes=False)
    merged_values = [old if new is None else new for old, new in zip(values, new_values, strict=True)]
    merged_flags = flags
    if any(flags) or any(new_flags):
        merged_flags = [
            old_flag if new is None and (old is not None or not new_flag) else new_flag
            for old, new, old_flag, new_flag in zip(values, new_values, flags, new_flags, strict=True)
        ]
    if merged_values == values and merged_flags == flags:
        return None
    supersedes = not _adds_only(values, new_values, merged_values) and _differs(stored, merged_values, merged_flags)
    return Merged((merged_values, merged_flags, exponent), supersedes)


def _joined(values: Values, new_values: Values) -> list[int | None] | None:
    """Both together where one is the day's beginning and the other its end, as they nearly always are; None where not."""
    count = len(values)
    if len(new_values) != count:
        return None
    split = new_values.count(None)
    if 0 < split < count:
        if new_values[:split].count(None) == split and values[split:].count(None) == count - split:
            return [*values[:split], *new_values[split:]]
        split = count - split
        if new_values[split:].count(None) == count - split and values[:split].count(None) == split:
            return [*new_values[:split], *values[split:]]
    return None


def _adds_only(values: Values, new_values: Values, merged_values: Values) -> bool:
    """Whether no interval has a value in both: as many are known afterwards as before and in the new ones together."""
    return len(values) - values.count(None) - new_values.count(None) == -merged_values.count(None)


def _differs(stored: Block, values: list[int | None], flags: Sequence[int]) -> bool:
    old_values, old_flags, _ = stored
    return any(
        old is not None and (old != new or old_flag != new_flag)
        for old, new, old_flag, new_flag in zip(old_values, values, old_flags, flags, strict=True)
    )


def _same_scale(one: Block, other: Block) -> tuple[Block, Block]:
    exponent = min(one[2], other[2])
    return at_scale(one, exponent), at_scale(other, exponent)
