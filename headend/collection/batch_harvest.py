"""Many conversations decoded together: profile sets that are alike as arrays, all else one by one.

What the blocks of a set come to in arrays is what `harvest.take_set` makes of them, in another form. To it is left every set that is
like too few others, and each that turns out to have something to it: an end that cannot be read, intervals that were never measured,
blocks that do not continue one another.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headend.c1219.block_arrays import BlockArrays, decode_blocks
from headend.c1219.clock import EPOCH_UTC, TimeBase
from headend.collection.harvest import Harvest, harvest_rest, run_start, take_set, uncollected
from headend.collection.interval_days import UNMEASURED
from headend.collection.likeness import Likeness, Member, alike, array_columns
from headend.collection.transcript import Gathered, Transcript
from headend.errors import WireError
from headend.model.collection import Collected, SetProgress
from headend.model.endpoint import EndpointId
from headend.model.interval_runs import IntervalRuns, runs_by_day

ALIKE_MIN = 4
"""Sets alike from which on arrays are worth their making."""

NEVER = -1
"""In place of the UNIX second at which a block begins that has no end."""

Reached = dict[tuple[int, int], SetProgress]
"""How far sets have been collected, by the numbers of conversation and set."""

Time = tuple[int, datetime]
"""UNIX second at which a block's intervals begin (NEVER where that cannot be told), and the end of its last slot."""


class Batch(NamedTuple):
    """What many conversations and pushes come to: values that are in arrays in `runs`, all else, in the order given, in `items`."""

    items: list[Collected]
    runs: list[IntervalRuns]


def harvest_all(items: Sequence[Collected | Transcript]) -> Batch:
    """All of them as the store takes them."""
    runs: list[IntervalRuns] = []
    reached: Reached = {}
    for likeness, members in alike(_firsts(items)).items():
        if len(members) >= ALIKE_MIN:
            runs += _taken(likeness, members, reached)
    return Batch([_one(number, item, reached) for number, item in enumerate(items)], runs)


def _firsts(items: Sequence[Collected | Transcript]) -> Iterator[tuple[int, Gathered]]:
    """What was gathered, by number; of an endpoint that comes twice only the first time, so that what came later stays later."""
    seen: set[EndpointId] = set()
    for number, item in enumerate(items):
        if item.endpoint_id not in seen and isinstance(item, Transcript) and item.gathered is not None:
            yield number, item.gathered
        seen.add(item.endpoint_id)


def _one(number: int, item: Collected | Transcript, reached: Reached) -> Collected:
    """One conversation, but for the intervals of those sets that have been taken."""
    if isinstance(item, Collected):
        return item
    gathered = item.gathered
    if gathered is None:
        return uncollected(item)
    found = Harvest()
    sets: list[SetProgress | None] = []
    for index, given in enumerate(gathered.sets):
        progress = reached.get((number, index))
        if progress is None and given is not None:
            progress = take_set(gathered.source, gathered.source.program.sets[index], given, found)
        sets.append(progress)
    return harvest_rest(item, gathered, sets, found)


def _taken(likeness: Likeness, members: Sequence[Member], reached: Reached) -> list[IntervalRuns]:
    """The runs of those sets that have nothing to them, and how far each has `reached`."""
    columns = array_columns(members[0].source.program, members[0].set_index)
    assert columns is not None
    blocks = [_decoded(likeness, members, at) for at in range(len(likeness.slots))]
    times = [_times(members[0].source.base, likeness, block) for block in blocks]
    starts = np.array([start for start, _ in times[0]])
    chosen = np.flatnonzero(_without_flaw(starts, blocks, times, likeness.interval_seconds))
    for at in chosen.tolist():
        one, (_, end) = members[at], times[-1][at]
        newest = one.given.known[-1]
        reached[one.conversation, one.set_index] = SetProgress(one.given.status.last_seq - newest.back, newest.element, newest.valid, end)
    picked = np.ix_(chosen, columns.places)
    raw = np.concatenate([block.values for block in blocks], axis=2)[picked]
    return runs_by_day(
        [members[at].source.endpoint_id for at in chosen.tolist()],
        starts[chosen],
        likeness.interval_seconds,
        tuple(zip(columns.channels, columns.exponents, strict=True)),
        raw * columns.multipliers + columns.offsets,
        _flags(blocks, picked),
    )


def _decoded(likeness: Likeness, members: Sequence[Member], at: int) -> BlockArrays:
    """Block number `at` of each, its due slots only."""
    layout, (first, valid) = likeness.layout, likeness.slots[at]
    # A simple status counts from the first row, so such a block has come whole.
    skipped = first if layout.simple else 0
    octets = [one.given.octets[at] for one in members]
    block = decode_blocks(layout, octets, valid - first + skipped, descending=likeness.descending)
    if not skipped:
        return block
    return block._replace(values=block.values[:, :, skipped:], flags=None if block.flags is None else block.flags[:, :, skipped:])


def _times(base: TimeBase, likeness: Likeness, block: BlockArrays) -> list[Time]:
    """When each block's intervals begin, and its end; like meters mostly have the same."""
    known: dict[tuple[bytes, bool | None], Time] = {}
    times = []
    for stamp in zip(block.stamps, repeat(None) if block.dst is None else block.dst, strict=False):
        time = known.get(stamp)
        if time is None:
            time = known[stamp] = _time(base, likeness, *stamp, block.values.shape[2])
        times.append(time)
    return times


def _time(base: TimeBase, likeness: Likeness, stamp: bytes, dst: bool | None, count: int) -> Time:
    try:
        device_seconds = likeness.layout.formats.time.read_stime(stamp)
    except WireError:
        device_seconds = None
    if device_seconds is None:
        return NEVER, EPOCH_UTC
    end, _ = base.resolve(device_seconds, dst)
    return run_start(int(end.timestamp()), count, likeness.interval_seconds), end


def _without_flaw(
    starts: NDArray[np.int64], blocks: Sequence[BlockArrays], times: Sequence[Sequence[Time]], seconds: int
) -> NDArray[np.bool_]:
    """Which have ends, blocks that continue one another, and no interval that was never measured."""
    good: NDArray[np.bool_] = starts != NEVER
    length = 0
    for block, begun in zip(blocks, times, strict=True):
        good &= np.array([start for start, _ in begun]) == starts + length * seconds
        if block.flags is not None:
            good &= ~(block.flags & UNMEASURED).any(axis=(1, 2))
        length += block.values.shape[2]
    return good


def _flags(blocks: Sequence[BlockArrays], picked: tuple[NDArray[np.intp], ...]) -> NDArray[np.uint16] | None:
    """Those of all blocks, one after another."""
    if all(block.flags is None for block in blocks):
        return None
    parts = [np.zeros(block.values.shape, np.uint16) if block.flags is None else block.flags for block in blocks]
    flags = np.concatenate(parts, axis=2)[picked]
    return flags if flags.any() else None
