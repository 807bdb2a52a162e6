"""Registers of a meter → register reads of the catalogue's channels."""

from datetime import datetime

from headend.c1219.register_layout import RegisterLayout
from headend.c1219.register_tables import RegisterBlock
from headend.collection.channel_map import channel_of
from headend.model.endpoint import EndpointId
from headend.model.readings import ReadSource, RegisterRead


def register_reads(
    endpoint_id: EndpointId, layout: RegisterLayout, total: RegisterBlock, instant: datetime, source: ReadSource, flags: int = 0
) -> list[RegisterRead]:
    """One read for each summation that the catalogue has a channel for and that holds a number."""
    reads = []
    for register, raw in zip(layout.summations, total.summations, strict=True):
        channel = channel_of(register.unit)
        number = register.value(raw)
        if channel is not None and number is not None:
            reads.append(RegisterRead(endpoint_id, channel.channel_id, instant, source, *number, flags))
    return reads
