"""Builds the profile sets of a program from ST61, ST62 and MT2."""

from collections.abc import Mapping
from fractions import Fraction

from headend.c1219.fields import Formats
from headend.c1219.load_profile_tables import ChannelSelection, ProfileControl, ProfileDimensions, SetDimensions, set_table
from headend.c1219.manufacturer_tables import PhaseCode, ProfileMeaning, SetMeaning, StatisticCode
from headend.c1219.profile_blocks import SHAPE_FLAGS, BlockLayout, BlockShape, block_layout
from headend.c1219.profile_sets import ProfileChannel, ProfileSet
from headend.c1219.program_sources import SourceMap
from headend.c1219.source_tables import Direction, TimeBase, UnitOfMeasure
from headend.c1219.tables import (
    MT_PROFILE_MEANING,
    ST_PROFILE_CONTROL,
    ST_PROFILE_DIMENSIONS,
    TableError,
)


def profile_sets(
    tables: Mapping[int, bytes], formats: Formats, dimensions: ProfileDimensions, sources: SourceMap
) -> tuple[ProfileSet, ...]:
    """All sets that are programmed; one whose dimensions are zero is in use, but holds nothing. Raises TableError."""
    control = ProfileControl.decode(tables[ST_PROFILE_CONTROL], formats, dimensions)
    meanings = _meanings(tables, formats, dimensions)
    sets = []
    for index, size in enumerate(dimensions.sets):
        if not (size.blocks and size.intervals and size.channels):
            continue
        if not size.interval_minutes:
            raise TableError(ST_PROFILE_DIMENSIONS, f"set {size.number} has intervals of 0 minutes")
        code = control.sets[index].format_code
        shape = BlockShape(size.intervals, size.channels, code, dimensions.flags & SHAPE_FLAGS)
        layout = block_layout(set_table(size.number), formats, shape)
        channels = tuple(
            _channel(i, selection, meanings[index], sources, layout) for i, selection in enumerate(control.sets[index].channels)
        )
        sets.append(ProfileSet(index, size.number, layout.table, size.blocks, size.interval_minutes, channels, layout))
    return tuple(sets)


def _meanings(tables: Mapping[int, bytes], formats: Formats, dimensions: ProfileDimensions) -> list[SetMeaning | None]:
    if MT_PROFILE_MEANING not in tables:
        return [None] * len(dimensions.sets)
    meaning = ProfileMeaning.decode(tables[MT_PROFILE_MEANING], formats)
    if len(meaning.sets) != len(dimensions.sets):
        raise TableError(MT_PROFILE_MEANING, f"{len(meaning.sets)} sets where ST61 has {len(dimensions.sets)}")
    for size, own in zip(dimensions.sets, meaning.sets, strict=True):
        _check_channels(size, own)
    return list(meaning.sets)


def _check_channels(size: SetDimensions, meaning: SetMeaning) -> None:
    if len(meaning.channels) != size.channels:
        raise TableError(
            MT_PROFILE_MEANING, f"{len(meaning.channels)} channels in set {size.number} where ST61 has {size.channels}"
        )


def _channel(
    index: int, selection: ChannelSelection, meaning: SetMeaning | None, sources: SourceMap, layout: BlockLayout
) -> ProfileChannel:
    source = sources.source(selection.source, ST_PROFILE_CONTROL)
    end_source = sources.source(selection.end_source, ST_PROFILE_CONTROL) if selection.has_end_reading else source
    statistic, phase = meaning.channels[index] if meaning else (default_statistic(source.unit), PhaseCode.ALL)
    factor = Fraction(selection.scalar, selection.divisor)
    return ProfileChannel(
        index,
        selection.source,
        source.unit,
        statistic,
        phase,
        selection.scalar,
        selection.divisor,
        source.scaling(factor, layout.number.exponent),
        end_source.scaling(),
        selection.has_end_reading,
    )


def default_statistic(unit: UnitOfMeasure | None) -> StatisticCode:
    """What a channel holds where the meter has no MT2: amounts are totals, net where they are; all else is an average."""
    if unit is None or unit.direction is Direction.NET:
        return StatisticCode.NET if unit else StatisticCode.TOTAL
    return StatisticCode.TOTAL if unit.time_base == TimeBase.BULK else StatisticCode.AVERAGE
