"""What a battery endpoint pushes and what it makes of the acknowledgement; pure. The format is in headend/PUSH.md."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NamedTuple

from emulators.meter import Meter
from emulators.programs import PROGRAM_TABLES
from headend.c1219.event_log_tables import LOG_HEADER_OCTETS
from headend.c1219.register_layout import SELF_READ_HEADER_OCTETS
from headend.c1219.tables import MT_PROFILE_MEANING, MT_WAKE_UPS
from headend.c1222.responses import ResponseCode
from headend.c1222.services import FullWrite, PartialWriteOffset

SERVICES_OCTETS_MAX: Final = 1_100
"""Octets of services in one push: it is one datagram in the mesh."""

KEPT_DAYS: Final = 40
"""What was not acknowledged within so many days is given up."""

RESULTS_MAX: Final = 16
"""Procedure results waiting to be pushed."""

_WRITE_OCTETS: Final = 12
"""Octets of a write service beside its data: length, code, table, offset, count, checksum."""


class Item(Enum):
    """What one write of a push is about."""

    PROGRAM = "program"
    COUNTER = "counter"
    CLOCK = "clock"
    RESULT = "result"
    WAKE_UPS = "wake-ups"
    STATUS = "status"
    BLOCKS = "blocks"
    SELF_READS = "self-reads"
    EVENTS = "events"


class Write(NamedTuple):
    """One write of a push. `reaches`: what is acknowledged with it — (blocks that are whole, slots of the next), a count, or wake-ups."""

    item: Item
    body: bytes
    reaches: tuple[int, ...] = (0, 0)


@dataclass(slots=True)
class PushState:
    """What an endpoint knows was received: its `wake_ups`, `blocks` whole blocks and `slots` of the next one, self-reads, events."""

    program_known: bool = False
    wake_ups: tuple[int, ...] = ()
    blocks: int = 0
    slots: int = 0
    self_reads: int = 0
    events: int = 0
    results: list[bytes] = field(default_factory=list)


def build_push(meter: Meter, state: PushState) -> list[Write]:
    """The writes of the next push, oldest data first, as many as fit."""
    writes = list(_head(meter, state))
    room = SERVICES_OCTETS_MAX - sum(len(write.body) + 2 for write in writes)
    for parts in (_blocks(meter, state, room), _self_reads(meter, state), _events(meter, state)):
        for write in parts:
            if len(write.body) + 2 > room:
                break
            room -= len(write.body) + 2
            writes.append(write)
    return writes


def has_news(meter: Meter, state: PushState) -> bool:
    """Whether something is left to push."""
    profile = _profile_news(meter, state)
    told = bool(state.results) or meter.wake_ups != state.wake_ups
    return profile or told or meter.self_read_count() > state.self_reads or len(meter.events()) > state.events


def _profile_news(meter: Meter, state: PushState) -> bool:
    place, intervals = meter.place(0), meter.kind.specs[0].intervals
    return place is not None and place.seq * intervals + place.valid > state.blocks * intervals + state.slots


def _head(meter: Meter, state: PushState) -> Iterator[Write]:
    if state.program_known:
        counter = meter.octets(MT_PROFILE_MEANING, 0, 2)
        yield Write(Item.COUNTER, PartialWriteOffset(MT_PROFILE_MEANING, 0, counter).encode())
    else:
        for table in PROGRAM_TABLES:
            yield Write(Item.PROGRAM, FullWrite(table, meter.table(table)).encode())
    yield Write(Item.CLOCK, FullWrite(52, meter.table(52)).encode())
    for result in state.results:
        yield Write(Item.RESULT, FullWrite(8, result).encode())
    if meter.wake_ups != state.wake_ups:
        yield Write(Item.WAKE_UPS, FullWrite(MT_WAKE_UPS, meter.table(MT_WAKE_UPS)).encode(), meter.wake_ups)
    yield Write(Item.STATUS, FullWrite(63, meter.table(63)).encode())


def _blocks(meter: Meter, state: PushState, room: int) -> Iterator[Write]:
    """Blocks with slots not acknowledged, contiguous elements in one write."""
    spec, place = meter.kind.specs[0], meter.place(0)
    if place is None or not _profile_news(meter, state):
        return
    size, ring = spec.block_octets, spec.blocks
    per_day = max(1, 86_400 // (spec.interval_seconds * spec.intervals))
    sequence = max(state.blocks, place.blocks - KEPT_DAYS * per_day, place.blocks - ring)
    while sequence <= place.seq:
        element = sequence % ring
        fits = (room - _WRITE_OCTETS) // size
        count = min(place.seq - sequence + 1, ring - element, fits)
        if count <= 0:
            return
        after = sequence + count
        reaches = (after, 0) if after <= place.seq or place.valid == spec.intervals else (after - 1, place.valid)
        data = meter.octets(64, element * size, count * size)
        body = PartialWriteOffset(64, element * size, data).encode()
        yield Write(Item.BLOCKS, body, reaches)
        room -= len(body) + 2
        sequence = after


def _self_reads(meter: Meter, state: PushState) -> Iterator[Write]:
    ring, size = meter.kind.registers.self_reads, meter.kind.registers.entry_size
    count = meter.self_read_count()
    for sequence in range(max(state.self_reads, count - min(ring, KEPT_DAYS)), count):
        offset = SELF_READ_HEADER_OCTETS + sequence % ring * size
        yield Write(Item.SELF_READS, PartialWriteOffset(26, offset, meter.octets(26, offset, size)).encode(), (sequence + 1, 0))


def _events(meter: Meter, state: PushState) -> Iterator[Write]:
    layout = meter.kind.events
    ring, size = layout.dimensions.events, layout.entry_size
    events = meter.events()
    for sequence in range(max(state.events, len(events) - ring), len(events)):
        offset = LOG_HEADER_OCTETS + sequence % ring * size
        yield Write(Item.EVENTS, PartialWriteOffset(76, offset, meter.log_entry(sequence, events[sequence])).encode(), (sequence + 1, 0))


def acknowledge(state: PushState, writes: Sequence[Write], responses: Sequence[bytes]) -> bool:
    """Take in the responses to a push; whether every write was accepted. What was refused comes again."""
    codes = [response[0] if response else int(ResponseCode.ERR) for response in responses[: len(writes)]]
    codes += [int(ResponseCode.ERR)] * (len(writes) - len(codes))
    refused: set[Item] = set()
    for write, code in zip(writes, codes, strict=True):
        if code != ResponseCode.OK or write.item in refused:
            refused.add(write.item)
            continue
        _reached(state, write)
    if any(write.item is Item.PROGRAM for write in writes):
        state.program_known = Item.PROGRAM not in refused
    if ResponseCode.DNR in codes:
        state.program_known = False
    return not refused


def _reached(state: PushState, write: Write) -> None:
    match write.item:
        case Item.BLOCKS:
            state.blocks, state.slots = write.reaches[:2]
        case Item.WAKE_UPS:
            state.wake_ups = write.reaches
        case Item.SELF_READS:
            state.self_reads = write.reaches[0]
        case Item.EVENTS:
            state.events = write.reaches[0]
        case Item.RESULT:
            del state.results[:1]
