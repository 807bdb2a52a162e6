"""What becomes of a stored block when its intervals arrive again: gaps are filled, changed values supersede, equal ones do nothing.

A value that is known is never given up for one that is not: a meter that has overwritten an interval does not erase it here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adapters.store.blocks import Block, BlockKey, Values, at_scale
from adapters.store.day_packing import VERSION, pack_day, unpack_day
from adapters.store.segments import Segment


@dataclass(frozen=True, slots=True)
class Merged:
    """The block to store, and whether it takes the place of a value that was different (else it only adds)."""

    block: Block
    supersedes: bool


@dataclass(frozen=True, slots=True)
class MergedDay:
    """The day to store, how many values more it knows, and the blocks of the day before that something different took the place of."""

    day: bytes
    values_added: int
    superseded: bytes | None


def merge_day(stored: bytes, segments: Sequence[Segment]) -> MergedDay | None:
    """`segments`, one after another, over a stored day (b"" where there is none); None when nothing changes. Raises PackingError."""
    before = unpack_day(stored) if stored else {}
    after, superseded, changed = dict(before), dict[BlockKey, Block](), False
    for segment in segments:
        for key, arrived in unpack_day(VERSION + segment.octets).items():
            merged = merge(after[key], arrived) if key in after else Merged(arrived, supersedes=False)
            if merged is not None:
                after[key], changed = merged.block, True
                if merged.supersedes and key in before:
                    superseded[key] = before[key]
    if not changed:
        return None
    return MergedDay(pack_day(after), _known(after) - _known(before), pack_day(superseded) if superseded else None)


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
