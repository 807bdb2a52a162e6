"""Which profile sets of many conversations are alike, so that their blocks can be decoded together.

Alike are sets of one layout, with the same channels, clock and due slots, as like meters have that are collected at one time. Every set
that has something to it is left out: a doubtful clock, intervals whose length changes, numbers that are not certain to become integers.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headend.c1219.profile_blocks import BlockLayout
from headend.c1219.profile_sets import ProfileSet
from headend.c1219.program import MeterProgram
from headend.c1219.values import Scaling
from headend.collection.harvest import set_columns
from headend.collection.programs import PROGRAMS_MAX
from headend.collection.transcript import Gathered, SetOctets, Source
from headend.model.channels import ChannelId
from headend.model.readings import DAY_SECONDS

INT64_MAX = (1 << 63) - 1


class Likeness(NamedTuple):
    """What sets that are decoded together have in common. `slots` are the first due of each block and the one after the last."""

    layout: BlockLayout
    channels: int
    base: int
    interval_seconds: int
    descending: bool
    slots: tuple[tuple[int, int], ...]


class Member(NamedTuple):
    """One of the sets that are alike: whose, which of its sets, and what there is of it. `conversation` is a number of the caller's."""

    conversation: int
    set_index: int
    source: Source
    given: SetOctets


def alike(conversations: Iterable[tuple[int, Gathered]]) -> dict[Likeness, list[Member]]:
    """All sets that can be decoded together, by what they have in common."""
    groups: dict[Likeness, list[Member]] = {}
    for number, gathered in conversations:
        source = gathered.source
        if not source.drift_seconds:
            for index, given in enumerate(gathered.sets):
                likeness = None if given is None else _likeness(source, index, given)
                if given is not None and likeness is not None:
                    groups.setdefault(likeness, []).append(Member(number, index, source, given))
    return groups


def _likeness(source: Source, index: int, given: SetOctets) -> Likeness | None:
    profile_set = source.program.sets[index]
    blocks = given.known
    seconds = _interval_seconds(profile_set, given, blocks[0].back) if blocks else 0
    if not seconds or DAY_SECONDS % seconds or array_columns(source.program, index) is None:
        return None
    slots = tuple([(block.first, block.valid) for block in blocks])
    # Identities hold for as long as what they are of, which the conversations hold.
    channels, base = id(profile_set.channels), id(source.base)
    return Likeness(profile_set.layout, channels, base, seconds, given.status.intervals_descending, slots)


def _interval_seconds(profile_set: ProfileSet, given: SetOctets, oldest_back: int) -> int:
    """The length of all intervals due; 0 where it changes."""
    minutes = profile_set.interval_minutes
    if profile_set.eras:
        last = given.status.last_seq
        lengths = {profile_set.interval_minutes_at(seq) for seq in range(last - oldest_back, last + 1)}
        minutes = lengths.pop() if len(lengths) == 1 else 0
    return 60 * minutes


class ArrayColumns(NamedTuple):
    """The channels of a set that the catalogue has, by their places in it, and how raw integers become theirs.

    Layout  multipliers, offsets: int64[channels, 1], to be applied to raw[…, channels, intervals]
    """

    places: NDArray[np.intp]
    channels: tuple[ChannelId, ...]
    exponents: tuple[int, ...]
    multipliers: NDArray[np.int64]
    offsets: NDArray[np.int64]


@lru_cache(maxsize=PROGRAMS_MAX)
def array_columns(program: MeterProgram, index: int) -> ArrayColumns | None:
    """None where values are not certain to be 64-bit integers, whatever the raw ones are."""
    number = program.sets[index].layout.number
    columns = [(place, *column) for place, column in enumerate(set_columns(program, index)) if column is not None]
    if number.read is not None or not all(_stays_integer(scaling, number.size) for _, _, scaling in columns):
        return None
    return ArrayColumns(
        np.array([place for place, _, _ in columns], np.intp),
        tuple([channel_id for _, channel_id, _ in columns]),
        tuple([scaling.value_exponent for _, _, scaling in columns]),
        np.array([[scaling.multiplier] for _, _, scaling in columns], np.int64),
        np.array([[scaling.offset] for _, _, scaling in columns], np.int64),
    )


def _stays_integer(scaling: Scaling, octets: int) -> bool:
    if scaling.divisor != 1:
        return False
    unchanged = scaling.multiplier == 1 and not scaling.offset
    return unchanged or abs(scaling.multiplier) << 8 * octets <= INT64_MAX - abs(scaling.offset)
