"""A load-profile set as the program of a meter describes it: channels, their scaling and meaning, block layout, interval lengths."""

from dataclasses import dataclass

from headend.c1219.manufacturer_tables import Era, PhaseCode, StatisticCode
from headend.c1219.profile_blocks import BlockLayout, ProfileBlock
from headend.c1219.source_tables import UnitOfMeasure
from headend.c1219.values import Scaling


@dataclass(frozen=True, slots=True)
class ProfileChannel:
    """One channel of a set.

    `scaling` turns a column of raw integers into values of the coded unit, `end_scaling` an end reading. `unit` is None where ST12
    has nothing on the source.
    """

    index: int
    source: int
    unit: UnitOfMeasure | None
    statistic: StatisticCode
    phase: PhaseCode
    scalar: int
    divisor: int
    scaling: Scaling
    end_scaling: Scaling
    has_end_reading: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ProfileSet:
    """One of ST64-67, one value for all meters of one make-up.

    `index` is its place among the sets in use, as in ST61-63; `number` its own, 1-4.

    `interval_minutes` is the present length; blocks from before a change keep theirs: ask `interval_minutes_at`.
    """

    index: int
    number: int
    table_id: int
    blocks: int
    interval_minutes: int
    channels: tuple[ProfileChannel, ...]
    layout: BlockLayout
    eras: tuple[Era, ...] = ()

    @property
    def intervals_per_block(self) -> int:
        return self.layout.intervals

    @property
    def block_size(self) -> int:
        """Octets of one block."""
        return self.layout.size

    def interval_minutes_at(self, seq: int) -> int:
        """Interval length of block `seq`; one older than the first era known has that era's length."""
        if not self.eras or seq >= self.eras[-1].first_seq:
            return self.interval_minutes
        return next((era.minutes for era in reversed(self.eras) if era.first_seq <= seq), self.eras[0].minutes)

    def decode_block(self, octets: bytes, valid_intervals: int | None = None, descending: bool = False) -> ProfileBlock:
        """One block; see BlockLayout.decode. Give ST63's NBR_VALID_INT for the newest block, and its interval order for all."""
        return self.layout.decode(octets, valid_intervals, descending)

    def encode_block(self, block: ProfileBlock, descending: bool = False) -> bytes:
        return self.layout.encode(block, descending)

    def block_range(self, element: int, count: int = 1) -> range:
        """Octets of elements `element` … of the set's table."""
        return range(element * self.layout.size, (element + count) * self.layout.size)
