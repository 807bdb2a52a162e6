"""Registers of a meter → register reads of the catalogue's channels."""

from datetime import datetime
from functools import lru_cache

from headend.c1219.program import MeterProgram
from headend.c1219.register_tables import RegisterValues
from headend.c1219.values import Scaling
from headend.collection.channel_map import channel_of
from headend.collection.programs import PROGRAMS_MAX
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.readings import ReadSource, RegisterRead


@lru_cache(maxsize=PROGRAMS_MAX)
def register_channels(program: MeterProgram) -> tuple[tuple[int, int, ChannelId, Scaling], ...]:
    """Tier (0 is the total), place, channel and scaling of the summations that the catalogue has a channel for."""
    registers = program.registers
    found = [
        (tier, place, channel_of(one.unit, tier=tier), one.scaling)
        for tier in range(registers.dimensions.tiers + 1)
        for place, one in enumerate(registers.summations)
    ]
    return tuple((tier, place, channel.channel_id, scaling) for tier, place, channel, scaling in found if channel is not None)


def register_reads(
    endpoint_id: EndpointId, program: MeterProgram, values: RegisterValues, instant: datetime, source: ReadSource, flags: int = 0
) -> list[RegisterRead]:
    """One read for each summation that the catalogue has a channel for and that holds a number."""
    reads = []
    for tier, place, channel_id, scaling in register_channels(program):
        block = values.tiers[tier - 1] if tier else values.total
        raw = block.summations[place]
        if raw is not None:
            reads.append(RegisterRead(endpoint_id, channel_id, instant, source, *scaling.number(raw), flags))
    return reads
