"""Registers of a meter → register reads of the catalogue's channels."""

from datetime import datetime
from functools import lru_cache

from headend.c1219.program import MeterProgram
from headend.c1219.register_tables import RegisterBlock
from headend.c1219.values import Scaling
from headend.collection.channel_map import channel_of
from headend.collection.programs import PROGRAMS_MAX
from headend.model.channels import ChannelId
from headend.model.endpoint import EndpointId
from headend.model.readings import ReadSource, RegisterRead


@lru_cache(maxsize=PROGRAMS_MAX)
def register_channels(program: MeterProgram) -> tuple[tuple[int, ChannelId, Scaling], ...]:
    """Place, channel and scaling of the summations that the catalogue has a channel for."""
    found = [(place, channel_of(r.unit), r.scaling) for place, r in enumerate(program.registers.summations)]
    return tuple((place, channel.channel_id, scaling) for place, channel, scaling in found if channel is not None)


def register_reads(
    endpoint_id: EndpointId, program: MeterProgram, total: RegisterBlock, instant: datetime, source: ReadSource, flags: int = 0
) -> list[RegisterRead]:
    """One read for each summation that the catalogue has a channel for and that holds a number."""
    reads = []
    for place, channel_id, scaling in register_channels(program):
        raw = total.summations[place]
        if raw is not None:
            reads.append(RegisterRead(endpoint_id, channel_id, instant, source, *scaling.number(raw), flags))
    return reads
